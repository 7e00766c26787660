"""TIFF stacks, which hold slices and perhaps their spacing, but no place in the patient."""

from pathlib import Path

import numpy as np

from napari_necroseg.core.errors import FileError, GeometryError, SettingsError
from napari_necroseg.core.io.file_image import FileImage, Spacing
from napari_necroseg.core.io.tiff_file import TiffStack, load_tiff
from napari_necroseg.core.io.tiff_spacing import Stated
from napari_necroseg.core.io.voxels import finite_or_zero, one_label
from napari_necroseg.core.volume import Grid, Origin, Position, Volume, Voxels

# Axis codes of tifffile that can be the slices of a stack; a series of unnamed pages is one, too.
SLICE_AXES = "ZTIQ"
UNPLACED = "a TIFF file does not say where it lies in the patient; it was taken for a sagittal stack, upright"


def read_tiff(path: Path, *, spacing_mm: Spacing | None = None, channel: int | None = None) -> FileImage:
    """Read a stack of grey slices as float32.

    Parameters
    ----------
    path
        Pages are sagittal slices from right to left, rows run from superior to inferior, columns from
        anterior to posterior: a TIFF file cannot say otherwise.
    spacing_mm
        Slice, row and column spacing; rules over what the file says.
    channel
        Which channel to take where there are several, counted from 0.

    Raises
    ------
    FileError
        For a file that is damaged, foreign, coloured, or not one stack of slices.
    GeometryError
        If neither the file nor `spacing_mm` tells the spacing.
    """
    voxels, spacing, page_notes = _read(path, spacing_mm, channel)
    with np.errstate(over="ignore"):
        image, notes = finite_or_zero(np.asarray(voxels, dtype=np.float32), path.name)
    return _placed(path, image, spacing, page_notes + notes)


def read_tiff_mask(path: Path, *, spacing_mm: Spacing | None = None, is_own: bool = False) -> FileImage:
    """Read a stack with one label (with any, if it `is_own`) as uint8, 0 and 1; see `read_tiff`."""
    voxels, spacing, page_notes = _read(path, spacing_mm, None)
    mask, notes = one_label(voxels, path.name, is_own=is_own)
    return _placed(path, mask, spacing, page_notes + notes)


def _read(
    path: Path, spacing_mm: Spacing | None, channel: int | None
) -> tuple[Voxels, Spacing, tuple[str, ...]]:
    stack = load_tiff(path)
    voxels = _slices(stack, path.name, channel)
    notes: tuple[str, ...] = ()
    if stack.unused_pages:
        notes = (
            f"{path.name}: its metadata announce fewer slices than it has pages; the last "
            f"{stack.unused_pages} were left out.",
        )
    return voxels, _spacing(spacing_mm, stack.stated, path.name), notes


def _slices(stack: TiffStack, name: str, channel: int | None) -> Voxels:
    """Reduce what the file holds to ``(slice, row, column)``."""
    kept = [
        (axis, n) for axis, n in zip(stack.axes, stack.voxels.shape, strict=True) if n > 1 or axis in "YX"
    ]
    axes = "".join(axis for axis, _ in kept)
    voxels = stack.voxels.reshape([n for _, n in kept])
    if "C" in axes or channel:
        voxels = _one_channel(voxels, axes, name, channel)
        axes = axes.replace("C", "")
    if len(axes) != 3 or axes[0] not in SLICE_AXES or axes[1:] != "YX" or 0 in voxels.shape:
        shape = " x ".join(map(str, stack.voxels.shape))
        raise FileError(
            f"{name} is not one stack of slices (its axes are {stack.axes}, {shape}); save the slices of one "
            "sequence as pages."
        )
    return voxels


def _one_channel(voxels: Voxels, axes: str, name: str, channel: int | None) -> Voxels:
    n_channels = voxels.shape[axes.index("C")] if "C" in axes else 1
    have = "1 channel" if n_channels == 1 else f"{n_channels} channels"
    if channel is None:
        raise FileError(
            f"{name} has {have}; give it for both ceT1 and T2 if these are its two channels, or save one "
            "channel a file."
        )
    if not 0 <= channel < n_channels:
        raise FileError(f"{name} has {have}, so there is no channel number {channel + 1}.")
    return np.asarray(np.take(voxels, channel, axis=axes.index("C")))


def _spacing(given: Spacing | None, stated: Stated, name: str) -> Spacing:
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


def _placed(path: Path, voxels: Voxels, spacing: Spacing, notes: tuple[str, ...]) -> FileImage:
    # Slices grow to the left (-x), rows to inferior (-z), columns to posterior (-y).
    affine = np.diag((-spacing[0], 0.0, 0.0, 1.0))
    affine[2, 1], affine[1, 2] = -spacing[1], -spacing[2]
    shape = (voxels.shape[0], voxels.shape[1], voxels.shape[2])
    grid = Grid(shape, affine, position=Position.UPRIGHT)
    return FileImage(Volume(voxels, grid), Origin(grid, path), (*notes, f"{path.name}: {UNPLACED}."))
