"""Whitened intensities, outlines and grids as pixels.

Axes: C sequences, Y rows, X columns.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari_necroseg.core.augment.drawn import Drawn
    from napari_necroseg.core.augment.source import Source

Pixels = NDArray[np.uint8]
# The screen's pixels for one voxel, so that outlines are thin.
ENLARGED = 2
# Intensities of whitened patches from black to white.
_BLACK, _WHITE = -2.0, 3.0
# Of the palette of Okabe and Ito, which colour-blind people can tell apart and from grey.
OUTLINE, GRID = (230, 159, 0), (86, 180, 233)
_GRID_VOXELS = 16


def black_of(source: "Source") -> NDArray[np.float32]:
    """``(C, 1, 1)``; what is black in each sequence: air, where the image was whitened as a whole."""
    black = np.full(source.n_sequences, _BLACK, np.float32) if source.air is None else source.air
    return black[:, None, None]


def pictures(
    images: NDArray[np.float32],
    mask: NDArray[np.uint8],
    lines: NDArray[np.bool_] | None,
    *,
    black: NDArray[np.float32],
) -> tuple[Pixels, ...]:
    """Turn whitened images ``(C, Y, X)`` into pixels, with the outline of a mask and a grid."""
    from napari_necroseg.core.augment.sheet import outline

    grey = (((images - black) / (_WHITE - black)).clip(0, 1) * 255).astype(np.uint8)
    big = grey.repeat(ENLARGED, axis=1).repeat(ENLARGED, axis=2)
    pixels = np.repeat(big[..., None], 3, axis=-1)
    if lines is not None:
        pixels[:, lines] = GRID
    if mask.any():
        pixels[:, outline(mask, enlarged=ENLARGED)] = OUTLINE
    return tuple(np.ascontiguousarray(one) for one in pixels)


def grid_lines(source: "Source", drawn: "Drawn", patch_shape: tuple[int, int, int]) -> NDArray[np.bool_]:
    """``(enlarged Y, enlarged X)``; where rows and columns of the source, 16 voxels apart, come to lie."""
    from napari_necroseg.core.augment.geometry import mapping

    mapped = mapping([drawn], [source.spacing_mm], patch_shape)
    rows, columns = (np.arange(size * ENLARGED, step=2 * ENLARGED) / ENLARGED for size in patch_shape[1:])
    y, x = np.meshgrid(rows, columns, indexing="ij")
    index = np.stack([np.full(y.size, float(drawn.slice_index or 0)), y.ravel(), x.ravel()], axis=1)
    places = mapped.to_source(index)[0, :, 1:].reshape(*y.shape, 2)
    cells = np.floor(_stretched(places, 2 * ENLARGED) / _GRID_VOXELS)
    lines = np.zeros(cells.shape[:2], bool)
    lines[1:] |= (cells[1:] != cells[:-1]).any(axis=-1)
    lines[:, 1:] |= (cells[:, 1:] != cells[:, :-1]).any(axis=-1)
    return lines


def _stretched(places: NDArray[np.float64], factor: int) -> NDArray[np.float64]:
    """Interpolate ``(Y, X, 2)`` linearly to so many times as many rows and columns."""
    for axis in (0, 1):
        size = places.shape[axis]
        wanted = np.arange(size * factor) / factor
        below = np.minimum(wanted.astype(int), size - 2)
        beyond = (wanted - below).reshape([-1 if axis == i else 1 for i in range(3)])
        low, high = places.take(below, axis), places.take(below + 1, axis)
        places = low + beyond * (high - low)
    return places
