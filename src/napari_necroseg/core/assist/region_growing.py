"""Region growing from a click (after Weihusen 2010), with a tolerance that can be changed while one looks.

All tolerances are answered by one field: the cost of a voxel is the smallest tolerance with which the region
reaches it, the least over all paths from the click of the greatest unlikeness on the way. That is a
morphological reconstruction by erosion (Vincent 1993); a region is the field cut at its tolerance. The
clean-up is in the field, too: what grows is what a ball sweeps that rolls from the click, so that no region
leaks through a gap that the ball does not pass, and none has whiskers.
"""

from functools import cached_property

import numpy as np
from scipy import ndimage

from napari_necroseg.core.assist.rays import ball_of, best_tolerance, connected
from napari_necroseg.core.assist.scene import Floats, Scene
from napari_necroseg.core.masks.components import Mask, clean

_FACES = ndimage.generate_binary_structure(3, 1)


class RegionGrowing:
    """How a region grows from a click: made once, then asked for any tolerance in milliseconds.

    Parameters
    ----------
    scene
        The box about the click.
    smooth_mm
        Radius of the ball that must fit into a region wherever it goes.
    """

    def __init__(self, scene: Scene, *, smooth_mm: float) -> None:
        self.scene = scene
        self.cost = growing_cost(scene, smooth_mm=smooth_mm)

    def at(self, tolerance: float) -> Mask:
        """Return the region ``(Z, Y, X)`` of the box; a greater tolerance only adds to it."""
        region = connected(self.cost <= tolerance, self.scene)
        return connected(clean(region, fill_holes=True), self.scene)

    @cached_property
    def tolerance(self) -> float:
        """The tolerance that suits best; where a slider starts."""
        return best_tolerance(self.scene, self.cost)


def growing_cost(scene: Scene, *, smooth_mm: float) -> Floats:
    """Return the smallest tolerance that reaches each voxel ``(Z, Y, X)``; infinite out of reach."""
    from skimage.morphology import reconstruction

    beyond = np.float32(scene.unlike.max() + 1)
    ball = ball_of(smooth_mm, scene.spacing_mm)
    # For each place of the ball's middle: what must be tolerated for the ball to lie there.
    fits = ndimage.grey_dilation(scene.unlike, footprint=ball, mode="constant", cval=0.0)
    fits[~scene.reach] = beyond
    fits[scene.seeds] = 0
    start = np.where(scene.seeds, np.float32(0), beyond)
    rolled: Floats = reconstruction(start, fits, method="erosion", footprint=_FACES)
    swept = ndimage.grey_erosion(rolled, footprint=ball, mode="constant", cval=float(beyond))
    # The ball always fits the click, but what it touches there must be like it, too.
    cost: Floats = np.maximum(swept, scene.unlike).astype(np.float32)
    cost[scene.seeds] = 0
    cost[~scene.reach | (cost >= beyond)] = np.inf
    return cost
