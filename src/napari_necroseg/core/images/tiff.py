"""Reads TIFF stacks, which hold slices and perhaps their spacing, but no position in the patient."""

import lzma
import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_necroseg.core.errors import FileError, GeometryError, SettingsError, unreadable
from napari_necroseg.core.images.file_image import (
    FileImage,
    Spacing,
    check_is_file,
    check_number_of_voxels,
    check_room,
    finite_or_zero,
    memory_for,
    one_label,
)
from napari_necroseg.core.images.tiff_metadata import (
    Stated,
    check_announced,
    check_whole,
    stated_spacing,
    unused_pages,
)
from napari_necroseg.core.volume import Grid, Origin, Position, Volume, Voxels

# Codes of tifffile for axes that can be slices; unnamed pages can, too.
SLICE_AXES = "ZTIQ"
UNPLACED = "a TIFF file does not say where it lies in the patient; it was taken for a sagittal stack, upright"

# tifffile checks little, so a damaged file can raise any of these.
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

# Deflate cannot shrink data by more than this; a small file may still have one large tile.
_MOST_DEFLATE_RATIO = 1032
_SMALL_BYTES = 1 << 24
_WHITE_IS_ZERO = 0


def read_tiff(path: Path, *, spacing_mm: Spacing | None = None, channel: int | None = None) -> FileImage:
    """Read a stack of grey slices as float32.

    `path`: its pages are taken for sagittal slices from right to left, its rows for superior to inferior and
    its columns for anterior to posterior, since a TIFF file cannot state its directions. `spacing_mm`: slice,
    row and column spacing; takes precedence over the file. `channel`: the channel to read where there are
    several, counted from 0.
    Raises FileError for a file that is damaged, foreign, coloured, or not one stack of slices. Raises
    GeometryError if neither the file nor `spacing_mm` states the spacing.
    """
    voxels, spacing, page_notes = _read(path, spacing_mm, channel=channel)
    with np.errstate(over="ignore"):
        image, notes = finite_or_zero(np.asarray(voxels, dtype=np.float32), path.name)
    return _placed(path, image, spacing=spacing, notes=page_notes + notes)


def read_tiff_mask(path: Path, *, spacing_mm: Spacing | None = None, is_own: bool = False) -> FileImage:
    """Read a stack with one label (with any labels, if it `is_own`) as uint8, 0 and 1; see `read_tiff`."""
    voxels, spacing, page_notes = _read(path, spacing_mm, channel=None)
    mask, notes = one_label(voxels, path.name, is_own=is_own)
    return _placed(path, mask, spacing=spacing, notes=page_notes + notes)


def _read(
    path: Path, spacing_mm: Spacing | None, *, channel: int | None
) -> tuple[Voxels, Spacing, tuple[str, ...]]:
    stack = load_tiff(path)
    voxels = _slices(stack, path.name, channel=channel)
    notes: tuple[str, ...] = ()
    if stack.unused_pages:
        notes = (
            f"{path.name}: its metadata announce fewer slices than it has pages; the last "
            f"{stack.unused_pages} were left out.",
        )
    return voxels, _spacing(spacing_mm, stack.stated, name=path.name), notes


@dataclass(frozen=True, kw_only=True, eq=False)
class TiffStack:
    """The content of a TIFF file."""

    # Grey values, with the axes of `axes`.
    voxels: Voxels
    # One letter per axis, as in tifffile: Z, T, I, Q for slices, C for channels, Y for rows, X for columns.
    axes: str
    # Slice, row and column spacing, or why the file states none.
    stated: Stated
    # Number of pages that the metadata do not announce.
    unused_pages: int = 0


def _slices(stack: TiffStack, name: str, *, channel: int | None) -> Voxels:
    """Reduce the axes of the file to ``(slice, row, column)``."""
    kept = [
        (axis, n) for axis, n in zip(stack.axes, stack.voxels.shape, strict=True) if n > 1 or axis in "YX"
    ]
    axes = "".join(axis for axis, _ in kept)
    voxels = stack.voxels.reshape([n for _, n in kept])
    if "C" in axes or channel:
        voxels = _one_channel(voxels, axes, name=name, channel=channel)
        axes = axes.replace("C", "")
    if len(axes) != 3 or axes[0] not in SLICE_AXES or axes[1:] != "YX" or 0 in voxels.shape:
        shape = " x ".join(map(str, stack.voxels.shape))
        raise FileError(
            f"{name} is not one stack of slices (its axes are {stack.axes}, {shape}); save the slices of one "
            "sequence as pages."
        )
    return voxels


def _one_channel(voxels: Voxels, axes: str, *, name: str, channel: int | None) -> Voxels:
    n_channels = voxels.shape[axes.index("C")] if "C" in axes else 1
    have = "1 channel" if n_channels == 1 else f"{n_channels} channels"
    if channel is None:
        raise FileError(
            f"{name} has {have}; give it for both ceT1 and T2 if these are its two channels, or save one "
            "channel per file."
        )
    if not 0 <= channel < n_channels:
        raise FileError(f"{name} has {have}, so there is no channel number {channel + 1}.")
    return np.asarray(np.take(voxels, channel, axis=axes.index("C")))


def _spacing(given: Spacing | None, stated: Stated, *, name: str) -> Spacing:
    spacing = given or stated.spacing_mm
    if spacing is None:
        raise GeometryError(
            f"{name} {stated.why_not}, and a volume cannot be measured without; give the slice, row and "
            "column spacing in mm."
        )
    if all(0.01 <= length <= 100 for length in spacing):
        return spacing
    shown = " x ".join(f"{length:g}" for length in spacing)
    if given:
        raise SettingsError(f"{name}: a spacing of {shown} mm is impossible (0.01 to 100 mm is accepted).")
    raise GeometryError(
        f"{name} states a spacing of {shown} mm, which is impossible (0.01 to 100 mm is accepted); give the "
        "slice, row and column spacing in mm."
    )


def _placed(path: Path, voxels: Voxels, *, spacing: Spacing, notes: tuple[str, ...]) -> FileImage:
    # Slices grow to the left (-x), rows to inferior (-z), columns to posterior (-y).
    affine = np.diag((-spacing[0], 0.0, 0.0, 1.0))
    affine[2, 1], affine[1, 2] = -spacing[1], -spacing[2]
    shape = (voxels.shape[0], voxels.shape[1], voxels.shape[2])
    grid = Grid(shape, affine, position=Position.UPRIGHT)
    return FileImage(Volume(voxels, grid), Origin(grid, path), notes=(*notes, f"{path.name}: {UNPLACED}."))


def load_tiff(path: Path) -> TiffStack:
    """Read a TIFF file that holds one array of real grey values."""
    import tifffile

    check_is_file(path)
    try:
        # The rest of an image in several files would be read silently, or as 0.
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
    """Return the series of the file: one, or several equal pages, as some programs store stacks."""
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
    """Raise an error if a file announces far more than it can hold, before that is allocated."""
    tile_bytes = math.prod(int(n) for n in pages[0].keyframe.chunks) * int(pages[0].dtype.itemsize)
    announced = max(tile_bytes, sum(math.prod(page.shape) * int(page.dtype.itemsize) for page in pages))
    if announced > max(_MOST_DEFLATE_RATIO * path.stat().st_size, _SMALL_BYTES):
        raise FileError(f"{path.name} is damaged: it announces {announced} bytes of voxels. Export it again.")
    shape = pages[0].shape if len(pages) == 1 else (len(pages), *pages[0].shape)
    check_number_of_voxels(shape, path.name)
    check_room(shape, path.name, file_bytes_a_voxel=int(pages[0].dtype.itemsize))
