"""Convolutions in a short number format, their weights rounded so that what they add up to stays.

Axes: b batch, c channels, o output channels, s space: (y, x) in 2D or (z, y, x) in 3D.
"""

from functools import cache
from itertools import product

import torch
from torch import Tensor, nn

from napari_necroseg.core.learning.joining import (
    Joining2d,
    Joining3d,
    Pair,
    convolved_doubled,
    doubled_taps,
    doubles,
    resized_and_joined,
)


class ShortConvolution(nn.Module):
    """A convolution of short numbers; sums and bias are 32 bits long.

    Parameters
    ----------
    convolution
        With a bias, in 32 bits.
    dtype
        Of weights, images and result.
    weight
        ``(O, C, *taps)``, float32; the convolution's own if None.
    """

    def __init__(
        self, convolution: nn.Conv2d | nn.Conv3d, dtype: torch.dtype, weight: Tensor | None = None
    ) -> None:
        super().__init__()
        assert not isinstance(convolution.padding, str)
        assert convolution.bias is not None
        assert dtype == torch.bfloat16, "what `takes_long_bias` has tried"
        assert convolution.groups == 1
        assert set(convolution.dilation) == {1}
        self.weight = _kept(rounded(convolution.weight if weight is None else weight, dtype))
        self.bias = convolution.bias
        self.padding, self.stride = convolution.padding, convolution.stride
        self.ones = (1,) * len(self.stride)

    def forward(self, x_bcs: Tensor) -> Tensor:
        """Return ``(B, O, *spatial)``."""
        # `conv2d` and `conv3d` want a bias as short as the weights, whose rounding shifts a whole channel.
        if x_bcs.device.type == "cpu" and takes_long_bias():
            result: Tensor = torch.mkldnn_convolution(
                x_bcs, self.weight, self.bias, self.padding, self.stride, self.ones, 1
            )
            return result
        convolve = torch.conv2d if self.weight.ndim == 4 else torch.conv3d
        without = convolve(x_bcs, self.weight, None, self.stride, self.padding)
        return (without.float() + self.bias.view(-1, *self.ones)).to(x_bcs.dtype)


class ShortJoining(nn.Module):
    """As `ShortConvolution`, of a coarse level and its skip."""

    def __init__(self, joining: Joining2d | Joining3d, dtype: torch.dtype) -> None:
        super().__init__()
        self.resize_mode = joining.resize_mode
        of_coarse, of_skip = joining.weight.chunk(2, dim=1)
        self.of_both = ShortConvolution(joining, dtype)
        self.of_skip = ShortConvolution(joining, dtype, of_skip)
        self.taps = _kept(rounded_by_phase(doubled_taps(of_coarse), dtype))

    def forward(self, pair: Pair) -> Tensor:
        """Return ``(B, O, *spatial)``."""
        if not doubles(pair, self.resize_mode):
            joined: Tensor = self.of_both(resized_and_joined(pair, self.resize_mode))
            return joined
        skip: Tensor = self.of_skip(pair[1])
        return skip.add_(convolved_doubled(pair[0], self.taps))


@cache
def takes_long_bias() -> bool:
    """Whether the processor's convolutions of short numbers take a bias of 32 bits."""
    image, bias = torch.zeros(1, 1, 1, 1, dtype=torch.bfloat16), torch.zeros(1)
    try:
        torch.mkldnn_convolution(image, image, bias, (0, 0), (1, 1), (1, 1), 1)
    except RuntimeError:
        return False
    return True


def rounded(weight_ocs: Tensor, dtype: torch.dtype) -> Tensor:
    """Round weights so that the sum over the taps of each filter hardly changes.

    Images are smooth, so an error of this sum shifts the result everywhere, while errors that cancel cost
    next to nothing. Each tap takes over what the larger ones before it lost (error diffusion).

    Parameters
    ----------
    weight_ocs
        ``(O, C, *taps)``, float32.
    dtype
        Of what is returned.
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
    """Round the taps of a transposed convolution of stride 2: every second one meets the same voxel."""
    found = torch.empty_like(taps_cos, dtype=dtype)
    for phase in product((0, 1), repeat=taps_cos.ndim - 2):
        every_second = (slice(None), slice(None), *(slice(first, None, 2) for first in phase))
        found[every_second] = rounded(taps_cos[every_second], dtype)
    return found


def _kept(weight: Tensor) -> nn.Parameter:
    format_ = torch.channels_last if weight.ndim == 4 else torch.channels_last_3d
    return nn.Parameter(weight.contiguous(memory_format=format_), requires_grad=False)
