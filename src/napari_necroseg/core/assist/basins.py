"""3D watershed from markers (after Bricault 2006): the outline is the crest of the edge between them."""

import numpy as np
from numpy.typing import NDArray

from napari_necroseg.core.assist.scene import Scene
from napari_necroseg.core.assist.standard import Floats
from napari_necroseg.core.assist.tidy import tidied
from napari_necroseg.core.masks.clean import Mask

# What differs by no more than this share of the tolerance, all the way from the click, is inside ...
SURELY_INSIDE = 0.75
# ... and what differs by this multiple of it, or lies behind such voxels, or out of reach, is outside.
SURELY_OUTSIDE = 1.5
INSIDE, OUTSIDE = 1, 2
Marks = NDArray[np.int32]


def markers(scene: Scene, seen: Floats, tolerance: float) -> Marks:
    """Return what is certain ``(Z, Y, X)``: 1 inside, 2 outside, 0 where it is to be decided."""
    marks = np.zeros(scene.unlike.shape, np.int32)
    marks[seen <= SURELY_INSIDE * tolerance] = INSIDE
    marks[seen >= SURELY_OUTSIDE * tolerance] = OUTSIDE
    marks[scene.seeds] = INSIDE
    return marks


def divide(scene: Scene, marks: Marks, *, smooth_mm: float) -> Mask:
    """Flood the edges from both markers, and return the basin of the click ``(Z, Y, X)`` of the box."""
    from skimage.segmentation import watershed

    basins = watershed(_steepness(scene), marks)
    return tidied(basins == INSIDE, scene, smooth_mm)


def _steepness(scene: Scene) -> Floats:
    """How much the scores change per mm, over all sequences."""
    squares = np.zeros(scene.unlike.shape, np.float32)
    for axis, mm in enumerate(scene.spacing_mm):
        # A single slice has no change across slices.
        if scene.unlike.shape[axis] > 1:
            squares += (np.gradient(scene.scores, mm, axis=axis + 1) ** 2).sum(axis=0)
    return np.sqrt(squares)
