"""Drawn samples: at the target where that is promised, and exactly what a plain crop would give."""

import itertools

import numpy as np
import pytest

from napari_necroseg.core.config import AugmentConfig
from napari_necroseg.core.learning.patches import Draw, batches, cut_sample, draw_patch
from napari_necroseg.core.learning.volumes import TrainingVolume

SHAPE = (8, 16, 12)


def volume(seed: int = 0, *, size: tuple[int, int, int] = (8, 40, 30), **block: slice) -> TrainingVolume:
    generator = np.random.default_rng(seed)
    target = np.zeros(size, np.uint8)
    target[2:5, block.get("rows", slice(10, 14)), block.get("columns", slice(20, 25))] = 1
    return TrainingVolume(name="v", images=generator.random((2, *size), np.float32) + 1, target=target)


def draws(of: TrainingVolume, config: AugmentConfig, n: int, *, is_2d: bool = False) -> list[Draw]:
    generator = np.random.default_rng(3)
    return [draw_patch(of, config, patch_shape=SHAPE, is_2d=is_2d, generator=generator) for _ in range(n)]


def test_every_patch_at_the_target_shows_some_of_it() -> None:
    case = volume()
    found = draws(case, AugmentConfig(shift_voxels=40), 200)
    assert all(cut_sample(case, draw, patch_shape=SHAPE).target.any() for draw in found)


def test_a_target_in_two_distant_parts_is_found_though_its_centre_shows_none() -> None:
    case = volume(size=(8, 120, 30))
    case.target[:] = 0
    case.target[3, [2, 117], 15] = 1
    for draw in draws(case, AugmentConfig(shift_voxels=2), 20):
        assert cut_sample(case, draw, patch_shape=SHAPE).target.any()


def test_shifts_fill_the_allowed_range_about_the_centre_of_mass() -> None:
    corners = np.array([draw.corner for draw in draws(volume(), AugmentConfig(shift_voxels=3), 300)])
    # Centre of mass: row 11.5 (rounded to even: 12), column 22; half a patch: 8 and 6.
    assert corners.min(axis=0).tolist() == [12 - 8 - 3, 22 - 6 - 3]
    assert corners.max(axis=0).tolist() == [12 - 8 + 3, 22 - 6 + 3]


def test_the_rest_of_the_patches_lie_anywhere_inside_the_image() -> None:
    found = draws(volume(), AugmentConfig(target_share=0.1, shift_voxels=0), 600)
    away = np.array([draw.corner for draw in found if draw.corner != (4, 16)])
    assert 500 < len(away) < 580
    assert away.min(axis=0).tolist() == [0, 0]
    assert away.max(axis=0).tolist() == [40 - 16, 30 - 12]


def test_slices_at_the_target_are_drawn_as_often_as_asked() -> None:
    # The target is wide and high enough for every patch; it is in 3 of 8 slices.
    case = volume(rows=slice(0, 40), columns=slice(0, 30))
    for share, expected in ((0.0, 3 / 8), (0.5, 0.5 + 0.5 * 3 / 8), (1.0, 1.0)):
        found = draws(case, AugmentConfig(slice_share=share), 400, is_2d=True)
        shown = [cut_sample(case, draw, patch_shape=SHAPE).target.any() for draw in found]
        assert np.mean(shown) == pytest.approx(expected, abs=0.08)


def test_an_image_smaller_than_the_patch_lies_in_its_middle() -> None:
    case = volume(size=(8, 14, 9), rows=slice(0, 2), columns=slice(0, 2))
    generator = np.random.default_rng(0)
    config = AugmentConfig(target_share=0.1, shift_voxels=0)
    corners = {
        draw_patch(case, config, patch_shape=SHAPE, is_2d=False, generator=generator).corner
        for _ in range(40)
    }
    assert (-1, -2) in corners


