"""Blur and gamma of the sequences of a patch.

Axes: C sequences, Z slices, Y rows, X columns.
"""

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

# Weights further out than this many sigmas are left away, as in `scipy.ndimage.gaussian_filter1d`.
_TRUNCATE = 4.0


def blurred(images: Tensor, sigma_voxels: tuple[float, ...]) -> Tensor:
    """Blur each slice of each sequence ``(C, Z, Y, X)`` with a Gaussian; the border is repeated."""
    if not any(sigma_voxels):
        return images
    rows, columns = images.shape[-2:]
    return torch.stack(
        [
            _blur_matrix(rows, sigma, image.device) @ image @ _blur_matrix(columns, sigma, image.device).T
            if sigma > 0
            else image
            for image, sigma in zip(images, sigma_voxels, strict=True)
        ]
    )


def with_gamma(images: list[Tensor], gamma: tuple[float, ...]) -> list[Tensor]:
    """Raise each sequence to its power, on a scale from 0 to 1 between its extremes in all the images.

    Parameters
    ----------
    images
        Each ``(C, ...)``: the patch, or a slice of it and the voxels that stand for its patch.
    gamma
        A power a sequence; a sequence with a power of 1 stays as it is.
    """
    made = [image.clone() for image in images] if any(power != 1 for power in gamma) else images
    for channel, power in enumerate(gamma):
        if power == 1:
            continue
        low = torch.stack([image[channel].min() for image in images]).min()
        high = torch.stack([image[channel].max() for image in images]).max()
        # A constant sequence becomes zeros.
        stretch = torch.where(high > low, 1 / (high - low), 0.0)
        for image in made:
            image[channel] = ((image[channel] - low) * stretch).clamp(0, 1) ** power
    return made


@lru_cache(maxsize=8)
def _offsets(size: int, radius: int) -> Tensor:
    """``(2 radius + 1, size, size)``: for each offset which voxel it takes, the border being repeated."""
    taken = np.zeros((2 * radius + 1, size, size), np.float32)
    for number, offset in enumerate(range(-radius, radius + 1)):
        taken[number, np.arange(size), np.clip(np.arange(size) + offset, 0, size - 1)] = 1
    return torch.from_numpy(taken)


def _blur_matrix(size: int, sigma: float, device: torch.device) -> Tensor:
    radius = int(_TRUNCATE * sigma + 0.5)
    bell = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    weights = torch.from_numpy((bell / bell.sum()).astype(np.float32))
    return torch.einsum("o,oij->ij", weights, _offsets(size, radius)).to(device)
