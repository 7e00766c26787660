"""Brings images and masks onto the grid of the ceT1 image: by their position, or voxel for voxel."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from napari_necroseg.core.errors import GeometryError
from napari_necroseg.core.grids.orient import (
    by_index,
    fits_by_index,
    has_position,
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
from napari_necroseg.core.images.file_image import capitalized, check_room, memory_for
from napari_necroseg.core.language import Said, said, to_translate
from napari_necroseg.core.tissue import fit_to_interpolate
from napari_necroseg.core.volume import Grid, Volume

CET1 = to_translate("the ceT1 image")
# The names that begin a note, so that the catalogue of the languages has them.
_BEGINNINGS = (
    to_translate("The T2 image"),
    to_translate("The reference mask"),
    to_translate("The tumour mask"),
)
# In practice T2 covers most of the ceT1 stack; below this share a wrong pair is likelier than a small image.
LEAST_OVERLAP = 0.5
# Below this share of the ceT1 image a note says how much of it is covered.
_COVERS_ALL = 0.995


@dataclass(frozen=True, kw_only=True)
class Fit:
    """How a volume can be brought onto a grid."""

    # A sentence on how; empty where the volume lies on the grid.
    note: str = ""
    # Whether it has to be interpolated; otherwise each voxel of the grid is one of the volume.
    is_resampled: bool = False
    # The share of the grid that it covers.
    covered: float = 1.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Placed:
    """A volume in working order on the grid that was asked for."""

    # Its very voxels, unless it `was_resampled`.
    volume: Volume
    # Whether they lay on another grid.
    was_resampled: bool = False
    # Sentences for the user on how it was brought there.
    notes: tuple[str, ...] = ()
    # The share of the grid that they cover.
    covered: float = 1.0


def mask_onto(mask: Volume, grid: Grid, *, what: str, onto: str = CET1) -> Placed:
    """Bring a mask onto the grid of an image; a note tells in mL how much of it lies outside."""
    placed = _placed(mask, grid, what=what, onto=onto, resample=resample_mask)
    if not placed.was_resampled:
        return placed
    notes = (*placed.notes, *outside_notes(mask, grid, what=what, onto=onto))
    if mask.voxels.any() and not placed.volume.voxels.any():
        notes += (f"Check this case: {what} became empty on the grid of {onto}.",)
    return replace(placed, notes=notes)


def outside_notes(mask: Volume, grid: Grid, *, what: str, onto: str = CET1) -> tuple[str, ...]:
    """Say how much of a mask lies outside of an image; nothing if all of it lies inside."""
    outside, voxel_ml = outside_voxels(mask, grid), mask.grid.voxel_ml
    if not outside:
        return ()
    whole = int((mask.voxels != 0).sum())
    return (
        f"{_ml(outside * voxel_ml)} of the {_ml(whole * voxel_ml)} of {what} lie outside of {onto} and are "
        "left out.",
    )


def image_onto(image: Volume, grid: Grid, *, what: str) -> Placed:
    """Bring an image onto the grid of the ceT1 image; a note tells how much of that it covers."""
    mended: list[str] = []

    def resample(volume: Volume, target: Grid) -> Volume:
        # A spline would spread a wild voxel over its neighbours.
        voxels, told = fit_to_interpolate(volume.voxels)
        mended.extend(told)
        return resample_image(Volume(voxels, volume.grid), target)

    placed = _placed(image, grid, what=what, onto=CET1, resample=resample)
    notes = placed.notes
    if mended:
        notes = (
            f"{capitalized(what)} was mended before it was resampled: {', '.join(mended)}.",
            *notes,
        )
    # For less than half the pair checks raise an alarm.
    if LEAST_OVERLAP <= placed.covered < _COVERS_ALL:
        notes += (
            said(
                "{what} covers {share:.0%} of {onto}; the rest is filled with its lowest value.",
                what=Said(capitalized(what)),
                share=placed.covered,
                onto=Said(CET1),
            ),
        )
    return replace(placed, notes=notes)


def fit_onto(source: Grid, grid: Grid, *, what: str, onto: str = CET1) -> Fit:
    """Decide how a volume is brought onto a grid; a `GeometryError` says why it cannot be."""
    upright, target = working_grid(source), working_grid(grid)
    if upright.matches(target):
        return Fit()
    lost = _who_is_lost(source, grid, what=what, onto=onto)
    if fits_by_index(source, grid):
        return Fit(
            note=f"{capitalized(what)} is taken voxel for voxel: {lost}, and both have the same shape and "
            "voxel size."
        )
    if not (has_position(source) and has_position(grid)):
        raise GeometryError(
            f"{capitalized(what)} ({_measures(source)}) cannot be brought onto {onto} ({_measures(grid)}): "
            f"{lost}, and their shapes or voxel sizes differ. Export both with their position, or with the "
            "same voxels."
        )
    covered = overlap_share(target, upright)
    # Each samples points of its first grid, and a small crop may lie between those of a large image.
    if not (covered or overlap_share(upright, target)):
        raise GeometryError(
            f"{capitalized(what)} and {onto} lie in different places in space; they are not of the same "
            "examination, or one has lost its position. Pair the right files."
        )
    words = {"what": Said(capitalized(what)), "onto": Said(onto)}
    note = said("{what} was resampled onto the grid of {onto}.", **words)
    return Fit(note=note, is_resampled=True, covered=covered)


def _placed(
    volume: Volume, grid: Grid, *, what: str, onto: str, resample: Callable[[Volume, Grid], Volume]
) -> Placed:
    fit = fit_onto(volume.grid, grid, what=what, onto=onto)
    target = working_grid(grid)
    if not fit.note:
        return Placed(volume=Volume(to_working(volume).voxels, target))
    if not fit.is_resampled:
        return Placed(volume=by_index(volume, grid), notes=(fit.note,))
    check_room(volume.voxels.shape, what, file_bytes_a_voxel=0)
    with memory_for(what):
        there = resample(to_working(volume), target)
    return Placed(volume=there, was_resampled=True, notes=(fit.note,), covered=fit.covered)


def _who_is_lost(source: Grid, grid: Grid, *, what: str, onto: str) -> str:
    if not (has_position(source) or has_position(grid)):
        return "their files do not say where they lie in the patient"
    lost = onto if has_position(source) else what
    file = f"the file of {lost}" if lost.startswith("the ") else lost
    return f"{file} does not say where it lies in the patient"


def _measures(grid: Grid) -> str:
    """Return shape and spacing in words, in the axis order of the file."""
    in_file = in_file_order(grid)
    shape, spacing = (" x ".join(f"{n:.4g}" for n in three) for three in (in_file.shape, in_file.spacing_mm))
    return f"{shape} voxels of {spacing} mm"


def _ml(volume_ml: float) -> str:
    return f"{volume_ml:.2f} mL" if volume_ml >= 0.005 else "less than 0.01 mL"
