"""Two sets of scores against each other: by scipy's test, by Holm's paper, and by what must not matter."""

import math

import numpy as np
import pytest
from scipy.stats import wilcoxon

from napari_necroseg.core.scoring.scores import SCORE_NAMES, Scores
from napari_necroseg.core.scoring.statistics import holm
from napari_necroseg.core.scoring.summary import COMPARED, compare


def scores(**values: float) -> Scores:
    nothing = dict.fromkeys(SCORE_NAMES, math.nan) | {"lesions_reference": 1, "lesions_found": 1}
    return Scores(state="scored", nsd_tolerance_mm=2.0, **(nothing | {"lesions_extra": 0} | values))


def by_case(dice: np.ndarray) -> dict[str, Scores]:
    return {f"case-{number}": scores(dice=float(value)) for number, value in enumerate(dice)}


def dice_of(comparison):
    return next(change for change in comparison.changes if change.score == "dice")


def test_the_p_value_is_scipys_on_the_paired_differences() -> None:
    random = np.random.default_rng(4)
    first = random.uniform(0.3, 0.8, 20)
    other = first + random.normal(0.05, 0.1, 20)
    (comparison,) = compare(by_case(first), {"run-2": by_case(other)})
    change = dice_of(comparison)
    assert change.p == pytest.approx(wilcoxon(other, first).pvalue)
    assert change.median_difference == pytest.approx(np.median(other - first))
    assert (change.better, change.worse) == ((other > first).sum(), (other < first).sum())
    assert comparison.other == "run-2"


def test_the_order_of_the_cases_does_not_matter_and_only_common_ones_count() -> None:
    first, other = by_case(np.linspace(0.2, 0.9, 9)), by_case(np.linspace(0.3, 0.7, 9))
    shuffled = dict(reversed(list(other.items()))) | {"stranger": scores(dice=0.1)}
    one, two = (compare(first, {"x": them})[0] for them in (other, shuffled))
    assert one == two
    assert one.cases == 9


def test_equal_sets_do_not_differ() -> None:
    same = by_case(np.array([0.5, 0.6, math.nan]))
    (comparison,) = compare(same, {"copy": dict(same)})
    change = dice_of(comparison)
    assert (change.p, change.p_holm, change.median_difference, change.patients) == (1.0, 1.0, 0.0, 2)
    assert comparison.most_changed == ()


def test_more_is_worse_for_distances_and_volumes_count_either_way() -> None:
    first = {"a": scores(hd95_mm=3.0, volume_difference_ml=-1.0)}
    other = {"a": scores(hd95_mm=5.0, volume_difference_ml=0.5)}
    changes = {change.score: change for change in compare(first, {"x": other})[0].changes}
    assert (changes["hd95_mm"].better, changes["hd95_mm"].worse) == (0, 1)
    assert (changes["volume_difference_ml"].better, changes["volume_difference_ml"].worse) == (1, 0)
    assert changes["volume_difference_ml"].median_difference == pytest.approx(-0.5)


def test_a_zone_that_one_of_them_missed_is_the_largest_difference_and_two_missed_are_none() -> None:
    first = {name: scores(hd95_mm=mm) for name, mm in {"a": 3.0, "b": math.inf, "c": 2.0}.items()}
    other = {name: scores(hd95_mm=mm) for name, mm in {"a": math.inf, "b": math.inf, "c": 2.5}.items()}
    change = next(c for c in compare(first, {"x": other})[0].changes if c.score == "hd95_mm")
    assert (change.patients, change.better, change.worse) == (3, 0, 2)
    assert change.median_difference == 0.5
    only = next(c for c in compare({"a": first["a"]}, {"x": other})[0].changes if c.score == "hd95_mm")
    assert only.median_difference == math.inf


