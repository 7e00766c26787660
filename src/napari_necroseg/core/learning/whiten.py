"""Whitening: each sequence of a patch gets mean 0 and standard deviation 1, by the patch's own statistics."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# The statistics of a 2D sample are those of its volume patch; every fourth voxel along each axis gives them
# (16,384 of a million) at a fraction of the cost of cutting the whole patch for one of its slices.
SLICE_STATISTICS_STEP = 4
# A spread below the rounding of float32 values is noise of arithmetic, not contrast.
_FLOAT32_NOISE = 1e-6


@dataclass(frozen=True, kw_only=True, eq=False)
class Whitening:
    """What is subtracted from each sequence, and what it is then multiplied with; both ``(C,)``, float32.

    The scale of a constant sequence is 0, so that it becomes zeros, never nan.
    """

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]

    def applied(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the whitened images ``(C, ...)``."""
        along_channels = (-1,) + (1,) * (images.ndim - 1)
        return (images - self.mean.reshape(along_channels)) * self.scale.reshape(along_channels)


def whitening(sample: NDArray[Any]) -> Whitening:
    """Estimate the whitening of a patch ``(C, Z, Y, X)`` from it or from every n-th voxel of it."""
    flat = sample.reshape(len(sample), -1)
    mean = flat.mean(axis=1, dtype=np.float64)
    spread = flat.std(axis=1, dtype=np.float64)
    is_constant = spread <= _FLOAT32_NOISE * np.abs(mean)
    scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=~is_constant)
    return Whitening(mean=mean.astype(np.float32), scale=scale.astype(np.float32))
