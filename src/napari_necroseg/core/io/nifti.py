"""NIfTI files: one real three-dimensional image, or a sentence that says why not."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np

from napari_necroseg.core.files import write_bytes
from napari_necroseg.core.io.file_image import FileImage
from napari_necroseg.core.io.nifti_file import open_nifti, read_voxels
from napari_necroseg.core.io.nifti_place import place
from napari_necroseg.core.io.voxels import finite_or_zero, one_label
from napari_necroseg.core.volume import Grid, Origin, Volume, Voxels

# All that a saved file takes from the header of its origin. Everything else stays behind: the free text,
# in which scanners and converters leave names of patients, and the scaling of the origin's own voxels.
PLACE_FIELDS = (
    *(
        "qform_code",
        "sform_code",
        "quatern_b",
        "quatern_c",
        "quatern_d",
        "qoffset_x",
        "qoffset_y",
        "qoffset_z",
    ),
    *("srow_x", "srow_y", "srow_z", "xyzt_units"),
)
NIFTI2_HEADER_BYTES = 540
# As nibabel's: masks shrink to a hundredth at any level, and probabilities hardly at the best.
GZIP_LEVEL = 1


def read_nifti(path: Path) -> FileImage:
    """Read an image as float32, slope and intercept applied, in the file's axis order.

    NIfTI-1 and -2, ``.nii``, ``.nii.gz`` and ``.hdr``/``.img``, either byte order, any real dtype,
    four or more dimensions if all but three have length 1. NaN and infinity become 0, with a note.

    Raises
    ------
    FileError
        For a file that is missing, foreign, truncated or damaged, or not a single real 3-D image.
    GeometryError
        For a spacing of zero or beyond 0.01 to 100 mm, or a singular affine.
    """
    image = open_nifti(path)
    grid, notes = place(image, path.name)
    voxels = read_voxels(image, path, np.float32).reshape(grid.shape)
    if _may_be_non_finite(image):
        voxels, replaced = finite_or_zero(voxels, path.name)
        notes += replaced
    return FileImage(Volume(voxels, grid), Origin(grid, path, image.header.binaryblock), notes)


def read_nifti_mask(path: Path, *, is_own: bool = False) -> FileImage:
    """Read a mask with one label (with any, if it `is_own`) as uint8, 0 and 1; see `read_nifti`.

    Raises
    ------
    FileError, GeometryError
        As `read_nifti`; also for fractional values and for more than one label.
    """
    image = open_nifti(path)
    grid, notes = place(image, path.name)
    voxels = read_voxels(image, path, None).reshape(grid.shape)
    mask, label_notes = one_label(voxels, path.name, is_own=is_own)
    return FileImage(Volume(mask, grid), Origin(grid, path, image.header.binaryblock), notes + label_notes)


def read_header(path: Path) -> tuple[Grid, tuple[str, ...]]:
    """Return the grid of a file and the notes on it, after all checks that need no voxels."""
    return place(open_nifti(path), path.name)


def write_nifti(path: Path, voxels: Voxels, origin: Origin) -> None:
    """Write voxels atomically onto the grid of the file that they belong to.

    Parameters
    ----------
    path
        ``.nii`` or ``.nii.gz``.
    voxels
        In the axis order of `origin`'s grid; their dtype is kept, no scaling is written.
    origin
        Its NIfTI header, where it has one, gives version, byte order, qform, sform, their codes and the
        units exactly; nothing else of the header is handed on, since it may hold a name.

    Raises
    ------
    ResourceError
        If the folder cannot be written to or the disk is full; what was there before is untouched.
    """
    write_bytes(path, nifti_bytes(path, voxels, origin))


def nifti_bytes(path: Path, voxels: Voxels, origin: Origin) -> bytes:
    """Return what `write_nifti` would write; the name of the file says whether it is zipped."""
    import nibabel

    assert voxels.shape == origin.grid.shape, (voxels.shape, origin.grid.shape)
    if origin.nifti_header is None:
        image = nibabel.Nifti1Image(voxels, origin.grid.affine_ras)
        image.set_qform(origin.grid.affine_ras, code=1, strip_shears=True)
        image.set_sform(origin.grid.affine_ras, code=1)
        image.header.set_xyzt_units("mm")
    else:
        is_nifti2 = len(origin.nifti_header) == NIFTI2_HEADER_BYTES
        of_kind = nibabel.Nifti2Image if is_nifti2 else nibabel.Nifti1Image
        image = of_kind(voxels, None, _header_at(origin.nifti_header, of_kind.header_class, voxels))
    # In memory first: nibabel leaves its file open when the disk is full, so that it could not be removed.
    content: bytes = image.to_bytes()
    if path.name.lower().endswith(".gz"):
        content = gzip.compress(content, GZIP_LEVEL, mtime=0)
    return content


def _header_at(header_bytes: bytes, of_kind: Any, voxels: Voxels) -> Any:
    """Return a new header for `voxels`, with the place that another header gives."""
    source = of_kind(header_bytes, check=False)
    header = of_kind(endianness=source.endianness)
    header.set_data_dtype(voxels.dtype)
    header.set_data_shape(voxels.shape)
    for field in PLACE_FIELDS:
        header[field] = source[field]
    # The first is the handedness of the qform; set last, since the shape resets them.
    header["pixdim"][:4] = source["pixdim"][:4]
    return header


def _may_be_non_finite(image: Any) -> bool:
    """Whole numbers without scaling cannot be NaN, so that the pass over the voxels can be saved."""
    slope, intercept = image.dataobj.slope, image.dataobj.inter
    is_scaled = not (slope == 1 and intercept == 0)
    return bool(image.get_data_dtype().kind == "f" or is_scaled)
