"""A coarse level is resized, joined to its skip and convolved: the short way gives what the long way does."""

import pytest
import torch

from napari_necroseg.core.network.unet import (
    Joining2d,
    Joining3d,
    convolved_doubled,
    doubled_taps,
    doubles,
    resized_and_joined,
)

SIZES = {2: (6, 10), 3: (4, 6, 10)}


def pair(sizes: tuple[int, ...], *, odd: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    doubled = [2 * size for size in sizes]
    doubled[-1] -= odd
    return torch.randn(2, 5, *sizes), torch.randn(2, 5, *doubled)


@pytest.mark.parametrize("axes", [2, 3])
def test_four_taps_of_a_transposed_convolution_double_and_convolve(axes) -> None:
    coarse, _ = pair(SIZES[axes])
    weight = torch.randn(7, 5, *(3,) * axes)
    convolve = torch.conv2d if axes == 2 else torch.conv3d
    doubled = torch.nn.functional.interpolate(coarse, scale_factor=2, mode="nearest")
    found = convolved_doubled(coarse, doubled_taps(weight))
    torch.testing.assert_close(found, convolve(doubled, weight, padding=1), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("axes", [2, 3])
def test_the_taps_are_rounded_once_under_autocast(axes) -> None:
    weight = torch.randn(7, 5, *(3,) * axes)
    exact = doubled_taps(weight)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(doubled_taps(weight), exact)


@pytest.mark.parametrize(("axes", "kind"), [(2, Joining2d), (3, Joining3d)])
@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize("odd", [False, True])
def test_what_comes_out_and_what_is_learned_are_those_of_the_long_way(axes, kind, mode, odd) -> None:
    mode = ("bilinear", "trilinear")[axes - 2] if mode == "linear" else mode
    joining, (coarse, skip) = kind(5, mode), pair(SIZES[axes], odd=odd)
    assert doubles((coarse, skip), mode) == (mode == "nearest" and not odd)
    inputs = coarse.requires_grad_(), skip.requires_grad_(), joining.weight
    convolve = torch.conv2d if axes == 2 else torch.conv3d
    long = convolve(resized_and_joined((coarse, skip), mode), joining.weight, padding=1)
    short = joining((coarse, skip))
    torch.testing.assert_close(short, long, atol=1e-4, rtol=1e-4)
    expected, found = (torch.autograd.grad(result.square().sum(), inputs) for result in (long, short))
    torch.testing.assert_close(found, expected, atol=1e-2, rtol=1e-3)
