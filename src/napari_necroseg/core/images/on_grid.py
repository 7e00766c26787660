"""Bringing an image or a mask onto the grid of the ceT1 image: by its place, or voxel for voxel."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from napari_necroseg.core.errors import GeometryError
from napari_necroseg.core.grids.orient import (
    by_index,
    fits_by_index,
    has_place,
    in_file_order,
    to_working,
    working_grid,
)
from napari_necroseg.core.grids.resample import (
    outside_voxels,
    overlap_share,
    resample_image,
    resample_mask,
)
from napari_necroseg.core.images.file_image import Spacing, check_room, memory_for
from napari_necroseg.core.images.pair_checks import LEAST_OVERLAP
from napari_necroseg.core.images.read import read_mask
from napari_necroseg.core.tissue import fit_to_interpolate
from napari_necroseg.core.volume import Grid, Volume

CET1 = "the ceT1 image"

# Of the ceT1 image: below, a T2 image is not said to cover all of it.
_COVERS_ALL = 0.995


@dataclass(frozen=True, kw_only=True, eq=False)
class Placed:
    """A volume in working order on the grid that was asked for.

    Parameters
    ----------
    volume
        The very voxels of the file, unless it `was_resampled`.
    was_resampled
        Whether they lay on another grid.
    notes
        What the user should know of it, one sentence each.
    """

    volume: Volume
    was_resampled: bool = False
    notes: tuple[str, ...] = ()


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

    Parameters
    ----------
    path
        The mask file.
    grid
        Of the image, in any axis order; the result is in working order.
    what, onto
        What notes call the mask and the image; the file's name by default.
    spacing_mm
        Slice, row and column spacing of a TIFF stack that does not state its own.
    is_own
        See `read_mask`.

    Raises
    ------
    FileError, GeometryError, ResourceError
        If it cannot be read, has several labels, or cannot be brought onto the grid.
    """
    what = what or path.name
    with memory_for(what):
        image = read_mask(path, spacing_mm=spacing_mm, is_own=is_own)
        placed = mask_onto(image.volume, grid, what, onto=onto)
    return Placed(
        volume=placed.volume, was_resampled=placed.was_resampled, notes=(*image.notes, *placed.notes)
    )


def mask_onto(mask: Volume, grid: Grid, what: str, *, onto: str = CET1) -> Placed:
    """Bring a mask onto the grid of an image; what of it lies outside is told in mL.

    Raises
    ------
    GeometryError
        If it lies elsewhere, or a file does not say where and shape or spacing differ.
    """
    placed = _placed(mask, grid, what, onto, resample_mask)
    if not placed.was_resampled:
        return placed
    notes = (*placed.notes, *outside_notes(mask, grid, what, onto=onto))
    if mask.voxels.any() and not placed.volume.voxels.any():
        notes += (f"Check this case: {what} became empty on the grid of {onto}.",)
    return Placed(volume=placed.volume, was_resampled=True, notes=notes)


def outside_notes(mask: Volume, grid: Grid, what: str, *, onto: str = CET1) -> tuple[str, ...]:
    """Say how much of a mask lies beyond the border of an image; nothing if nothing does."""
    outside, voxel_ml = outside_voxels(mask, grid), mask.grid.voxel_ml
    if not outside:
        return ()
    whole = int((mask.voxels != 0).sum())
    return (
        f"{_ml(outside * voxel_ml)} of the {_ml(whole * voxel_ml)} of {what} lie outside of {onto} and are "
        "left out.",
    )


def image_onto(image: Volume, grid: Grid, what: str) -> Placed:
    """Bring an image onto the grid of the ceT1 image; how much of that it covers is told.

    Raises
    ------
    GeometryError
        As for `mask_onto`.
    """
    mended: list[str] = []

    def resample(volume: Volume, target: Grid) -> Volume:
        # A spline would spread a single wild voxel over its neighbours.
        voxels, told = fit_to_interpolate(volume.voxels)
        mended.extend(told)
        return resample_image(Volume(voxels, volume.grid), target)

    placed = _placed(image, grid, what, CET1, resample)
    if mended:
        before = f"{_capital(what)} was mended before it was resampled: {', '.join(mended)}."
        placed = replace(placed, notes=(before, *placed.notes))
    share = overlap_share(working_grid(grid), working_grid(image.grid)) if placed.was_resampled else 1.0
    # Less than half is an alarm of its own.
    if share >= _COVERS_ALL or share < LEAST_OVERLAP:
        return placed
    covers = f"{_capital(what)} covers {share:.0%} of {CET1}; the rest is filled with its lowest value."
    return Placed(volume=placed.volume, was_resampled=True, notes=(*placed.notes, covers))


def check_onto(source: Grid, grid: Grid, what: str, *, onto: str = CET1) -> str:
    """Say how a volume would be brought onto a grid; nothing if it lies on it.

    Raises
    ------
    GeometryError
        As for `mask_onto`.
    """
    if working_grid(source).matches(working_grid(grid)):
        return ""
    if fits_by_index(source, grid):
        return (
            f"{_capital(what)} is taken voxel for voxel: {_who_is_lost(source, grid, what, onto)}, and both "
            "have the same shape and voxel size."
        )
    if not (has_place(source) and has_place(grid)):
        raise GeometryError(
            f"{_capital(what)} ({_measures(source)}) cannot be brought onto {onto} ({_measures(grid)}): "
            f"{_who_is_lost(source, grid, what, onto)}, and their shapes or voxel sizes differ. Export both "
            "with their position, or with the same voxels."
        )
    grids = working_grid(grid), working_grid(source)
    # Each looks at some points of the first: a small crop lies between those of a large image.
    if not (overlap_share(*grids) or overlap_share(*reversed(grids))):
        raise GeometryError(
            f"{_capital(what)} and {onto} lie in different places in space; they are not of the same "
            "examination, or one has lost its position. Pair the right files."
        )
    return f"{_capital(what)} was resampled onto the grid of {onto}."


def _placed(
    volume: Volume, grid: Grid, what: str, onto: str, resample: Callable[[Volume, Grid], Volume]
) -> Placed:
    note = check_onto(volume.grid, grid, what, onto=onto)
    target = working_grid(grid)
    if not note:
        return Placed(volume=Volume(to_working(volume).voxels, target))
    if (taken := by_index(volume, grid)) is not None:
        return Placed(volume=taken, notes=(note,))
    check_room(volume.voxels.shape, what, file_bytes_a_voxel=0)
    with memory_for(what):
        return Placed(volume=resample(to_working(volume), target), was_resampled=True, notes=(note,))


def _who_is_lost(source: Grid, grid: Grid, what: str, onto: str) -> str:
    if not (has_place(source) or has_place(grid)):
        return "their files do not say where they lie in the patient"
    lost = onto if has_place(source) else what
    file = f"the file of {lost}" if lost.startswith("the ") else lost
    return f"{file} does not say where it lies in the patient"


def _measures(grid: Grid) -> str:
    """Shape and spacing, in the axis order of the file."""
    in_file = in_file_order(grid)
    shape, spacing = (" x ".join(f"{n:.4g}" for n in three) for three in (in_file.shape, in_file.spacing_mm))
    return f"{shape} voxels of {spacing} mm"


def _capital(what: str) -> str:
    """A sentence begins with a capital, a file's name stays as it is."""
    return f"T{what[1:]}" if what.startswith("the ") else what


def _ml(volume_ml: float) -> str:
    return f"{volume_ml:.2f} mL" if volume_ml >= 0.005 else "less than 0.01 mL"
