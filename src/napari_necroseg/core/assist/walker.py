"""Random walker from markers (Grady 2006): a voxel belongs where a walk from it is likely to arrive."""

import numpy as np
from scipy import ndimage

from napari_necroseg.core.assist.basins import INSIDE, OUTSIDE, Marks
from napari_necroseg.core.assist.scene import Index, Scene
from napari_necroseg.core.assist.standard import Floats, Spacing
from napari_necroseg.core.assist.tidy import connected
from napari_necroseg.core.masks.clean import Mask

# How much an edge holds a walk up, that of scikit-image's examples.
BETA = 90.0
# The walk takes place on every second (third, ...) voxel where these lie no further apart than this.
LEAST_STEP_MM = 1.6
SOLVED = 1e-5


def walk(scene: Scene, marks: Marks) -> Mask:
    """Return what is more likely inside than outside ``(Z, Y, X)`` of the box.

    Parameters
    ----------
    scene
        The box about the click.
    marks
        What is certain: 1 inside, 2 outside.
    """
    if not ((marks == 0).any() and (marks == OUTSIDE).any()):
        return connected(marks != OUTSIDE, scene)
    z, y, x = (max(1, int(LEAST_STEP_MM / mm)) for mm in scene.spacing_mm)
    every = (z, y, x)
    thinned = tuple(slice(at % step, None, step) for at, step in zip(scene.seed, every, strict=True))
    coarse = _probability(
        scene.scores[(slice(None), *thinned)], marks[thinned], _times(scene.spacing_mm, every)
    )
    inside = _interpolated(coarse, every, scene) > 0.5
    return connected((inside | (marks == INSIDE)) & (marks != OUTSIDE), scene)


def _probability(scores_czyx: Floats, marks: Marks, spacing_mm: Spacing) -> Floats:
    from skimage.segmentation import random_walker

    if not ((marks == 0).any() and (marks == OUTSIDE).any()):
        return np.where(marks == OUTSIDE, np.float32(0), np.float32(1))
    inside: Floats = random_walker(
        np.moveaxis(scores_czyx, 0, -1),
        marks,
        beta=BETA,
        mode="cg_j",
        tol=SOLVED,
        return_full_prob=True,
        channel_axis=-1,
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
