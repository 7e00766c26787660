"""What every method ends with: one part that holds the click, without whiskers and holes."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_necroseg.core.assist.scene import Scene, distances_mm
from napari_necroseg.core.assist.standard import Spacing
from napari_necroseg.core.masks.clean import NEIGHBOURS, Cleaning, Mask, clean


def connected(mask: Mask, scene: Scene) -> Mask:
    """Keep the part that holds the click, and parts with a stroke that says inside.

    Parameters
    ----------
    mask
        ``(Z, Y, X)`` of the box; click and strokes are added if they are missing.
    scene
        The box.
    """
    with_seeds = (mask & scene.reach) | scene.seeds
    components, _ = ndimage.label(with_seeds, NEIGHBOURS)
    kept: Mask = np.isin(components, np.unique(components[scene.seeds]))
    return kept


def tidied(mask: Mask, scene: Scene, smooth_mm: float) -> Mask:
    """Cut off what is thin, keep what holds the click, fill holes in its slices.

    A larger mask never becomes a smaller one by this.

    Parameters
    ----------
    mask
        ``(Z, Y, X)`` of the box.
    scene
        The box.
    smooth_mm
        Radius of the ball that must fit; about the click nothing is cut off.
    """
    ball = ball_of(smooth_mm, scene.spacing_mm)
    near = distances_mm(mask.shape, scene.seed, scene.spacing_mm) <= smooth_mm
    # What lies beyond the box may go on: its border is not an edge to cut along.
    opened = ndimage.binary_dilation(ndimage.binary_erosion(mask, ball, border_value=1), ball) | (mask & near)
    filled = clean(connected(opened, scene), Cleaning(fill_holes=True), voxel_ml=1.0)
    return connected(filled, scene)


def ball_of(radius_mm: float, spacing_mm: Spacing) -> NDArray[np.bool_]:
    """Return the voxels whose centres lie within a radius: a structuring element with odd sides."""
    reach = [int(radius_mm / mm + 1e-6) for mm in spacing_mm]
    shape = tuple(2 * n + 1 for n in reach)
    ball: Mask = distances_mm(shape, tuple(reach), spacing_mm) <= radius_mm + 1e-6
    return ball