def test_each_axis_is_mirrored_half_of_the_time_or_never() -> None:
    flips = np.array([draw.is_mirrored for draw in draws(volume(), AugmentConfig(), 400)])
    assert ((flips.mean(axis=0) > 0.4) & (flips.mean(axis=0) < 0.6)).all()
    assert len({tuple(row) for row in flips.tolist()}) == 8
    assert not any(any(draw.is_mirrored) for draw in draws(volume(), AugmentConfig(mirror=False), 50))


@pytest.mark.parametrize("flips", list(itertools.product([False, True], repeat=3)))
@pytest.mark.parametrize("corner", [(10, 12), (-5, 25), (35, -3)])
def test_a_3d_sample_is_the_flipped_whitened_crop_of_the_padded_image(corner, flips) -> None:
    case = volume()
    patch, target = _by_hand(case, corner, flips)
    sample = cut_sample(case, Draw(corner=corner, is_mirrored=flips, slice_index=None), patch_shape=SHAPE)
    mean, deviation = patch.mean(axis=(1, 2, 3), keepdims=True), patch.std(axis=(1, 2, 3), keepdims=True)
    np.testing.assert_allclose(sample.images, (patch - mean) / deviation, atol=1e-5)
    np.testing.assert_array_equal(sample.target, target)


@pytest.mark.parametrize("flips", list(itertools.product([False, True], repeat=3)))
@pytest.mark.parametrize("corner", [(10, 12), (-5, 25)])
def test_a_2d_sample_is_a_slice_whitened_by_every_fourth_voxel_of_its_patch(corner, flips) -> None:
    case = volume()
    patch, target = _by_hand(case, corner, flips)
    fourth = patch[:, ::4, ::4, ::4]
    mean, deviation = fourth.mean(axis=(1, 2, 3)), fourth.std(axis=(1, 2, 3))
    sample = cut_sample(case, Draw(corner=corner, is_mirrored=flips, slice_index=3), patch_shape=SHAPE)
    expected = (patch[:, 3] - mean[:, None, None]) / deviation[:, None, None]
    np.testing.assert_allclose(sample.images, expected, atol=1e-5)
    np.testing.assert_array_equal(sample.target, target[3])


def test_batches_are_the_same_for_the_same_seed_and_take_cases_in_turns(cohort, plan_tiny) -> None:
    cases = [volume(seed) for seed in range(2)]
    # Each case has a brightness of its own, which survives no whitening: tell them apart by their target.
    cases[1].target[5, 10:14, 20:25] = 1
    plan = plan_tiny(
        cohort, dimension="3d", batch_size=4, seed=5, augment={"mirror": False, "shift_voxels": 0}
    )
    first, again = (next(batches(cases, plan)) for _ in range(2))
    np.testing.assert_array_equal(first.images, again.images)
    assert first.images.shape == (4, 2, 8, 16, 16)
    voxels = sorted(first.target.sum(axis=(1, 2, 3)).tolist())
    assert voxels == [60, 60, 80, 80]


def test_another_seed_draws_other_samples(cohort, plan_tiny) -> None:
    one, other = (next(batches([volume()], plan_tiny(cohort, seed=seed))) for seed in (0, 1))
    assert one.images.shape == (4, 2, 16, 16)
    assert (one.images != other.images).any()


def _by_hand(case: TrainingVolume, corner: tuple[int, int], flips: tuple[bool, ...]):
    """The patch and its target, cut from the image padded by its minimum."""
    row, column = corner[0] + 50, corner[1] + 50
    place = (slice(None), slice(row, row + SHAPE[1]), slice(column, column + SHAPE[2]))
    axes = [axis for axis, is_flipped in enumerate(flips) if is_flipped]
    pads = ((0, 0), (50, 50), (50, 50))
    channels = [np.pad(image, pads, constant_values=image.min())[place] for image in case.images]
    target = np.pad(case.target, pads)[place]
    return np.stack([np.flip(one, axes) for one in channels]).astype(np.float64), np.flip(target, axes)
