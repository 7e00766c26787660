"""Samples in memory: what a training on the case alone draws, without a folder."""

from dataclasses import replace

import numpy as np
import pytest

from napari_necroseg.core.case import Case, Cohort, Sequence
from napari_necroseg.core.cohort.load import load_case
from napari_necroseg.core.config import train_preset
from napari_necroseg.core.errors import CohortError
from napari_necroseg.core.training.mini_batches import mini_batch
from napari_necroseg.core.training.samples import draw_samples
from napari_necroseg.core.training.sources import training_source

SMALL = {"slices": 32, "patch_side": 32, "batch_size": 1, "seed": 6, "steps": 1}


@pytest.fixture
def case(cohort: Cohort) -> Case:
    return load_case(cohort.cases[0])


@pytest.mark.parametrize(("dimension", "shape"), [("2d", (2, 32, 32)), ("3d", (2, 32, 32, 32))])
def test_each_is_the_sample_that_a_training_makes(case, cohort, plan_tiny, dimension, shape) -> None:
    config = train_preset("fast", dimension).changed(**SMALL)
    plan = replace(plan_tiny(cohort.only(("case-0",))), config=config, patch_shape=(32, 32, 32))
    source = training_source(case, config, n_slices=32)
    samples = list(draw_samples(case, config, n=2, first=3))
    assert [one.number for one in samples] == [3, 4]
    for one in samples:
        made = mini_batch([source], plan, iteration=one.number)
        np.testing.assert_array_equal(one.images, made.images[0])
        np.testing.assert_array_equal(one.target, made.target[0])
        assert (one.images.shape, one.target.shape) == (shape, shape[1:])
        assert len(one.drawn.contrast) == len(one.drawn.brightness) == 2


def test_a_sequence_that_the_case_lacks_is_left_out(case) -> None:
    alone = replace(case, sequences={Sequence.CET1: case.sequences[Sequence.CET1]})
    (one,) = draw_samples(alone, train_preset("paper", "2d").changed(**SMALL), n=1)
    assert one.images.shape == (1, 32, 32)
    assert one.drawn.contrast == ()


def test_an_image_that_shows_nothing_is_refused_before_anything_is_drawn(case) -> None:
    blank = replace(case.sequences[Sequence.T2], voxels=np.ones_like(case.sequences[Sequence.T2].voxels))
    with pytest.raises(CohortError, match="the same value everywhere"):
        draw_samples(replace(case, sequences=case.sequences | {Sequence.T2: blank}))
