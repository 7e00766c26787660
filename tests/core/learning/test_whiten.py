"""Whitening: mean 0 and standard deviation 1 a sequence, zeros where nothing varies."""

import numpy as np
import pytest

from napari_necroseg.core.learning.whiten import whitening


def test_each_sequence_gets_mean_0_and_deviation_1() -> None:
    patch = np.random.default_rng(0).normal([[[[100.0]]], [[[-3.0]]]], [[[[20.0]]], [[[0.5]]]], (2, 8, 9, 10))
    white = whitening(patch.astype(np.float32)).applied(patch.astype(np.float32))
    np.testing.assert_allclose(white.mean(axis=(1, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(white.std(axis=(1, 2, 3)), 1, atol=1e-5)


@pytest.mark.parametrize("value", [0.0, 7.0, 1000.1, -4e6])
def test_a_constant_sequence_gives_zeros(value: float) -> None:
    patch = np.full((1, 4, 4, 4), value, np.float32)
    white = whitening(patch).applied(patch)
    assert np.isfinite(white).all()
    np.testing.assert_allclose(white, 0, atol=1e-6)


def test_brightness_and_contrast_of_a_scanner_make_no_difference() -> None:
    patch = np.random.default_rng(1).random((1, 6, 6, 6), dtype=np.float32)
    brighter = 340 * patch + 25
    np.testing.assert_allclose(
        whitening(patch).applied(patch), whitening(brighter).applied(brighter), atol=1e-4
    )
