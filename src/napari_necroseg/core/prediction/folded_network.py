"""Prepares a trained network for prediction: folds its normalisations, shortens its numbers, works in slabs.

Axes: b batch, c channels, o output channels, s space: (y, x) in 2D or (z, y, x) in 3D.
"""

import copy
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from napari_necroseg.core.network.unet import (
    Joining2d,
    Joining3d,
    Pair,
    UNet,
    convolved_doubled,
    doubled_taps,
    doubles,
    resized_and_joined,
)

# Bytes of one feature of the finest level that are computed at once; most of the memory is used there.
_BYTES_AT_ONCE = 14_000_000

# How far the finest level looks: it has two 3x3x3 convolutions on the way down and two on the way up, and
# linear upsampling reaches one voxel further. Even, so that a slab begins with a coarse voxel.
_HALO_SLICES = {"nearest": 2, "trilinear": 4}

# The short format may change the probability of one voxel in a thousand by more than this.
_MOST_DIFFERENCE = 1e-2
_COMPARED_PERCENTILE = 99.9


def fold_network(network: UNet, device: str, *, dtype: torch.dtype | None) -> UNet:
    """Return a copy for prediction on a device, its batch normalisations folded into the convolutions.

    `dtype` is the short format of everything but the head; None is 32 bits.
    """
    ready = copy.deepcopy(network).eval()
    for block in ready.modules():
        if isinstance(block, nn.Sequential) and isinstance(block[1], nn.BatchNorm2d | nn.BatchNorm3d):
            convolution: Any = block[0]
            block[0] = fuse_conv_bn_eval(convolution, block[1])
            block[1] = nn.Identity()
    ready.placed(device).requires_grad_(False)
    if dtype is not None:
        _shorten(ready, dtype)
    return ready


@torch.inference_mode()
def probability_of(ready: UNet, images: Tensor) -> Tensor:
    """Return the probability ``(B, *spatial)``, float32 on the CPU, for whitened ``(B, C, *spatial)``."""
    weight = ready.head.weight
    dtype = next(ready.parameters()).dtype
    placed = ready.laid_out(images.to(device=weight.device, dtype=dtype))
    logits = _in_slabs(ready, placed) if ready.spatial_axes == 3 else ready(placed)
    return logits[:, 0].sigmoid().float().cpu()


def precision_holds(network: UNet, images: Tensor, *, device: str, dtype: torch.dtype) -> bool:
    """Whether a short format gives the same probability as 32 bits.

    `images` ``(B, C, *spatial)`` are a whitened part of the image: a few slices, or a small block.
    """
    exact, short = (
        probability_of(fold_network(network, device, dtype=format_), images).numpy()
        for format_ in (None, dtype)
    )
    return bool(np.percentile(np.abs(exact - short), _COMPARED_PERCENTILE) < _MOST_DIFFERENCE)


def _shorten(ready: UNet, dtype: torch.dtype) -> None:
    """Replace all convolutions but the head by ones in the short format."""
    for block in ready.modules():
        if isinstance(block, nn.Sequential) and isinstance(block[0], nn.Conv2d | nn.Conv3d):
            convolution = block[0]
            if isinstance(convolution, Joining2d | Joining3d):
                block[0] = Bfloat16Joining(convolution, dtype)
            else:
                block[0] = Bfloat16Convolution(convolution, dtype)


