"""Mini-batches of a training: which cases are drawn from, in which order, by which random numbers.

Every sample has a random generator of its own, made of the seed and the sample's number. So the n-th
mini-batch needs none of those before it, and the preview's n-th draw has the random numbers of a training's.
"""

from collections.abc import Iterator, Sequence
from itertools import count

import numpy as np
import torch
from torch import Tensor

from napari_necroseg.core.augment.draw import Cut, draw_batch
from napari_necroseg.core.augment.sample import Sample, sample_batch
from napari_necroseg.core.augment.source import Source
from napari_necroseg.core.plan import Plan


def batches(sources: Sequence[Source], plan: Plan, *, first: int = 0) -> Iterator[Sample]:
    """Yield mini-batches for ever, from the first on; the same plan and sources give the same ones."""
    for iteration in count(first):
        yield batch(sources, plan, iteration)


def batch(sources: Sequence[Source], plan: Plan, iteration: int) -> Sample:
    """Make one mini-batch, counted from 0."""
    first = iteration * plan.config.batch_size
    numbers = range(first, first + plan.config.batch_size)
    chosen = [sources[_case_of(number, len(sources), plan.config.seed)] for number in numbers]
    generators = [generator_of(plan.config.seed, number) for number in numbers]
    draws = draw_batch(plan.config.augment, chosen, generators, cut=cut_of(plan))
    made = sample_batch(chosen, draws, patch_shape=plan.patch_shape)
    if plan.config.intensity_spread:
        _vary(made.images, generators, plan.config.intensity_spread)
    return made


def cut_of(plan: Plan) -> Cut:
    """Return what a training cuts from its cases."""
    return Cut(
        patch_shape=plan.patch_shape,
        is_2d=plan.config.dimension == "2d",
        target_share=plan.config.target_share,
        slice_share=plan.config.slice_share,
    )


def generator_of(seed: int, number: int) -> np.random.Generator:
    """Return the random numbers of a sample."""
    return np.random.default_rng([seed, number])


def _vary(images: Tensor, generators: Sequence[np.random.Generator], spread: float) -> None:
    """Give each sequence of white samples ``(B, C, *S)`` another contrast and brightness, in place.

    It stands for what whitening by whole images cannot know: other scanners, and how much of it is ill.
    """
    drawn = np.stack([generator.normal(0, spread, (2, images.shape[1])) for generator in generators])
    drawn[:, 0] = np.exp(drawn[:, 0])
    factor, offset = torch.from_numpy(drawn.astype(np.float32)).to(images.device).unbind(1)
    shape = (*factor.shape, *[1] * (images.ndim - 2))
    images.mul_(factor.view(shape)).add_(offset.view(shape))


def _case_of(number: int, n_cases: int, seed: int) -> int:
    """Every case equally often, in an order drawn anew for each round."""
    round_number, place = divmod(number, n_cases)
    # A third number: other random numbers than those of any sample.
    return int(np.random.default_rng([seed, round_number, 1]).permutation(n_cases)[place])
