"""Training samples: what is drawn at random, and how the drawn patch is cut from a volume.

Axes: B batch, C channels (sequences), Z the network's slices, Y rows, X columns; S is (Z, Y, X) in 3D and
(Y, X) in 2D. A patch always has all slices.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_necroseg.core.config import AugmentConfig
from napari_necroseg.core.learning.volumes import TrainingVolume
from napari_necroseg.core.learning.whiten import SLICE_STATISTICS_STEP, whitening
from napari_necroseg.core.learning.windows import Corner, Shape, window
from napari_necroseg.core.plan import Plan

_MOST_SHIFTS = 20


@dataclass(frozen=True, kw_only=True)
class Draw:
    """All that is random about one sample.

    Parameters
    ----------
    corner
        Row and column of the patch's first pixel in the volume; may be negative.
    is_mirrored
        Whether the patch is flipped along Z, Y, X.
    slice_index
        The slice of the flipped patch that is a 2D sample; None in 3D.
    """

    corner: tuple[int, int]
    is_mirrored: tuple[bool, bool, bool]
    slice_index: int | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """What the network sees and what it should say.

    Parameters
    ----------
    images
        ``(C, *S)``, or ``(B, C, *S)`` for a batch; float32, whitened.
    target
        ``(*S)``, or ``(B, *S)`` for a batch; uint8, 0 and 1.
    """

    images: NDArray[np.float32]
    target: NDArray[np.uint8]


def batches(volumes: Sequence[TrainingVolume], plan: Plan) -> Iterator[Sample]:
    """Yield mini-batches for ever; the same plan and volumes give the same ones."""
    generator = np.random.default_rng(plan.config.seed)
    cases = _in_turns(len(volumes), generator)
    while True:
        samples = [_sample(volumes[next(cases)], plan, generator) for _ in range(plan.config.batch_size)]
        yield Sample(
            images=np.stack([sample.images for sample in samples]),
            target=np.stack([sample.target for sample in samples]),
        )


def draw_patch(
    volume: TrainingVolume,
    config: AugmentConfig,
    *,
    patch_shape: Shape,
    is_2d: bool,
    generator: np.random.Generator,
) -> Draw:
    """Draw one sample.

    A share of the patches (`config.target_share`) stands at the target: shifted from its centre of mass,
    and surely showing some of it. The others lie anywhere in the image.
    """
    is_at_target = generator.random() < config.target_share
    corner = (_corner_at_target if is_at_target else _corner_anywhere)(volume, config, patch_shape, generator)
    mirrored = generator.random(3) < (0.5 if config.mirror else 0.0)
    slice_index = None
    if is_2d:
        wants_target = is_at_target and generator.random() < config.slice_share
        choices = volume.target_slices if wants_target else np.arange(patch_shape[0])
        in_volume = int(choices[generator.integers(len(choices))])
        slice_index = patch_shape[0] - 1 - in_volume if mirrored[0] else in_volume
    return Draw(
        corner=corner,
        is_mirrored=(bool(mirrored[0]), bool(mirrored[1]), bool(mirrored[2])),
        slice_index=slice_index,
    )


def cut_sample(volume: TrainingVolume, draw: Draw, *, patch_shape: Shape) -> Sample:
    """Cut what was drawn: pure, so that a draw can be replayed.

    Of a 2D sample only what is needed is cut: its slice, and every fourth voxel of its volume patch.
    """
    corner: Corner = (0, *draw.corner)
    if draw.slice_index is None:
        images = _cut_images(volume, draw, corner, patch_shape)
        return Sample(
            images=whitening(images).applied(images), target=_cut_target(volume, draw, corner, patch_shape)
        )
    statistics = whitening(_cut_images(volume, draw, corner, patch_shape, step=SLICE_STATISTICS_STEP))
    index = patch_shape[0] - 1 - draw.slice_index if draw.is_mirrored[0] else draw.slice_index
    corner, shape = (index, *draw.corner), (1, *patch_shape[1:])
    images = statistics.applied(_cut_images(volume, draw, corner, shape)[:, 0])
    return Sample(images=images, target=_cut_target(volume, draw, corner, shape)[0])


def _in_turns(n_cases: int, generator: np.random.Generator) -> Iterator[int]:
    """Every case equally often, in an order drawn anew for each round."""
    while True:
        yield from generator.permutation(n_cases).tolist()


def _corner_at_target(
    volume: TrainingVolume, config: AugmentConfig, patch_shape: Shape, generator: np.random.Generator
) -> tuple[int, int]:
    half = np.array(patch_shape[1:]) // 2
    centre = np.round(volume.target_centre).astype(int)
    pixels = volume.target_pixels
    for _ in range(_MOST_SHIFTS):
        corner = (
            centre
            - half
            + generator.integers(-config.shift_voxels, config.shift_voxels, size=2, endpoint=True)
        )
        if ((pixels >= corner) & (pixels < corner + patch_shape[1:])).all(axis=1).any():
            break
    else:
        # A target in distant parts, with nothing near its centre of mass.
        corner = pixels[generator.integers(len(pixels))] - half
    return int(corner[0]), int(corner[1])


def _corner_anywhere(
    volume: TrainingVolume, _config: AugmentConfig, patch_shape: Shape, generator: np.random.Generator
) -> tuple[int, int]:
    rows, columns = (
        int(generator.integers(room, endpoint=True)) if room > 0 else room // 2
        for room in np.subtract(volume.target.shape, patch_shape)[1:].tolist()
    )
    return rows, columns


def _sample(volume: TrainingVolume, plan: Plan, generator: np.random.Generator) -> Sample:
    draw = draw_patch(
        volume,
        plan.config.augment,
        patch_shape=plan.patch_shape,
        is_2d=plan.config.dimension == "2d",
        generator=generator,
    )
    return cut_sample(volume, draw, patch_shape=plan.patch_shape)


def _cut_images(
    volume: TrainingVolume, draw: Draw, corner: Corner, shape: Shape, *, step: int = 1
) -> NDArray[np.float32]:
    # Every n-th voxel of the flipped patch: on a flipped axis they are counted from its other end.
    rests = [
        (n - 1) % step if is_mirrored else 0 for n, is_mirrored in zip(shape, draw.is_mirrored, strict=True)
    ]
    first = (corner[0] + rests[0], corner[1] + rests[1], corner[2] + rests[2])
    count = (shape[0] - rests[0], shape[1] - rests[1], shape[2] - rests[2])
    return _flipped(window(volume.images, first, count, outside=volume.air, step=step), draw)


def _cut_target(volume: TrainingVolume, draw: Draw, corner: Corner, shape: Shape) -> NDArray[np.uint8]:
    background = np.zeros(1, np.uint8)
    cut = window(volume.target[None], corner, shape, outside=background)
    return np.asarray(_flipped(cut, draw)[0])


def _flipped(voxels: NDArray[Any], draw: Draw) -> NDArray[Any]:
    axes = tuple(axis for axis, is_mirrored in enumerate(draw.is_mirrored, start=1) if is_mirrored)
    return np.asarray(np.flip(voxels, axes))
