"""The voxel spacing that a TIFF file states, in the metadata of ImageJ or OME."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

from napari_necroseg.core.io.file_image import Spacing

MM_PER_UNIT = {
    "mm": 1.0,
    "millimeter": 1.0,
    "millimetre": 1.0,
    "cm": 10.0,
    "centimeter": 10.0,
    "centimetre": 10.0,
    "m": 1000.0,
    "meter": 1000.0,
    "metre": 1000.0,
    "inch": 25.4,
    "inches": 25.4,
    "in": 25.4,
    "µm": 1e-3,
    "um": 1e-3,
    "micron": 1e-3,
    "micrometer": 1e-3,
    "micrometre": 1e-3,
    "nm": 1e-6,
    "nanometer": 1e-6,
    "nanometre": 1e-6,
    "dm": 100.0,
    "decimeter": 100.0,
    "decimetre": 100.0,
}
NOT_STATED = "does not say how far apart its voxels are"
_AXES = {"Z": "slice", "Y": "row", "X": "column"}
# Values of the tag ResolutionUnit that name a length, and how long it is in mm.
_RESOLUTION_UNITS = {2: ("inches", 25.4), 3: ("centimetres", 10.0)}


@dataclass(frozen=True, kw_only=True)
class Stated:
    """What a file says of its spacing.

    Parameters
    ----------
    spacing_mm
        Slice, row and column spacing, or None.
    why_not
        Why there is none, as a sentence that begins with the file's name goes on.
    """

    spacing_mm: Spacing | None = None
    why_not: str = NOT_STATED


def stated_spacing(tiff: Any) -> Stated:
    """Return slice, row and column spacing in mm, each axis in its unit; none unless all are stated."""
    if tiff.is_ome and tiff.ome_metadata:
        return _ome_spacing(tiff.ome_metadata)
    if tiff.is_imagej and tiff.imagej_metadata:
        return _imagej_spacing(tiff)
    # Other TIFF files state a resolution for printing (72 dpi), not the size of a voxel.
    return Stated()


def _ome_spacing(xml: str) -> Stated:
    try:
        pixels = next(e for e in ET.fromstring(xml).iter() if e.tag.rpartition("}")[2] == "Pixels")
    except (ET.ParseError, StopIteration):
        return Stated()
    lengths = [_number(pixels.get(f"PhysicalSize{axis}")) for axis in _AXES]
    # Micrometres are what the OME schema assumes where no unit stands.
    return _in_mm(lengths, [pixels.get(f"PhysicalSize{axis}Unit", "µm") for axis in _AXES])


def _imagej_spacing(tiff: Any) -> Stated:
    known = tiff.imagej_metadata
    # ImageJ names the units of rows and slices only where they differ from that of columns.
    unit = str(known.get("unit", ""))
    units = [str(known.get(f"{axis}unit", unit)) for axis in "zyx"]
    row_mm, column_mm = (_per_unit(tiff, axis) for axis in "YX")
    # A stack that ImageJ has turned round has a negative distance; its pages still follow each other.
    depth = _number(known.get("spacing"))
    stated = _in_mm([None if depth is None else abs(depth), row_mm, column_mm], units)
    name, length_mm = _RESOLUTION_UNITS.get(_tag(tiff, "ResolutionUnit"), ("", 0.0))
    if stated.spacing_mm and name and not all(_mm_per(one) == length_mm for one in units[1:]):
        return Stated(why_not=f"gives its resolution in {name}, but its lengths in {units[2]!r}")
    return stated


def _in_mm(lengths: Sequence[float | None], units: Sequence[str]) -> Stated:
    """Bring the lengths of slice, row and column to mm, each from its own unit."""
    spacing = []
    for axis, length, unit in zip(_AXES.values(), lengths, units, strict=True):
        if length is None or not unit.strip():
            return Stated()
        mm_per_unit = _mm_per(unit)
        if mm_per_unit is None:
            return Stated(
                why_not=f"gives its {axis} spacing in {unit[:20]!r}, which is no known unit of length"
            )
        spacing.append(length * mm_per_unit)
    return Stated(spacing_mm=(spacing[0], spacing[1], spacing[2]))


def _per_unit(tiff: Any, axis: str) -> float | None:
    """Length of a voxel: ImageJ writes how many there are in a unit, as a fraction."""
    value = _tag(tiff, f"{axis}Resolution")
    if not isinstance(value, tuple) or len(value) != 2 or not value[0] or not value[1]:
        return None
    return float(value[1]) / float(value[0])


def _tag(tiff: Any, name: str) -> Any:
    tag = tiff.pages[0].tags.get(name)
    return None if tag is None else tag.value


def _number(value: object) -> float | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _mm_per(unit: str) -> float | None:
    """Length of a unit as it is written; ImageJ escapes the Greek letter, others spoil it."""
    name = re.sub(r"\\u(?:00b5|03bc)|\u03bc|\u00e2?\u00b5", "\u00b5", unit.strip(" \0[]().").lower())
    return MM_PER_UNIT.get(name, MM_PER_UNIT.get(name.removesuffix("s")))
