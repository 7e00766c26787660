"""A trained network made ready to predict: folded, laid out, in the precision that holds for it, in slabs.

Axes: B batch, C channels, Z slices, Y rows, X columns.
"""

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from napari_necroseg.core.learning.joining import Joining2d, Joining3d
from napari_necroseg.core.learning.short import ShortConvolution, ShortJoining
from napari_necroseg.core.learning.unet import UNet

# Bytes of one feature of the finest level that are computed at once; there is most of a network's memory.
_BYTES_AT_ONCE = 14_000_000
# The finest level has two 3x3x3 convolutions either way, and linear upsampling reaches one voxel further.
# Even, so that a slab begins where a coarse voxel does.
_HALO_SLICES = {"nearest": 2, "trilinear": 4}
# Reduced precision may change the probability of one voxel in a thousand by so much, and no more.
_MOST_DIFFERENCE = 1e-2
_COMPARED_PERCENTILE = 99.9


def ready_network(network: UNet, device: str, dtype: torch.dtype | None) -> UNet:
    """Return a copy for prediction on a device, its batch normalisations folded into the convolutions.

    Parameters
    ----------
    network
        Trained.
    device
        Torch's name.
    dtype
        Short format of everything but the head; None for 32 bits.
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
    """Return the probability ``(B, *spatial)``, float32 on the CPU, of white images ``(B, C, *spatial)``."""
    weight = ready.head.weight
    dtype = next(ready.parameters()).dtype
    placed = ready.laid_out(images.to(device=weight.device, dtype=dtype))
    logits = _in_slabs(ready, placed) if ready.spatial_axes == 3 else ready(placed)
    return logits[:, 0].sigmoid().float().cpu()


def precision_holds(network: UNet, images: Tensor, device: str, dtype: torch.dtype) -> bool:
    """Whether a short format gives the same probability as 32 bits, on a part of what is to be predicted.

    Parameters
    ----------
    network
        Trained, not yet made ready.
    images
        ``(B, C, *spatial)``, white; a few slices or a small block.
    """
    exact, short = (
        probability_of(ready_network(network, device, format_), images).numpy() for format_ in (None, dtype)
    )
    return bool(np.percentile(np.abs(exact - short), _COMPARED_PERCENTILE) < _MOST_DIFFERENCE)


def _shorten(ready: UNet, dtype: torch.dtype) -> None:
    """Put convolutions of short numbers in the place of all but the head's."""
    for block in ready.modules():
        if isinstance(block, nn.Sequential) and isinstance(block[0], nn.Conv2d | nn.Conv3d):
            convolution = block[0]
            if isinstance(convolution, Joining2d | Joining3d):
                block[0] = ShortJoining(convolution, dtype)
            else:
                block[0] = ShortConvolution(convolution, dtype)


def _in_slabs(network: UNet, images: Tensor) -> Tensor:
    """Return the logits of a volume ``(1, C, Z, Y, X)``, the finest level some slices at a time.

    It is the very result of one pass: a slab carries as many slices more as the convolutions of the finest
    level reach, and the coarser levels, an eighth of the voxels, are computed at once.
    """
    n_slices = images.shape[2]
    halo = _HALO_SLICES[network.resize_mode]
    step = max(2 * halo, 2 * (_BYTES_AT_ONCE // images[0, 0, :2].nbytes))
    if step >= n_slices or n_slices % 2:
        at_once: Tensor = network(images)
        return at_once
    slabs = [_Slab(first, min(n_slices, first + step), n_slices, halo) for first in range(0, n_slices, step)]
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
    """Slices that are computed together: those that count, those with the halo, and where the former lie."""

    def __init__(self, first: int, stop: int, n_slices: int, halo: int) -> None:
        begin, end = max(0, first - halo), min(n_slices, stop + halo)
        self.inner = slice(first, stop)
        self.wide = slice(begin, end)
        self.core = slice(first - begin, stop - begin)
        self.coarse = slice(begin // 2, end // 2)
