"""What is drawn: the distribution of every parameter, and the necrosis in every patch that promises it."""

import numpy as np
import pytest
from crops import crop_centre
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike
from scipy.stats import kstest

from napari_necroseg.core.augment.draw import Sampling, draw_batch, draw_sample
from napari_necroseg.core.augment.mapping import Drawn
from napari_necroseg.core.augment.sample import make_sample
from napari_necroseg.core.augment.source import Source, make_source
from napari_necroseg.core.config import AUGMENT_SWITCHES, AugmentConfig, only

SHAPE = (8, 16, 12)
PAPER = AugmentConfig()


def source(target: np.ndarray | None = None, *, size: tuple[int, int, int] = (8, 40, 30)) -> Source:
    if target is None:
        target = np.zeros(size, np.uint8)
        target[2:5, 10:14, 20:25] = 1
    images = np.random.default_rng(0).random((2, *target.shape), np.float32)
    return make_source(images, target, spacing_mm=(3.0, 0.8, 0.5))


def draws(
    of: Source, config: AugmentConfig = PAPER, *, n: int = 400, seed: int = 3, **choices: object
) -> list[Drawn]:
    generators = [np.random.default_rng([seed, number]) for number in range(n)]
    wanted = Sampling(**({"patch_shape": SHAPE, "is_2d": False, "augment": config} | choices))
    return draw_batch([of] * n, wanted, generators=generators)


def sampling(config: AugmentConfig, *, is_2d: bool = False) -> Sampling:
    return Sampling(patch_shape=SHAPE, is_2d=is_2d, augment=config)


def is_uniform(values: ArrayLike, low: float, high: float) -> bool:
    """Whether a thousand values look drawn from a range; by chance, one in a thousand good ones does not."""
    return bool(kstest(values, "uniform", (low, high - low)).pvalue > 0.001)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("scale", 0.6, 1.4),
        ("rotation_transversal_deg", -30, 30),
        ("rotation_sagittal_deg", -20, 20),
        ("elastic_sigma_cells", 0, 0.3),
    ],
)
def test_a_parameter_is_drawn_uniformly_from_its_range(name: str, low: float, high: float) -> None:
    assert is_uniform([getattr(drawn, name) for drawn in draws(source(), n=1000)], low, high)


def test_blur_and_gamma_are_drawn_for_each_sequence_anew_and_gamma_log_uniformly() -> None:
    found = draws(source(), n=1000)
    sigmas = np.array([drawn.blur_sigma_voxels for drawn in found])
    powers = np.log2([drawn.gamma for drawn in found])
    for sequence in (0, 1):
        assert is_uniform(sigmas[:, sequence], 0, 0.5)
        assert is_uniform(powers[:, sequence], -1, 1)
    assert not is_uniform(2 ** powers[:, 0], 0.5, 2)
    for values in (sigmas, powers):
        assert abs(np.corrcoef(values.T)[0, 1]) < 0.15


def test_each_axis_is_mirrored_as_often_as_asked() -> None:
    flips = np.array([drawn.is_mirrored for drawn in draws(source())])
    assert ((flips.mean(axis=0) > 0.4) & (flips.mean(axis=0) < 0.6)).all()
    assert len({tuple(row) for row in flips.tolist()}) == 8
    seldom = draws(source(), PAPER.changed(mirror_probability=0.1))
    assert 0.05 < np.mean([drawn.is_mirrored for drawn in seldom]) < 0.15


def test_shifts_fill_the_allowed_range_about_the_centre_of_mass() -> None:
    found = draws(source(), only("translation").changed(shift_voxels=3))
    # Centre of mass: row 11.5 (rounded to even: 12), column 22, slice 8 / 2.
    assert {drawn.centre_voxels for drawn in found} == {crop_centre((0, 12 - 8, 22 - 6), SHAPE)}
    assert {drawn.shift_voxels for drawn in found} == {(y, x) for y in range(-3, 4) for x in range(-3, 4)}


def test_the_displacements_have_the_asked_deviation_and_differ_from_draw_to_draw() -> None:
    found = draws(source(), PAPER.changed(elastic_in_plane_voxels=7), n=20)
    assert {drawn.elastic_voxels for drawn in found} == {(5.0, 7.0, 7.0)}
    assert len({drawn.elastic_seed for drawn in found}) == 20


