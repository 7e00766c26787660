"""What the metadata of a TIFF file announce: looked at before tifffile builds anything of that size."""

import math
import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree as ET

from napari_necroseg.core.errors import FileError

# Slices times channels: of an MR stack some hundreds. tifffile compares each page with each.
MOST_PAGES = 2048
# A sentence a page would still be less.
MOST_XML_BYTES = 1 << 26
# Numbers that say how many pages there are, or which is meant.
_OF_IMAGEJ = ("images", "slices", "frames", "channels")
_OF_PIXELS = ("SizeX", "SizeY", "SizeZ", "SizeC", "SizeT")
_OF_PLANES = ("IFD", "FirstZ", "FirstC", "FirstT", "NumPlanes", "PlaneCount")


def check_announced(tiff: Any, name: str) -> None:
    """Refuse metadata that announce more pages than any stack has.

    Parameters
    ----------
    tiff
        A `tifffile.TiffFile` whose series were not looked at yet.
    name
        Of the file.

    Raises
    ------
    FileError
        With what is announced, or if the image is spread over several files.
    """
    _check_number(len(tiff.pages), name)
    if tiff.is_ome and tiff.ome_metadata:
        _check_ome(tiff.ome_metadata, name, page_voxels=max(1, math.prod(tiff.pages[0].shape)))
    elif tiff.is_imagej and tiff.imagej_metadata:
        _check_number(math.prod(_counts(tiff.imagej_metadata.get(key) for key in _OF_IMAGEJ[1:])), name)
        _check_number(max(_counts([tiff.imagej_metadata.get("images")])), name)


def check_whole(series: Any, name: str) -> None:
    """Refuse a stack of which pages are missing: they would be read as 0.

    Raises
    ------
    FileError
        With how many.
    """
    missing = sum(page is None for page in series.pages)
    if missing:
        raise FileError(
            f"{name} lacks {missing} of the {len(series.pages)} slices that its metadata announce; copy or "
            "export it again."
        )


def unused_pages(tiff: Any, series: list[Any]) -> int:
    """Return how many pages of a file are in no series, since the metadata announce fewer."""
    used = sum(math.prod(one.shape) // max(1, math.prod(one.keyframe.shape)) for one in series)
    return max(0, len(tiff.pages) - int(used))


def _check_ome(xml: str, name: str, *, page_voxels: int) -> None:
    # OME-XML has no document type; with one, a few bytes can stand for gigabytes.
    if len(xml) > MOST_XML_BYTES or re.search(r"<!(DOCTYPE|ENTITY)", xml, re.IGNORECASE):
        raise FileError(f"{name} has a description that is no OME-XML; save it again as one TIFF stack.")
    try:
        root = ET.fromstring(xml)
    except ET.ParseError:
        # tifffile does without it, too.
        return
    elements = [(element.tag.rpartition("}")[2], element) for element in root.iter()]
    for kind, element in elements:
        if kind == "Pixels":
            # Pages are counted by their voxels, too.
            sizes = [*_counts(element.get(key) for key in _OF_PIXELS)]
            _check_number(max(math.prod(sizes[2:]), math.prod(sizes) // page_voxels), name)
        if kind == "TiffData":
            _check_number(max(_counts(element.get(key) for key in _OF_PLANES)), name)
        if kind.startswith("Along"):
            raise FileError(f"{name} has more axes than slices, rows and columns; save one stack a file.")
    n_files = len({element.text for kind, element in elements if kind == "UUID"})
    if n_files > 1:
        raise FileError(
            f"{name} is one of {n_files} files that hold one image together; save the stack in one file."
        )


def _counts(values: Any) -> Iterator[int]:
    """Numbers as metadata give them; what is none, or not there, is left to the reader of the file."""
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
