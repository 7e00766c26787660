"""Runs a network over an image: slice by slice, as a whole, or in overlapping patches that are blended.

Axes: B batch, C channels (sequences), Z the network's slices, Y rows, X columns.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_necroseg.core.augment.intensity import block_middles, is_constant, whiten
from napari_necroseg.core.events import Event, Progress
from napari_necroseg.core.language import said
from napari_necroseg.core.network.device import free_bytes
from napari_necroseg.core.network.unet import UNet
from napari_necroseg.core.prediction.folded_network import probability_of

# Pixels that a 2D network sees at once: 32 slices of a patch, as in training.
_PIXELS_AT_ONCE = 32 * 128 * 128

# Numbers in memory for each voxel of a volume in a 3D network: up to 55 were measured (docs/prediction.md).
_NUMBERS_PER_VOXEL = 64

# The rest of the memory is for the viewer and other programs.
_MEMORY_SHARE = 0.7

# Sides of the block, or slices on either side of the middle, on which number formats are compared.
_SAMPLE_SIDE = 96
_SAMPLE_SLICES = 4
_OVERLAP = 0.5

# Standard deviation of the blending weight, as a share of the patch's side (as in nnU-Net and MONAI).
_SIGMA_SHARE = 0.125
Corner = tuple[int, int, int]
Shape = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True, eq=False)
class Pass:
    """Images that a network is run on once, and how."""

    # (C, Z, Y, X).
    images: NDArray[np.float32]
    # (C,): the intensity beyond the border.
    air: NDArray[np.float32]
    patch_shape: Shape
    # Whether whole images were whitened; otherwise each patch is whitened by itself.
    is_white: bool
    # (Z,): slices that the result depends on.
    needed: NDArray[np.bool_]
    # Added to the messages of its progress.
    remark: str = ""


def by_slices(network: UNet, one: Pass) -> Generator[Event, None, NDArray[np.float32]]:
    """Predict whole slices of whitened images, several at once; slices of air or not needed are 0."""
    probability = np.zeros(one.images.shape[1:], np.float32)
    slices = _tensor(one.images).movedim(0, 1)
    shown = (~is_constant(slices).all(dim=1) & _tensor(one.needed)).nonzero()[:, 0]
    size = max(1, _PIXELS_AT_ONCE // probability[0].size)
    yield Progress(
        done=0,
        total=len(shown),
        message=said("{n} slices to look at{remark}", n=len(shown), remark=one.remark),
    )
    for first in range(0, len(shown), size):
        some = shown[first : first + size]
        probability[some.numpy()] = probability_of(network, slices[some]).numpy()
        done = first + len(some)
        yield Progress(
            done=done,
            total=len(shown),
            message=said("Slice {n} of {total}{remark}", n=done, total=len(shown), remark=one.remark),
        )
    return probability


def whole(network: UNet, one: Pass) -> Generator[Event, None, NDArray[np.float32]]:
    """Predict a whitened volume at once if the memory allows it, else by patches."""
    device = network.head.weight.device
    n_bytes = one.images[0].size * _NUMBERS_PER_VOXEL * next(network.parameters()).dtype.itemsize
    if n_bytes > _MEMORY_SHARE * free_bytes(str(device)):
        return (yield from by_patches(network, one))
    images = _tensor(one.images)[None]
    yield Progress(done=0, total=1, message=said("The whole volume at once{remark}", remark=one.remark))
    probability: NDArray[np.float32] = probability_of(network, images)[0].numpy()
    yield Progress(done=1, total=1, message=said("The whole volume is predicted{remark}", remark=one.remark))
    return probability


def by_patches(network: UNet, one: Pass) -> Generator[Event, None, NDArray[np.float32]]:
    """Predict overlapping patches, and blend them."""
    corners = tile_corners(one.images.shape[1:], one.patch_shape)
    blend = Blend(one.images.shape[1:], one.patch_shape)
    for number, corner in enumerate(corners, start=1):
        patch = torch.from_numpy(padded_crop(one.images, corner, shape=one.patch_shape, outside=one.air))[
            None
        ]
        blend.add(_patch_probability(network, patch, one=one), corner)
        yield Progress(
            done=number,
            total=len(corners),
            message=said("Patch {n} of {total}{remark}", n=number, total=len(corners), remark=one.remark),
        )
    return blend.mean()


def sample_of(network: UNet, images: NDArray[np.float32], *, is_white: bool) -> Tensor:
    """Return a small part of images ``(C, Z, Y, X)`` as the network sees it: slices in 2D, a block in 3D."""
    if network.spatial_axes == 2:
        middle = images.shape[1] // 2
        first = max(0, middle - _SAMPLE_SLICES)
        part = _tensor(images[:, first : middle + _SAMPLE_SLICES : 2]).movedim(0, 1)
    else:
        rows, columns = (
            slice(max(0, (size - _SAMPLE_SIDE) // 2), (size + _SAMPLE_SIDE) // 2) for size in images.shape[2:]
        )
        part = _tensor(images[:, :, rows, columns])[None]
    if not is_white and not is_constant(part).all():
        part = part.clone()
        whiten(part)
    return part


def _patch_probability(network: UNet, patch: Tensor, *, one: Pass) -> NDArray[np.float32] | None:
    """Return the probability ``(Z, Y, X)`` of a patch ``(1, C, Z, Y, X)``, or None if it is all air."""
    if is_constant(patch).all():
        return None
    is_2d = network.spatial_axes == 2
    if not one.is_white:
        whiten(patch, by=patch[:, :, *block_middles(patch.shape[2:])] if is_2d else None)
    if not is_2d:
        return np.asarray(probability_of(network, patch)[0])
    probability = np.zeros(patch.shape[2:], np.float32)
    needed = one.needed.nonzero()[0]
    size = max(1, _PIXELS_AT_ONCE // probability[0].size)
    for first in range(0, len(needed), size):
        some = needed[first : first + size]
        probability[some] = probability_of(network, patch[0, :, some].movedim(0, 1)).numpy()
    return probability


def _tensor(array: NDArray[np.generic]) -> Tensor:
    # A mirrored view has negative strides, which torch does not support.
    return torch.from_numpy(np.ascontiguousarray(array))


def tile_corners(image_shape: Shape, patch_shape: Shape) -> list[Corner]:
    """Return the first voxels of patches that cover the image: all slices, overlapping by half in plane.

    The last patch is flush with the border. Where the image is smaller than the patch, there is one patch
    with the image in its middle; its corner is negative.
    """
    rows, columns = (_starts(size, side) for size, side in zip(image_shape[1:], patch_shape[1:], strict=True))
    return [(0, row, column) for row in rows for column in columns]


class Blend:
    """Computes the weighted mean of overlapping patches; both shapes are ``(Z, Y, X)``."""

    def __init__(self, image_shape: Shape, patch_shape: Shape) -> None:
        # 32 bits: in sums of 16 bits the corners, where the weights are small, would be lost.
        self.total = np.zeros(image_shape, np.float32)
        self.weight_sum = np.zeros(image_shape[1:], np.float32)
        self.weight = blending_weight(patch_shape)

    def add(self, probability: NDArray[np.float32] | None, corner: Corner) -> None:
        """Add a patch ``(Z, Y, X)``; None is a probability of 0 everywhere."""
        shape = (len(self.total), *self.weight.shape)
        spans = _spans(corner, shape, volume=self.total.shape)
        inside, place = zip(*spans, strict=True)
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


def padded_crop(voxels: NDArray[Any], corner: Corner, *, shape: Shape, outside: NDArray[Any]) -> NDArray[Any]:
    """Copy ``(C, *shape)`` from voxels ``(C, Z, Y, X)``, from a corner on that may be negative.

    Beyond the border, each channel has its value of `outside` ``(C,)``.
    """
    cut = np.empty((len(voxels), *shape), voxels.dtype)
    spans = _spans(corner, shape, volume=voxels.shape[1:])
    if any(inside.stop - inside.start < n for (inside, _), n in zip(spans, shape, strict=True)):
        cut[:] = outside[:, None, None, None]
    cut[:, *(inside for inside, _ in spans)] = voxels[:, *(source for _, source in spans)]
    return cut


def _spans(
    corner: Sequence[int], shape: Sequence[int], *, volume: Sequence[int]
) -> list[tuple[slice, slice]]:
    axes = zip(corner, shape, volume, strict=True)
    return [span(start, count, size=size) for start, count, size in axes]


def span(start: int, count: int, *, size: int) -> tuple[slice, slice]:
    """Return the part of a crop that lies inside the volume along one axis, and its place there.

    The crop has `count` voxels from index `start` on, the volume has `size`.
    """
    first = min(count, max(0, -start))
    last = max(first, min(count, size - start))
    return slice(first, last), slice(start + first, max(0, start + last))
