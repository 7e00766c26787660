"""From a probability to an outline, and what is tidied up in it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_necroseg.core.config import PredictConfig
from napari_necroseg.core.masks.components import clean, left_out_ml, outline

VOXEL_ML = 0.01


def n(mask: np.ndarray) -> int:
    return int(np.count_nonzero(mask))


def test_without_wishes_nothing_changes(mask) -> None:
    np.testing.assert_array_equal(clean(mask, voxel_ml=VOXEL_ML), mask)
    empty = np.zeros_like(mask)
    assert not clean(empty, largest=True, fill_holes=True, voxel_ml=VOXEL_ML).any()


def test_holes_are_filled_within_their_slice(mask) -> None:
    before = mask.copy()
    filled = clean(mask, fill_holes=True, voxel_ml=VOXEL_ML)
    assert n(filled) == n(mask) + 1
    assert filled[1, 3, 3]
    np.testing.assert_array_equal(mask, before)


def test_what_is_open_to_the_slice_beside_is_no_hole_but_what_is_enclosed_in_a_slice_is() -> None:
    tube = np.zeros((3, 7, 7), bool)
    tube[:, 2:5, 2:5] = True
    tube[:, 3, 3] = False
    assert clean(tube, fill_holes=True, voxel_ml=VOXEL_ML)[:, 3, 3].all()
    tube[1, 2, 3] = False
    filled = clean(tube, fill_holes=True, voxel_ml=VOXEL_ML)
    assert filled[:, 3, 3].tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("min_volume_ml", "kept"), [(0.0, 37), (0.02, 37), (0.021, 35), (0.081, 27), (0.28, 0)]
)
def test_small_parts_go_and_corners_hold_together(mask, min_volume_ml, kept) -> None:
    assert n(clean(mask, min_volume_ml=min_volume_ml, voxel_ml=VOXEL_ML)) == kept


@pytest.mark.parametrize(("share", "kept"), [(0.07, 37), (0.08, 35), (0.29, 35), (0.3, 27), (1, 27)])
def test_parts_that_are_small_beside_the_largest_go(mask, share, kept) -> None:
    assert n(clean(mask, smallest_share=share, voxel_ml=VOXEL_ML)) == kept


def test_what_is_small_is_so_beside_the_largest_of_its_own_mask(mask) -> None:
    mask[2:5, 14:17, 14:17] = False
    assert n(clean(mask, smallest_share=0.2, voxel_ml=VOXEL_ML)) == 10
    equal = np.zeros_like(mask)
    equal[0, 0, 0] = equal[0, 9, 9] = True
    assert n(clean(equal, smallest_share=1, voxel_ml=VOXEL_ML)) == 2


def test_what_was_left_out_is_measured(mask) -> None:
    probability = mask.astype(np.float16)
    labels = outline(probability, PredictConfig(smallest_share=0.3, fill_holes=True), voxel_ml=VOXEL_ML)
    # The ring's hole is filled, so it is 9 of 27 and stays; the 2 voxels go.
    assert left_out_ml(probability, 0.5, labels=labels, voxel_ml=VOXEL_ML) == pytest.approx(2 * VOXEL_ML)
    assert left_out_ml(probability, 0.5, labels=mask, voxel_ml=VOXEL_ML) == 0


def test_the_largest_part_stays_alone(mask) -> None:
    kept = clean(mask, largest=True, voxel_ml=VOXEL_ML)
    assert n(kept) == 27
    assert kept[2:5, 14:17, 14:17].all()
    assert not clean(mask, largest=True, min_volume_ml=0.3, voxel_ml=VOXEL_ML).any()


def test_holes_are_filled_before_parts_are_measured(mask) -> None:
    assert n(clean(mask, fill_holes=True, min_volume_ml=0.09, voxel_ml=VOXEL_ML)) == 9 + 27


@given(
    probability=arrays(np.float16, (2, 5, 6), elements=st.floats(0, 1, width=16)),
    threshold=st.floats(1e-3, 0.999),
)
def test_sixteen_bits_reach_a_threshold_exactly_where_their_value_does(probability, threshold) -> None:
    labels = outline(probability, PredictConfig(threshold=threshold), voxel_ml=VOXEL_ML)
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, probability.astype(np.float64) >= threshold)


def test_thirty_two_bits_do_too() -> None:
    probability = np.array([[[0.1, 0.5, 0.7]]], np.float32)
    assert outline(probability, PredictConfig(), voxel_ml=1.0).tolist() == [[[0, 1, 1]]]
