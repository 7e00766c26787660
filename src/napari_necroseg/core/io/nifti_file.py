"""The NIfTI file itself: opened, checked for what it is, and read to its last byte."""

import math
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from napari_necroseg.core.errors import FileError, NecrosegError, unreadable
from napari_necroseg.core.files import check_readable, read_bytes
from napari_necroseg.core.io.file_image import NIFTI_SUFFIXES, check_is_file, image_stem, image_suffix
from napari_necroseg.core.io.gz import inflated
from napari_necroseg.core.io.nifti_extensions import check_extensions
from napari_necroseg.core.io.room import check_number_of_voxels, check_room, times
from napari_necroseg.core.volume import Voxels

# Deflate cannot shrink data by more than this; a header that asks for more is damaged or hostile.
MOST_DEFLATE_RATIO = 1032
# What may follow the voxels in a file without being thought damaged.
TRAILING_BYTES = 1 << 20


def open_nifti(path: Path) -> Any:
    """Return the nibabel image of a file that holds one real three-dimensional image; no voxel is read yet.

    Raises
    ------
    FileError
        For a file that is missing, foreign, shorter than its header says, of another kind, or with more
        voxels than any scanner makes.
    """
    import nibabel

    check_is_file(path)
    _check_pair(path)
    check_extensions(_header_path(path))
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


def read_voxels(image: Any, path: Path, dtype: type[np.float32] | None) -> Voxels:
    """Read what `open_nifti` opened, slope and intercept applied, as `dtype` or as the file has it.

    Raises
    ------
    FileError
        If the file is truncated or damaged.
    ResourceError
        If memory does not suffice; nothing was read then.
    """
    # What was inflated and what is made of it stand beside each other.
    copies = 2 if _is_gzip(_data_path(image)) else 1
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
    """Whether a NIfTI file holds numbers with a fraction, as probabilities do, by its header."""
    if image_suffix(path) not in NIFTI_SUFFIXES:
        return False
    try:
        return bool(open_nifti(path).get_data_dtype().kind == "f")
    except NecrosegError:
        return False


def _check_pair(path: Path) -> None:
    suffix = path.name[len(image_stem(path)) :]
    for half, other in (("hdr", "img"), ("img", "hdr"), ("HDR", "IMG"), ("IMG", "HDR")):
        partner = path.with_name(image_stem(path) + suffix.replace(half, other))
        if half in suffix and not partner.is_file():
            raise FileError(
                f"{path.name} is one half of a pair of files, and {partner.name} is not beside it; copy both."
            )
        if half in suffix:
            check_readable(partner)


def _header_path(path: Path) -> Path:
    """The file that the header of an image is in: of a pair, its first half."""
    suffix = path.name[len(image_stem(path)) :]
    return path.with_name(image_stem(path) + suffix.replace("img", "hdr").replace("IMG", "HDR"))


def _load(path: Path) -> Any:
    import nibabel
    from nibabel.filebasedimages import ImageFileError
    from nibabel.spatialimages import HeaderDataError, HeaderTypeError
    from nibabel.wrapstruct import WrapStructError

    foreign = (ImageFileError, HeaderDataError, HeaderTypeError, WrapStructError, EOFError, zlib.error)
    try:
        # Damaged headers overflow; what comes of it is checked. A memory map would keep the file open,
        # and change with it.
        with np.errstate(all="ignore"):
            return nibabel.load(path, mmap=False)
    except (*foreign, OSError, ValueError, OverflowError) as error:
        _check_system(error, path)
        raise FileError(f"{path.name} is not a NIfTI file that can be read; export it again.") from error


def _check_system(error: Exception, path: Path) -> None:
    """Tell what the system refused from damage: only its errors have a number."""
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
    """Refuse a file too short for its header before anything of that size is allocated."""
    data = _data_path(image)
    held = data.stat().st_size * (MOST_DEFLATE_RATIO if _is_gzip(data) else 1)
    if int(image.dataobj.offset) + _n_bytes(image) > held:
        raise FileError(
            f"{path.name} is truncated: its header announces {times(image.shape)} voxels, the file is too "
            "short for them. Copy or export it again."
        )


def _whole_gzip(image: Any) -> Any:
    """Return the image with its compressed files inflated to the end and their checksums compared."""
    from nibabel.fileholders import FileHolder

    if not _is_gzip(_data_path(image)):
        return image
    most_bytes = int(image.dataobj.offset) + _n_bytes(image) + TRAILING_BYTES
    paths = {part: Path(holder.filename) for part, holder in image.file_map.items()}
    contents = {
        part: inflated(read_bytes(path), most_bytes=most_bytes) if _is_gzip(path) else read_bytes(path)
        for part, path in paths.items()
    }
    holders = {part: FileHolder(fileobj=BytesIO(content)) for part, content in contents.items()}
    return type(image).from_file_map(holders, mmap=False)


def _data_path(image: Any) -> Path:
    return Path(image.file_map["image"].filename)


def _is_gzip(path: Path) -> bool:
    return path.name.lower().endswith(".gz")


def _n_bytes(image: Any) -> int:
    """Size of the voxels by the header; in Python's numbers, since a damaged header overflows 64 bits."""
    return math.prod(int(n) for n in image.shape) * int(image.get_data_dtype().itemsize)
