"""Whole images are whitened by their brighter voxels, however much air surrounds them."""

import numpy as np
import pytest

from napari_necroseg.core.network.images import whiten_volume


def volume() -> np.ndarray:
    mean, deviation = [[[[100.0]]], [[[-3.0]]]], [[[[20.0]]], [[[0.5]]]]
    return np.random.default_rng(0).normal(mean, deviation, (2, 8, 9, 10)).astype(np.float32)


def test_a_volume_is_whitened_by_its_tissue_however_much_air_surrounds_it() -> None:
    tissue = volume() + np.float32(50)
    image = np.pad(tissue, ((0, 0), (0, 0), (9, 9), (9, 9)))
    bright = [sequence[sequence > sequence.mean()] for sequence in image]
    expected = [(sequence - of.mean()) / of.std() for sequence, of in zip(image, bright, strict=True)]
    np.testing.assert_allclose(whiten_volume(image), expected, rtol=1e-4, atol=1e-4)
    # All of the tissue is brighter than the mean: more air changes nothing of it.
    wider = np.pad(image, ((0, 0), (0, 0), (5, 5), (5, 5)))
    np.testing.assert_allclose(whiten_volume(wider)[..., 5:-5, 5:-5], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 40.0])
def test_a_white_volume_does_not_depend_on_the_scanners_units(scale: float) -> None:
    image = volume()
    np.testing.assert_allclose(whiten_volume(image * scale + 7 * scale), whiten_volume(image), atol=2e-3)


@pytest.mark.parametrize("value", [0.0, 1000.1, -4e6])
def test_a_constant_volume_gives_zeros(value: float) -> None:
    assert not whiten_volume(np.full((1, 4, 4, 4), value, np.float32)).any()


def test_one_bright_voxel_alone_is_finite() -> None:
    image = np.zeros((1, 4, 4, 4), np.float32)
    image[0, 1, 1, 1] = 5
    assert np.ptp(whiten_volume(image)) == pytest.approx(1)
