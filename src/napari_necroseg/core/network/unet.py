"""The paper's U-Net, in two and three dimensions from one description.

Axes: b batch, c channels, o output channels, then (y, x) in 2D or (z, y, x) in 3D, written s for space.
"""

from contextlib import nullcontext
from typing import Literal, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

# The logit of 1 %.
FIRST_LOGIT = -4.6

# Features of the coarse level (b, c, *s / 2) and of the skip (b, c, *s).
Pair = tuple[Tensor, Tensor]


class UNet(nn.Module):
    """A U-Net with batch normalisation, strided convolutions down and resizing up, for 2 or 3 `spatial_axes`.

    Each level has two 3x3(x3) convolutions; a strided 3x3(x3) convolution leads one level down; a 1x1(x1)
    convolution to the width of the level above, then resizing and concatenation with the skip, leads up.
    A batch normalisation and a ReLU follow each convolution; the head is a plain 1x1(x1) convolution.
    `widths` are the channels of the levels, finest first.

    With two channels and widths 16, 32, 64, 128, 128 it has 1,401,713 parameters in 2D and 4,144,049 in
    3D (the paper: 1.4 and 4.0 million).
    """

    def __init__(
        self,
        *,
        spatial_axes: int,
        channels: int,
        widths: tuple[int, ...],
        upsampling: Literal["nearest", "linear"] = "nearest",
    ) -> None:
        super().__init__()
        self.spatial_axes = spatial_axes
        self.memory_format = torch.channels_last if spatial_axes == 2 else torch.channels_last_3d
        self.resize_mode = (
            upsampling if upsampling == "nearest" else ("bilinear", "trilinear")[spatial_axes - 2]
        )
        finer, coarser = widths[:-1], widths[1:]
        self.downs = nn.ModuleList(_block(spatial_axes, n, after=n, stride=2) for n in finer)
        self.encoders = nn.ModuleList(
            _pair(spatial_axes, before, after=after)
            for before, after in zip((channels, *finer), widths, strict=True)
        )
        self.narrows = nn.ModuleList(
            _block(spatial_axes, wide, after=narrow, kernel=1)
            for wide, narrow in zip(coarser, finer, strict=True)
        )
        self.decoders = nn.ModuleList(
            _joining_pair(spatial_axes, n, resize_mode=self.resize_mode) for n in finer
        )
        self.head = _convolution(spatial_axes)(widths[0], 1, 1)
        # A necrosis fills about a hundredth of a patch: starting at one half would cost the first minutes.
        assert self.head.bias is not None
        nn.init.constant_(self.head.bias, FIRST_LOGIT)

    def forward(self, x_bcs: Tensor) -> Tensor:
        """Return the logits ``(B, 1, *spatial)`` of ``(B, C, *spatial)``, in fp32 also under autocast."""
        skip_bcs = self.encoders[0](x_bcs)
        return self.finish(self.coarse(skip_bcs), skip_bcs)

    def coarse(self, skip_bcs: Tensor) -> Tensor:
        """Return the output of all coarser levels for the finest level's features, still at half its size."""
        skips = [skip_bcs]
        for down, encoder in zip(self.downs, self.encoders[1:], strict=True):
            skips.append(_encoded(encoder, down(skips[-1])))
        x_bcs = skips.pop()
        for narrow, decoder in zip(reversed(self.narrows[1:]), reversed(self.decoders[1:]), strict=True):
            x_bcs = decoder((narrow(x_bcs), skips.pop()))
        narrowed: Tensor = self.narrows[0](x_bcs)
        return narrowed

    def finish(self, coarse_bcs: Tensor, skip_bcs: Tensor) -> Tensor:
        """Return the logits for the finest level's features and the output of the coarser levels."""
        x_bcs = self.decoders[0]((coarse_bcs, skip_bcs))
        # The sigmoid of bfloat16 logits has steps of 2e-3, so the head is computed in 32 bits.
        with torch.autocast(x_bcs.device.type, enabled=False):
            logits: Tensor = self.head(x_bcs.float())
        return logits

    def placed(self, device: str) -> Self:
        """Move the network to a device, its weights laid out as `laid_out` does; return it."""
        last = torch.channels_last if self.spatial_axes == 2 else torch.channels_last_3d
        # On Apple GPUs, torch up to 2.13 has wrong or no gradients of a normalisation with channels last:
        # github.com/pytorch/pytorch/issues/188371 and 175189.
        self.memory_format = torch.contiguous_format if device == "mps" else last
        self.to(device).to(memory_format=self.memory_format)  # type: ignore[call-overload]
        return self

    def laid_out(self, x_bcs: Tensor) -> Tensor:
        """Lay out images like the weights: with channels last, convolutions are a quarter faster."""
        return x_bcs.contiguous(memory_format=self.memory_format)


