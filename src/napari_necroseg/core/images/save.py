"""Saves masks and probabilities as NIfTI files, on the grid of the file that they belong to."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np

from napari_necroseg.core.case import Case
from napari_necroseg.core.errors import FileError, GeometryError
from napari_necroseg.core.files import write_bytes
from napari_necroseg.core.grids.orient import from_working, working_grid
from napari_necroseg.core.images.file_image import is_gzip
from napari_necroseg.core.volume import Origin, Volume, Voxels

# The only fields that a saved file takes from the header of its origin. The others hold free text, in which
# scanners and converters leave names of patients, and the scaling of the origin's own voxels.
POSITION_FIELDS = (
    *("qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y"),
    *("qoffset_z", "srow_x", "srow_y", "srow_z", "xyzt_units"),
)
NIFTI2_HEADER_BYTES = 540
_SUFFIXES = (".nii.gz", ".nii")

# As in nibabel: masks shrink to a hundredth at any level, and probabilities hardly at the highest.
GZIP_LEVEL = 1


def save_mask(path: str | Path, mask: Voxels | Volume, place: Origin | Case) -> None:  # noqa: PLR0917  # as the guide shows it
    """Write a mask as uint8 NIfTI: shape, affine, codes and axis order are those of the ceT1 file.

    Parameters
    ----------
    path
        ``.nii.gz`` or ``.nii``; replaced atomically.
    mask
        ``(Z, Y, X)`` in working order; what is not 0 is inside, and is written as 1.
    place
        The case that the mask lies on, or the origin of its ceT1 image.

    Raises
    ------
    FileError
        If the name does not end in ``.nii.gz`` or ``.nii``.
    GeometryError
        If the mask has another shape than the image that it belongs to.
    ResourceError
        If the file cannot be written, or the disk is full; an earlier file stays unchanged.
    """
    path, voxels = Path(path), mask.voxels if isinstance(mask, Volume) else mask
    origin = place.origin if isinstance(place, Case) else place
    _check_mask(path, voxels, shape=working_grid(origin.grid).shape)
    write_bytes(path, mask_bytes(path, voxels, origin=origin))


def _check_mask(path: Path, voxels: Voxels, *, shape: tuple[int, int, int]) -> None:
    if not path.name.endswith(_SUFFIXES):
        raise FileError(f"{path.name}: a mask is saved as NIfTI; choose a name that ends in .nii.gz or .nii.")
    if voxels.shape != shape:
        raise GeometryError(
            f"A mask of {voxels.shape} voxels cannot be saved on the grid of an image of {shape}; both are "
            "(slice, row, column) in working order."
        )


def mask_bytes(path: Path, voxels: Voxels, *, origin: Origin) -> bytes:
    """Return the content of a file with a mask; see `save_mask`."""
    return _bytes(path, (voxels != 0).astype(np.uint8), origin=origin)


def labels_bytes(path: Path, voxels: Voxels, *, origin: Origin) -> bytes:
    """Return the content of a file with labels from 0 to 255; see `save_mask`."""
    return _bytes(path, voxels.astype(np.uint8), origin=origin)


def probability_bytes(path: Path, voxels: Voxels, *, origin: Origin) -> bytes:
    """Return the content of a file with a probability as float32; see `save_mask`."""
    return _bytes(path, voxels.astype(np.float32), origin=origin)


def _bytes(path: Path, voxels: Voxels, *, origin: Origin) -> bytes:
    return nifti_bytes(path, np.asarray(from_working(voxels, origin.grid)), origin=origin)


def write_nifti(path: Path, voxels: Voxels, *, origin: Origin) -> None:
    """Write voxels atomically onto the grid of the file that they belong to.

    `path`: ``.nii`` or ``.nii.gz``. `voxels`: in the axis order of `origin`'s grid; their dtype is kept, no
    scaling is written. `origin`: version, byte order, qform, sform, their codes and the units are exactly
    those of its NIfTI header, if it has one. Nothing else is taken from the header, since it may hold a name.
    Raises ResourceError if the folder cannot be written to or the disk is full; an earlier file stays
    unchanged.
    """
    write_bytes(path, nifti_bytes(path, voxels, origin=origin))


def nifti_bytes(path: Path, voxels: Voxels, *, origin: Origin) -> bytes:
    """Return the content that `write_nifti` writes, compressed if the name of the file says so."""
    import nibabel

    assert voxels.shape == origin.grid.shape, (voxels.shape, origin.grid.shape)
    if origin.nifti_header is None:
        image = nibabel.Nifti1Image(voxels, origin.grid.affine_ras)
        image.set_qform(origin.grid.affine_ras, code=1, strip_shears=True)
        image.set_sform(origin.grid.affine_ras, code=1)
        image.header.set_xyzt_units("mm")
    else:
        is_nifti2 = len(origin.nifti_header) == NIFTI2_HEADER_BYTES
        of_kind: Any = nibabel.Nifti2Image if is_nifti2 else nibabel.Nifti1Image
        image = of_kind(voxels, None, _header_at(origin.nifti_header, of_kind.header_class, voxels=voxels))
    # In memory, since nibabel leaves its file open when the disk is full, and then it could not be removed.
    content: bytes = image.to_bytes()
    if is_gzip(path):
        content = gzip.compress(content, GZIP_LEVEL, mtime=0)
    return content


def _header_at(header_bytes: bytes, of_kind: Any, *, voxels: Voxels) -> Any:
    """Return a new header for `voxels` with the position from another header."""
    source = of_kind(header_bytes, check=False)
    header = of_kind(endianness=source.endianness)
    header.set_data_dtype(voxels.dtype)
    header.set_data_shape(voxels.shape)
    for field in POSITION_FIELDS:
        header[field] = source[field]
    # Set last, since the shape resets it; its first number is the handedness of the qform.
    header["pixdim"][:4] = source["pixdim"][:4]
    return header
