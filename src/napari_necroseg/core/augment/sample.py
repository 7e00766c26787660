"""From a draw to the sample that the network sees: pure, so that a draw can be replayed.

Axes: B batch, C channels (sequences), Z slices, Y rows, X columns; S is (Z, Y, X) in 3D and (Y, X) in 2D.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_necroseg.core.augment.drawn import Drawn
from napari_necroseg.core.augment.geometry import mapping
from napari_necroseg.core.augment.intensity import blurred, with_gamma
from napari_necroseg.core.augment.lattice import one_slice, resampled, whole
from napari_necroseg.core.augment.source import Shape, Source
from napari_necroseg.core.augment.whiten import SLICE_STATISTICS_STEP, whitening


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
    mapped = mapping(drawn, source.spacing_mm, patch_shape)
    if drawn.slice_index is None:
        voxels = resampled(source, drawn, mapped, whole(patch_shape))
        (images,) = with_gamma([blurred(voxels[:-1], drawn.blur_sigma_voxels)], drawn.gamma)
        return Sample(images=whitening(images).applied(images), target=_binary(voxels[-1]))
    voxels = resampled(source, drawn, mapped, one_slice(patch_shape, drawn.slice_index))
    every_fourth = resampled(source, drawn, mapped, whole(patch_shape, step=SLICE_STATISTICS_STEP))
    images, of_patch = with_gamma(
        [blurred(voxels[:-1], drawn.blur_sigma_voxels), every_fourth[:-1]], drawn.gamma
    )
    return Sample(images=whitening(of_patch).applied(images)[:, 0], target=_binary(voxels[-1, 0]))


def sample_batch(sources: Sequence[Source], draws: Sequence[Drawn], *, patch_shape: Shape) -> Sample:
    """Make a mini-batch: a draw from each source, in turn."""
    samples = [sample(*pair, patch_shape=patch_shape) for pair in zip(sources, draws, strict=True)]
    return Sample(
        images=torch.stack([one.images for one in samples]),
        target=torch.stack([one.target for one in samples]),
    )


def _binary(occupancy: Tensor) -> Tensor:
    return (occupancy >= 0.5).to(torch.uint8)
