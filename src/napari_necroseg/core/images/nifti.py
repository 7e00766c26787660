"""Reads NIfTI files that hold one real three-dimensional image, and says why others are refused."""

import math
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from napari_necroseg.core.errors import FileError, NecrosegError, unreadable
from napari_necroseg.core.files import check_readable, read_bytes
from napari_necroseg.core.images.file_image import (
    NIFTI_SUFFIXES,
    FileImage,
    check_is_file,
    check_number_of_voxels,
    check_room,
    finite_or_zero,
    image_stem,
    image_suffix,
    is_gzip,
    one_label,
    times,
)
from napari_necroseg.core.images.nifti_header import check_extensions, grid_of_header
from napari_necroseg.core.volume import Grid, Origin, Volume, Voxels

# Deflate cannot shrink data by more than this; a header that asks for more is damaged or hostile.
MOST_DEFLATE_RATIO = 1032

# A sound file may have up to this many bytes after its voxels.
TRAILING_BYTES = 1 << 20

# The format of gzip rather than of zlib; see zlib.decompressobj.
_GZIP_WINDOW = 31


def read_nifti(path: Path) -> FileImage:
    """Read an image as float32, slope and intercept applied, in the file's axis order.

    NIfTI-1 and -2, ``.nii``, ``.nii.gz`` and ``.hdr``/``.img``, either byte order, any real dtype,
    four or more dimensions if all but three have length 1. NaN and infinity become 0, with a note.

    Raises FileError for a file that is missing, foreign, truncated or damaged, or not a single real 3-D
    image. Raises GeometryError for a spacing of zero or beyond 0.01 to 100 mm, or a singular affine.
    """
    image = open_nifti(path)
    grid, notes = grid_of_header(image, path.name)
    voxels = read_voxels(image, path, dtype=np.float32).reshape(grid.shape)
    if _may_be_non_finite(image):
        voxels, replaced = finite_or_zero(voxels, path.name)
        notes += replaced
    return FileImage(
        Volume(voxels, grid), Origin(grid, path, nifti_header=image.header.binaryblock), notes=notes
    )


def read_nifti_mask(path: Path, *, is_own: bool = False) -> FileImage:
    """Read a mask with one label (with any labels, if it `is_own`) as uint8, 0 and 1; see `read_nifti`."""
    image = open_nifti(path)
    grid, notes = grid_of_header(image, path.name)
    voxels = read_voxels(image, path, dtype=None).reshape(grid.shape)
    mask, label_notes = one_label(voxels, path.name, is_own=is_own)
    return FileImage(
        Volume(mask, grid),
        Origin(grid, path, nifti_header=image.header.binaryblock),
        notes=notes + label_notes,
    )


def read_header(path: Path) -> tuple[Grid, tuple[str, ...]]:
    """Return the grid of a file and notes on it, after every check that needs no voxels."""
    return grid_of_header(open_nifti(path), path.name)


def _may_be_non_finite(image: Any) -> bool:
    """Whether voxels may be NaN or infinite: unscaled whole numbers cannot, which saves a pass over them."""
    slope, intercept = image.dataobj.slope, image.dataobj.inter
    is_scaled = not (slope == 1 and intercept == 0)
    return bool(image.get_data_dtype().kind == "f" or is_scaled)


def open_nifti(path: Path) -> Any:
    """Return the nibabel image of a file with one real three-dimensional image, without reading voxels."""
    import nibabel

    check_is_file(path)
    check_extensions(_header_file(path))
    image = _load(path)
    if not isinstance(image, nibabel.Nifti1Pair):
        raise FileError(
            f"{path.name} is a {type(image).__name__}, not a NIfTI file; its place in the patient is not "
            "certain. Convert it to NIfTI."
        )
    _check_kind(image, path.name)
    _check_size(image, path)
    check_number_of_voxels(image.shape, path.name)
    return image


def read_voxels(image: Any, path: Path, *, dtype: type[np.float32] | None) -> Voxels:
    """Read the voxels of an opened file, with slope and intercept applied, as `dtype` or as stored."""
    # The inflated file and the voxels are in memory at the same time.
    copies = 2 if is_gzip(_data_path(image)) else 1
    item_bytes = int(image.get_data_dtype().itemsize)
    check_room(image.shape, path.name, file_bytes_a_voxel=copies * item_bytes)
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            image = _whole_gzip(image)
            if dtype is None:
                return np.asanyarray(image.dataobj)
            return np.asarray(image.get_fdata(dtype=dtype, caching="unchanged"))
    except (OSError, EOFError, OverflowError, ValueError, zlib.error) as error:
        _check_system(error, path)
        raise FileError(
            f"{path.name} is truncated or damaged: its voxels could not be read. Copy or export it again."
        ) from error


def holds_fractions(path: Path) -> bool:
    """Whether a NIfTI file holds floating-point numbers, as probabilities are, by its header."""
    if image_suffix(path) not in NIFTI_SUFFIXES:
        return False
    try:
        return bool(open_nifti(path).get_data_dtype().kind == "f")
    except NecrosegError:
        return False


