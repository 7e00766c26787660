"""A few numbers that stand for many, by hand."""

import math

import pytest

from napari_necroseg.core.scoring.statistics import defined, deviation, interval_of_mean, mean, quartiles

INF = math.inf


def test_an_infinite_value_makes_the_mean_infinite_and_two_of_either_sign_undefined() -> None:
    assert mean([1.0, 2.0, 6.0]) == 3.0
    assert mean([1.0, INF]) == INF
    assert math.isnan(mean([INF, -INF]))
    assert math.isnan(mean([]))


def test_spread_is_undefined_where_it_cannot_be_told() -> None:
    assert deviation([1.0, 3.0]) == pytest.approx(math.sqrt(2))
    assert math.isnan(deviation([1.0]))
    assert math.isnan(deviation([1.0, INF]))


def test_quartiles_beside_an_infinite_value_are_observed_ones() -> None:
    assert quartiles([1.0, 2.0, 3.0, 4.0, 5.0]) == (2.0, 4.0)
    assert quartiles([1.0, 2.0, 3.0, INF]) == (2.0, INF)
    assert all(map(math.isnan, quartiles([])))


def test_the_interval_draws_patients_and_leaves_out_those_without_values() -> None:
    assert interval_of_mean([[0.5], [0.5], []]) == (0.5, 0.5)
    assert all(map(math.isnan, interval_of_mean([[0.5, 0.9], []])))
    assert all(map(math.isnan, interval_of_mean([[0.5], [INF]])))
    low, high = interval_of_mean([[0.0], [1.0]])
    assert (low, high) == (0.0, 1.0)


def test_infinite_is_defined_and_nan_is_not() -> None:
    assert defined([1.0, math.nan, INF]) == [1.0, INF]
