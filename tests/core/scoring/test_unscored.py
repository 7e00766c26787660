"""What is said of cases that are in no mean."""

from napari_necroseg.core.scoring.summary import Unscored


def test_nothing_is_said_where_nothing_is_missing() -> None:
    assert Unscored(with_reference=6).in_words() == ()


def test_each_case_is_named_and_the_means_say_of_how_many_they_are() -> None:
    unscored = Unscored(
        with_reference=6,
        without_prediction=("case-02",),
        without_reference=("x", "y"),
        failed={"case-03": "why"},
    )
    assert unscored.in_words() == (
        "5 of the 6 cases with a reference have a prediction; without one: case-02.",
        "1 of the 6 cases with a reference could not be scored: case-03.",
        "So the means are over 4 of the 6 cases.",
        "2 predictions belong to no reference: x, y.",
    )
    assert unscored.count == 2


def test_one_is_one_and_of_many_a_few_are_named() -> None:
    lacking = tuple(f"c{n}" for n in range(4))
    unscored = Unscored(with_reference=5, without_prediction=lacking, without_reference=("x",))
    assert unscored.in_words("mask", most=2) == (
        "1 of the 5 cases with a reference has a mask; without one: c0, c1 and 2 more.",
        "So the means are over 1 of the 5 cases.",
        "1 mask belongs to no reference: x.",
    )
