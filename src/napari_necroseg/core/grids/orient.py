"""Reorders voxels from the axis order of a file to the working order and back; no value changes.

Where a file does not say where it lies in the patient, two arrays of one image are matched voxel for voxel.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from napari_necroseg.core.volume import WORKING_AXIS_CODES, Affine, Grid, Position, Volume, Voxels

# Beyond this the geometry is still right, but the method was not made for it.
MOST_OBLIQUITY_DEG = 20.0

# Two records of the same voxel size differ by less, since headers round.
SAME_SPACING = 0.01
Spacing = tuple[float, float, float]
_Reorder = Callable[[Voxels], Voxels]
_Measures = tuple[tuple[int, int, int], Spacing]


def to_working(volume: Volume) -> Volume:
    """Reorder a volume to ``(slice, row, column)``, upright as `core.volume` defines it.

    Only permutes and flips axes: the result is a view, and every voxel keeps its world position. An oblique
    axis goes to the nearest anatomical direction.
    """
    axes, flips = _file_axes(volume.grid)
    voxels = np.transpose(volume.voxels, axes)[_flip_slices(flips)]
    return Volume(voxels, working_grid(volume.grid))


def from_working(voxels: Voxels, file_grid: Grid) -> Voxels:
    """Return voxels ``(Z, Y, X)`` in the axis order of the file: the inverse of `to_working`."""
    axes, flips = _file_axes(file_grid)
    return np.transpose(voxels[_flip_slices(flips)], np.argsort(axes))


# Grids are frozen, and told apart by identity: each is reordered once while it is in use.
@lru_cache(maxsize=64)
def working_grid(file_grid: Grid) -> Grid:
    """Return the grid of a file in working order; a grid in working order is returned unchanged."""
    if file_grid.in_file is not None:
        return file_grid
    axes, flips = _file_axes(file_grid)
    shape = tuple(file_grid.shape[axis] for axis in axes)
    to_file_index = _to_file_index(file_grid, axes, flips=flips)
    return Grid(
        (shape[0], shape[1], shape[2]),
        file_grid.affine_ras @ to_file_index,
        position=file_grid.position,
        in_file=file_grid,
    )


def method_warnings(grid: Grid) -> tuple[str, ...]:
    """Say how a stack, by its working grid, differs from those that the method was made for."""
    warnings = []
    spacing = grid.spacing_mm
    thick = int(np.argmax(spacing))
    if spacing[thick] > 1.2 * sorted(spacing)[1] and thick != 0:
        plane = ("sagittal", "axial", "coronal")[thick]
        warnings.append(
            f"This looks like a {plane} stack (slices {spacing[thick]:.1f} mm apart); the method was made "
            "for sagittal stacks, so expect worse results."
        )
    elif spacing[0] <= 1.2 * max(spacing[1:]):
        warnings.append(
            f"The sagittal slices are {spacing[0]:.2f} mm apart, not thicker than the in-plane spacing "
            f"({spacing[1]:.2f} x {spacing[2]:.2f} mm); the method was made for slices 3.3 to 4.8 mm apart."
        )
    if grid.obliquity_deg > MOST_OBLIQUITY_DEG:
        warnings.append(
            f"The stack is turned by {grid.obliquity_deg:.0f} degrees against the patient's axes; what is "
            "shown as upright is only nearly so. Saved masks are exact."
        )
    return tuple(warnings)


@lru_cache(maxsize=64)
def _file_axes(file_grid: Grid) -> tuple[tuple[int, ...], tuple[bool, ...]]:
    """Return, for each working axis, its file axis, and whether that runs the other way."""
    from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform

    to_working_axes = ornt_transform(io_orientation(file_grid.affine_ras), axcodes2ornt(WORKING_AXIS_CODES))
    axes = np.argsort(to_working_axes[:, 0])
    flips = to_working_axes[axes, 1] < 0
    return tuple(int(axis) for axis in axes), tuple(bool(flip) for flip in flips)


def _flip_slices(flips: tuple[bool, ...]) -> tuple[slice, ...]:
    return tuple(slice(None, None, -1) if flip else slice(None) for flip in flips)


def _to_file_index(file_grid: Grid, axes: tuple[int, ...], *, flips: tuple[bool, ...]) -> Affine:
    """Return the matrix ``(4, 4)`` from the working index of a voxel to its file index."""
    matrix = np.zeros((4, 4))
    matrix[3, 3] = 1.0
    for working_axis, (file_axis, flip) in enumerate(zip(axes, flips, strict=True)):
        matrix[file_axis, working_axis] = -1.0 if flip else 1.0
        matrix[file_axis, 3] = file_grid.shape[file_axis] - 1 if flip else 0
    return matrix


def has_position(grid: Grid) -> bool:
    """Whether the file states where in the patient the grid lies."""
    return grid.position is Position.STATED


def in_file_order(grid: Grid) -> Grid:
    """Return a grid in the axis order of its file."""
    return grid.in_file or grid


def fits_by_index(source: Grid, target: Grid) -> bool:
    """Whether one of the grids has no stated position, and their voxels can be matched one to one."""
    return _reorder(source, target) is not None


def by_index(volume: Volume, target: Grid) -> Volume:
    """Lay a volume onto a grid that it `fits_by_index`, voxel for voxel in the axis order of the files.

    Both may be in any axis order; the result is in working order. A TIFF stack, whose axes are slices, rows
    and columns, is matched with the working order of the other file if that states its directions; else with
    its reversed axes, for programs whose first axis is the columns.
    """
    reorder = _reorder(volume.grid, target)
    assert reorder is not None, "see fits_by_index"
    onto = in_file_order(target)
    return Volume(to_working(Volume(reorder(_file_voxels(volume)), onto)).voxels, working_grid(target))


def _reorder(source: Grid, target: Grid) -> _Reorder | None:
    """Return the function that reorders the voxels of one file like those of the other, if there is one."""
    if has_position(source) and has_position(target):
        return None
    one, other = in_file_order(source), in_file_order(target)
    n_stacks = (one.position, other.position).count(Position.UPRIGHT)
    if (
        n_stacks == 1
        and (has_position(one) or has_position(other))
        and _are_alike(*map(_upright, (one, other)))
    ):
        return lambda voxels: from_working(to_working(Volume(voxels, one)).voxels, other)
    if n_stacks == 1 and _are_alike(_reversed(one), _shape_and_spacing(other)):
        return np.transpose
    if _are_alike(_shape_and_spacing(one), _shape_and_spacing(other)):
        return lambda voxels: voxels
    return None


def _file_voxels(volume: Volume) -> Voxels:
    if volume.grid.in_file is None:
        return volume.voxels
    return from_working(to_working(volume).voxels, volume.grid.in_file)


def _shape_and_spacing(grid: Grid) -> _Measures:
    return grid.shape, grid.spacing_mm


def _upright(grid: Grid) -> _Measures:
    return _shape_and_spacing(working_grid(grid))


def _reversed(grid: Grid) -> _Measures:
    (a, b, c), (x, y, z) = _shape_and_spacing(grid)
    return (c, b, a), (z, y, x)


def _are_alike(one: _Measures, other: _Measures) -> bool:
    return one[0] == other[0] and bool(np.allclose(one[1], other[1], rtol=SAME_SPACING, atol=0))
