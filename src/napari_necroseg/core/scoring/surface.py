"""Distances between the surfaces of two masks, each surface element weighted by its area.

The definitions are those of google-deepmind/surface-distance: between eight neighbouring voxel centres lies a
surface element if some of them are inside and some are not; its area is that of the triangles which marching
cubes puts there; its distance to the other mask is that to the nearest of the other's elements.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy  # loads its parts at their first use: opening the panel does not wait for them
from numpy.typing import NDArray

from napari_necroseg.core.masks.components import bounding_box
from napari_necroseg.core.scoring.overlap import Mask

Spacing = tuple[float, float, float]
Floats = NDArray[np.float64]
_ALL_INSIDE = 255
_IN_SLICE = np.array([[[0, 1, 0], [1, 1, 1], [0, 1, 0]]], bool)


@dataclass(frozen=True, kw_only=True, eq=False)
class SurfaceDistances:
    """Surface elements of two masks: distance to the other mask in mm, nearest first, and area in mm2.

    A mask without voxels has no elements; the distances to it are infinite.
    """

    reference_mm: Floats
    reference_mm2: Floats
    prediction_mm: Floats
    prediction_mm2: Floats

    def hausdorff_mm(self, percent: float = 95.0) -> float:
        """Return the larger of both directed distances that `percent` of the area does not exceed."""
        if not len(self.reference_mm) and not len(self.prediction_mm):
            return math.nan
        return max(
            _percentile(self.reference_mm, self.reference_mm2, percent=percent),
            _percentile(self.prediction_mm, self.prediction_mm2, percent=percent),
        )

    def average_mm(self) -> float:
        """Return the mean distance over the area of both surfaces (ASSD)."""
        area = self.reference_mm2.sum() + self.prediction_mm2.sum()
        if not area:
            return math.nan
        total = (self.reference_mm * self.reference_mm2).sum() + (
            self.prediction_mm * self.prediction_mm2
        ).sum()
        return float(total / area)

    def share_within(self, tolerance_mm: float) -> float:
        """Return the share of both surfaces that is no further than the tolerance from the other (NSD)."""
        area = self.reference_mm2.sum() + self.prediction_mm2.sum()
        if not area:
            return math.nan
        near = self.reference_mm2[self.reference_mm <= tolerance_mm].sum()
        near += self.prediction_mm2[self.prediction_mm <= tolerance_mm].sum()
        return float(near / area)


def surface_distances(reference: Mask, prediction: Mask, *, spacing_mm: Spacing) -> SurfaceDistances:
    """Measure how far each surface element of one mask is from the surface of the other.

    `reference`, `prediction`: ``(Z, Y, X)``; either may be empty. `spacing_mm`: voxel spacing along the three
    axes.
    """
    box = bounding_box(reference | prediction)
    if box is None:
        nothing = np.zeros(0)
        return SurfaceDistances(
            reference_mm=nothing, reference_mm2=nothing, prediction_mm=nothing, prediction_mm2=nothing
        )
    codes = [neighbourhoods(mask[box]) for mask in (reference, prediction)]
    elements = [(code != 0) & (code != _ALL_INSIDE) for code in codes]
    areas = element_areas_mm2(spacing_mm)
    sorted_pairs = [
        _sorted(
            _distances_to(elements[1 - side], elements[side], spacing_mm=spacing_mm),
            areas[codes[side][elements[side]]],
        )
        for side in (0, 1)
    ]
    (reference_mm, reference_mm2), (prediction_mm, prediction_mm2) = sorted_pairs
    return SurfaceDistances(
        reference_mm=reference_mm,
        reference_mm2=reference_mm2,
        prediction_mm=prediction_mm,
        prediction_mm2=prediction_mm2,
    )


def contour_distances(reference: Mask, prediction: Mask, *, spacing_mm: Spacing) -> NDArray[np.float32]:
    """Return how far the prediction's surface is from the reference's, at the reference's contour voxels.

    `reference`, `prediction`: ``(Z, Y, X)``. `spacing_mm`: voxel spacing along the three axes.
    Returns ``(Z, Y, X)``, float32, mm; in the voxels along the reference's contour in a slice (they share an
    edge with what is outside) the largest distance of the surface elements at their corners, infinite without
    a prediction; nan elsewhere.
    """
    distances = np.full(reference.shape, np.nan, np.float32)
    box = bounding_box(reference | prediction)
    if box is None or not reference[box].any():
        return distances
    codes = [neighbourhoods(mask[box]) for mask in (reference, prediction)]
    elements = [(code != 0) & (code != _ALL_INSIDE) for code in codes]
    at_corners = np.full(elements[0].shape, -np.inf)
    at_corners[elements[0]] = _distances_to(elements[1], elements[0], spacing_mm=spacing_mm)
    # Corner (z, y, x) lies before voxel (z, y, x): a voxel's corners run from its own index to the next.
    largest = scipy.ndimage.maximum_filter(at_corners, size=2, origin=-1, mode="nearest")[:-1, :-1, :-1]
    contour = reference[box] & ~scipy.ndimage.binary_erosion(reference[box], _IN_SLICE)
    distances[box][contour] = largest[contour]
    return distances


def neighbourhoods(mask: Mask) -> NDArray[np.uint8]:
    """Return, for every cube of eight neighbouring voxel centres, which of them are inside, one bit each.

    `mask`: ``(Z, Y, X)``; false beyond its border.
    Returns ``(Z + 1, Y + 1, X + 1)``, uint8; bit ``4 dz + 2 dy + dx`` stands for the corner at that offset.
    """
    padded = np.pad(mask, 1).view(np.uint8)
    z, y, x = (n - 1 for n in padded.shape)
    codes = np.zeros((z, y, x), np.uint8)
    for bit, (dz, dy, dx) in enumerate(np.ndindex(2, 2, 2)):
        codes |= padded[dz : dz + z, dy : dy + y, dx : dx + x] << bit
    return codes


@lru_cache(maxsize=64)
def element_areas_mm2(spacing_mm: Spacing) -> Floats:
    """Return the area of the surface in each of the 256 neighbourhoods of 2 x 2 x 2 voxel centres."""
    areas = np.zeros(256)
    for code, corners in _triangles().items():
        a, b, c = (corners * np.asarray(spacing_mm)).swapaxes(0, 1)
        areas[code] = np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2
    areas.flags.writeable = False
    return areas


@lru_cache(maxsize=1)
def _triangles() -> dict[int, Floats]:
    """Return the corners ``(triangle, 3, axis)`` of the triangles in each neighbourhood, in voxels."""
    from skimage.measure import marching_cubes

    triangles = {}
    for code in range(1, _ALL_INSIDE):
        # In ambiguous cubes the surface encloses the smaller number of corners, inside or outside.
        fewer = code if code.bit_count() <= 4 else _ALL_INSIDE - code
        cube = np.array([fewer >> bit & 1 for bit in range(8)], np.float32).reshape(2, 2, 2)
        vertices, faces, *_ = marching_cubes(cube, 0.5, method="lorensen")
        triangles[code] = vertices[faces].astype(np.float64)
    return triangles


def _distances_to(targets: Mask, places: Mask, *, spacing_mm: Spacing) -> Floats:
    """Return the distance from each place to the nearest target, on one grid."""
    if not targets.any():
        return np.full(int(np.count_nonzero(places)), np.inf)
    distance: Floats = scipy.ndimage.distance_transform_edt(~targets, sampling=spacing_mm)
    return distance[places]


def _sorted(distances_mm: Floats, areas_mm2: Floats) -> tuple[Floats, Floats]:
    order = np.argsort(distances_mm, kind="stable")
    return distances_mm[order], areas_mm2[order]


def _percentile(distances_mm: Floats, areas_mm2: Floats, *, percent: float) -> float:
    """Return the first distance at which `percent` of the area is reached; infinite without elements."""
    if not len(distances_mm):
        return math.inf
    reached = np.cumsum(areas_mm2) / areas_mm2.sum()
    index = int(np.searchsorted(reached, percent / 100.0))
    return float(distances_mm[min(index, len(distances_mm) - 1)])
