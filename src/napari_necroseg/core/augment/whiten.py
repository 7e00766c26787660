"""Whitening: each sequence of a patch gets mean 0 and standard deviation 1, by the patch's own statistics."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

# The statistics of a 2D sample are those of its volume patch; every fourth voxel along each axis gives them
# (16,384 of a million) at a fraction of the cost of making the whole patch for one of its slices.
SLICE_STATISTICS_STEP = 4
# A spread below the rounding of float32 values is noise of arithmetic, not contrast.
_FLOAT32_NOISE = 1e-6


@dataclass(frozen=True, kw_only=True, eq=False)
class Whitening:
    """What is subtracted from each sequence, and what it is then multiplied with; both ``(C,)``, float32.

    The scale of a constant sequence is 0, so that it becomes zeros, never nan.
    """

    mean: Tensor
    scale: Tensor

    def applied(self, images: Tensor) -> Tensor:
        """Return the whitened images ``(C, ...)``."""
        along_channels = (-1,) + (1,) * (images.ndim - 1)
        return (images - self.mean.reshape(along_channels)) * self.scale.reshape(along_channels)


def whitening(sample: Tensor) -> Whitening:
    """Estimate the whitening of a patch ``(C, Z, Y, X)`` from it or from every n-th voxel of it."""
    flat = sample.reshape(len(sample), -1)
    mean = flat.mean(dim=1)
    # Ten times as fast as `std_mean` on a CPU.
    spread = torch.linalg.vector_norm(flat - mean[:, None], dim=1) / math.sqrt(flat.shape[1])
    is_constant = spread <= _FLOAT32_NOISE * mean.abs()
    return Whitening(mean=mean, scale=torch.where(is_constant, 0.0, 1 / spread))
