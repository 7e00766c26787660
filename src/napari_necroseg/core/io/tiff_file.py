"""The TIFF file itself: opened, checked for what it is, and read."""

import lzma
import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_necroseg.core.errors import FileError, unreadable
from napari_necroseg.core.io.file_image import check_is_file
from napari_necroseg.core.io.room import check_number_of_voxels, check_room, memory_for
from napari_necroseg.core.io.tiff_announced import check_announced, check_whole, unused_pages
from napari_necroseg.core.io.tiff_spacing import Stated, stated_spacing
from napari_necroseg.core.volume import Voxels

# tifffile checks little: what it raises about a damaged file is whatever it stumbles over.
_DAMAGED = (
    ArithmeticError,
    AssertionError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
_DAMAGED_DATA = (lzma.LZMAError, struct.error, zlib.error)
# Deflate cannot shrink data by more than this; small files may still have one large tile.
_MOST_DEFLATE_RATIO = 1032
_SMALL_BYTES = 1 << 24
_WHITE_IS_ZERO = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class TiffStack:
    """What a TIFF file holds.

    Parameters
    ----------
    voxels
        Grey values, with the axes that `axes` names.
    axes
        A letter an axis as tifffile has them: Z, T, I, Q for slices, C for channels, Y rows, X columns.
    stated
        Slice, row and column spacing, or why the file gives none.
    unused_pages
        How many pages of the file its metadata do not announce.
    """

    voxels: Voxels
    axes: str
    stated: Stated
    unused_pages: int = 0


def load_tiff(path: Path) -> TiffStack:
    """Read a TIFF file that holds one array of real grey values.

    Raises
    ------
    FileError
        For a file that is missing, foreign, damaged, coloured, or that holds several images, or more than
        any scanner makes.
    ResourceError
        If memory does not suffice; no voxel was read then.
    """
    import tifffile

    check_is_file(path)
    try:
        # The rest of an image in several files would be read without a word, or as 0.
        with tifffile.TiffFile(path, _multifile=False) as tiff:
            check_announced(tiff, path.name)
            pages = _pages(tiff, path.name)
            _check_kind(pages[0], path.name)
            _check_size(pages, path)
            with memory_for(path.name):
                voxels = _voxels(pages)
            axes = pages[0].axes if len(pages) == 1 else "Q" + pages[0].axes
            unused = unused_pages(tiff, pages)
            return TiffStack(voxels=voxels, axes=axes, stated=stated_spacing(tiff), unused_pages=unused)
    except (tifffile.TiffFileError, *_DAMAGED, *_DAMAGED_DATA) as error:
        if isinstance(error, OSError) and error.errno:
            raise unreadable(path, error) from error
        if "imagecodecs" in str(error):
            raise FileError(
                f"{path.name} is compressed in a way that cannot be read here; save it without compression "
                "or with Deflate (zip)."
            ) from error
        raise FileError(f"{path.name} is not a TIFF stack that can be read; export it again.") from error


def _voxels(pages: list[Any]) -> Voxels:
    one = pages[0].asarray() if len(pages) == 1 else np.stack([page.asarray() for page in pages])
    return np.asarray(one)


def _pages(tiff: Any, name: str) -> list[Any]:
    """The series of the file: one, or several single pages of one kind, as some programs write a stack."""
    series = list(tiff.series)
    if not series:
        raise FileError(f"{name} holds no image; export it again.")
    kinds = {(one.axes, one.shape, one.dtype) for one in series}
    if len(series) > 1 and (len(kinds) > 1 or series[0].axes != "YX"):
        raise FileError(f"{name} holds {len(series)} images of their own; save the one stack that is meant.")
    for one in series:
        check_whole(one, name)
    return series


def _check_kind(series: Any, name: str) -> None:
    if series.dtype.kind not in "uifb":
        raise FileError(f"{name} holds {series.dtype} values; export real grey values.")
    if "S" in series.axes:
        raise FileError(f"{name} is a colour (RGB) image; export the grey values of the sequence.")
    if series.keyframe.photometric == _WHITE_IS_ZERO:
        raise FileError(f"{name} holds inverted grey values (0 is white); save it so that 0 is black.")


def _check_size(pages: list[Any], path: Path) -> None:
    """Refuse a file that announces absurdly more than it can hold, before that much is allocated."""
    tile_bytes = math.prod(int(n) for n in pages[0].keyframe.chunks) * int(pages[0].dtype.itemsize)
    announced = max(tile_bytes, sum(math.prod(page.shape) * int(page.dtype.itemsize) for page in pages))
    if announced > max(_MOST_DEFLATE_RATIO * path.stat().st_size, _SMALL_BYTES):
        raise FileError(f"{path.name} is damaged: it announces {announced} bytes of voxels. Export it again.")
    shape = pages[0].shape if len(pages) == 1 else (len(pages), *pages[0].shape)
    check_number_of_voxels(shape, path.name)
    check_room(shape, path.name, file_bytes_a_voxel=int(pages[0].dtype.itemsize))