def test_the_cases_of_one_patient_are_one_pair() -> None:
    first = {name: scores(dice=0.5) for name in ("a", "b", "c")}
    other = {name: scores(dice=dice) for name, dice in {"a": 0.9, "b": 0.3, "c": 0.6}.items()}
    change = dice_of(compare(first, {"x": other}, patients={"a": "p", "b": "p"})[0])
    assert (change.patients, change.better, change.worse) == (2, 2, 0)
    assert change.median_difference == pytest.approx(0.1)


def test_cases_that_changed_most_come_first_either_way() -> None:
    first = by_case(np.array([0.5, 0.5, 0.5, 0.5]))
    other = by_case(np.array([0.6, 0.1, 0.5, 0.8]))
    (comparison,) = compare(first, {"x": other})
    assert [change.case for change in comparison.most_changed] == ["case-1", "case-3", "case-0"]
    assert "case-1 0.500 to 0.100" in str(comparison)


def test_holm_by_hand() -> None:
    # Sorted: 0.01 x 4, 0.02 x 3, 0.03 x 2, 0.2 x 1; none may be below the one before.
    assert holm([0.03, 0.01, 0.2, 0.02]) == pytest.approx([0.06, 0.04, 0.2, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []
    undefined, tested = holm([math.nan, 0.04])
    assert math.isnan(undefined)
    assert tested == 0.04


def test_all_tests_made_together_are_corrected_together() -> None:
    random = np.random.default_rng(5)
    first = random.uniform(0.3, 0.8, 12)
    others = {name: by_case(first + random.normal(0.05, 0.05, 12)) for name in ("x", "y", "z")}
    comparisons = compare(by_case(first), others)
    raw = [dice_of(comparison).p for comparison in comparisons]
    assert [dice_of(comparison).p_holm for comparison in comparisons] == pytest.approx(holm(raw))


def test_without_a_case_in_common_nothing_is_defined() -> None:
    (comparison,) = compare({"a": scores(dice=0.5)}, {"x": {"b": scores(dice=0.5)}})
    assert comparison.cases == 0
    assert len(comparison.changes) == len(COMPARED)
    assert all(math.isnan(change.p) and math.isnan(change.p_holm) for change in comparison.changes)
    assert "nowhere" in str(comparison)


def hd95_of(first: list[float], other: list[float], patients: dict[str, str] | None = None):
    sets = ({str(n): scores(hd95_mm=mm) for n, mm in enumerate(one)} for one in (first, other))
    (comparison,) = compare(next(sets), {"x": next(sets)}, patients=patients)
    return next(change for change in comparison.changes if change.score == "hd95_mm")


def test_an_infinite_difference_is_never_averaged_into_a_number() -> None:
    inf = math.inf
    assert hd95_of([1.0, 5.0], [inf, 2.0]).median_difference == -3.0
    assert hd95_of([1.0, 1.0], [inf, inf]).median_difference == inf
    assert hd95_of([1.0, inf], [inf, 1.0]).median_difference == 0.0
    assert hd95_of([1.0, 2.0, 4.0, 1.0], [inf, 4.0, 5.0, 0.5]).median_difference == 1.5
    # Of one patient's three cases one is missed: the patient is infinitely worse.
    of_patient = hd95_of([1.0, 2.0, 3.0], [inf, 2.0, 3.0], dict.fromkeys("012", "p"))
    assert (of_patient.patients, of_patient.median_difference, of_patient.worse) == (1, inf, 1)
    # Infinitely worse in one case and infinitely better in another is no direction at all.
    assert hd95_of([1.0, inf], [inf, 1.0], dict.fromkeys("01", "p")).patients == 0


def test_the_p_value_knows_infinite_differences_as_the_highest_ranks() -> None:
    first = [3.0, 4.0, 5.0, 2.0, 6.0, 1.0]
    other = [2.0, 2.5, 3.0, 1.5, math.inf, math.inf]
    ranked = [-1.0, -1.5, -2.0, -0.5, 100.0, 100.0]
    assert hd95_of(first, other).p == pytest.approx(wilcoxon(ranked).pvalue)
