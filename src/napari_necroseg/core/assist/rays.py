"""Rays from the click: what lies on them, how much a region on them may tolerate, and which part is kept.

A zone is nearly star-shaped about its middle: from the click a straight line leads to each of its voxels
without leaving it, which is not so where a region leaks around a corner. Egger's rays (2015) rest on this, as
does the star prior of Veksler (2008), whose lines these are.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_necroseg.core.assist.scene import MOST_Z, Floats, Scene, Spacing, distances_mm
from napari_necroseg.core.masks.components import NEIGHBOURS, Mask, clean

Numbers = NDArray[np.int64]
N_LEVELS = 200

# A region smaller than this is noise about the click.
LEAST_ML = 0.2

# If much of the outline borders on what is out of reach, the region has leaked.
CLOSED_POWER = 2
Sums = NDArray[np.float64]


def most_on_ray(scene: Scene, obstacle: Floats) -> Floats:
    """Return the greatest obstacle on the straight line from the click, or from the nearest stroke inside.

    ``(Z, Y, X)``, like the obstacle; 0 at the click and on strokes, infinite out of reach and behind it.
    """
    seen = np.where(scene.reach, obstacle, np.float32(np.inf))
    seen[scene.seeds] = 0
    flat, ahead = seen.ravel(), next_on_ray(scene).ravel()
    # Each round looks twice as far along the line as the one before.
    for _ in range(max(seen.shape).bit_length()):
        flat = np.maximum(flat, flat[ahead])
        ahead = ahead[ahead]
    return np.asarray(flat.reshape(seen.shape))


def next_on_ray(scene: Scene) -> Numbers:
    """Return for each voxel the flat index of the next one on the straight line to the nearest seed.

    The lines are those of Bresenham: one voxel per step along the longest side. A seed is its own next voxel.
    """
    _, nearest = ndimage.distance_transform_edt(~scene.seeds, sampling=scene.spacing_mm, return_indices=True)
    here = np.indices(scene.unlike.shape)
    way = nearest - here
    steps = np.maximum(np.abs(way).max(axis=0), 1)
    ahead = here + np.rint(way / steps).astype(np.int64)
    return np.asarray(np.ravel_multi_index(tuple(ahead), scene.unlike.shape))


def closed(obstacle: Floats, scene: Scene, *, gap_mm: float) -> Floats:
    """Close gaps that a ball of this radius does not pass; what is beyond the box is no obstacle to it."""
    ball = ball_of(gap_mm, scene.spacing_mm)
    dilated = ndimage.grey_dilation(obstacle, footprint=ball, mode="constant", cval=0.0)
    # The middle of the ball stays in the box; otherwise it would pass beside every wall of a single slice.
    return np.asarray(ndimage.grey_erosion(dilated, footprint=ball, mode="constant", cval=np.inf))


def best_tolerance(scene: Scene, cost: Floats) -> float:
    """Return the tolerance whose region stands out most clearly and is roundest.

    It has the greatest product of three numbers. The contrast: the mean, over the area of the outline, of the
    unlikeness outside minus inside (the peripheral contrast of Hojjatoleslami and Kittler 1998). The
    sphericity: the area of a ball of the same volume over that of the outline. The square of the share of the
    outline that does not border on what is out of reach, where a region leaks. `cost`
    ``(Z, Y, X)`` is the smallest tolerance of the regions that hold each voxel, infinite out of reach.
    """
    levels = np.linspace(0, np.sqrt(2) * MOST_Z, N_LEVELS + 1)[1:]
    area, contrast, is_open = _outlines(scene, cost, levels=levels)
    volume = _sums(np.searchsorted(levels, cost), None, n_levels=N_LEVELS) * float(np.prod(scene.spacing_mm))
    closed = np.divide(area - is_open, area, out=np.zeros_like(area), where=area > 0)
    worth = np.divide(contrast * volume ** (2 / 3), area**2, out=np.zeros_like(area), where=area > 0)
    worth *= closed**CLOSED_POWER
    worth[volume < LEAST_ML * 1000] = 0
    # Without any outline, half a deviation has to do.
    return float(levels[int(worth.argmax())]) if worth.any() else 0.5


def _outlines(scene: Scene, cost: Floats, *, levels: Sums) -> tuple[Sums, Sums, Sums]:
    """Return area in mm2, contrast times area, and area towards what is out of reach, for each level.

    Two neighbours lie on either side of the outline for all tolerances from the cost of one to that of the
    other: each pair adds to a span of levels, all pairs at once by sums of differences.
    """
    totals = np.zeros((3, len(levels)))
    at = np.searchsorted(levels, cost)
    for axis, mm in enumerate(scene.spacing_mm):
        first, last = np.sort(_neighbours(at, axis), axis=0)
        is_open = last == len(levels)
        step = np.where(is_open, 0, np.abs(np.subtract(*_neighbours(scene.unlike, axis))))
        face_mm2 = float(np.prod(scene.spacing_mm)) / mm
        for row, weight in enumerate((np.ones_like(step), step, is_open)):
            totals[row] += face_mm2 * (
                _sums(first, weight, n_levels=len(levels)) - _sums(last, weight, n_levels=len(levels))
            )
    return totals[0], totals[1], totals[2]


def _sums(at: NDArray[np.int64], weight: NDArray[Any] | None, *, n_levels: int) -> Sums:
    """Sum of the weights (1 each, if None) at each level and below."""
    weights = None if weight is None else weight.ravel()
    sums: Sums = np.cumsum(np.bincount(at.ravel(), weights, n_levels + 1), dtype=np.float64)[:n_levels]
    return sums


def _neighbours(field: NDArray[Any], axis: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return all voxels but the last of an axis, and the next one of each."""
    after = (slice(None),) * axis + (slice(1, None),)
    before = (slice(None),) * axis + (slice(0, -1),)
    return field[before], field[after]


def connected(mask: Mask, scene: Scene) -> Mask:
    """Keep the part that holds the click, and parts that hold a stroke inside; both are added if missing."""
    with_seeds = (mask & scene.reach) | scene.seeds
    components, _ = ndimage.label(with_seeds, NEIGHBOURS)
    return np.isin(components, np.unique(components[scene.seeds]))


def tidied(mask: Mask, scene: Scene, *, smooth_mm: float) -> Mask:
    """Cut off what is thinner than a ball of this radius, keep what holds the click, fill holes in slices.

    Nothing is cut off about the click. If one mask holds another, it still does after this.
    """
    ball = ball_of(smooth_mm, scene.spacing_mm)
    near = distances_mm(mask.shape, scene.seed, spacing_mm=scene.spacing_mm) <= smooth_mm
    # The zone may go on beyond the box: its border is no edge to cut along.
    opened = ndimage.binary_dilation(ndimage.binary_erosion(mask, ball, border_value=1), ball) | (mask & near)
    return connected(clean(connected(opened, scene), fill_holes=True), scene)


def ball_of(radius_mm: float, spacing_mm: Spacing) -> NDArray[np.bool_]:
    """Return the voxels whose centres lie within a radius: a structuring element with odd sides."""
    reach = [int(radius_mm / mm + 1e-6) for mm in spacing_mm]
    shape = tuple(2 * n + 1 for n in reach)
    return np.asarray(distances_mm(shape, tuple(reach), spacing_mm=spacing_mm) <= radius_mm + 1e-6)