def n_parameters(network: nn.Module) -> int:
    """Count the trained weights of a network, without the running averages of its normalisations."""
    return sum(parameter.numel() for parameter in network.parameters())


def _encoded(encoder: nn.Module, x_bcs: Tensor) -> Tensor:
    # For volumes of two slices, oneDNN's gradient of a bfloat16 convolution contains uninitialised memory,
    # now and then NaN (torch 2.13). Only the coarsest level has so few slices, and it takes little time.
    is_spared = encoder.training and x_bcs.ndim == 5 and x_bcs.shape[2] == 2 and x_bcs.device.type == "cpu"
    with torch.autocast("cpu", enabled=False) if is_spared else nullcontext():
        encoded: Tensor = encoder(x_bcs.float() if is_spared else x_bcs)
    return encoded


def _pair(spatial_axes: int, before: int, *, after: int) -> nn.Sequential:
    return nn.Sequential(_block(spatial_axes, before, after=after), _block(spatial_axes, after, after=after))


def _joining_pair(spatial_axes: int, width: int, *, resize_mode: str) -> nn.Sequential:
    joining = (Joining2d if spatial_axes == 2 else Joining3d)(width, resize_mode)
    return nn.Sequential(_normalised(joining), _block(spatial_axes, width, after=width))


def _block(spatial_axes: int, before: int, *, after: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    convolution = _convolution(spatial_axes)
    # Without a bias: the normalisation that follows would remove it.
    return _normalised(convolution(before, after, kernel, stride=stride, padding=kernel // 2, bias=False))


def _normalised(convolution: nn.Conv2d | nn.Conv3d) -> nn.Sequential:
    normalisation = nn.BatchNorm2d if isinstance(convolution, nn.Conv2d) else nn.BatchNorm3d
    return nn.Sequential(convolution, normalisation(convolution.out_channels), nn.ReLU(inplace=True))


def _convolution(spatial_axes: int) -> type[nn.Conv2d] | type[nn.Conv3d]:
    return nn.Conv2d if spatial_axes == 2 else nn.Conv3d


class Joining2d(nn.Conv2d):
    """Resizes a coarse level to its skip, concatenates both in this order, and convolves them with 3x3 taps.

    Where the coarse level is exactly doubled by nearest-neighbour resizing, it is convolved at its own size
    instead, with the same result: that takes 4 of 9 multiplications (3D: 8 of 27) and copies nothing. `width`
    is the number of channels of either, and of the result; `resize_mode` is that of `interpolate`.
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
    """Turn weights ``(O, C, 3, 3[, 3])`` into ``(C, O, 4, 4[, 4])`` that double an image and convolve it.

    Along each axis, three taps on voxels that were each doubled are four taps of a transposed convolution.
    """
    # Sums, not a matrix product: autocast would round that to short numbers once for each axis.
    for axis in range(2, weight_ocs.ndim):
        first, middle, last = weight_ocs.unbind(axis)
        weight_ocs = torch.stack([last, middle + last, first + middle, first], axis)
    return weight_ocs.transpose(0, 1)


def convolved_doubled(coarse: Tensor, taps: Tensor) -> Tensor:
    """Double an image ``(B, C, *spatial)`` and convolve it, with the weights from `doubled_taps`."""
    transposed = functional.conv_transpose2d if taps.ndim == 4 else functional.conv_transpose3d
    return transposed(coarse, taps, stride=2, padding=1)


def doubles(pair: Pair, resize_mode: str) -> bool:
    """Whether resizing copies each voxel of the coarse level to two along each axis."""
    coarse, skip = pair
    # A traced graph (for an export) must be right for images of any size.
    is_tracing: bool = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    # Before torch 2.8, Apple's GPUs have no transposed convolution of volumes.
    if resize_mode != "nearest" or is_tracing or coarse.device.type == "mps":
        return False
    return all(2 * small == large for small, large in zip(coarse.shape[2:], skip.shape[2:], strict=True))


def resized_and_joined(pair: Pair, resize_mode: str) -> Tensor:
    """Return the coarse level, as large as the skip, and the skip: ``(B, 2 C, *spatial)``."""
    coarse, skip = pair
    # To the size of the skip, not by a factor of two: so sizes that are no multiple of 16 work, too.
    return torch.cat([functional.interpolate(coarse, size=skip.shape[2:], mode=resize_mode), skip], dim=1)
