"""The voxel spacing that a TIFF file states, in the metadata of ImageJ or OME."""

import re
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
}


def stated_spacing(tiff: Any) -> Spacing | None:
    """Slice, row and column spacing in mm, or None where the file does not state all three with a unit."""
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
        mm_per_unit = _mm_per(pixels.get(f"PhysicalSize{axis}Unit", "µm"))
        size = pixels.get(f"PhysicalSize{axis}")
        if size is None or mm_per_unit is None:
            return None
        lengths.append(float(size) * mm_per_unit)
    return (lengths[0], lengths[1], lengths[2])


def _imagej_spacing(tiff: Any) -> Spacing | None:
    mm_per_unit = _mm_per(str(tiff.imagej_metadata.get("unit", "")))
    depth = tiff.imagej_metadata.get("spacing")
    resolutions = [tiff.pages[0].tags.get(f"{axis}Resolution") for axis in "YX"]
    if mm_per_unit is None or depth is None or None in resolutions:
        return None
    # ImageJ writes pixels per unit, as a fraction.
    per_unit = [tag.value[0] / tag.value[1] if tag.value[1] else 0.0 for tag in resolutions]
    if 0 in per_unit:
        return None
    # A stack that ImageJ has turned round has a negative distance; its pages still follow each other.
    return (abs(float(depth)) * mm_per_unit, mm_per_unit / per_unit[0], mm_per_unit / per_unit[1])


def _mm_per(unit: str) -> float | None:
    """Length of a unit that is written in one of many ways; ImageJ escapes the Greek letter."""
    name = re.sub(r"\\u00b5", "µ", unit.strip().lower()).replace("\u03bc", "µ")
    return MM_PER_UNIT.get(name, MM_PER_UNIT.get(name.removesuffix("s")))
