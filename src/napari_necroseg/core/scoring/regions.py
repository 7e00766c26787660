"""The three regions over which specificity is counted; the paper does not say which one it used."""

import math

import numpy as np

from napari_necroseg.core.scoring.overlap import Mask

BOX_MARGIN_MM = 10.0
PATCH_SHAPE = (64, 128, 128)


def box_region(reference: Mask, spacing_mm: tuple[float, float, float]) -> tuple[slice, slice, slice]:
    """Bounding box of the reference, 10 mm wider on every side, clipped to the image.

    Parameters
    ----------
    reference
        ``(Z, Y, X)``, not empty. A voxel belongs to the box if its centre lies within 10 mm of the
        outermost voxel centres of the reference.
    spacing_mm
        Voxel spacing along the three axes.
    """
    slices = []
    for axis, (length, spacing) in enumerate(zip(reference.shape, spacing_mm, strict=True)):
        inside = np.flatnonzero(reference.any(axis=tuple(other for other in range(3) if other != axis)))
        # Rounding noise must not decide whether a voxel at exactly 10 mm belongs to the box.
        margin = int(BOX_MARGIN_MM / spacing + 1e-6)
        slices.append(slice(max(0, int(inside[0]) - margin), min(length, int(inside[-1]) + margin + 1)))
    return (slices[0], slices[1], slices[2])


def patch_region(reference: Mask) -> tuple[slice, slice, slice]:
    """The paper's patch, 64 x 128 x 128 voxels about the centroid of the reference, clipped to the image.

    Parameters
    ----------
    reference
        ``(64, Y, X)`` on the 64-slice grid, not empty.
    """
    centroid = np.argwhere(reference).mean(axis=0)
    starts = [math.floor(c - n / 2 + 0.5) for c, n in zip(centroid, PATCH_SHAPE, strict=True)]
    spans = [
        slice(max(0, start), min(length, start + n))
        for start, n, length in zip(starts, PATCH_SHAPE, reference.shape, strict=True)
    ]
    # All 64 slices belong to the patch wherever the centroid lies along the slice axis.
    return (slice(0, reference.shape[0]), spans[1], spans[2])
