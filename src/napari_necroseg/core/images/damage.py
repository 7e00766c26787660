"""Notices a damaged image file quickly: by its header and its size, without reading the voxels."""

import math
import zlib
from functools import lru_cache
from pathlib import Path
from typing import Any

from napari_necroseg.core.disk import disk
from napari_necroseg.core.errors import NecrosegError
from napari_necroseg.core.files import read_bytes
from napari_necroseg.core.images.file_image import check_is_file, is_gzip, is_tiff
from napari_necroseg.core.images.nifti import TRAILING_BYTES, inflated, open_nifti

# A gzip file ends with the size of its content, as 32 bits.
_SIZE_BYTES = 4
_SIZE_MODULUS = 2**32


def damage_of(path: Path) -> str:
    """Return why a file cannot be read, in a sentence; empty if its header and size are sound.

    A file is looked at once until it changes. The voxels of a TIFF stack are not looked at.
    """
    try:
        found = path.stat()
    except OSError:
        return f"{path.name} is not there."
    return _damage(path, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=8192)
def _damage(path: Path, _modified_ns: int, _n_bytes: int) -> str:
    try:
        check_is_file(path)
        if is_tiff(path):
            return ""
        image = open_nifti(path)
    except NecrosegError as error:
        return str(error)
    data = Path(image.file_map["image"].filename)
    if is_gzip(data) and not _is_whole(data, _bytes_needed(image)):
        return f"{path.name} is truncated or damaged. Copy or export it again."
    return ""


def _bytes_needed(image: Any) -> int:
    n_voxels = math.prod(int(n) for n in image.shape)
    return int(image.dataobj.offset) + n_voxels * int(image.get_data_dtype().itemsize)


def _is_whole(path: Path, needed: int) -> bool:
    """Whether a compressed file holds as much as its header announces."""
    with disk.open(path, "rb") as file:
        file.seek(-_SIZE_BYTES, 2)
        said = int.from_bytes(disk.read(file), "little")
    if 0 <= said - needed % _SIZE_MODULUS <= TRAILING_BYTES:
        return True
    # Files of several members, or padded with zeros, end with another number.
    try:
        content = inflated(read_bytes(path), most_bytes=needed + TRAILING_BYTES)
    except (NecrosegError, EOFError, zlib.error, OSError):
        return False
    return len(content) >= needed
