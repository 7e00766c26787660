"""What can be seen from the click: the straight way there, which a leak around a corner is not.

A zone is nearly star-shaped about its middle: from the click a straight line leads to each of its voxels
without leaving it. Egger's rays (2015) say so, as does the star prior of Veksler (2008): these are its lines.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_necroseg.core.assist.scene import Scene
from napari_necroseg.core.assist.standard import Floats
from napari_necroseg.core.assist.tidy import ball_of
from napari_necroseg.core.masks.clean import Mask

Numbers = NDArray[np.int64]


def sight(scene: Scene, obstacle: Floats) -> Floats:
    """Return the greatest obstacle on the straight way from the click, or from the nearest stroke inside.

    Parameters
    ----------
    scene
        The box about the click.
    obstacle
        ``(Z, Y, X)``; how much each voxel is in the way.

    Returns
    -------
    ndarray
        ``(Z, Y, X)``; 0 at the click and on strokes, infinite behind what is out of reach.
    """
    seen = np.where(scene.reach, obstacle, np.float32(np.inf))
    seen[scene.seeds] = 0
    flat, ahead = seen.ravel(), one_nearer(scene).ravel()
    # Each round looks twice as far along the line as the one before.
    for _ in range(max(seen.shape).bit_length()):
        flat = np.maximum(flat, flat[ahead])
        ahead = ahead[ahead]
    seen_from_click: Floats = flat.reshape(seen.shape)
    return seen_from_click


def one_nearer(scene: Scene) -> Numbers:
    """Return the number of the next voxel on the straight line to the nearest seed ``(Z, Y, X)``.

    The lines are those of Bresenham: one voxel a step along the longest side. A seed is its own next voxel.
    """
    _, nearest = ndimage.distance_transform_edt(~scene.seeds, sampling=scene.spacing_mm, return_indices=True)
    here = np.indices(scene.unlike.shape)
    way = nearest - here
    steps = np.maximum(np.abs(way).max(axis=0), 1)
    ahead = here + np.rint(way / steps).astype(np.int64)
    numbers: Numbers = np.ravel_multi_index(tuple(ahead), scene.unlike.shape)
    return numbers


def closed(obstacle: Floats, scene: Scene, gap_mm: float) -> Floats:
    """Close gaps that a ball of this radius does not pass; what is beyond the box is no obstacle to it."""
    ball: Mask = ball_of(gap_mm, scene.spacing_mm)
    dilated = ndimage.grey_dilation(obstacle, footprint=ball, mode="constant", cval=0.0)
    # The ball's own middle stays in the box: in a single slice it would else pass beside every wall.
    without_gaps: Floats = ndimage.grey_erosion(dilated, footprint=ball, mode="constant", cval=np.inf)
    return without_gaps
