"""Reads the metadata of a TIFF file: the voxel spacing, and the number of pages that it announces."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

from napari_necroseg.core.errors import FileError
from napari_necroseg.core.images.file_image import Spacing

_UNITS = {
    "mm millimeter millimetre": 1.0,
    "cm centimeter centimetre": 10.0,
    "dm decimeter decimetre": 100.0,
    "m meter metre": 1000.0,
    "in inch inches": 25.4,
    "µm um micron micrometer micrometre": 1e-3,
    "nm nanometer nanometre": 1e-6,
}
MM_PER_UNIT = {name: mm for names, mm in _UNITS.items() for name in names.split()}
NOT_STATED = "does not say how far apart its voxels are"
_AXES = {"Z": "slice", "Y": "row", "X": "column"}

# Values of the tag ResolutionUnit that name a length, and that length in mm.
_RESOLUTION_UNITS = {2: ("inches", 25.4), 3: ("centimetres", 10.0)}

# Slices times channels, some hundreds in an MR stack. tifffile compares every page with every other.
MOST_PAGES = 2048

# Enough for a sentence per page.
MOST_XML_BYTES = 1 << 26

# Fields with a number of pages, or the number of a page.
_OF_IMAGEJ = ("images", "slices", "frames", "channels")
_OF_PIXELS = ("SizeX", "SizeY", "SizeZ", "SizeC", "SizeT")
_OF_PLANES = ("IFD", "FirstZ", "FirstC", "FirstT", "NumPlanes", "PlaneCount")


@dataclass(frozen=True, kw_only=True)
class Stated:
    """The spacing that a file states."""

    # Slice, row and column spacing, or None.
    spacing_mm: Spacing | None = None
    # Why there is none: the rest of a sentence that begins with the name of the file.
    why_not: str = NOT_STATED


def stated_spacing(tiff: Any) -> Stated:
    """Return slice, row and column spacing in mm, if the file states all three."""
    if tiff.is_ome and tiff.ome_metadata:
        return _ome_spacing(tiff.ome_metadata)
    if tiff.is_imagej and tiff.imagej_metadata:
        return _imagej_spacing(tiff)
    # Other TIFF files state a resolution for print (72 dpi), not the size of a voxel.
    return Stated()


def _ome_spacing(xml: str) -> Stated:
    try:
        pixels = next(e for e in ET.fromstring(xml).iter() if e.tag.rpartition("}")[2] == "Pixels")
    except (ET.ParseError, StopIteration):
        return Stated()
    lengths = [_number(pixels.get(f"PhysicalSize{axis}")) for axis in _AXES]
    # The OME schema assumes micrometres where no unit is given.
    return _in_mm(lengths, [pixels.get(f"PhysicalSize{axis}Unit", "µm") for axis in _AXES])


def _imagej_spacing(tiff: Any) -> Stated:
    known = tiff.imagej_metadata
    # ImageJ names the units of rows and slices only where they differ from that of columns.
    unit = str(known.get("unit", ""))
    units = [str(known.get(f"{axis}unit", unit)) for axis in "zyx"]
    row_mm, column_mm = (_per_unit(tiff, axis) for axis in "YX")
    # ImageJ gives a reversed stack a negative distance; the order of the pages is not affected.
    depth = _number(known.get("spacing"))
    stated = _in_mm([None if depth is None else abs(depth), row_mm, column_mm], units)
    name, length_mm = _RESOLUTION_UNITS.get(_tag(tiff, "ResolutionUnit"), ("", 0.0))
    if stated.spacing_mm and name and not all(_mm_per(one) == length_mm for one in units[1:]):
        return Stated(why_not=f"gives its resolution in {name}, but its lengths in {units[2]!r}")
    return stated


def _in_mm(lengths: Sequence[float | None], units: Sequence[str]) -> Stated:
    """Convert the lengths of slice, row and column to mm, each from its own unit."""
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
    """Return the length of a voxel; ImageJ stores the number of voxels in a unit, as a fraction."""
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
    """Return the length of a unit; ImageJ escapes the Greek letter, and other programs garble it."""
    name = re.sub(r"\\u(?:00b5|03bc)|\u03bc|\u00e2?\u00b5", "\u00b5", unit.strip(" \0[]().").lower())
    return MM_PER_UNIT.get(name, MM_PER_UNIT.get(name.removesuffix("s")))


def check_announced(tiff: Any, name: str) -> None:
    """Raise an error if the metadata announce more pages than any stack has, or name further files.

    `tiff` is a `tifffile.TiffFile` before its series are built, which takes as long as is announced.
    """
    _check_number(len(tiff.pages), name)
    if tiff.is_ome and tiff.ome_metadata:
        _check_ome(tiff.ome_metadata, name, page_voxels=max(1, math.prod(tiff.pages[0].shape)))
    elif tiff.is_imagej and tiff.imagej_metadata:
        _check_number(math.prod(_counts(tiff.imagej_metadata.get(key) for key in _OF_IMAGEJ[1:])), name)
        _check_number(max(_counts([tiff.imagej_metadata.get("images")])), name)


def check_whole(series: Any, name: str) -> None:
    """Raise an error if pages of a stack are missing, which would be read as 0."""
    missing = sum(page is None for page in series.pages)
    if missing:
        raise FileError(
            f"{name} lacks {missing} of the {len(series.pages)} slices that its metadata announce; copy or "
            "export it again."
        )


def unused_pages(tiff: Any, series: list[Any]) -> int:
    """Return how many pages of a file belong to no series, since the metadata announce fewer."""
    used = sum(math.prod(one.shape) // max(1, math.prod(one.keyframe.shape)) for one in series)
    return max(0, len(tiff.pages) - int(used))


def _check_ome(xml: str, name: str, *, page_voxels: int) -> None:
    # OME-XML has no document type; with one, a few bytes can stand for gigabytes.
    if len(xml) > MOST_XML_BYTES or re.search(r"<!(DOCTYPE|ENTITY)", xml, re.IGNORECASE):
        raise FileError(f"{name} has a description that is no OME-XML; save it again as one TIFF stack.")
    try:
        root = ET.fromstring(xml)
    except ET.ParseError:
        # tifffile ignores it as well.
        return
    elements = [(element.tag.rpartition("}")[2], element) for element in root.iter()]
    for kind, element in elements:
        if kind == "Pixels":
            # The number of pages also follows from that of the voxels.
            sizes = [*_counts(element.get(key) for key in _OF_PIXELS)]
            _check_number(max(math.prod(sizes[2:]), math.prod(sizes) // page_voxels), name)
        if kind == "TiffData":
            _check_number(max(_counts(element.get(key) for key in _OF_PLANES)), name)
        if kind.startswith("Along"):
            raise FileError(f"{name} has more axes than slices, rows and columns; save one stack per file.")
    n_files = len({element.text for kind, element in elements if kind == "UUID"})
    if n_files > 1:
        raise FileError(
            f"{name} is one of {n_files} files that hold one image together; save the stack in one file."
        )


def _counts(values: Any) -> Iterator[int]:
    """Yield the numbers in metadata; 1 for a value that is missing or no number, which tifffile judges."""
    for value in values:
        try:
            yield max(1, int(str(value)))
        except ValueError:
            yield 1


def _check_number(n_pages: int, name: str) -> None:
    if n_pages > MOST_PAGES:
        raise FileError(
            f"{name} announces {n_pages} pages, more than the {MOST_PAGES} that are read here; it is damaged "
            "or no stack of MR slices."
        )
