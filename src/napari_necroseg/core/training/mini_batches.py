"""Makes the mini-batches of a training: from which cases, in which order, by which random numbers.

Every sample has a random generator of its own, made from the seed and the sample's number. So the n-th
mini-batch does not depend on those before it, and the preview's n-th draw is the training's n-th draw.
"""

from collections.abc import Iterator, Sequence
from itertools import count

import numpy as np

from napari_necroseg.core.augment.draw import draw_batch, generator_of, sampling_of
from napari_necroseg.core.augment.sample import Sample, make_batch
from napari_necroseg.core.augment.source import Source
from napari_necroseg.core.plan import Plan


def mini_batches(sources: Sequence[Source], plan: Plan, *, first: int = 0) -> Iterator[Sample]:
    """Yield mini-batches without end, from number `first` on; the same for the same plan and sources."""
    for iteration in count(first):
        yield mini_batch(sources, plan, iteration=iteration)


def mini_batch(sources: Sequence[Source], plan: Plan, *, iteration: int) -> Sample:
    """Make one mini-batch, counted from 0."""
    first, seed = iteration * plan.config.batch_size, plan.config.seed
    numbers = range(first, first + plan.config.batch_size)
    chosen = [sources[_case_of(number, len(sources), seed=seed)] for number in numbers]
    generators = [generator_of(seed, number) for number in numbers]
    draws = draw_batch(chosen, sampling_of(plan.config, plan.patch_shape), generators=generators)
    return make_batch(chosen, draws, patch_shape=plan.patch_shape)


def _case_of(number: int, n_cases: int, *, seed: int) -> int:
    """Return the case of a sample: all are used equally often, in an order drawn anew for each round."""
    round_number, place = divmod(number, n_cases)
    # The third number keeps these random numbers apart from those of any sample.
    return int(np.random.default_rng([seed, round_number, 1]).permutation(n_cases)[place])
