"""Rectangles of a volume that may reach beyond its border.

Axes: C channels (sequences), Z slices, Y rows, X columns.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Corner = tuple[int, int, int]
Shape = tuple[int, int, int]


def window(voxels: NDArray[Any], corner: Corner, shape: Shape, *, outside: NDArray[Any]) -> NDArray[Any]:
    """Copy a rectangle.

    Parameters
    ----------
    voxels
        ``(C, Z, Y, X)``.
    corner
        First voxel of the rectangle; may be negative.
    shape
        Voxels of the rectangle along Z, Y, X.
    outside
        ``(C,)``; the value of each channel beyond the border.

    Returns
    -------
    ndarray
        ``(C, *shape)``, dtype of `voxels`.
    """
    cut = np.empty((len(voxels), *shape), voxels.dtype)
    spans = [span(*axis) for axis in zip(corner, shape, voxels.shape[1:], strict=True)]
    if any(inside.stop - inside.start < n for (inside, _), n in zip(spans, shape, strict=True)):
        cut[:] = outside[:, None, None, None]
    cut[:, *(inside for inside, _ in spans)] = voxels[:, *(source for _, source in spans)]
    return cut


def span(start: int, count: int, size: int) -> tuple[slice, slice]:
    """Return which part of a window along one axis lies inside the volume, and which voxels those are.

    Parameters
    ----------
    start, count
        The window: `count` voxels from index `start` on.
    size
        Voxels of the volume along the axis.
    """
    first = min(count, max(0, -start))
    last = max(first, min(count, size - start))
    return slice(first, last), slice(start + first, max(0, start + last))
