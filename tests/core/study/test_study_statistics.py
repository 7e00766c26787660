"""Tests between configurations: scipy's numbers on the patients' means, Holm's correction, seeds by hand."""

import csv
import io
import math

import numpy as np
import pytest
from scipy.stats import friedmanchisquare, wilcoxon

from napari_necroseg.core.scoring.statistics import holm
from napari_necroseg.core.study.results import (
    TESTED,
    friedman,
    outcomes_of,
    pairs,
    seed_spread,
    seeds_table,
    statistics_table,
)
from written_studies import make_record, make_scores, result

NAMES = ("2d:ceT1", "2d:T2", "2d:ceT1+T2")


def outcomes_from(dice, patients=None):
    """Dice by configuration, then by case, or by seed and case."""
    by_seed = {name: one if isinstance(next(iter(one)), int) else {0: one} for name, one in dice.items()}
    names = {case for seeds in by_seed.values() for cases in seeds.values() for case in cases}
    record = make_record(
        {name: ((patients or {}).get(name, name), 1) for name in names}, configurations=tuple(dice)
    )
    return outcomes_of(
        record,
        [
            result(configuration, case, make_scores(value), seed=seed)
            for configuration, seeds in by_seed.items()
            for seed, cases in seeds.items()
            for case, value in cases.items()
        ],
    )


def random_dice(patients: int = 12) -> dict[str, dict[str, float]]:
    random = np.random.default_rng(3)
    base = random.uniform(0.3, 0.7, patients)
    shifts = {NAMES[0]: 0.1, NAMES[1]: 0.0, NAMES[2]: 0.12}
    values = {name: base + shift + random.normal(0, 0.05, patients) for name, shift in shifts.items()}
    return {name: {f"p{n}": float(one) for n, one in enumerate(column)} for name, column in values.items()}


def test_friedman_is_scipys_on_complete_patients() -> None:
    dice = random_dice()
    found = friedman(outcomes_from(dice), "dice")
    expected = friedmanchisquare(*(list(one.values()) for one in dice.values()))
    assert (found.chi_squared, found.p) == pytest.approx((expected.statistic, expected.pvalue))
    assert (found.patients, found.configurations) == (12, 3)
    del dice[NAMES[1]]["p3"]
    found = friedman(outcomes_from(dice), "dice")
    rest = [[value for case, value in one.items() if case != "p3"] for one in dice.values()]
    assert (found.patients, found.p) == (11, pytest.approx(friedmanchisquare(*rest).pvalue))


def test_friedman_needs_three_configurations_and_two_patients() -> None:
    dice = random_dice()
    assert friedman(outcomes_from({name: dice[name] for name in NAMES[:2]}), "dice") is None
    alone = friedman(outcomes_from({name: {"p0": dice[name]["p0"]} for name in NAMES}), "dice")
    assert alone.patients == 1
    assert math.isnan(alone.p)
    same = friedman(outcomes_from(dict.fromkeys(NAMES, dice[NAMES[0]])), "dice")
    assert (same.chi_squared, same.p) == (0.0, 1.0)


def test_pairs_are_scipys_wilcoxon_corrected_within_a_score() -> None:
    dice = random_dice()
    found = pairs(outcomes_from(dice), "dice")
    values = {name: np.array(list(one.values())) for name, one in dice.items()}
    expected = [wilcoxon(values[one.other], values[one.first]).pvalue for one in found]
    assert [(one.first, one.other) for one in found] == [
        (NAMES[0], NAMES[1]),
        (NAMES[0], NAMES[2]),
        (NAMES[1], NAMES[2]),
    ]
    assert [one.p for one in found] == pytest.approx(expected)
    assert [one.p_holm for one in found] == pytest.approx(holm(expected))
    difference = values[NAMES[2]] - values[NAMES[1]]
    assert found[2].median_difference == pytest.approx(np.median(difference))
    assert found[2].mean_difference == pytest.approx(difference.mean())
    assert found[2].mean_low < difference.mean() < found[2].mean_high
    assert (found[2].better, found[2].worse) == ((difference > 0).sum(), (difference < 0).sum())


def test_a_patient_with_two_cases_is_one_pair() -> None:
    dice = {NAMES[0]: {"a": 0.5, "b": 0.5, "c": 0.5}, NAMES[1]: {"a": 0.9, "b": 0.3, "c": 0.4}}
    (pair,) = pairs(outcomes_from(dice, {"a": "p", "b": "p"}), "dice")
    assert (pair.patients, pair.better, pair.worse) == (2, 1, 1)
    assert pair.mean_difference == pytest.approx((0.1 - 0.1) / 2)


def test_a_missed_zone_is_an_infinite_distance_and_less_distance_is_better() -> None:
    dice = {NAMES[0]: {"a": 0.5, "b": 0.5, "c": 0.0}, NAMES[1]: {"a": 0.0, "b": 0.7, "c": 0.0}}
    (pair,) = pairs(outcomes_from(dice), "hd95_mm")
    # Differences: a infinite, b 3 - 5 mm, c 0 (missed by both).
    assert (pair.patients, pair.better, pair.worse) == (3, 1, 1)
    assert pair.median_difference == 0.0
    assert pair.mean_difference == math.inf
    assert math.isnan(pair.mean_low)


def test_seeds_by_hand() -> None:
    (outcome,) = outcomes_from({NAMES[0]: {0: {"a": 0.4, "b": 0.6}, 1: {"a": 0.6, "b": 0.8}, 2: {"a": 0.9}}})
    spread = seed_spread(outcome)
    assert spread.mean_dice == pytest.approx({0: 0.5, 1: 0.7, 2: 0.9})
    assert spread.patients == {0: 2, 1: 2, 2: 1}
    # The third seed lacks a case: only the first two can be compared.
    assert spread.std == pytest.approx(math.sqrt(0.02))
    assert math.isnan(seed_spread(outcomes_from({NAMES[0]: {"a": 0.4}})[0]).std)
    rows = list(csv.DictReader(io.StringIO(seeds_table([outcome]))))
    assert [(row["seed"], row["patients"]) for row in rows] == [("0", "2"), ("1", "2"), ("2", "1")]
    assert float(rows[1]["mean_dice"]) == pytest.approx(0.7)


def test_the_table_has_a_row_a_test_and_no_number_where_it_is_undefined() -> None:
    outcomes = outcomes_from(random_dice())
    rows = list(csv.DictReader(io.StringIO(statistics_table(outcomes))))
    assert len(rows) == len(TESTED) * (1 + 3)
    assert rows[0]["test"] == "friedman"
    assert rows[0]["first"] == ""
    assert float(rows[1]["p_holm"]) == pytest.approx(pairs(outcomes, "dice")[0].p_holm)
    alone = list(csv.DictReader(io.StringIO(statistics_table(outcomes_from({NAMES[0]: {"a": 0.5}})))))
    assert alone == []