def _in_slabs(network: UNet, images: Tensor) -> Tensor:
    """Return the logits of a volume ``(1, C, Z, Y, X)``; the finest level is computed in slabs of slices.

    The result is that of a single pass: a slab has a halo as wide as the convolutions of the finest level
    reach, and the coarser levels, with an eighth of the voxels, are computed at once.
    """
    n_slices = images.shape[2]
    halo = _HALO_SLICES[network.resize_mode]
    step = max(2 * halo, 2 * (_BYTES_AT_ONCE // images[0, 0, :2].nbytes))
    if step >= n_slices or n_slices % 2:
        at_once: Tensor = network(images)
        return at_once
    slabs = [
        _Slab(first, min(n_slices, first + step), n_slices=n_slices, halo=halo)
        for first in range(0, n_slices, step)
    ]
    skip = images.new_empty(0)
    for slab in slabs:
        part = network.encoders[0](images[:, :, slab.wide])[:, :, slab.core]
        if not len(skip):
            shape = (*part.shape[:2], *images.shape[2:])
            skip = torch.empty(
                shape, dtype=part.dtype, device=part.device, memory_format=network.memory_format
            )
        skip[:, :, slab.inner] = part
    coarse = network.coarse(skip)
    parts = [
        network.finish(coarse[:, :, slab.coarse], skip[:, :, slab.wide])[:, :, slab.core] for slab in slabs
    ]
    return torch.cat(parts, dim=2)


class _Slab:
    """Slices that are computed together: the inner ones, the halo, and the place of the inner ones."""

    def __init__(self, first: int, stop: int, *, n_slices: int, halo: int) -> None:
        begin, end = max(0, first - halo), min(n_slices, stop + halo)
        self.inner = slice(first, stop)
        self.wide = slice(begin, end)
        self.core = slice(first - begin, stop - begin)
        self.coarse = slice(begin // 2, end // 2)


class Bfloat16Convolution(nn.Module):
    """A convolution in a short number format, with sums and bias in 32 bits.

    `weight` ``(O, C, *taps)``, float32, replaces that of the given convolution.
    """

    def __init__(
        self, convolution: nn.Conv2d | nn.Conv3d, dtype: torch.dtype, *, weight: Tensor | None = None
    ) -> None:
        super().__init__()
        assert not isinstance(convolution.padding, str)
        assert convolution.bias is not None
        assert dtype == torch.bfloat16, "`takes_float32_bias` tries no other"
        assert convolution.groups == 1
        assert set(convolution.dilation) == {1}
        self.weight = _kept(rounded(convolution.weight if weight is None else weight, dtype))
        self.bias = convolution.bias
        self.padding, self.stride = convolution.padding, convolution.stride
        self.ones = (1,) * len(self.stride)

    def forward(self, x_bcs: Tensor) -> Tensor:
        """Return ``(B, O, *spatial)``."""
        # `conv2d` and `conv3d` want a bias as short as the weights; rounding it would shift a whole channel.
        if x_bcs.device.type == "cpu" and takes_float32_bias():
            result: Tensor = torch.mkldnn_convolution(
                x_bcs, self.weight, self.bias, self.padding, self.stride, self.ones, 1
            )
            return result
        convolve = torch.conv2d if self.weight.ndim == 4 else torch.conv3d
        without = convolve(x_bcs, self.weight, None, self.stride, self.padding)
        return (without.float() + self.bias.view(-1, *self.ones)).to(x_bcs.dtype)


class Bfloat16Joining(nn.Module):
    """The same for a coarse level and its skip."""

    def __init__(self, joining: Joining2d | Joining3d, dtype: torch.dtype) -> None:
        super().__init__()
        self.resize_mode = joining.resize_mode
        of_coarse, of_skip = joining.weight.chunk(2, dim=1)
        self.of_both = Bfloat16Convolution(joining, dtype)
        self.of_skip = Bfloat16Convolution(joining, dtype, weight=of_skip)
        self.taps = _kept(rounded_by_phase(doubled_taps(of_coarse), dtype))

    def forward(self, pair: Pair) -> Tensor:
        """Return ``(B, O, *spatial)``."""
        if not doubles(pair, self.resize_mode):
            joined: Tensor = self.of_both(resized_and_joined(pair, self.resize_mode))
            return joined
        skip: Tensor = self.of_skip(pair[1])
        return skip.add_(convolved_doubled(pair[0], self.taps))


@cache
def takes_float32_bias() -> bool:
    """Whether the processor's convolutions of short numbers accept a bias of 32 bits."""
    image, bias = torch.zeros(1, 1, 1, 1, dtype=torch.bfloat16), torch.zeros(1)
    try:
        torch.mkldnn_convolution(image, image, bias, (0, 0), (1, 1), (1, 1), 1)
    except RuntimeError:
        return False
    return True


def rounded(weight_ocs: Tensor, dtype: torch.dtype) -> Tensor:
    """Round weights ``(O, C, *taps)`` so that the sum over the taps of each filter hardly changes.

    Images are smooth: an error of this sum shifts the result everywhere, while errors that cancel hardly
    matter. Each tap takes over the rounding error of the larger taps before it (error diffusion).
    """
    taps = weight_ocs.detach().flatten(2)
    descending = taps.abs().argsort(dim=2, descending=True)
    wanted = taps.gather(2, descending)
    found = torch.empty_like(wanted, dtype=dtype)
    lost = torch.zeros_like(wanted[..., 0])
    for number in range(wanted.shape[2]):
        lost = lost + wanted[..., number]
        found[..., number] = lost.to(dtype)
        lost = lost - found[..., number]
    return torch.empty_like(found).scatter_(2, descending, found).view_as(weight_ocs)


def rounded_by_phase(taps_cos: Tensor, dtype: torch.dtype) -> Tensor:
    """Round the taps of a transposed convolution of stride 2, where every second tap meets the same voxel."""
    found = torch.empty_like(taps_cos, dtype=dtype)
    for phase in product((0, 1), repeat=taps_cos.ndim - 2):
        every_second = (slice(None), slice(None), *(slice(first, None, 2) for first in phase))
        found[every_second] = rounded(taps_cos[every_second], dtype)
    return found


def _kept(weight: Tensor) -> nn.Parameter:
    format_ = torch.channels_last if weight.ndim == 4 else torch.channels_last_3d
    return nn.Parameter(weight.contiguous(memory_format=format_), requires_grad=False)
