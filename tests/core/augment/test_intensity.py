"""Whitening: mean 0 and standard deviation 1 a sequence, zeros where nothing varies."""

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_necroseg.core.augment.intensity import whiten


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
