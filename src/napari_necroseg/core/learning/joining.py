"""Where a U-Net's coarse level meets the skip of the finer one: resized, concatenated and convolved in one.

Axes: b batch, c channels, o output channels, then (y, x) in 2D or (z, y, x) in 3D, written s for "space".
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

# Features of the coarse level (b, c, *s / 2) and of the skip (b, c, *s).
Pair = tuple[Tensor, Tensor]


class Joining2d(nn.Conv2d):
    """A 3x3 convolution of a coarse level, resized to its skip, and the skip, concatenated in this order.

    The coarse half is convolved at its own size where that gives the same: resized to the nearest voxel and
    exactly twice as large, it takes 4 of 9 multiplications (3D: 8 of 27), and nothing is copied.

    Parameters
    ----------
    width
        Channels of the coarse level, of the skip, and of what comes out.
    resize_mode
        As `torch.nn.functional.interpolate` names it.
    """

    def __init__(self, width: int, resize_mode: str) -> None:
        super().__init__(2 * width, width, 3, padding=1, bias=False)
        self.resize_mode = resize_mode

    def forward(self, pair: Pair) -> Tensor:  # type: ignore[override]
        """Return ``(B, width, *spatial)``."""
        return _joined(self, pair)


class Joining3d(nn.Conv3d):
    """The same in three dimensions."""

    def __init__(self, width: int, resize_mode: str) -> None:
        super().__init__(2 * width, width, 3, padding=1, bias=False)
        self.resize_mode = resize_mode

    def forward(self, pair: Pair) -> Tensor:  # type: ignore[override]
        """Return ``(B, width, *spatial)``."""
        return _joined(self, pair)


def _joined(joining: Joining2d | Joining3d, pair: Pair) -> Tensor:
    convolve = torch.conv2d if joining.weight.ndim == 4 else torch.conv3d
    if not doubles(pair, joining.resize_mode):
        both = resized_and_joined(pair, joining.resize_mode)
        return convolve(both, joining.weight, joining.bias, padding=1)
    of_coarse, of_skip = joining.weight.chunk(2, dim=1)
    skip = convolve(pair[1], of_skip, joining.bias, padding=1)
    return skip + convolved_doubled(pair[0], doubled_taps(of_coarse))


def doubled_taps(weight_ocs: Tensor) -> Tensor:
    """Return weights ``(C, O, 4, 4[, 4])`` that double an image and convolve it with the given ones.

    Along each axis, three taps on voxels that were each doubled are four taps of a transposed convolution.

    Parameters
    ----------
    weight_ocs
        ``(O, C, 3, 3)`` or ``(O, C, 3, 3, 3)``.
    """
    # By sums, not by a product of matrices: that would be rounded to short numbers once an axis (autocast).
    for axis in range(2, weight_ocs.ndim):
        first, middle, last = weight_ocs.unbind(axis)
        weight_ocs = torch.stack([last, middle + last, first + middle, first], axis)
    return weight_ocs.transpose(0, 1)


def convolved_doubled(coarse: Tensor, taps: Tensor) -> Tensor:
    """Return the image ``(B, C, *spatial)``, doubled and convolved by `doubled_taps`, twice as large."""
    transposed = functional.conv_transpose2d if taps.ndim == 4 else functional.conv_transpose3d
    return transposed(coarse, taps, stride=2, padding=1)


def doubles(pair: Pair, resize_mode: str) -> bool:
    """Whether resizing copies each voxel of the coarse level to two along each axis."""
    coarse, skip = pair
    # What is traced (for an export) must hold for images of any size.
    is_tracing: bool = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    # Before torch 2.8 Apple's GPUs have no transposed convolution of volumes.
    if resize_mode != "nearest" or is_tracing or coarse.device.type == "mps":
        return False
    return all(2 * small == large for small, large in zip(coarse.shape[2:], skip.shape[2:], strict=True))


def resized_and_joined(pair: Pair, resize_mode: str) -> Tensor:
    """Return the coarse level, as large as the skip, and the skip: ``(B, 2 C, *spatial)``."""
    coarse, skip = pair
    # To the skip's size, not by a factor of two: sizes that are no multiple of 16 work, too.
    return torch.cat([functional.interpolate(coarse, size=skip.shape[2:], mode=resize_mode), skip], dim=1)