def _header_file(path: Path) -> Path:
    """Return the file that the header is in; an error if the other half of a pair of files is missing."""
    stem = image_stem(path)
    suffix = path.name[len(stem) :]
    for half, other in (("hdr", "img"), ("img", "hdr"), ("HDR", "IMG"), ("IMG", "HDR")):
        if half in suffix:
            partner = path.with_name(stem + suffix.replace(half, other))
            if not partner.is_file():
                raise FileError(
                    f"{path.name} is one half of a pair of files, and {partner.name} is not beside it; copy "
                    "both."
                )
            check_readable(partner)
            return partner if other.lower() == "hdr" else path
    return path


def _load(path: Path) -> Any:
    import nibabel
    from nibabel.filebasedimages import ImageFileError
    from nibabel.spatialimages import HeaderDataError, HeaderTypeError
    from nibabel.wrapstruct import WrapStructError

    foreign = (ImageFileError, HeaderDataError, HeaderTypeError, WrapStructError, EOFError, zlib.error)
    try:
        # Damaged headers overflow; the result is checked. A memory map would keep the file open, and change
        # with it.
        with np.errstate(all="ignore"):
            return nibabel.load(path, mmap=False)
    except (*foreign, OSError, ValueError, OverflowError) as error:
        _check_system(error, path)
        raise FileError(f"{path.name} is not a NIfTI file that can be read; export it again.") from error


def _check_system(error: Exception, path: Path) -> None:
    """Raise errors of the system as such; they alone have a number, unlike those of damaged files."""
    if isinstance(error, OSError) and error.errno:
        raise unreadable(path, error) from error


def _check_kind(image: Any, name: str) -> None:
    shape = image.shape
    dtype = image.get_data_dtype()
    if dtype.fields is not None:
        raise FileError(f"{name} is a colour (RGB) image; export the grey values of the sequence.")
    if dtype.kind == "c":
        raise FileError(f"{name} holds complex numbers; export the magnitude image.")
    if len(shape) < 3:
        raise FileError(
            f"{name} is {len(shape)}-D ({times(shape)} voxels); a stack of slices (3-D) is needed."
        )
    if any(n != 1 for n in shape[3:]):
        raise FileError(
            f"{name} is {len(shape)}-D ({times(shape)} voxels), several volumes in one file; export the one "
            "volume that is meant."
        )
    if min(shape) < 1:
        raise FileError(f"{name} has no voxels ({times(shape)}); export it again.")


def _check_size(image: Any, path: Path) -> None:
    """Raise an error if a file is too short for its header, before anything of that size is allocated."""
    data = _data_path(image)
    held = data.stat().st_size * (MOST_DEFLATE_RATIO if is_gzip(data) else 1)
    if int(image.dataobj.offset) + _n_bytes(image) > held:
        raise FileError(
            f"{path.name} is truncated: its header announces {times(image.shape)} voxels, the file is too "
            "short for them. Copy or export it again."
        )


def _whole_gzip(image: Any) -> Any:
    """Return the image with its compressed files read to the end, so that their checksums are compared."""
    from nibabel.fileholders import FileHolder

    if not is_gzip(_data_path(image)):
        return image
    most_bytes = int(image.dataobj.offset) + _n_bytes(image) + TRAILING_BYTES
    paths = {part: Path(holder.filename) for part, holder in image.file_map.items()}
    contents = {
        part: inflated(read_bytes(path), most_bytes=most_bytes) if is_gzip(path) else read_bytes(path)
        for part, path in paths.items()
    }
    holders = {part: FileHolder(fileobj=BytesIO(content)) for part, content in contents.items()}
    return type(image).from_file_map(holders, mmap=False)


def _data_path(image: Any) -> Path:
    return Path(image.file_map["image"].filename)


def _n_bytes(image: Any) -> int:
    """Return the size of the voxels by the header, in Python's integers: a damaged one overflows others."""
    return math.prod(int(n) for n in image.shape) * int(image.get_data_dtype().itemsize)


def inflated(data: bytes, *, most_bytes: int) -> bytes:
    """Decompress a whole gzip file, of one member or several, and compare its checksums.

    nibabel stops before the checksum, and so reads damaged voxels. A file that ends too early, or inflates to
    more than `most_bytes`, raises an `EOFError`: it is damaged or hostile.
    """
    parts: list[bytes] = []
    left = most_bytes
    while data:
        inflater = zlib.decompressobj(_GZIP_WINDOW)
        parts.append(inflater.decompress(data, left + 1))
        left -= len(parts[-1])
        if left < 0 or not inflater.eof:
            raise EOFError("the compressed data end too early or hold too much")
        # Some writers pad the file with zeros.
        data = inflater.unused_data.lstrip(b"\0")
    return parts[0] if len(parts) == 1 else b"".join(parts)
