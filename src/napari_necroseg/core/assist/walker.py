"""Random walker from markers (Grady 2006): a voxel belongs where a walk from it is likely to arrive."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_necroseg.core.assist.basins import INSIDE, OUTSIDE, Marks
from napari_necroseg.core.assist.scene import Index, Scene
from napari_necroseg.core.assist.standard import Floats, Spacing
from napari_necroseg.core.assist.tidy import connected
from napari_necroseg.core.masks.clean import Mask

# How much an edge holds a walk up: from like the click to unlike it it is some 10,000 times slower, and no
# more, since equations with pockets that no walk comes out of have no solution.
BETA = 30.0
# The walk takes place on every second (third, ...) voxel where these lie no further apart than this.
LEAST_STEP_MM = 1.6
SOLVED = 1e-5


def walk(scene: Scene, marks: Marks, tolerance: float) -> Mask:
    """Return what is more likely inside than outside ``(Z, Y, X)`` of the box.

    Parameters
    ----------
    scene
        The box about the click.
    marks
        What is certain: 1 inside, 2 outside.
    tolerance
        Unlikeness at which a voxel is half like the click: it is the likeness that is walked over.
    """
    if not ((marks == 0).any() and (marks == OUTSIDE).any()):
        return connected(marks != OUTSIDE, scene)
    likeness = 1 / (1 + (scene.unlike.astype(np.float64) / tolerance) ** 4)
    z, y, x = (max(1, int(LEAST_STEP_MM / mm)) for mm in scene.spacing_mm)
    every = (z, y, x)
    thinned = tuple(slice(at % step, None, step) for at, step in zip(scene.seed, every, strict=True))
    coarse = _probability(likeness[thinned], marks[thinned], _times(scene.spacing_mm, every))
    inside = _interpolated(coarse, every, scene) > 0.5
    return connected((inside | (marks == INSIDE)) & (marks != OUTSIDE), scene)


def _probability(likeness: NDArray[np.float64], marks: Marks, spacing_mm: Spacing) -> Floats:
    from skimage.segmentation import random_walker

    if not ((marks == 0).any() and (marks == OUTSIDE).any()):
        return np.where(marks == OUTSIDE, np.float32(0), np.float32(1))
    inside: Floats = random_walker(
        likeness,
        marks,
        beta=BETA,
        mode="cg_j",
        tol=SOLVED,
        return_full_prob=True,
        spacing=spacing_mm,
        # A solution this rough leaves 0 and 1 by a little.
        prob_tol=0.1,
    )[0]
    return inside


def _interpolated(coarse: Floats, every: Index, scene: Scene) -> Floats:
    """Bring what was found on some voxels to all of them, linearly."""
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
