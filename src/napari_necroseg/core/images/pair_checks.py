"""Checks that two images are a pair: of one patient, in one plane, of one part of the body."""

import numpy as np

from napari_necroseg.core.grids.orient import working_grid
from napari_necroseg.core.images.file_image import FileImage
from napari_necroseg.core.images.on_grid import LEAST_OVERLAP, Placed
from napari_necroseg.core.volume import Grid

MOST_TURN_DEG = 20.0
PLANES = ("sagittal", "axial", "coronal")


def pair_checks(cet1: FileImage, t2: FileImage, *, placed: Placed) -> list[str]:
    """Say what suggests that ceT1 and T2 are not of one examination, without naming a patient.

    Both are as in their files; `placed` is T2 on the grid of ceT1.
    """
    found = []
    # Only an image that is resampled has a position of its own.
    if placed.was_resampled:
        grids = working_grid(cet1.volume.grid), working_grid(t2.volume.grid)
        found += _position_problems(*grids, covered=placed.covered)
    names = {name for name in (_patient_field(cet1), _patient_field(t2)) if name}
    if len(names) > 1:
        found.append("the files name different patients")
    if np.array_equal(cet1.volume.voxels, t2.volume.voxels):
        found.append("both files hold the very same image")
    return [f"Check this pair: {problem}." for problem in found]


def _position_problems(grid: Grid, t2_grid: Grid, *, covered: float) -> list[str]:
    found = []
    if covered < LEAST_OVERLAP:
        found.append(f"only {covered:.0%} of the ceT1 image is covered by the T2 image")
    if _plane(grid) != _plane(t2_grid):
        found.append(f"ceT1 is a {_plane(grid)} stack, T2 a {_plane(t2_grid)} one")
    elif _turn_deg(grid, t2_grid) > MOST_TURN_DEG:
        found.append(f"their slices are turned against each other by {_turn_deg(grid, t2_grid):.0f} degrees")
    return found


def _plane(grid: Grid) -> str:
    """Return the plane of the slices by the widest spacing; sagittal for voxels that are nearly cubes."""
    thick = int(np.argmax(grid.spacing_mm))
    return PLANES[thick] if grid.spacing_mm[thick] > 1.2 * min(grid.spacing_mm) else PLANES[0]


def _turn_deg(a: Grid, b: Grid) -> float:
    """Return the largest angle between corresponding axes of two working grids."""
    directions = [grid.affine_ras[:3, :3] / np.asarray(grid.spacing_mm) for grid in (a, b)]
    cosines = np.sum(directions[0] * directions[1], axis=0)
    return float(np.degrees(np.arccos(np.clip(cosines, -1, 1))).max())


def _patient_field(image: FileImage) -> str:
    """Return the NIfTI-1 field in which some converters store the patient's name; empty for other files."""
    header = image.origin.nifti_header
    # Bytes 14 to 32 of a NIfTI-1 header are db_name; NIfTI-2 (540 bytes) has no such field.
    if header is None or len(header) != 348:
        return ""
    return header[14:32].split(b"\0")[0].decode("latin-1").strip().casefold()
