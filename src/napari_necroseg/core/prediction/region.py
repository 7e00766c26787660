"""Finds the rectangle of every slice that is predicted: about a point, or in a drawn box.

Axes: C channels, Z slices, Y rows, X columns.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_necroseg.core.errors import SettingsError
from napari_necroseg.core.volume import Grid

# A pixel's probability depends on pixels within 107 of it (two convolutions on each level either way, and
# those that lead down); a multiple of the coarsest stride, so that a part is seen as in the whole image.
_CONTEXT_PIXELS = 112
_STRIDE = 16

# Rows and columns about a point: those of the paper's patch, however large the patches of a training were.
_SIDE_PIXELS = 128


@dataclass(frozen=True, kw_only=True)
class Region:
    """Rows and columns from a first to before a last, in all slices of a case in working order."""

    rows: tuple[int, int]
    columns: tuple[int, int]

    @property
    def inner(self) -> tuple[slice, slice]:
        """The rectangle."""
        return slice(*self.rows), slice(*self.columns)

    def outer(self, image_shape: tuple[int, ...]) -> tuple[slice, slice]:
        """The rectangle with the context that the network needs, within the image ``(..., Y, X)``."""
        rows, columns = (
            slice(max(0, (first - _CONTEXT_PIXELS) // _STRIDE * _STRIDE), min(size, stop + _CONTEXT_PIXELS))
            for (first, stop), size in zip((self.rows, self.columns), image_shape[-2:], strict=True)
        )
        return rows, columns

    def within(self, outer: tuple[slice, slice]) -> tuple[slice, slice]:
        """The rectangle, counted from the corner of `outer`."""
        rows, columns = (
            slice(inner.start - around.start, inner.stop - around.start)
            for inner, around in zip(self.inner, outer, strict=True)
        )
        return rows, columns


def region_around(grid: Grid, point_mm: ArrayLike) -> Region:
    """Return the rectangle of 128 x 128 pixels about a point, moved and cut to lie in the image.

    The grid is in working order, the point a world position (RAS+ mm); outside of the image it is a
    `SettingsError`.
    """
    index = grid.index_of(point_mm)
    ends = [
        _span(middle, _SIDE_PIXELS, size=size) for middle, size in zip(index[1:], grid.shape[1:], strict=True)
    ]
    return Region(rows=ends[0], columns=ends[1])


def region_of_box(grid: Grid, corners_mm: ArrayLike) -> Region:
    """Return the rectangle that holds points ``(N, 3)`` (world positions, mm) of a drawn box.

    A box outside of the image is a `SettingsError`.
    """
    index: NDArray[np.float64] = grid.to_index(corners_mm)[:, 1:]
    ends = [
        (max(0, int(np.floor(low + 0.5))), min(size, int(np.ceil(high + 0.5))))
        for low, high, size in zip(index.min(axis=0), index.max(axis=0), grid.shape[1:], strict=True)
    ]
    if any(first >= stop for first, stop in ends):
        raise SettingsError("The drawn box lies outside of the image; draw one on it.")
    return Region(rows=ends[0], columns=ends[1])


def _span(middle: int, side: int, *, size: int) -> tuple[int, int]:
    first = min(max(0, middle - side // 2), max(0, size - side))
    return first, min(size, first + side)
