"""Mini-batches: every case equally often, each sample by random numbers of its own."""

import numpy as np
import torch

from napari_necroseg.core.augment.draw import draw_sample, generator_of, sampling_of
from napari_necroseg.core.augment.sample import make_sample
from napari_necroseg.core.augment.source import Source, make_source
from napari_necroseg.core.training.mini_batches import mini_batch, mini_batches

PLAIN = {"mirror": False, "scaling": False, "rotation": False, "elastic": False, "translation": False}


def source(seed: int = 0, *, n_slices: int = 3) -> Source:
    generator = np.random.default_rng(seed)
    target = np.zeros((8, 40, 30), np.uint8)
    target[2 : 2 + n_slices, 10:14, 20:25] = 1
    return make_source(generator.random((2, 8, 40, 30), np.float32), target, spacing_mm=(3, 1, 1))


def test_batches_are_the_same_for_the_same_seed_and_take_cases_in_turns(cohort, plan_tiny) -> None:
    # Without a shift, each case shows all of its target: 20 voxels a slice.
    cases = [source(n_slices=3), source(n_slices=4)]
    plan = plan_tiny(cohort, dimension="3d", batch_size=4, seed=5, augment=PLAIN)
    first, again = (next(mini_batches(cases, plan)) for _ in range(2))
    assert torch.equal(first.images, again.images)
    assert first.images.shape == (4, 2, 8, 16, 16)
    assert sorted(first.target.sum(dim=(1, 2, 3)).tolist()) == [60, 60, 80, 80]


def test_any_batch_can_be_made_without_those_before_it(cohort, plan_tiny) -> None:
    cases, plan = [source(seed) for seed in range(3)], plan_tiny(cohort, batch_size=4)
    going_through = mini_batches(cases, plan)
    for iteration in range(3):
        made = next(going_through)
        assert torch.equal(made.images, mini_batch(cases, plan, iteration=iteration).images)
        assert torch.equal(made.target, mini_batch(cases, plan, iteration=iteration).target)


def test_a_sample_is_the_draw_with_its_number(cohort, plan_tiny) -> None:
    case, plan = source(), plan_tiny(cohort, dimension="3d", batch_size=2, seed=7)
    sampling = sampling_of(plan.config, plan.patch_shape)
    drawn = draw_sample(case, sampling, generator=generator_of(7, 3))
    alone = make_sample(case, drawn, patch_shape=plan.patch_shape)
    assert torch.equal(mini_batch([case], plan, iteration=1).images[1], alone.images)


def test_another_seed_draws_other_samples(cohort, plan_tiny) -> None:
    one, other = (next(mini_batches([source()], plan_tiny(cohort, seed=seed))) for seed in (0, 1))
    assert one.images.shape == (4, 2, 16, 16)
    assert not torch.equal(one.images, other.images)


def test_contrast_and_brightness_vary_from_sample_to_sample_and_sequence_to_sequence(
    cohort, plan_tiny
) -> None:
    images = np.random.default_rng(0).normal(0, 1, (2, 8, 40, 30)).astype(np.float32)
    target = np.ones((8, 40, 30), np.uint8)
    case = make_source(images, target, spacing_mm=(3, 1, 1), is_white=True)
    plan = plan_tiny(cohort, whitening="volume", batch_size=256, augment=PLAIN)
    varied = plan_tiny(cohort, whitening="volume", batch_size=256, augment=PLAIN, intensity_spread=0.3)
    plain, made = mini_batch([case], plan, iteration=0), mini_batch([case], varied, iteration=0)
    assert torch.equal(plain.target, made.target)
    x, y = plain.images.flatten(2), made.images.flatten(2)
    deviations, means = zip(*(torch.std_mean(values, dim=2) for values in (x, y)), strict=True)
    factor = deviations[1] / deviations[0]
    offset = means[1] - factor * means[0]
    torch.testing.assert_close(y, factor[..., None] * x + offset[..., None], atol=1e-3, rtol=1e-3)
    # 512 draws: the standard error of a deviation of 0.3 is 0.01.
    for drawn in (factor.log(), offset):
        assert abs(drawn.mean().item()) < 0.06
        assert abs(drawn.std().item() - 0.3) < 0.05
    assert abs(np.corrcoef(factor.flatten(), offset.flatten())[0, 1]) < 0.2
    assert torch.equal(made.images, mini_batch([case], varied, iteration=0).images)
