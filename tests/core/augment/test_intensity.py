"""Whitening: mean 0 and standard deviation 1 a sequence, zeros where nothing varies."""

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_necroseg.core.augment.intensity import whiten, whiten_volume


def patch(*, seed: int = 0) -> Tensor:
    mean, deviation = [[[[100.0]]], [[[-3.0]]]], [[[[20.0]]], [[[0.5]]]]
    voxels = np.random.default_rng(seed).normal(mean, deviation, (2, 8, 9, 10))
    return torch.from_numpy(voxels.astype(np.float32))[None]


def white(images: Tensor) -> Tensor:
    made = images.clone()
    whiten(made)
    return made


def test_each_sequence_gets_mean_0_and_deviation_1() -> None:
    deviation, mean = torch.std_mean(white(patch()), dim=(2, 3, 4), correction=0)
    torch.testing.assert_close(mean, torch.zeros(1, 2), atol=1e-5, rtol=0)
    torch.testing.assert_close(deviation, torch.ones(1, 2), atol=1e-5, rtol=0)


def test_other_voxels_may_give_the_statistics() -> None:
    images, others = patch(seed=1), patch(seed=2)
    expected = (images - others.mean((2, 3, 4), keepdim=True)) / others.std(
        (2, 3, 4), correction=0, keepdim=True
    )
    whiten(images, by=others.clone())
    torch.testing.assert_close(images, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("value", [0.0, 7.0, 1000.1, -4e6])
def test_a_constant_sequence_gives_zeros(value: float) -> None:
    assert not white(torch.full((1, 1, 4, 4, 4), value)).any()


def test_brightness_and_contrast_of_a_scanner_make_no_difference() -> None:
    images = torch.rand(1, 1, 6, 6, 6, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(white(images), white(340 * images + 25), atol=1e-4, rtol=0)


def test_a_volume_is_whitened_by_its_tissue_however_much_air_surrounds_it() -> None:
    tissue = patch()[0].numpy() + np.float32(50)
    image = np.pad(tissue, ((0, 0), (0, 0), (9, 9), (9, 9)))
    bright = [sequence[sequence > sequence.mean()] for sequence in image]
    expected = [(sequence - of.mean()) / of.std() for sequence, of in zip(image, bright, strict=True)]
    np.testing.assert_allclose(whiten_volume(image), expected, rtol=1e-4, atol=1e-4)
    # All of the tissue is brighter than the mean: more air changes nothing of it.
    wider = np.pad(image, ((0, 0), (0, 0), (5, 5), (5, 5)))
    np.testing.assert_allclose(whiten_volume(wider)[..., 5:-5, 5:-5], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 40.0])
def test_a_white_volume_does_not_depend_on_the_scanners_units(scale: float) -> None:
    image = patch()[0].numpy()
    np.testing.assert_allclose(whiten_volume(image * scale + 7 * scale), whiten_volume(image), atol=2e-3)


@pytest.mark.parametrize("value", [0.0, 1000.1, -4e6])
def test_a_constant_volume_gives_zeros(value: float) -> None:
    assert not whiten_volume(np.full((1, 4, 4, 4), value, np.float32)).any()


def test_one_bright_voxel_alone_is_finite() -> None:
    image = np.zeros((1, 4, 4, 4), np.float32)
    image[0, 1, 1, 1] = 5
    assert np.ptp(whiten_volume(image)) == pytest.approx(1)
