"""Patches that cover an image, and what is left of a constant after blending."""

import numpy as np
import pytest

from napari_necroseg.core.prediction.inference import Blend, blending_weight, tile_corners

PATCH = (4, 8, 8)


@pytest.mark.parametrize(
    ("size", "rows"),
    [(8, [0]), (9, [0, 1]), (12, [0, 4]), (13, [0, 4, 5]), (16, [0, 4, 8]), (5, [-2])],
)
def test_where_the_patches_begin(size: int, rows: list[int]) -> None:
    assert [corner[1] for corner in tile_corners((4, size, 8), PATCH)] == rows


def test_every_pixel_is_covered_and_a_constant_stays_constant() -> None:
    shape = (4, 21, 13)
    blend = Blend(shape, PATCH)
    for corner in tile_corners(shape, PATCH):
        blend.add(np.full(PATCH, 0.7, np.float32), corner)
    np.testing.assert_allclose(blend.mean(), np.full(shape, 0.7), rtol=1e-6)


def test_an_image_smaller_than_the_patch_gets_the_middle_of_it() -> None:
    patch = np.random.default_rng(0).random(PATCH, np.float32)
    blend = Blend((4, 5, 8), PATCH)
    for corner in tile_corners((4, 5, 8), PATCH):
        blend.add(patch, corner)
    # 3 rows too many: two above (the corner is -2), one below.
    np.testing.assert_allclose(blend.mean(), patch[:, 2:7], rtol=1e-6)


def test_two_patches_are_weighed_by_the_distance_from_their_middle() -> None:
    blend = Blend((4, 12, 8), PATCH)
    blend.add(np.ones(PATCH, np.float32), (0, 0, 0))
    blend.add(None, (0, 4, 0))
    weight = blending_weight(PATCH)
    row_5 = weight[5, 0] / (weight[5, 0] + weight[1, 0])
    np.testing.assert_allclose(blend.mean()[:, 5, 0], row_5, rtol=1e-5)
    assert blend.mean()[0, :4].min() == 1
    assert blend.mean()[0, 8:].max() == 0


def test_the_weight_is_symmetric_and_positive_up_to_the_corner() -> None:
    weight = blending_weight((64, 128, 128))
    np.testing.assert_allclose(weight, weight[::-1].T, rtol=1e-6)
    assert weight.max() == 1
    assert weight.min() > 0
