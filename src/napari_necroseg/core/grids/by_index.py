"""Two arrays of one image taken voxel for voxel, where a file does not say where it lies in the patient."""

from collections.abc import Callable

import numpy as np

from napari_necroseg.core.grids.orient import from_working, to_working, working_grid
from napari_necroseg.core.volume import Grid, Position, Volume, Voxels

# Headers round; two readings of one voxel size differ by less.
SAME_SPACING = 0.01
Spacing = tuple[float, float, float]
_Reorder = Callable[[Voxels], Voxels]


def has_place(grid: Grid) -> bool:
    """Whether a file says where in the patient a grid lies."""
    return grid.position is Position.STATED


def in_file_order(grid: Grid) -> Grid:
    """Return a grid in the axis order of its file, whatever order it is in."""
    return grid.in_file or grid


def fits_by_index(source: Grid, target: Grid) -> bool:
    """Whether one of both lacks a place, and the voxels of one can be those of the other."""
    return _reorder(source, target) is not None


def by_index(volume: Volume, target: Grid) -> Volume | None:
    """Lay a volume onto a grid voxel for voxel, in the axis order of the files; None where that is no way.

    Where one file is a TIFF stack, whose axes are slices, rows and columns, its voxels are those of the other
    in working order if that one states its directions; else those of the reversed axes, as in programs whose
    first axis is the columns.

    Parameters
    ----------
    volume
        In any axis order.
    target
        The grid of an image, in any axis order.

    Returns
    -------
    Volume or None
        In working order, on the working grid of `target`. None if both files state their place, or if the
        shapes or the spacings differ.
    """
    reorder = _reorder(volume.grid, target)
    if reorder is None:
        return None
    onto = in_file_order(target)
    return Volume(to_working(Volume(reorder(_file_voxels(volume)), onto)).voxels, working_grid(target))


def _reorder(source: Grid, target: Grid) -> _Reorder | None:
    """How the voxels of one file become those of the other, or None."""
    if has_place(source) and has_place(target):
        return None
    one, other = in_file_order(source), in_file_order(target)
    n_stacks = (one.position, other.position).count(Position.UPRIGHT)
    if n_stacks == 1 and (has_place(one) or has_place(other)) and _are_alike(*map(_upright, (one, other))):
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


_Measures = tuple[tuple[int, int, int], Spacing]


def _shape_and_spacing(grid: Grid) -> _Measures:
    return grid.shape, grid.spacing_mm


def _upright(grid: Grid) -> _Measures:
    return _shape_and_spacing(working_grid(grid))


def _reversed(grid: Grid) -> _Measures:
    (a, b, c), (x, y, z) = _shape_and_spacing(grid)
    return (c, b, a), (z, y, x)


def _are_alike(one: _Measures, other: _Measures) -> bool:
    return one[0] == other[0] and bool(np.allclose(one[1], other[1], rtol=SAME_SPACING, atol=0))
