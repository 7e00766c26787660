"""Reads an image, a mask or a grid from a file, whatever the format."""

from dataclasses import replace
from pathlib import Path

from napari_necroseg.core.errors import as_mistakes
from napari_necroseg.core.images.file_image import (
    FileImage,
    Spacing,
    image_stem,
    is_tiff,
    memory_for,
)
from napari_necroseg.core.images.on_grid import CET1, Placed, mask_onto
from napari_necroseg.core.labels_folder import is_in_project
from napari_necroseg.core.volume import Grid


@as_mistakes()
def read_image(path: Path, *, spacing_mm: Spacing | None = None, channel: int | None = None) -> FileImage:
    """Read a NIfTI or TIFF image.

    `path`: the file; its name tells the format. `spacing_mm`: slice, row and column spacing of a TIFF stack
    that does not state its own. `channel`: the channel of a TIFF stack with several.
    Raises FileError or GeometryError if it cannot be read as a single three-dimensional real image with a
    position in space. Raises ResourceError if memory does not suffice.
    """
    with memory_for(path.name):
        if is_tiff(path):
            from napari_necroseg.core.images.tiff import read_tiff

            return read_tiff(path, spacing_mm=spacing_mm, channel=channel)
        from napari_necroseg.core.images.nifti import read_nifti

        return read_nifti(path)


@as_mistakes()
def read_mask(path: Path, *, spacing_mm: Spacing | None = None, is_own: bool = False) -> FileImage:
    """Read a NIfTI or TIFF mask with one label; see `read_image`.

    `path`, `spacing_mm`: as in `read_image`. `is_own`: whether this program wrote the mask. Then every voxel
    that is not 0 is inside, since a person may have painted with any label; in other masks further labels may
    mean other structures.
    Raises what `read_image` raises, and FileError for fractional values or more than one label.
    """
    is_own = is_own or is_in_project(path, image_stem(path))
    with memory_for(path.name):
        if is_tiff(path):
            from napari_necroseg.core.images.tiff import read_tiff_mask

            return read_tiff_mask(path, spacing_mm=spacing_mm, is_own=is_own)
        from napari_necroseg.core.images.nifti import read_nifti_mask

        return read_nifti_mask(path, is_own=is_own)


def read_grid(
    path: Path, *, spacing_mm: Spacing | None = None, channel: int | None = 0
) -> tuple[Grid, tuple[str, ...]]:
    """Return the grid of an image file in the file's axis order, and notes on it; see `read_image`."""
    if is_tiff(path):
        image = read_image(path, spacing_mm=spacing_mm, channel=channel)
        return image.volume.grid, image.notes
    from napari_necroseg.core.images.nifti import read_header

    return read_header(path)


def read_mask_on(
    path: Path,
    grid: Grid,
    *,
    what: str = "",
    onto: str = CET1,
    spacing_mm: Spacing | None = None,
    is_own: bool = False,
) -> Placed:
    """Read a mask onto the grid of an image.

    `path`: the mask file. `grid`: of the image, in any axis order; the result is in working order. `what`,
    `onto`: the names of the mask and the image in notes; by default the mask's file name. `spacing_mm`:
    slice, row and column spacing of a TIFF stack that does not state its own. `is_own`: see `read_mask`.
    Raises what `read_mask` raises, and GeometryError if the mask cannot be brought onto the grid.
    """
    what = what or path.name
    with memory_for(what):
        image = read_mask(path, spacing_mm=spacing_mm, is_own=is_own)
        placed = mask_onto(image.volume, grid, what=what, onto=onto)
    return replace(placed, notes=(*image.notes, *placed.notes))
