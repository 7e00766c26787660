import math
from collections.abc import Callable

import numpy as np
import pytest

from napari_necroseg.core.scoring.scores import Scores, score_masks, summarise
from napari_necroseg.core.volume import Grid


def block(shape: tuple[int, int, int], where: tuple[slice, slice, slice]) -> np.ndarray:
    mask = np.zeros(shape, np.uint8)
    mask[where] = 1
    return mask


@pytest.fixture
def grid(make_grid: Callable[..., Grid]) -> Grid:
    return make_grid((10, 50, 50), np.diag((-4.0, -1.0, -0.5, 1.0)))


def test_scores_of_a_prediction_that_is_half_the_reference(grid: Grid) -> None:
    reference = block(grid.shape, (slice(3, 5), slice(20, 30), slice(20, 30)))
    prediction = block(grid.shape, (slice(3, 5), slice(20, 25), slice(20, 30)))

    scores = score_masks(reference, prediction, grid)

    assert scores.dice == pytest.approx(2 * 100 / 300)
    assert scores.sensitivity == 0.5
    assert scores.specificity == scores.specificity_box == scores.specificity_patch == 1
    # 200 voxels of 4 x 1 x 0.5 mm are 400 cubic millimetres.
    assert scores.reference_ml == pytest.approx(0.4)
    assert scores.prediction_ml == pytest.approx(0.2)
    assert scores.volume_difference_ml == pytest.approx(-0.2)
    assert scores.volume_difference_percent == pytest.approx(-50)
    assert scores.state == "scored"


def test_a_false_positive_far_away_lowers_only_the_wide_specificities(grid: Grid) -> None:
    reference = block(grid.shape, (slice(0, 1), slice(0, 2), slice(0, 2)))
    prediction = reference | block(grid.shape, (slice(9, 10), slice(45, 50), slice(45, 50)))

    scores = score_masks(reference, prediction, grid)

    assert scores.specificity == pytest.approx(1 - 25 / (10 * 50 * 50 - 4))
    assert scores.specificity_box == 1
    assert scores.specificity_patch < 1


@pytest.mark.parametrize(
    ("has_reference", "has_prediction", "state", "dice"),
    [
        (True, False, "missed", 0.0),
        (False, True, "false_alarm", 0.0),
        (False, False, "nothing_to_find", math.nan),
    ],
)
def test_empty_masks_are_never_quietly_perfect(
    grid: Grid, has_reference: bool, has_prediction: bool, state: str, dice: float
) -> None:
    full = block(grid.shape, (slice(3, 5), slice(20, 30), slice(20, 30)))
    empty = np.zeros_like(full)

    scores = score_masks(full if has_reference else empty, full if has_prediction else empty, grid)

    assert scores.state == state
    assert scores.dice == pytest.approx(dice, nan_ok=True)
    assert math.isnan(scores.volume_difference_percent) == (not has_reference)


def scored(state: str, dice: float) -> Scores:
    return Scores(
        dice=dice,
        sensitivity=dice,
        specificity=1.0,
        specificity_box=1.0,
        specificity_patch=math.nan,
        reference_ml=1.0,
        prediction_ml=1.0,
        volume_difference_ml=0.0,
        volume_difference_percent=0.0,
        state=state,
    )


def test_missed_cases_stay_in_the_mean_and_the_others_are_counted() -> None:
    summary = summarise(
        [
            scored("scored", 0.8),
            scored("scored", 0.7),
            scored("missed", 0.0),
            scored("false_alarm", 0.0),
            scored("nothing_to_find", math.nan),
        ]
    )

    assert summary.mean["dice"] == pytest.approx(0.5)
    assert summary.median["dice"] == pytest.approx(0.7)
    assert summary.std["dice"] == pytest.approx(np.std([0.8, 0.7, 0.0], ddof=1))
    assert math.isnan(summary.mean["specificity_patch"])
    counts = (summary.scored, summary.missed, summary.false_alarms, summary.nothing_to_find)
    assert counts == (2, 1, 1, 1)


def test_a_single_case_has_no_standard_deviation() -> None:
    assert math.isnan(summarise([scored("scored", 0.8)]).std["dice"])
