"""Scores of single slices, and the map of errors."""

import math

import numpy as np
import pytest

from napari_necroseg.core.scoring.scores import error_map, score_slices


@pytest.fixture
def masks() -> tuple[np.ndarray, np.ndarray]:
    reference, prediction = np.zeros((2, 4, 6, 6), bool)
    reference[1, 1:3, 1:3] = True
    prediction[1, 1:3, 2:4] = True
    prediction[2, 0, 0] = True
    reference[3, 0:3, 0] = True
    return reference, prediction


def test_a_slice_is_scored_only_where_either_mask_has_voxels(masks) -> None:
    scores = score_slices(*masks, voxel_ml=0.5)
    assert math.isnan(scores.dice[0])
    assert scores.dice[1:] == (0.5, 0.0, 0.0)
    assert scores.reference_ml == (0.0, 2.0, 0.0, 1.5)
    assert scores.prediction_ml == (0.0, 2.0, 0.5, 0.0)


def test_the_worst_slice_has_most_in_error(masks) -> None:
    # 2 mL differ on slice 1, 1.5 on slice 3, 0.5 on slice 2.
    assert score_slices(*masks, voxel_ml=0.5).worst_first() == [1, 3, 2]
    assert score_slices(masks[0], masks[0], voxel_ml=0.5).worst_first() == []


def test_errors_are_told_apart(masks) -> None:
    errors = error_map(*masks)
    assert errors.dtype == np.uint8
    assert [int((errors == kind).sum()) for kind in (1, 2, 3)] == [2, 5, 3]
    assert errors[1, 1].tolist() == [0, 2, 1, 3, 0, 0]
