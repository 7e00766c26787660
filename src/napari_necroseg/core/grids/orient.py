"""From the axis order of a file to the upright working order and back, without touching a value."""

import numpy as np

from napari_necroseg.core.volume import WORKING_AXIS_CODES, Affine, Grid, Volume, Voxels

# Beyond these the geometry is still right, but the method was made for something else.
MOST_OBLIQUITY_DEG = 20.0


def to_working(volume: Volume) -> Volume:
    """Reorder a volume to ``(slice, row, column)``, upright as `core.volume` defines it.

    Only permutes and flips axes: the voxels are a view of the given ones, and every voxel keeps its
    world position. Oblique axes go to the anatomical direction that they are closest to.
    """
    axes, flips = _file_axes(volume.grid)
    voxels = np.transpose(volume.voxels, axes)[_flip_slices(flips)]
    return Volume(voxels, working_grid(volume.grid))


def from_working(voxels: Voxels, file_grid: Grid) -> Voxels:
    """Undo `to_working`: from working order back to the axis order of the file.

    Parameters
    ----------
    voxels
        ``(Z, Y, X)`` in working order.
    file_grid
        The grid of the file, in its own axis order.
    """
    axes, flips = _file_axes(file_grid)
    return np.transpose(voxels[_flip_slices(flips)], np.argsort(axes))


def working_grid(file_grid: Grid) -> Grid:
    """Return the grid of a file, reordered to working order; one that was reordered is returned as it is."""
    if file_grid.in_file is not None:
        return file_grid
    axes, flips = _file_axes(file_grid)
    shape = tuple(file_grid.shape[axis] for axis in axes)
    to_file_index = _to_file_index(file_grid, axes, flips)
    return Grid(
        (shape[0], shape[1], shape[2]),
        file_grid.affine_ras @ to_file_index,
        position=file_grid.position,
        in_file=file_grid,
    )


def method_warnings(grid: Grid) -> tuple[str, ...]:
    """Say in plain words in what a stack differs from those that the method was made for.

    Parameters
    ----------
    grid
        A working grid; for a sagittal acquisition its thick axis is the first.
    """
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


def _file_axes(file_grid: Grid) -> tuple[tuple[int, ...], tuple[bool, ...]]:
    """For each working axis: the file axis that it is, and whether it runs the other way."""
    from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform

    to_working_axes = ornt_transform(io_orientation(file_grid.affine_ras), axcodes2ornt(WORKING_AXIS_CODES))
    axes = np.argsort(to_working_axes[:, 0])
    flips = to_working_axes[axes, 1] < 0
    return tuple(int(axis) for axis in axes), tuple(bool(flip) for flip in flips)


def _flip_slices(flips: tuple[bool, ...]) -> tuple[slice, ...]:
    return tuple(slice(None, None, -1) if flip else slice(None) for flip in flips)


def _to_file_index(file_grid: Grid, axes: tuple[int, ...], flips: tuple[bool, ...]) -> Affine:
    """``(4, 4)``; maps a working index to the file index of the same voxel."""
    matrix = np.zeros((4, 4))
    matrix[3, 3] = 1.0
    for working_axis, (file_axis, flip) in enumerate(zip(axes, flips, strict=True)):
        matrix[file_axis, working_axis] = -1.0 if flip else 1.0
        matrix[file_axis, 3] = file_grid.shape[file_axis] - 1 if flip else 0
    return matrix
