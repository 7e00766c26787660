"""Rectangles of a volume that may reach beyond its border.

Axes: C channels (sequences), Z slices, Y rows, X columns.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Corner = tuple[int, int, int]
Shape = tuple[int, int, int]


def window(
    voxels: NDArray[Any], corner: Corner, shape: Shape, *, outside: NDArray[Any], step: int = 1
) -> NDArray[Any]:
    """Copy a rectangle.

    Parameters
    ----------
    voxels
        ``(C, Z, Y, X)``.
    corner
        First voxel of the rectangle; may be negative.
    shape
        Voxels of the rectangle along Z, Y, X, before `step`.
    outside
        ``(C,)``; the value of each channel beyond the border.
    step
        Take every `step`-th voxel along each axis, beginning with the corner.

    Returns
    -------
    ndarray
        ``(C, ceil(z / step), ceil(y / step), ceil(x / step))``, dtype of `voxels`.
    """
    counts = tuple(-(-n // step) for n in shape)
    cut = np.empty((len(voxels), *counts), voxels.dtype)
    spans = [span(*axis, step=step) for axis in zip(corner, counts, voxels.shape[1:], strict=True)]
    if any(inside.stop - inside.start < n for (inside, _), n in zip(spans, counts, strict=True)):
        cut[:] = outside[:, None, None, None]
    cut[:, *(inside for inside, _ in spans)] = voxels[:, *(source for _, source in spans)]
    return cut


def span(start: int, count: int, size: int, *, step: int = 1) -> tuple[slice, slice]:
    """Return which part of a window along one axis lies inside the volume, and which voxels those are.

    Parameters
    ----------
    start, count, step
        The window: `count` voxels from index `start` on, `step` apart.
    size
        Voxels of the volume along the axis.
    """
    first = min(count, max(0, -(start // step)))
    last = max(first, min(count, -((start - size) // step)))
    return slice(first, last), slice(start + first * step, max(0, start + (last - 1) * step + 1), step)
