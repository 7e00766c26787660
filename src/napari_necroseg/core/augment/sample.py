"""From a draw to the sample that the network sees: pure, so that a draw can be replayed.

Axes: B batch, C channels (sequences), Z slices, Y rows, X columns; S is (Z, Y, X) in 3D and (Y, X) in 2D.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_necroseg.core.augment import kernel
from napari_necroseg.core.augment.drawn import Drawn
from napari_necroseg.core.augment.geometry import Mapping, mapping
from napari_necroseg.core.augment.intensity import apply_gamma, blur, blur_weights
from napari_necroseg.core.augment.lattice import (
    one_slice,
    picked,
    places_in_coarse,
    places_in_padded,
    resampled,
    whole,
)
from napari_necroseg.core.augment.source import Shape, Source
from napari_necroseg.core.augment.whiten import whiten

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """What the network sees and what it should say, on the device of the source.

    Parameters
    ----------
    images
        ``(C, *S)``, or ``(B, C, *S)`` for a batch; float32, whitened.
    target
        ``(*S)``, or ``(B, *S)`` for a batch; uint8, 0 and 1.
    """

    images: Tensor
    target: Tensor


def sample(source: Source, drawn: Drawn, *, patch_shape: Shape) -> Sample:
    """Make what was drawn; nothing is computed for voxels outside the patch.

    Of a 2D sample only its slice is made, and every fourth voxel of its volume patch, whose statistics
    whiten it. Those voxels have the gamma of the sample, but not its blur.

    Parameters
    ----------
    patch_shape
        Voxels of the patch, all its slices included, in 2D, too.
    """
    batch = sample_batch([source], [drawn], patch_shape=patch_shape)
    return Sample(images=batch.images[0], target=batch.target[0])


def sample_batch(sources: Sequence[Source], draws: Sequence[Drawn], *, patch_shape: Shape) -> Sample:
    """Make a mini-batch: a draw from each source, in turn; each as `sample` alone makes it.

    The sources are on one device and have the same sequences. The draws are of one configuration: all 2D or
    all 3D, and with the same number of elastic control points.
    """
    mapped = mapping(draws, [source.spacing_mm for source in sources], patch_shape)
    blur_sigma, gamma = (
        np.array([getattr(drawn, name) for drawn in draws]) for name in ("blur_sigma_voxels", "gamma")
    )
    if draws[0].slice_index is None:
        return _volumes(sources, mapped, blur_sigma, gamma)
    return _slices(sources, mapped, blur_sigma, gamma, [drawn.slice_index or 0 for drawn in draws])


def _volumes(sources: Sequence[Source], mapped: Mapping, blur_sigma: Array, gamma: Array) -> Sample:
    lattices = [whole(mapped.patch_shape)] * len(sources)
    voxels = resampled(sources, mapped, lattices, channels=len(sources[0].voxels))
    images = voxels[:, :-1]
    if kernel.is_usable(images):
        finish = zip(images, blur_weights(blur_sigma), gamma, sources, strict=True)
        for image, weights, powers, source in finish:
            kernel.finish_volume(image, weights, powers, source.air)
    else:
        blur(images, blur_sigma)
        apply_gamma([images], gamma)
        _whiten(images, sources)
    return Sample(images=images, target=_binary(voxels[:, -1]))


def _slices(
    sources: Sequence[Source], mapped: Mapping, blur_sigma: Array, gamma: Array, indices: list[int]
) -> Sample:
    lattices = [one_slice(mapped.patch_shape, index) for index in indices]
    if kernel.is_usable(sources[0].padded):
        images, target = kernel.make_slices(
            ([source.padded for source in sources], places_in_padded(mapped, lattices)),
            ([source.coarse for source in sources], places_in_coarse(mapped)),
            blur_weights(blur_sigma),
            gamma,
            [source.air for source in sources if source.air is not None] or None,
        )
        return Sample(images=images, target=target)
    voxels = resampled(sources, mapped, lattices, channels=len(sources[0].voxels))
    images = voxels[:, :-1]
    # Its patch decides how a slice is raised to a power or whitened; otherwise nothing asks for it.
    is_asked = sources[0].air is None or bool((gamma != 1).any())
    of_patch = picked(sources, mapped) if is_asked else None
    blur(images, blur_sigma)
    apply_gamma([images] if of_patch is None else [images, of_patch], gamma)
    _whiten(images, sources, by=of_patch)
    return Sample(images=images[:, :, 0], target=_binary(voxels[:, -1, 0]))


def _whiten(images: Tensor, sources: Sequence[Source], *, by: Tensor | None = None) -> None:
    """Whiten ``(B, C, Z, Y, X)`` in place, or give back what was taken off sources that are white."""
    if sources[0].air is None:
        whiten(images, by=by)
    else:
        air = torch.from_numpy(np.stack([source.air for source in sources if source.air is not None]))
        images += air.to(images.device)[:, :, None, None, None]


def _binary(occupancy: Tensor) -> Tensor:
    return (occupancy >= 0.5).view(torch.uint8)
