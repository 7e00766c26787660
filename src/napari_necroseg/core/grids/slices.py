"""Interpolates the acquired slices to those of the network (64 in the paper), and back.

First and last slice centres are kept, so nothing is extrapolated. Each direction is one small matrix product
along the slice axis, whose matrix depends on the two slice counts only.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from napari_necroseg.core.volume import Grid, Voxels

N_SLICES = 64
Matrix = NDArray[np.float64]


def to_slices(voxels: Voxels, n_slices: int = N_SLICES) -> NDArray[np.float32]:
    """Interpolate an image to `n_slices` slices with a cubic spline with mirrored ends.

    Agrees with ``scipy.ndimage.zoom(order=3, mode="mirror", grid_mode=False)`` along the first axis.

    `voxels`: ``(N, Y, X)``, any real dtype; N may be 1.
    Returns ``(n_slices, Y, X)``, float32; the very values of the input where N is `n_slices`.
    """
    return _along_slices(voxels, cubic_matrix(len(voxels), n_slices))


def mask_to_slices(mask: Voxels, n_slices: int = N_SLICES) -> NDArray[np.uint8]:
    """Bring a mask to `n_slices` slices: linear occupancy, inside from 0.5 on.

    `mask`: ``(N, Y, X)``; what is not 0 is inside.
    Returns ``(n_slices, Y, X)``, uint8, 0 and 1.
    """
    occupancy = _along_slices(mask != 0, linear_matrix(len(mask), n_slices))
    # The product may be a rounding error below 0.5; such a voxel is inside.
    return (occupancy >= 0.5 - 1e-6).astype(np.uint8)


def probability_from_slices(
    probability: Voxels, n_slices: int, *, smoothing_slices: float = 0.0
) -> NDArray[np.float32]:
    """Bring a probability from the network's slices back to the `n_slices` acquired ones, linearly.

    `probability`: ``(N, Y, X)``, N of the network. `smoothing_slices`: standard deviation, in acquired
    slices, of a Gaussian along them; beyond the stack the first and the last slice are repeated.
    Returns ``(n_slices, Y, X)``, float32.
    """
    matrix = linear_matrix(len(probability), n_slices)
    if smoothing_slices:
        matrix = gaussian_matrix(n_slices, smoothing_slices) @ matrix
    return _along_slices(probability, matrix)


def slices_grid(grid: Grid, n_slices: int = N_SLICES) -> Grid:
    """Return the grid of `n_slices` slices with the same first and last slice centre.

    A single slice is repeated: its grid keeps the slice spacing, since there is no extent to divide.
    """
    step = _slice_step(grid.shape[0], n_slices)
    affine = grid.affine_ras.copy()
    affine[:3, 0] *= step or 1.0
    return Grid((n_slices, *grid.shape[1:]), affine)


@lru_cache(maxsize=256)
def cubic_matrix(n_in: int, n_out: int) -> Matrix:
    """Return the matrix ``(n_out, n_in)``: row i holds the weights of the input slices in output slice i."""
    if n_in in (1, n_out):
        return linear_matrix(n_in, n_out)
    from scipy.ndimage import map_coordinates

    positions = np.linspace(0, n_in - 1, n_out)
    # A spline is linear in its input: the response to each unit slice is a column.
    columns = [map_coordinates(unit, positions[None], order=3, mode="mirror") for unit in np.eye(n_in)]
    return np.stack(columns, axis=1)


@lru_cache(maxsize=256)
def linear_matrix(n_in: int, n_out: int) -> Matrix:
    """Return a matrix like that of `cubic_matrix`, for linear interpolation."""
    if n_in == 1:
        return np.ones((n_out, 1))
    positions = np.linspace(0, n_in - 1, n_out) if n_out > 1 else np.array([(n_in - 1) / 2])
    below = np.minimum(positions.astype(int), n_in - 2)
    weight = positions - below
    matrix = np.zeros((n_out, n_in))
    rows = np.arange(n_out)
    matrix[rows, below] = 1 - weight
    matrix[rows, below + 1] += weight
    return matrix


@lru_cache(maxsize=256)
def gaussian_matrix(n: int, sigma: float) -> Matrix:
    """Return the matrix ``(n, n)`` of a Gaussian blur of n slices; `sigma` in slices."""
    from scipy.ndimage import gaussian_filter1d

    return np.asarray(gaussian_filter1d(np.eye(n), sigma, axis=0, mode="nearest"))


def _along_slices(voxels: Voxels, matrix: Matrix) -> NDArray[np.float32]:
    n_out, n_in = matrix.shape
    if n_in == n_out and np.array_equal(matrix, np.eye(n_in)):
        return np.ascontiguousarray(voxels, dtype=np.float32)
    flat = np.ascontiguousarray(voxels, dtype=np.float32).reshape(n_in, -1)
    return (matrix.astype(np.float32) @ flat).reshape(n_out, *voxels.shape[1:])


def _slice_step(n_in: int, n_out: int) -> float:
    """Return the distance between two output slices, in input slices; 0 where there is no extent."""
    return (n_in - 1) / (n_out - 1) if n_out > 1 else 0.0
