"""Covering an image with overlapping patches, and blending what the network says of each."""

import numpy as np
from numpy.typing import NDArray

from napari_necroseg.core.learning.windows import Corner, Shape, span

_OVERLAP = 0.5
# Standard deviation of the blending weight, as a share of the patch's side (as in nnU-Net and MONAI).
_SIGMA_SHARE = 0.125


def tile_corners(image_shape: Shape, patch_shape: Shape) -> list[Corner]:
    """Return the first voxels of patches that cover the image: all slices, in plane overlapping by half.

    The last patch is flush with the border. Along an axis on which the image is smaller than the patch,
    there is one patch with the image in its middle; its corner is negative.
    """
    rows, columns = (_starts(size, side) for size, side in zip(image_shape[1:], patch_shape[1:], strict=True))
    return [(0, row, column) for row in rows for column in columns]


class Blend:
    """The weighted mean of overlapping patches.

    Parameters
    ----------
    image_shape, patch_shape
        ``(Z, Y, X)``.
    """

    def __init__(self, image_shape: Shape, patch_shape: Shape) -> None:
        # In 32 bits: sums in 16 bits lose the corners, where the weights are small.
        self.total = np.zeros(image_shape, np.float32)
        self.weight_sum = np.zeros(image_shape[1:], np.float32)
        self.weight = blending_weight(patch_shape)

    def add(self, probability: NDArray[np.float32] | None, corner: Corner) -> None:
        """Add a patch ``(Z, Y, X)``; None stands for probability 0 everywhere."""
        shape = (len(self.total), *self.weight.shape)
        inside, place = zip(
            *(span(*axis) for axis in zip(corner, shape, self.total.shape, strict=True)), strict=True
        )
        weight = self.weight[inside[1:]]
        self.weight_sum[place[1:]] += weight
        if probability is not None:
            self.total[place] += probability[inside] * weight

    def mean(self) -> NDArray[np.float32]:
        """Return the blended probability ``(Z, Y, X)``."""
        return np.divide(self.total, self.weight_sum, dtype=np.float32)


def blending_weight(patch_shape: Shape) -> NDArray[np.float32]:
    """Return the weight ``(Y, X)`` of a patch's pixels: a Gaussian, 1 in the middle, positive everywhere."""
    along = [np.exp(-0.5 * ((np.arange(n) - (n - 1) / 2) / (_SIGMA_SHARE * n)) ** 2) for n in patch_shape[1:]]
    weight = np.outer(along[0], along[1])
    return np.asarray(weight / weight.max(), dtype=np.float32)


def _starts(size: int, side: int) -> list[int]:
    if size <= side:
        return [(size - side) // 2]
    n_tiles = 1 + int(np.ceil((size - side) / (side * (1 - _OVERLAP))))
    step = max(1, int(side * (1 - _OVERLAP)))
    return [min(index * step, size - side) for index in range(n_tiles)]