def test_a_transform_that_is_off_leaves_nothing_and_changes_no_other() -> None:
    fields = {
        "blur": {"blur_sigma_voxels": (0, 0)},
        "gamma": {"gamma": (1, 1)},
        "mirror": {"is_mirrored": (False,) * 3},
        "scaling": {"scale": 1},
        "rotation": {"rotation_transversal_deg": 0, "rotation_sagittal_deg": 0},
        "elastic": {
            "elastic_voxels": (0, 0, 0),
            "elastic_points": 3,
            "elastic_sigma_cells": 0,
            "elastic_seed": 0,
        },
        "translation": {"shift_voxels": (0, 0)},
    }
    assert set(fields) == set(AUGMENT_SWITCHES)
    # Moved so little that the target never leaves the patch, and no shift is drawn again.
    few = PAPER.changed(shift_voxels=2, elastic_in_plane_voxels=0.5, elastic_through_plane_voxels=0.2)
    case = source(np.ones((8, 40, 30), np.uint8))
    with_all = vars(draw_sample(case, sampling(few), generator=np.random.default_rng(1)))
    for switch, left in fields.items():
        without = sampling(few.changed(**{switch: False}))
        drawn = vars(draw_sample(case, without, generator=np.random.default_rng(1)))
        assert drawn == with_all | left, switch


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.booleans())
def test_every_patch_shows_some_of_the_target(seed: int, is_scattered: bool) -> None:
    target = np.zeros((8, 60, 40), np.uint8)
    if is_scattered:
        # Two voxels, with nothing near their centre of mass.
        target[3, [2, 57], 15] = 1
    else:
        target[3:5, 20:24, 15:18] = 1
    case, config = source(target), PAPER.changed(shift_voxels=30)
    drawn = draw_sample(case, sampling(config), generator=np.random.default_rng(seed))
    assert make_sample(case, drawn, patch_shape=SHAPE).target.any()


def test_the_rest_of_the_patches_lie_anywhere_inside_the_image() -> None:
    found = draws(source(), only(), n=600, target_share=0.1)
    centres = np.array([drawn.centre_voxels for drawn in found])
    corners = centres - (np.array(SHAPE) - 1) / 2
    away = corners[(corners != (0, 4, 16)).any(axis=1)]
    assert 500 < len(away) < 580
    assert away.min(axis=0).tolist() == [0, 0, 0]
    assert away.max(axis=0).tolist() == [0, 40 - 16, 30 - 12]


def test_an_image_smaller_than_the_patch_lies_in_its_middle() -> None:
    target = np.zeros((8, 14, 9), np.uint8)
    target[2:4, :2, :2] = 1
    found = draws(source(target), only(), n=40, target_share=0.1)
    assert crop_centre((0, -1, -2), SHAPE) in {drawn.centre_voxels for drawn in found}


def test_slices_at_the_target_are_drawn_as_often_as_asked() -> None:
    # The target is wide and high enough for every patch; it is in 3 of 8 slices.
    target = np.zeros((8, 40, 30), np.uint8)
    target[2:5] = 1
    case = source(target)
    for share, expected in ((0.0, 3 / 8), (0.5, 0.5 + 0.5 * 3 / 8), (1.0, 1.0)):
        found = draws(case, only("mirror", "translation"), is_2d=True, slice_share=share)
        shown = [bool(make_sample(case, drawn, patch_shape=SHAPE).target.any()) for drawn in found]
        assert np.mean(shown) == pytest.approx(expected, abs=0.08)


def test_a_case_without_a_target_is_drawn_from_its_middle() -> None:
    case = source(np.zeros((8, 40, 30), np.uint8))
    assert {drawn.centre_voxels for drawn in draws(case, only("translation"), n=20)} == {
        crop_centre((0, 20 - 8, 14 - 6), SHAPE)
    }


def test_a_draw_is_the_same_alone_and_in_a_batch_and_again() -> None:
    cases = [source(), source(np.zeros((8, 40, 30), np.uint8)), source(np.ones((8, 40, 30), np.uint8))]
    wanted = sampling(PAPER, is_2d=True)

    def generators() -> list[np.random.Generator]:
        return [np.random.default_rng(number) for number in range(3)]

    together = draw_batch(cases, wanted, generators=generators())
    alone = [draw_sample(case, wanted, generator=one) for case, one in zip(cases, generators(), strict=True)]
    assert together == alone
    assert eval(repr(together)) == together
