"""The part of an image that a mask is in: all that its measures need to look at."""

import numpy as np

from napari_necroseg.core.masks.clean import Mask

Box = tuple[slice, slice, slice]
Shape = tuple[int, int, int]


def bounding_box(mask: Mask) -> Box | None:
    """Return the slices, rows and columns of a mask ``(Z, Y, X)``; None for an empty one."""
    box = [slice(None)] * 3
    for axis, others in enumerate(((1, 2), (0, 2), (0, 1))):
        # What was found already makes the rest to look at smaller.
        inside = np.flatnonzero(mask[tuple(box)].any(axis=others))
        if not len(inside):
            return None
        box[axis] = slice(int(inside[0]), int(inside[-1]) + 1)
    return (box[0], box[1], box[2])


def widened(box: Box, margin: Shape, shape: Shape) -> Box:
    """Return a box with so many more voxels on either side of each axis, as far as an image reaches."""
    z, y, x = (
        slice(max(part.start - more, 0), min(part.stop + more, n))
        for part, more, n in zip(box, margin, shape, strict=True)
    )
    return (z, y, x)
