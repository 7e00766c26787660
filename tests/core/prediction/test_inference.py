"""Patches that cover an image and may reach beyond it, and what is left of a constant after blending."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_necroseg.core.prediction.inference import Blend, blending_weight, padded_crop, span, tile_corners

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


sides = st.tuples(st.integers(1, 7), st.integers(1, 7), st.integers(1, 7))
corners = st.tuples(st.integers(-12, 12), st.integers(-12, 12), st.integers(-12, 12))


@given(shape=sides, corner=corners, cut=sides)
def test_a_window_is_a_slice_of_the_padded_volume(shape, corner, cut) -> None:
    voxels = np.arange(2 * np.prod(shape), dtype=np.float32).reshape(2, *shape)
    outside = np.array([-1, -2], np.float32)
    padded = np.stack(
        [np.pad(one, 20, constant_values=value) for one, value in zip(voxels, outside, strict=True)]
    )
    z, y, x = (slice(20 + first, 20 + first + n) for first, n in zip(corner, cut, strict=True))
    found = padded_crop(voxels, corner, shape=cut, outside=outside)
    np.testing.assert_array_equal(found, padded[:, z, y, x])


def test_a_window_is_a_copy() -> None:
    voxels = np.zeros((1, 2, 2, 2), np.float32)
    padded_crop(voxels, (0, 0, 0), shape=(2, 2, 2), outside=np.zeros(1))[:] = 1
    assert not voxels.any()


def test_where_a_window_that_hangs_over_both_ends_lies() -> None:
    assert span(-2, 8, size=5) == (slice(2, 7), slice(0, 5))
