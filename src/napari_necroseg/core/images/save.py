"""Saving what was made in working order onto the grid of the file that it belongs to."""

from pathlib import Path

import numpy as np

from napari_necroseg.core.files import write_bytes
from napari_necroseg.core.grids.orient import from_working
from napari_necroseg.core.images.nifti import nifti_bytes
from napari_necroseg.core.volume import Origin, Voxels


def save_mask(path: Path, voxels: Voxels, origin: Origin) -> None:
    """Write a mask as uint8 NIfTI: shape, affine, codes and axis order are those of `origin`.

    Parameters
    ----------
    path
        ``.nii.gz`` or ``.nii``; replaced atomically.
    voxels
        ``(Z, Y, X)`` in working order; what is not 0 is inside, and is written as 1.
    origin
        The file that the mask lies on.
    """
    write_bytes(path, mask_bytes(path, voxels, origin))


def mask_bytes(path: Path, voxels: Voxels, origin: Origin) -> bytes:
    """Return a mask as a file; see `save_mask`."""
    return _bytes(path, (voxels != 0).astype(np.uint8), origin)


def labels_bytes(path: Path, voxels: Voxels, origin: Origin) -> bytes:
    """Return a file of several labels, from 0 to 255, as they are; see `save_mask`."""
    return _bytes(path, voxels.astype(np.uint8), origin)


def probability_bytes(path: Path, voxels: Voxels, origin: Origin) -> bytes:
    """Return a probability as a float32 file; see `save_mask`."""
    return _bytes(path, voxels.astype(np.float32), origin)


def _bytes(path: Path, voxels: Voxels, origin: Origin) -> bytes:
    return nifti_bytes(path, np.asarray(from_working(voxels, origin.grid)), origin)
