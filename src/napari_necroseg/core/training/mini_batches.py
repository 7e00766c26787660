"""Mini-batches of a training: which cases are drawn from, in which order, by which random numbers.

Every sample has a random generator of its own, made of the seed and the sample's number. So the n-th
mini-batch needs none of those before it, and the preview's n-th draw has the random numbers of a training's.
"""

from collections.abc import Iterator, Sequence
from itertools import count

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_necroseg.core.augment.draw import Cut, draw_batch
from napari_necroseg.core.augment.sample import Sample, make_batch
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
    made = make_batch(chosen, draws, patch_shape=plan.patch_shape)
    if plan.config.intensity_spread:
        vary(made.images, *drawn_contrast(generators, made.images.shape[1], plan.config.intensity_spread))
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


def drawn_contrast(
    generators: Sequence[np.random.Generator], n_sequences: int, spread: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Draw another contrast and brightness for each sequence of each sample.

    They stand for what whitening by whole images cannot know: other scanners, and how much of it is ill.

    Parameters
    ----------
    generators
        Of each sample, after it was drawn.
    n_sequences
        C, the channels of a sample.
    spread
        `TrainConfig.intensity_spread`.

    Returns
    -------
    ndarray
        Factors ``(B, C)`` and what is added to the products ``(B, C)``, for white intensities.
    """
    drawn = np.stack([generator.normal(0, spread, (2, n_sequences)) for generator in generators])
    drawn[:, 0] = np.exp(drawn[:, 0])
    factor, offset = np.moveaxis(drawn.astype(np.float32), 1, 0)
    return factor, offset


def vary(images: Tensor, factor: NDArray[np.float32], offset: NDArray[np.float32]) -> None:
    """Give white samples ``(B, C, *S)`` the contrast and brightness ``(B, C)`` that was drawn, in place."""
    shape = (*factor.shape, *[1] * (images.ndim - 2))
    by, more = (torch.tensor(values, device=images.device).view(shape) for values in (factor, offset))
    images.mul_(by).add_(more)


def _case_of(number: int, n_cases: int, seed: int) -> int:
    """Every case equally often, in an order drawn anew for each round."""
    round_number, place = divmod(number, n_cases)
    # A third number: other random numbers than those of any sample.
    return int(np.random.default_rng([seed, round_number, 1]).permutation(n_cases)[place])
