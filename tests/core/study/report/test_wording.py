"""What the tests say in words: which is better, by how much, and what has not been shown."""

import pytest

from napari_necroseg.core.study.report.wording import conclusion, conclusions, p_text, pairs_table
from napari_necroseg.core.study.results import outcomes_of
from written_studies import make_record, make_scores, result

ONE, T2, BOTH = "2d:ceT1", "2d:T2", "2d:ceT1+T2"


def outcomes_from(dice):
    names = {f"p{n}": (f"p{n}", 1) for values in dice.values() for n in range(len(values))}
    record = make_record(names, configurations=tuple(dice))
    return outcomes_of(
        record,
        [
            result(name, f"p{n}", make_scores(value))
            for name, values in dice.items()
            for n, value in enumerate(values)
        ],
    )


def test_a_difference_is_told_with_its_direction_size_and_patients() -> None:
    worse = [0.5 + n / 100 for n in range(8)]
    outcomes = outcomes_from({ONE: [one + 0.2 for one in worse], T2: worse})
    # All eight on one side: 2 / 2^8.
    assert conclusions(outcomes, "dice") == (
        "2D T2 is worse than 2D ceT1: median difference −20.0 percentage points, better in 0 and worse in 8 "
        "of 8 patients (p = 0.008, after Holm = 0.008).",
    )
    # HD95 is 10 x (1 - Dice) here: 2 mm more, which is worse.
    assert conclusions(outcomes, "hd95_mm")[0].startswith(
        "2D T2 is worse than 2D ceT1: median difference +2.00 mm"
    )
    assert conclusion(outcomes, "nsd") == "NSD: 1 of 1 pairs differ after Holm's correction."
    (row,) = pairs_table(outcomes, ("dice",), title="").rows
    assert row == (
        "Dice, %",
        "2D ceT1",
        "2D T2",
        "8",
        "−20.0",
        "−20.0 (−20.0 to −20.0)",
        "0 / 8",
        "0.008",
        "0.008 *",
    )


def test_no_difference_is_not_called_equality_and_too_few_patients_are_told() -> None:
    found = conclusions(
        outcomes_from({ONE: [0.5, 0.6, 0.7], T2: [0.6, 0.7, 0.8], BOTH: [0.5, 0.6, 0.8]}), "dice"
    )
    assert found[0].startswith(
        "Dice: no difference between the 3 configurations has been shown (Friedman's test, 3"
    )
    assert "none of 3 pairs differs" in found[1]
    assert "that does not show that they are equal. With 3 patients no difference could have" in found[1]
    many = conclusions(outcomes_from({ONE: [0.5, 0.6] * 6, T2: [0.6, 0.5] * 6}), "dice")
    assert "could have been shown, however large" not in many[0]


def test_one_configuration_is_not_compared() -> None:
    assert conclusions(outcomes_from({ONE: [0.5, 0.6]}), "dice")[0].startswith(
        "There are no two configurations"
    )


@pytest.mark.parametrize(("p", "text"), [(0.0004, "< 0.001"), (0.04321, "0.043"), (float("nan"), "-")])
def test_p_values_are_written_as_in_papers(p, text) -> None:
    assert p_text(p) == text


def test_a_direction_is_named_only_if_patients_and_sizes_agree_on_it() -> None:
    """Sixteen a little better and fourteen much worse: more patients gain, but the mean falls."""
    first = [0.5] * 30
    other = [0.51] * 16 + [0.1] * 14
    (sentence,) = conclusions(outcomes_from({ONE: first, T2: other}), "dice")
    assert "2D T2 differs from 2D ceT1" in sentence
    assert "better in 16 and worse in 14 of 30 patients" in sentence
