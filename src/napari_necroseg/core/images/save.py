"""Saving what was made in working order onto the grid of the file that it belongs to."""

from pathlib import Path

import numpy as np

from napari_necroseg.core.case import Case
from napari_necroseg.core.files import write_bytes
from napari_necroseg.core.grids.orient import from_working
from napari_necroseg.core.images.nifti import nifti_bytes
from napari_necroseg.core.volume import Origin, Volume, Voxels


def save_mask(path: str | Path, mask: Voxels | Volume, place: Origin | Case) -> None:
    """Write a mask as uint8 NIfTI: shape, affine, codes and axis order are those of the ceT1 file.

    Parameters
    ----------
    path
        ``.nii.gz`` or ``.nii``; replaced atomically.
    mask
        ``(Z, Y, X)`` in working order; what is not 0 is inside, and is written as 1.
    place
        The case that the mask lies on, or the origin of its ceT1 image.
    """
    path, voxels = Path(path), mask.voxels if isinstance(mask, Volume) else mask
    write_bytes(path, mask_bytes(path, voxels, place.origin if isinstance(place, Case) else place))


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
