"""From scores to patients, by hand: seeds first, then cases, then patients; folds beside them."""

import math

import pytest

from napari_necroseg.core.errors import FileError
from napari_necroseg.core.study.results import ABSOLUTE_VOLUME, outcomes_of
from written_studies import make_record, make_scores, nothing, result

TWO_D, THREE_D = "2d:ceT1", "3d:ceT1"
CASES = {"a1": ("a", 1), "a2": ("a", 1), "b": ("b", 2), "c": ("c", 2)}


def outcome_of(results, cases=CASES):
    (outcome,) = outcomes_of(make_record(cases, configurations=(TWO_D,), folds=2), results)
    return outcome


def test_seeds_are_averaged_first_then_the_cases_of_a_patient() -> None:
    dice = {(0, "a1"): 0.2, (1, "a1"): 0.4, (0, "a2"): 0.9, (1, "a2"): 0.9, (0, "b"): 0.6}
    outcome = outcome_of([result(TWO_D, case, make_scores(one), seed=s) for (s, case), one in dice.items()])
    assert outcome.values["dice"] == pytest.approx({"a1": 0.3, "a2": 0.9, "b": 0.6})
    assert outcome.by_patient("dice") == pytest.approx({"a": 0.6, "b": 0.6})
    assert outcome.by_patient("dice", ["a1"]) == pytest.approx({"a": 0.3})
    assert outcome.seeds == (0, 1)
    assert outcome.of_seed(1) == pytest.approx({"a1": 0.4, "a2": 0.9})


def test_the_mean_of_fold_means_weighs_folds_alike_by_their_cases() -> None:
    dice = {"a1": 0.1, "a2": 0.3, "b": 0.8}
    outcome = outcome_of([result(TWO_D, case, make_scores(one)) for case, one in dice.items()])
    # Fold 1: (0.1 + 0.3) / 2; fold 2: 0.8.
    assert outcome.mean_of_fold_means("dice") == pytest.approx(0.5)


def test_a_missed_case_counts_with_0_and_infinity_and_what_has_nothing_to_find_does_not_count() -> None:
    outcome = outcome_of(
        [
            result(TWO_D, "a1", make_scores(0.5)),
            result(TWO_D, "a2", make_scores(0.0)),
            result(TWO_D, "b", nothing()),
            result(TWO_D, "c", nothing(found_ml=1.0)),
        ]
    )
    assert outcome.by_patient("dice") == {"a": 0.25}
    assert outcome.by_patient("hd95_mm") == {"a": math.inf}
    assert outcome.counts == {"scored": 1, "missed": 1, "false_alarm": 1, "nothing_to_find": 1}


def test_volumes_that_are_off_either_way_do_not_cancel_in_the_absolute_difference() -> None:
    off = {0: 1.0, 1: -3.0}
    outcome = outcome_of(
        [result(TWO_D, "b", make_scores(0.5, volume_difference_ml=ml), seed=s) for s, ml in off.items()]
    )
    assert outcome.by_patient("volume_difference_ml") == {"b": -1.0}
    assert outcome.by_patient(ABSOLUTE_VOLUME) == {"b": 2.0}


def test_configurations_stand_in_the_order_of_the_study_and_only_those_with_scores() -> None:
    record = make_record(CASES, configurations=(THREE_D, "2d:T2", TWO_D), folds=2)
    results = [result(name, "b", make_scores(0.5)) for name in (TWO_D, THREE_D)]
    assert [one.configuration for one in outcomes_of(record, results)] == [THREE_D, TWO_D]


def test_a_case_of_another_study_is_refused() -> None:
    with pytest.raises(FileError, match="stranger"):
        outcome_of([result(TWO_D, "stranger", make_scores(0.5))])
