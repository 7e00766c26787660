"""TIFF stacks, which hold slices and perhaps their spacing, but no place in the patient."""

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np

from napari_necroseg.core.errors import FileError, GeometryError, SettingsError
from napari_necroseg.core.io.image import FileImage, Spacing, check_is_file
from napari_necroseg.core.io.voxels import finite_or_zero, one_label
from napari_necroseg.core.volume import Grid, Origin, Volume, Voxels

MM_PER_UNIT = {
    "mm": 1.0,
    "millimeter": 1.0,
    "millimetre": 1.0,
    "cm": 10.0,
    "m": 1000.0,
    "inch": 25.4,
    "in": 25.4,
    "µm": 1e-3,
    "um": 1e-3,
    "micron": 1e-3,
    "micrometer": 1e-3,
    "nm": 1e-6,
}
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
    voxels, spacing = _read(path, spacing_mm, channel)
    image, notes = finite_or_zero(np.asarray(voxels, dtype=np.float32), path.name)
    return _placed(path, image, spacing, notes)


def read_tiff_mask(path: Path, *, spacing_mm: Spacing | None = None) -> FileImage:
    """Read a stack with one label as uint8, 0 and 1; see `read_tiff`."""
    voxels, spacing = _read(path, spacing_mm, None)
    mask, notes = one_label(voxels, path.name)
    return _placed(path, mask, spacing, notes)


def _placed(path: Path, voxels: Voxels, spacing: Spacing, notes: tuple[str, ...]) -> FileImage:
    # Slices grow to the left (-x), rows to inferior (-z), columns to posterior (-y).
    affine = np.diag((-spacing[0], 0.0, 0.0, 1.0))
    affine[2, 1], affine[1, 2] = -spacing[1], -spacing[2]
    grid = Grid((voxels.shape[0], voxels.shape[1], voxels.shape[2]), affine)
    return FileImage(Volume(voxels, grid), Origin(grid, path), (*notes, f"{path.name}: {UNPLACED}."))


def _read(path: Path, spacing_mm: Spacing | None, channel: int | None) -> tuple[Voxels, Spacing]:
    import tifffile

    check_is_file(path)
    try:
        with tifffile.TiffFile(path) as tiff:
            if len(tiff.series) != 1:
                raise FileError(
                    f"{path.name} holds {len(tiff.series)} images; save the one stack that is meant."
                )
            series = tiff.series[0]
            _check_size(series, path)
            spacing = _check_spacing(spacing_mm or _stated_spacing(tiff), path.name)
            return _stack(series.asarray(), series.axes, path.name, channel), spacing
    except (tifffile.TiffFileError, ValueError, OSError, IndexError) as error:
        raise FileError(f"{path.name} is not a TIFF stack that can be read: {_short(error)}.") from error


def _check_size(series: Any, path: Path) -> None:
    """Refuse a header that announces absurdly more than the file can hold, before allocating it."""
    if series.dtype.kind not in "uifb":
        raise FileError(f"{path.name} holds {series.dtype} values; export real grey values.")
    if series.nbytes > 1032 * path.stat().st_size:
        raise FileError(
            f"{path.name} is damaged: it announces {series.nbytes} bytes of voxels. Export it again."
        )


def _stack(voxels: Voxels, axes: str, name: str, channel: int | None) -> Voxels:
    """Reduce what the file holds to ``(slice, row, column)``."""
    if "S" in axes:
        raise FileError(f"{name} is a colour (RGB) image; export the grey values of the sequence.")
    keep = [axis for axis, n in zip(axes, voxels.shape, strict=True) if n > 1 or axis in "YX"]
    voxels = voxels.reshape([n for axis, n in zip(axes, voxels.shape, strict=True) if axis in keep])
    if "C" in keep:
        voxels = _channel(voxels, keep.index("C"), name, channel)
        keep.remove("C")
    slices = [axis for axis in keep if axis not in "YX"]
    if len(slices) != 1 or slices[0] not in SLICE_AXES or keep[-2:] != ["Y", "X"]:
        raise FileError(
            f"{name} is not one stack of slices (its axes are {axes}, {' x '.join(map(str, voxels.shape))}); "
            "save the slices of one sequence as pages."
        )
    return voxels


def _channel(voxels: Voxels, axis: int, name: str, channel: int | None) -> Voxels:
    n_channels = voxels.shape[axis]
    if channel is None:
        raise FileError(
            f"{name} has {n_channels} channels; give it for both ceT1 and T2 if these are its two channels, "
            "or save one channel a file."
        )
    if channel >= n_channels:
        raise FileError(f"{name} has {n_channels} channels, so there is no channel number {channel + 1}.")
    return np.asarray(np.take(voxels, channel, axis=axis))


def _stated_spacing(tiff: Any) -> Spacing | None:
    if tiff.is_ome and tiff.ome_metadata:
        return _ome_spacing(tiff.ome_metadata)
    if tiff.is_imagej and tiff.imagej_metadata:
        return _imagej_spacing(tiff)
    # Other TIFF files state a resolution for printing (72 dpi), not the size of a voxel.
    return None


def _ome_spacing(xml: str) -> Spacing | None:
    try:
        pixels = next(e for e in ET.fromstring(xml).iter() if e.tag.rpartition("}")[2] == "Pixels")
    except (ET.ParseError, StopIteration):
        return None
    lengths = []
    for axis in "ZYX":
        # Micrometres are what the OME schema assumes where no unit stands.
        unit = MM_PER_UNIT.get(_unit(pixels.get(f"PhysicalSize{axis}Unit", "µm")))
        size = pixels.get(f"PhysicalSize{axis}")
        if size is None or unit is None:
            return None
        lengths.append(float(size) * unit)
    return (lengths[0], lengths[1], lengths[2])


def _imagej_spacing(tiff: Any) -> Spacing | None:
    unit = MM_PER_UNIT.get(_unit(str(tiff.imagej_metadata.get("unit", ""))))
    depth = tiff.imagej_metadata.get("spacing")
    resolutions = [tiff.pages[0].tags.get(f"{axis}Resolution") for axis in "YX"]
    if unit is None or depth is None or None in resolutions:
        return None
    # ImageJ writes pixels per unit, as a fraction.
    per_unit = [tag.value[0] / tag.value[1] if tag.value[1] else 0.0 for tag in resolutions]
    if 0 in per_unit:
        return None
    return (float(depth) * unit, unit / per_unit[0], unit / per_unit[1])


def _unit(text: str) -> str:
    """One spelling for the many of a unit; ImageJ escapes the Greek letter."""
    escaped = re.sub(r"\\u00[bB]5", "µ", text.strip())
    return escaped.replace("\u03bc", "µ").removesuffix("s").lower()


def _check_spacing(spacing: Spacing | None, name: str) -> Spacing:
    if spacing is None:
        raise GeometryError(
            f"{name} does not say how far apart its voxels are, and a volume cannot be measured without; "
            "give the slice, row and column spacing in mm."
        )
    if not all(0.01 <= length <= 100 for length in spacing):
        shown = " x ".join(f"{length:g}" for length in spacing)
        raise SettingsError(f"{name}: a spacing of {shown} mm is impossible (0.01 to 100 mm is accepted).")
    return spacing


def _short(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".")[:120] if str(error) else type(error).__name__
