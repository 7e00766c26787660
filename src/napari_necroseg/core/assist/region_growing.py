"""Region growing from a click (after Weihusen 2010): one field answers every tolerance.

The cost of a voxel is the smallest tolerance with which the region reaches it: the least, over all paths from
the click, of the greatest unlikeness on the way. That is a morphological reconstruction by erosion (Vincent
1993); a region is the field cut at its tolerance. Cleaning up is part of the field, too: what grows is what a
ball sweeps that rolls from the click, so that no region leaks through a gap that the ball does not pass, and
none has whiskers.
"""

import numpy as np
from scipy import ndimage

from napari_necroseg.core.assist.rays import ball_of, connected
from napari_necroseg.core.assist.scene import Floats, Scene
from napari_necroseg.core.masks.components import Mask, clean

_FACES = ndimage.generate_binary_structure(3, 1)


def region_growing(scene: Scene, cost: Floats, *, tolerance: float) -> Mask:
    """Return the region ``(Z, Y, X)`` of a `growing_cost`; a greater tolerance only adds to it."""
    region = connected(cost <= tolerance, scene)
    return connected(clean(region, fill_holes=True), scene)


def growing_cost(scene: Scene, *, smooth_mm: float) -> Floats:
    """Return the smallest tolerance that reaches each voxel ``(Z, Y, X)``; infinite out of reach.

    A ball with the radius `smooth_mm` must fit into a region wherever it goes.
    """
    from skimage.morphology import reconstruction

    beyond = np.float32(scene.unlike.max() + 1)
    ball = ball_of(smooth_mm, scene.spacing_mm)
    # The tolerance with which the ball fits when its middle lies on each voxel.
    fits = ndimage.grey_dilation(scene.unlike, footprint=ball, mode="constant", cval=0.0)
    fits[~scene.reach] = beyond
    fits[scene.seeds] = 0
    start = np.where(scene.seeds, np.float32(0), beyond)
    rolled = reconstruction(start, fits, method="erosion", footprint=_FACES)
    swept = ndimage.grey_erosion(rolled, footprint=ball, mode="constant", cval=float(beyond))
    # The ball always fits the click, but what it touches there must be like it, too.
    cost: Floats = np.maximum(swept, scene.unlike).astype(np.float32)
    cost[scene.seeds] = 0
    cost[~scene.reach | (cost >= beyond)] = np.inf
    return cost
