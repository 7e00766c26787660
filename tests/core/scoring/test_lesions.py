"""Single lesions: found by one voxel, missed, extra; diagonal neighbours belong together."""

import numpy as np

from napari_necroseg.core.scoring.scores import Lesions, count_lesions


def test_lesions_are_matched_by_a_voxel_in_common() -> None:
    reference, prediction = np.zeros((2, 4, 30, 30), bool)
    reference[1, 2:5, 2:5] = True
    reference[1, 20:22, 20:22] = True
    reference[2, 22, 22] = True
    prediction[1, 4:9, 4:9] = True
    prediction[3, 10, 25] = True
    prediction[0, 15, 2] = True
    assert count_lesions(reference, prediction) == Lesions(reference=2, found=1, extra=2)


def test_one_prediction_can_find_two_lesions_and_two_predictions_one() -> None:
    reference, prediction = np.zeros((2, 3, 10, 10), bool)
    reference[1, 2, 2] = reference[1, 2, 6] = True
    prediction[1, 2, 2:7] = True
    assert count_lesions(reference, prediction) == Lesions(reference=2, found=2, extra=0)
    assert count_lesions(prediction, reference) == Lesions(reference=1, found=1, extra=0)


def test_nothing_and_nothing() -> None:
    empty, full = np.zeros((2, 3, 3), bool), np.ones((2, 3, 3), bool)
    assert count_lesions(empty, empty) == Lesions(reference=0, found=0, extra=0)
    assert count_lesions(empty, full) == Lesions(reference=0, found=0, extra=1)
    assert count_lesions(full, empty) == Lesions(reference=1, found=0, extra=0)
