"""Turns a mask into a smooth surface of triangles, for a view in space.

Naive surface nets (Gibson 1998): one vertex in each cell of the grid that the surface runs through, at the
mean of the places where it crosses the cell's edges. Unlike marching cubes of scikit-image, this is numpy
and scipy throughout, so that other threads go on meanwhile.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_necroseg.core.grids.slices import linear_matrix
from napari_necroseg.core.volume import Voxels

# Finer than this, a surface takes the screen longer than it is worth.
MOST_CELLS = 1_500_000
MOST_CROSSINGS = 30_000
# Smooths the steps between voxels; in cells.
_SMOOTHING = 0.8
_MARGIN = 2
Field = NDArray[np.float32]
Spacing = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True, eq=False)
class Mesh:
    """A closed surface: `vertices` ``(N, 3)`` in voxels of the mask, `faces` ``(M, 3)`` of vertices."""

    vertices: NDArray[np.float32]
    faces: NDArray[np.int64]


def surface(mask: Voxels, spacing_mm: Spacing) -> Mesh | None:
    """Return the surface of a mask ``(Z, Y, X)``; None for an empty one.

    Between thick slices the outline is interpolated. The grid of the surface is about as fine as the finest
    spacing, and coarser for a large mask.
    """
    box = _box(mask)
    if box is None:
        return None
    inside = np.pad(mask[box] != 0, _MARGIN)
    start = np.array([side.start for side in box], dtype=np.float64) - _MARGIN
    size_mm = np.array(inside.shape) * spacing_mm
    cell_mm = max(min(spacing_mm), float(np.prod(size_mm) / MOST_CELLS) ** (1 / 3))
    distance = _signed_distance(inside, spacing_mm)
    mesh, crossings = _meshed(distance, spacing_mm, cell_mm=cell_mm)
    if crossings > MOST_CROSSINGS:
        mesh, _ = _meshed(distance, spacing_mm, cell_mm=cell_mm * (crossings / MOST_CROSSINGS) ** 0.5)
    return Mesh(vertices=(mesh.vertices + start).astype(np.float32), faces=mesh.faces)


def volume_ml(mesh: Mesh, spacing_mm: Spacing) -> float:
    """Return the volume within a surface."""
    a, b, c = np.moveaxis((mesh.vertices * np.asarray(spacing_mm))[mesh.faces], 1, 0)
    return abs(float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum())) / 6000


def _box(mask: Voxels) -> tuple[slice, slice, slice] | None:
    sides = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        filled = np.flatnonzero(np.any(mask, axis=others))
        if not len(filled):
            return None
        sides.append(slice(int(filled[0]), int(filled[-1]) + 1))
    return sides[0], sides[1], sides[2]


def _signed_distance(inside: NDArray[np.bool_], spacing_mm: Spacing) -> Field:
    """Return the distance to the surface in mm, positive inside."""
    import scipy

    within, beyond = (
        scipy.ndimage.distance_transform_edt(voxels, sampling=spacing_mm) for voxels in (inside, ~inside)
    )
    return np.asarray(within - beyond, dtype=np.float32)


def _meshed(distance: Field, spacing_mm: Spacing, *, cell_mm: float) -> tuple[Mesh, int]:
    """Return the surface on a grid of cells, in voxels of the distances, and how often it crosses edges."""
    import scipy

    field = distance
    counts = [
        max(3, round((n - 1) * mm / cell_mm) + 1) for n, mm in zip(field.shape, spacing_mm, strict=True)
    ]
    for axis, n in enumerate(counts):
        matrix = linear_matrix(field.shape[axis], n).astype(np.float32)
        field = np.moveaxis(np.tensordot(matrix, field, axes=(1, axis)), 0, axis)
    smooth = scipy.ndimage.gaussian_filter(field, _SMOOTHING)
    # A part of few voxels must not be smoothed away.
    mesh, crossings = _surface_nets(np.where((field > 0) & (smooth <= 0), field, smooth))
    scale = (np.array(distance.shape) - 1) / (np.array(counts) - 1)
    return Mesh(vertices=(mesh.vertices * scale).astype(np.float32), faces=mesh.faces), crossings


def _surface_nets(field: Field) -> tuple[Mesh, int]:
    """Return the surface where a field, negative at its border, is 0."""
    cells, places, quads = [], [], []
    for axis in range(3):
        found, at, is_rising = _crossings(field, axis)
        around = _cells_around(found, axis, shape=field.shape)
        cells.append(around)
        places.append(at)
        quads.append(np.where(is_rising[:, None], around, around[:, ::-1]))
    corners = np.concatenate(cells)
    numbers, members = np.unique(corners, return_inverse=True)
    members = members.reshape(corners.shape)
    count = np.bincount(members.ravel())
    repeated = np.repeat(np.concatenate(places), corners.shape[1], axis=0)
    sums = [np.bincount(members.ravel(), weights=repeated[:, axis]) for axis in range(3)]
    vertices = np.stack([total / count for total in sums], axis=1)
    quad = np.searchsorted(numbers, np.concatenate(quads))
    faces = np.concatenate([quad[:, [0, 1, 2]], quad[:, [0, 2, 3]]])
    return Mesh(vertices=vertices.astype(np.float32), faces=faces), len(quad)


def _crossings(field: Field, axis: int) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return the edges along an axis that the surface crosses: where they begin, where it does, and how."""
    inside = field > 0
    found = np.argwhere(np.diff(inside, axis=axis))
    low = field[tuple(found.T)]
    step = np.eye(3, dtype=np.int64)[axis]
    high = field[tuple((found + step).T)]
    share = low / (low - high)
    return found, found + share[:, None] * step, high > low


def _cells_around(found: NDArray[np.int64], axis: int, *, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Return the numbers of the four cells about each edge, going round it."""
    first, second = (np.eye(3, dtype=np.int64)[(axis + by) % 3] for by in (1, 2))
    offsets = (-first - second, -second, 0 * first, -first)
    return np.stack([np.ravel_multi_index(tuple((found + one).T), shape) for one in offsets], axis=1)
