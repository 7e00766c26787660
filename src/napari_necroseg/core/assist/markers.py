"""Grows the mask from markers: watershed (after Bricault 2006) and random walker (Grady 2006).

The watershed's outline is the crest of the edge between the markers; the random walker gives each voxel to
the marker that a walk from it is more likely to reach first.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_necroseg.core.assist.rays import connected, tidied
from napari_necroseg.core.assist.scene import Floats, Index, Scene, Spacing
from napari_necroseg.core.masks.components import Mask

# Voxels that differ by no more than this share of the tolerance, all the way from the click, are inside.
SURELY_INSIDE = 0.75

# Those that differ by this multiple of it, and those behind them or out of reach, are outside.
SURELY_OUTSIDE = 1.5
INSIDE, OUTSIDE = 1, 2
Marks = NDArray[np.int32]

# How much an edge slows the walk: some 10,000 times between voxels like the click and unlike it, and no more,
# since the equations have no solution where a walk is trapped.
BETA = 30.0

# The walk takes place on every second (third, ...) voxel where these lie no further apart than this.
LEAST_STEP_MM = 1.6
SOLVED = 1e-5


def markers(scene: Scene, seen: Floats, *, tolerance: float) -> Marks:
    """Return the markers ``(Z, Y, X)``: 1 surely inside, 2 surely outside, 0 undecided."""
    marks = np.zeros(scene.unlike.shape, np.int32)
    marks[seen <= SURELY_INSIDE * tolerance] = INSIDE
    marks[seen >= SURELY_OUTSIDE * tolerance] = OUTSIDE
    marks[scene.seeds] = INSIDE
    return marks


def watershed(scene: Scene, marks: Marks, *, smooth_mm: float) -> Mask:
    """Flood the edges from both markers, and return the basin of the click ``(Z, Y, X)`` of the box."""
    from skimage import segmentation

    basins = segmentation.watershed(_steepness(scene), marks)
    return tidied(basins == INSIDE, scene, smooth_mm=smooth_mm)


def _steepness(scene: Scene) -> Floats:
    """Change of the scores per mm, over all sequences."""
    squares = np.zeros(scene.unlike.shape, np.float32)
    for axis, mm in enumerate(scene.spacing_mm):
        # A single slice has no gradient across slices.
        if scene.unlike.shape[axis] > 1:
            squares += (np.gradient(scene.scores, mm, axis=axis + 1) ** 2).sum(axis=0)
    return np.sqrt(squares)


def random_walker(scene: Scene, marks: Marks, *, tolerance: float) -> Mask:
    """Return the mask ``(Z, Y, X)`` of voxels that are more likely inside than outside, given markers.

    The walk is over the likeness to the click, which is one half where the unlikeness is the tolerance.
    """
    if not ((marks == 0).any() and (marks == OUTSIDE).any()):
        return connected(marks != OUTSIDE, scene)
    likeness = 1 / (1 + (scene.unlike.astype(np.float64) / tolerance) ** 4)
    z, y, x = (max(1, int(LEAST_STEP_MM / mm)) for mm in scene.spacing_mm)
    every = (z, y, x)
    thinned = tuple(slice(at % step, None, step) for at, step in zip(scene.seed, every, strict=True))
    coarse = _probability(likeness[thinned], marks[thinned], spacing_mm=_times(scene.spacing_mm, every))
    inside = _interpolated(coarse, every, scene=scene) > 0.5
    return connected((inside | (marks == INSIDE)) & (marks != OUTSIDE), scene)


def _probability(likeness: NDArray[np.float64], marks: Marks, *, spacing_mm: Spacing) -> Floats:
    from skimage import segmentation

    if not ((marks == 0).any() and (marks == OUTSIDE).any()):
        return np.where(marks == OUTSIDE, np.float32(0), np.float32(1))
    inside: Floats = segmentation.random_walker(
        likeness,
        marks,
        beta=BETA,
        mode="cg_j",
        tol=SOLVED,
        return_full_prob=True,
        spacing=spacing_mm,
        # A solution this rough goes a little below 0 and above 1.
        prob_tol=0.1,
    )[0]
    return inside


def _interpolated(coarse: Floats, every: Index, *, scene: Scene) -> Floats:
    """Interpolate from every second (third, ...) voxel to all of them, linearly."""
    places = [
        (np.arange(n) - at % step) / step
        for n, at, step in zip(scene.unlike.shape, scene.seed, every, strict=True)
    ]
    fine: Floats = ndimage.map_coordinates(
        coarse, np.meshgrid(*places, indexing="ij"), order=1, mode="nearest"
    )
    return fine


def _times(spacing_mm: Spacing, every: Index) -> Spacing:
    z, y, x = (mm * step for mm, step in zip(spacing_mm, every, strict=True))
    return (z, y, x)
