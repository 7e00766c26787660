"""Fuzzy c-means: Bezdek's equations hold for what is returned."""

import numpy as np
import pytest

from napari_necroseg.core.assist.fuzzy_c_means import fuzzy_centres, memberships


def test_shares_go_by_the_inverse_squares_of_the_distances() -> None:
    shares = memberships(np.array([[1.0], [0.0], [2.0]]), np.array([[0.0], [3.0]]))
    # 1 is one from the first and two from the second: 1 to a quarter.
    np.testing.assert_allclose(shares, [[0.8, 0.2], [1.0, 0.0], [0.2, 0.8]], atol=1e-9)


def test_two_far_groups_have_their_middles_as_centres() -> None:
    generator = np.random.default_rng(0)
    groups = [generator.normal(middle, 0.1, (300, 2)) for middle in ((0.0, 5.0), (8.0, -2.0))]
    centres = fuzzy_centres(np.concatenate(groups), 2)
    np.testing.assert_allclose(centres, [[0, 5], [8, -2]], atol=0.05)


@pytest.mark.parametrize("clusters", [2, 4, 7])
def test_centres_are_the_means_by_squared_shares_and_always_the_same(clusters: int) -> None:
    points = np.random.default_rng(1).gamma(2.0, size=(2000, 2))
    centres = fuzzy_centres(points, clusters)
    weights = memberships(points, centres) ** 2
    np.testing.assert_allclose(weights.T @ points / weights.sum(axis=0)[:, None], centres, atol=1e-3)
    np.testing.assert_array_equal(fuzzy_centres(points, clusters), centres)
