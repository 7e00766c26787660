"""Whitening: each sequence gets mean 0 and standard deviation 1, by statistics of a patch or of the image."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# The statistics of a 2D sample are those of its volume patch; every fourth voxel along each axis gives them
# (16,384 of a million) at a fraction of the cost of making the whole patch for one of its slices.
STATISTICS_STEP = 4
# A spread below the rounding of float32 values is noise of arithmetic, not contrast.
FLOAT32_NOISE = 1e-6


def block_middles(shape: Sequence[int]) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Return indices of every fourth voxel along Z, Y and X, the middles of blocks, to be taken together."""
    step = STATISTICS_STEP
    z, y, x = (np.minimum(np.arange(step // 2, n + step // 2, step), n - 1) for n in shape)
    return z[:, None, None], y[:, None], x


def whiten(images: Tensor, *, by: Tensor | None = None) -> None:
    """Whiten patches in place; a constant sequence becomes zeros, never nan.

    Parameters
    ----------
    images
        ``(B, C, Z, Y, X)``, float32; written.
    by
        ``(B, C, Z, Y, X)``; the voxels that give the statistics, if not those of the images; used up.
    """
    statistics = images if by is None else by
    axes = tuple(range(2, statistics.ndim))
    mean = statistics.mean(dim=axes, keepdim=True)
    statistics.sub_(mean)
    n_voxels = math.prod(statistics.shape[2:])
    # Ten times as fast as `std_mean` on a CPU.
    spread = torch.linalg.vector_norm(statistics, dim=axes, keepdim=True) / math.sqrt(n_voxels)
    scale = torch.where(spread <= FLOAT32_NOISE * mean.abs(), 0.0, 1 / spread)
    if by is not None:
        images.sub_(mean)
    images.mul_(scale)


def whiten_volume(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Whiten whole images by the voxels that are brighter than their mean: tissue, however much air there is.

    Parameters
    ----------
    images
        ``(C, Z, Y, X)``.

    Returns
    -------
    ndarray
        ``(C, Z, Y, X)``, float32; zeros where a sequence is constant, never nan.
    """
    white = np.zeros(images.shape, np.float32)
    for image, made in zip(images, white, strict=True):
        tissue = image[image > image.mean(dtype=np.float64)].astype(np.float64)
        low, high = float(image.min()), float(image.max())
        if high - low > FLOAT32_NOISE * abs(high):
            # One bright voxel alone has no spread: it stands one above everything else.
            spread = tissue.std() if np.ptp(tissue) > FLOAT32_NOISE * abs(high) else high - low
            made[:] = (image - tissue.mean()) / spread
    return white


def is_constant(images: Tensor) -> Tensor:
    """``(B, C)``; which sequences of ``(B, C, ...)`` show nothing but the noise of arithmetic."""
    low, high = torch.aminmax(images.flatten(2), dim=2)
    return high - low <= FLOAT32_NOISE * high.abs()
