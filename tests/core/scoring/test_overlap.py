import math

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_necroseg.core.scoring.overlap import Counts, count, dice, sensitivity, specificity

MASKS = arrays(bool, (3, 4, 5))


def test_counts_of_two_bars_that_share_one_voxel() -> None:
    reference, prediction = np.zeros((1, 1, 6), bool), np.zeros((1, 1, 6), bool)
    reference[..., 0:3] = True
    prediction[..., 2:4] = True

    counts = count(reference, prediction)

    assert counts == Counts(true_positive=1, missed=2, extra=1, true_negative=2)
    assert dice(counts) == 2 / 5
    assert sensitivity(counts) == 1 / 3
    assert specificity(counts) == 2 / 3


def test_both_masks_empty_leaves_dice_and_sensitivity_undefined() -> None:
    counts = count(np.zeros((2, 2, 2), bool), np.zeros((2, 2, 2), bool))
    assert math.isnan(dice(counts))
    assert math.isnan(sensitivity(counts))
    assert specificity(counts) == 1


def test_an_empty_prediction_of_something_scores_zero() -> None:
    counts = count(np.ones((2, 2, 2), bool), np.zeros((2, 2, 2), bool))
    assert dice(counts) == 0
    assert sensitivity(counts) == 0
    assert math.isnan(specificity(counts))


@given(MASKS, MASKS)
def test_dice_is_symmetric_and_sees_no_flip(reference: np.ndarray, prediction: np.ndarray) -> None:
    there = dice(count(reference, prediction))
    assert dice(count(prediction, reference)) == pytest.approx(there, nan_ok=True)
    assert dice(count(reference[:, ::-1], prediction[:, ::-1])) == pytest.approx(there, nan_ok=True)


@given(MASKS, MASKS)
def test_dice_agrees_with_simpleitk(reference: np.ndarray, prediction: np.ndarray) -> None:
    if not (reference.any() or prediction.any()):
        return
    overlap = sitk.LabelOverlapMeasuresImageFilter()
    overlap.Execute(
        sitk.GetImageFromArray(reference.astype(np.uint8)),
        sitk.GetImageFromArray(prediction.astype(np.uint8)),
    )
    assert dice(count(reference, prediction)) == pytest.approx(overlap.GetDiceCoefficient(1))


@given(MASKS, st.integers(0, 3))
def test_counts_add_up_to_all_voxels(mask: np.ndarray, shift: int) -> None:
    counts = count(mask, np.roll(mask, shift, axis=2))
    assert counts.true_positive + counts.missed + counts.extra + counts.true_negative == mask.size
    assert counts.reference == counts.prediction
