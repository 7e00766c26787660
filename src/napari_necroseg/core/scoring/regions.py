"""The three regions over which specificity is counted; the paper does not say which one it used."""

import math

import numpy as np
from numpy.typing import ArrayLike

from napari_necroseg.core.masks.components import Box, bounding_box
from napari_necroseg.core.scoring.overlap import Mask

BOX_MARGIN_MM = 10.0
PATCH_SHAPE = (64, 128, 128)


def box_region(reference: Mask, spacing_mm: tuple[float, float, float]) -> Box:
    """Bounding box of the reference, 10 mm wider on every side, clipped to the image.

    Parameters
    ----------
    reference
        ``(Z, Y, X)``, not empty. A voxel belongs to the box if its centre lies within 10 mm of the
        outermost voxel centres of the reference.
    spacing_mm
        Voxel spacing along the three axes.
    """
    box = bounding_box(reference)
    assert box is not None, "the reference is not empty"
    slices = []
    for inside, length, spacing in zip(box, reference.shape, spacing_mm, strict=True):
        # Rounding noise must not decide whether a voxel at exactly 10 mm belongs to the box.
        margin = int(BOX_MARGIN_MM / spacing + 1e-6)
        slices.append(slice(max(0, inside.start - margin), min(length, inside.stop + margin)))
    return (slices[0], slices[1], slices[2])


def patch_about(centroid: ArrayLike, shape: tuple[int, ...]) -> Box:
    """Return the paper's patch, 64 x 128 x 128 voxels about a point, clipped to the image.

    Parameters
    ----------
    centroid
        Voxel index ``(3,)`` on the 64-slice grid: that of the reference's centroid.
    shape
        ``(64, Y, X)``, of the image.
    """
    places = np.asarray(centroid, dtype=np.float64)
    starts = [math.floor(c - n / 2 + 0.5) for c, n in zip(places, PATCH_SHAPE, strict=True)]
    spans = [
        slice(max(0, start), min(length, start + n))
        for start, n, length in zip(starts, PATCH_SHAPE, shape, strict=True)
    ]
    # All 64 slices belong to the patch wherever the centroid lies along the slice axis.
    return (slice(0, shape[0]), spans[1], spans[2])
