"""Blurs, brightens and whitens patches, in place, since memory is what takes the time here.

Axes: B draws, C sequences, Z slices, Y rows, X columns.
"""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# Weights further out than this many sigmas are left out, as in `scipy.ndimage.gaussian_filter1d`.
_TRUNCATE = 4.0

# Stands for the logarithm of 0, since processors are slow with numbers too small for float32. Its exponential
# is 2e-35, and still 0.0003 when multiplied by the smallest gamma.
_LOG_OF_ZERO = -80.0

# The statistics of a 2D sample are those of its volume patch; every fourth voxel along each axis gives them
# (16,384 of a million) at a fraction of the cost of making the whole patch for one of its slices.
STATISTICS_STEP = 4

# A spread below the rounding of float32 values is noise of arithmetic, not contrast.
FLOAT32_NOISE = 1e-6


def blur_weights(sigma_voxels: NDArray[np.float64]) -> NDArray[np.float32]:
    """``(B, C, odd)``, 5 or more: Gaussians of sigmas ``(B, C)``, each cut off at its own reach."""
    reach = (_TRUNCATE * sigma_voxels[..., None] + 0.5).astype(int)
    radius = max(int(reach.max()), 2)
    offset = np.arange(-radius, radius + 1)
    # A sigma of 0 then changes nothing either, and nothing is divided by it.
    bell = np.exp(-0.5 * (offset / np.maximum(sigma_voxels[..., None], 1e-3)) ** 2)
    bell *= np.abs(offset) <= reach
    return np.asarray(bell / bell.sum(axis=2, keepdims=True), np.float32)


def blur(images: Tensor, sigma_voxels: NDArray[np.float64]) -> None:
    """Blur each slice of images ``(B, C, Z, Y, X)`` by sigmas ``(B, C)``; the border is repeated."""
    if not sigma_voxels.any():
        return
    weights = blur_weights(sigma_voxels)
    n_slices, n_rows, n_columns = images.shape[2:]
    rows = _matrices(weights, n_rows).to(images.device)
    columns = rows if n_columns == n_rows else _matrices(weights, n_columns).to(images.device)
    if n_slices == 1:
        flat = images.reshape(-1, n_rows, n_columns)
        images.copy_(torch.bmm(torch.bmm(rows, flat), columns.mT).reshape(images.shape))
        return
    n_sequences = images.shape[1]
    for number, (of_rows, of_columns) in enumerate(zip(rows, columns, strict=True)):
        image = images[number // n_sequences, number % n_sequences]
        along_columns = (image.reshape(-1, n_columns) @ of_columns.mT).reshape(image.shape)
        image.copy_(of_rows @ along_columns)


def apply_gamma(images: list[Tensor], gamma: NDArray[np.float64]) -> None:
    """Raise each sequence of images ``(B, C, Z, Y, X)`` to its power ``(B, C)``.

    For this it is scaled to 0 to 1 by its extremes over all the images; these extremes do not change. The
    images are the patches, or slices of them and the voxels that stand for their patches.
    """
    if not (gamma != 1).any():
        return
    power = torch.from_numpy(gamma.astype(np.float32)).to(images[0].device)[..., None, None, None]
    if (gamma != 1).all():
        _raise(images, power)
    else:
        chosen = np.nonzero(gamma != 1)
        parts = [image[chosen] for image in images]
        _raise(parts, power[chosen])
        for image, part in zip(images, parts, strict=True):
            image[chosen] = part


def apply_contrast(
    images: Tensor, contrast: Sequence[tuple[float, ...]], *, brightness: Sequence[tuple[float, ...]]
) -> None:
    """Multiply whitened images ``(B, C, *S)`` by one number ``(B, C)`` and add another, in place."""
    shape = (*images.shape[:2], *[1] * (images.ndim - 2))
    factor, offset = (
        torch.tensor(values, device=images.device).view(shape) for values in (contrast, brightness)
    )
    images.mul_(factor).add_(offset)


def _raise(images: list[Tensor], power: Tensor) -> None:
    """Raise images ``(..., Z, Y, X)`` in place to powers ``(..., 1, 1, 1)``."""
    low = torch.stack([image.amin(dim=(-3, -2, -1), keepdim=True) for image in images]).amin(dim=0)
    high = torch.stack([image.amax(dim=(-3, -2, -1), keepdim=True) for image in images]).amax(dim=0)
    # A constant sequence stays constant.
    stretch = torch.where(high > low, 1 / (high - low), 0.0)
    smallest = torch.exp(_LOG_OF_ZERO / power.clamp(min=1))
    for image in images:
        # Four times as fast as `pow_`.
        image.sub_(low).mul_(stretch).clamp_(min=smallest).log_().mul_(power).exp_()
        image.mul_(high - low).add_(low)


def _matrices(weights: NDArray[np.float32], size: int) -> Tensor:
    """``(B C, size, size)``: each blurs a row or column of voxels by weights ``(B, C, odd)``."""
    flat = weights.reshape(-1, weights.shape[2])
    return (torch.from_numpy(flat) @ _neighbours(size, flat.shape[1] // 2)).reshape(-1, size, size)


@lru_cache(maxsize=8)
def _neighbours(size: int, radius: int) -> Tensor:
    """``(2 radius + 1, size size)``: which voxel each offset takes, the border being repeated."""
    taken = np.zeros((2 * radius + 1, size, size), np.float32)
    for number, offset in enumerate(range(-radius, radius + 1)):
        taken[number, np.arange(size), np.clip(np.arange(size) + offset, 0, size - 1)] = 1
    return torch.from_numpy(taken.reshape(2 * radius + 1, -1))


def block_middles(shape: Sequence[int]) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Return the indices along Z, Y and X of the middles of blocks of 4 x 4 x 4 voxels, as an open mesh."""
    step = STATISTICS_STEP
    z, y, x = (np.minimum(np.arange(step // 2, n + step // 2, step), n - 1) for n in shape)
    return z[:, None, None], y[:, None], x


def whiten(images: Tensor, *, by: Tensor | None = None) -> None:
    """Whiten patches ``(B, C, Z, Y, X)``; a constant sequence becomes zeros, never nan.

    The statistics are those of the images, or of `by` ``(B, C, z, y, x)``, which is used up.
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


def is_constant(images: Tensor) -> Tensor:
    """``(B, C)``; which sequences of ``(B, C, ...)`` show nothing but the noise of arithmetic."""
    low, high = torch.aminmax(images.flatten(2), dim=2)
    return high - low <= FLOAT32_NOISE * high.abs()
