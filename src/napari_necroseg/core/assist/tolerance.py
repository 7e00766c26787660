"""How much a voxel may differ from the click: the tolerance whose region stands out most clearly."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_necroseg.core.assist.scene import Scene
from napari_necroseg.core.assist.standard import MOST_SCORE, Floats

N_LEVELS = 200
# A region smaller than this is noise about the click.
LEAST_ML = 0.2
# A region of which much of the outline is but the end of what is looked at has leaked.
CLOSED_POWER = 2
Sums = NDArray[np.float64]


def best_tolerance(scene: Scene, cost: Floats) -> float:
    """Return the tolerance whose region is set off most clearly, and roundest.

    That is the greatest product of three numbers. The contrast: the mean, over the area of the outline, of
    the unlikeness outside minus inside (the peripheral contrast of Hojjatoleslami and Kittler 1998). The
    sphericity: the area of a ball of the same volume over that of the outline. The square of the share of
    the outline that is not merely the end of what is looked at, as it is where a region leaks.

    Parameters
    ----------
    scene
        The box about the click.
    cost
        ``(Z, Y, X)``; the tolerance from which on each voxel belongs to the region, infinite out of reach.
    """
    levels = np.linspace(0, np.sqrt(2) * MOST_SCORE, N_LEVELS + 1)[1:]
    area, contrast, is_open = _outlines(scene, cost, levels)
    volume = _sums(np.searchsorted(levels, cost), None, N_LEVELS) * float(np.prod(scene.spacing_mm))
    closed = np.divide(area - is_open, area, out=np.zeros_like(area), where=area > 0)
    worth = np.divide(contrast * volume ** (2 / 3), area**2, out=np.zeros_like(area), where=area > 0)
    worth *= closed**CLOSED_POWER
    worth[volume < LEAST_ML * 1000] = 0
    # Where there is no outline at all: what is like the click to half a deviation.
    return float(levels[int(worth.argmax())]) if worth.any() else 0.5


def _outlines(scene: Scene, cost: Floats, levels: Sums) -> tuple[Sums, Sums, Sums]:
    """Return area in mm2, contrast times area, and area that is out of reach, of the region of each level.

    Two neighbours lie on both sides of the outline for all tolerances from the cost of the one to that of
    the other: each pair adds to a span of levels, all pairs at once by sums of differences.
    """
    totals = np.zeros((3, len(levels)))
    at = np.searchsorted(levels, cost)
    for axis, mm in enumerate(scene.spacing_mm):
        first, last = np.sort(_neighbours(at, axis), axis=0)
        is_open = last == len(levels)
        step = np.where(is_open, 0, np.abs(np.subtract(*_neighbours(scene.unlike, axis))))
        face_mm2 = float(np.prod(scene.spacing_mm)) / mm
        for row, weight in enumerate((np.ones_like(step), step, is_open)):
            totals[row] += face_mm2 * (_sums(first, weight, len(levels)) - _sums(last, weight, len(levels)))
    return totals[0], totals[1], totals[2]


def _sums(at: NDArray[np.int64], weight: NDArray[Any] | None, n_levels: int) -> Sums:
    """Sum of what lies at each level and below."""
    weights = None if weight is None else weight.ravel()
    sums: Sums = np.cumsum(np.bincount(at.ravel(), weights, n_levels + 1), dtype=np.float64)[:n_levels]
    return sums


def _neighbours(field: NDArray[Any], axis: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return all voxels but the last of an axis, and the next one of each."""
    after = (slice(None),) * axis + (slice(1, None),)
    before = (slice(None),) * axis + (slice(0, -1),)
    return field[before], field[after]
