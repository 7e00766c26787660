"""The network has the paper's size, and its joining convolution the result of the long way."""

import pytest
import torch

from napari_necroseg.core.network.unet import (
    Joining2d,
    Joining3d,
    UNet,
    convolved_doubled,
    doubled_taps,
    doubles,
    n_parameters,
    resized_and_joined,
)
from napari_necroseg.core.plan import WIDTHS

PARAMETERS = {2: 1_401_713, 3: 4_144_049}
PAPER_MILLIONS = {2: 1.4, 3: 4.0}


@pytest.mark.parametrize("axes", [2, 3])
def test_parameter_counts_are_the_papers(axes: int) -> None:
    count = n_parameters(UNet(spatial_axes=axes, channels=2, widths=WIDTHS))
    assert count == PARAMETERS[axes]
    assert count == pytest.approx(PAPER_MILLIONS[axes] * 1e6, rel=0.05)


@pytest.mark.parametrize("axes", [2, 3])
def test_kernels_are_three_wide_but_where_channels_are_joined(axes: int) -> None:
    network = UNet(spatial_axes=axes, channels=2, widths=WIDTHS)
    convolutions = [one for one in network.modules() if isinstance(one, torch.nn.Conv2d | torch.nn.Conv3d)]
    wide = [one for one in convolutions if set(one.kernel_size) == {3}]
    # Two a level on the way down and up, and one to each coarser level; the others do not look around.
    n_levels = len(WIDTHS)
    assert len(wide) == 2 * n_levels + 2 * (n_levels - 1) + (n_levels - 1)
    assert all(set(one.kernel_size) == {1} for one in convolutions if one not in wide)
    assert sum(set(one.stride) == {2} for one in convolutions) == n_levels - 1
    assert all(one.padding == (one.kernel_size[0] // 2,) * axes for one in convolutions)


@pytest.mark.parametrize("axes", [2, 3])
def test_channels_are_last_but_on_apple_gpus(axes: int, monkeypatch) -> None:
    network = UNet(spatial_axes=axes, channels=2, widths=(4, 6))
    monkeypatch.setattr(network, "to", lambda *_args, **_formats: network)
    images = torch.randn(2, 2, *(8,) * axes)
    last = torch.channels_last if axes == 2 else torch.channels_last_3d
    for device, is_last in (("mps", False), ("cpu", True), ("cuda:1", True)):
        laid_out = network.placed(device).laid_out(images)
        assert laid_out.is_contiguous(memory_format=last) == is_last
        assert torch.equal(laid_out, images)


def test_one_sequence_takes_nine_weights_a_filter_less() -> None:
    one, both = (n_parameters(UNet(spatial_axes=2, channels=n, widths=WIDTHS)) for n in (1, 2))
    assert both - one == 9 * WIDTHS[0]


@pytest.mark.parametrize("upsampling", ["nearest", "linear"])
@pytest.mark.parametrize("shape", [(16, 16), (17, 20), (8, 16, 16), (5, 9, 11)])
def test_logits_have_the_shape_of_the_image(shape: tuple[int, ...], upsampling: str) -> None:
    network = UNet(spatial_axes=len(shape), channels=2, widths=(4, 6, 8), upsampling=upsampling)
    assert network(torch.randn(2, 2, *shape)).shape == (2, 1, *shape)


def test_the_head_is_computed_in_32_bits_under_autocast() -> None:
    network = UNet(spatial_axes=2, channels=1, widths=(4, 6))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = network(torch.randn(2, 1, 16, 16))
    assert logits.dtype == torch.float32
    # Logits of bfloat16 would all survive the way through it.
    assert (logits != logits.bfloat16().float()).any()


def test_channels_last_gives_the_same_logits() -> None:
    network = UNet(spatial_axes=3, channels=2, widths=(4, 6)).eval()
    images = torch.randn(1, 2, 4, 8, 8)
    expected = network(images)
    found = network.placed("cpu")(network.laid_out(images))
    torch.testing.assert_close(found, expected)


def test_the_gradient_of_two_slices_does_not_hold_what_was_in_memory() -> None:
    network = UNet(spatial_axes=3, channels=1, widths=WIDTHS).placed("cpu")
    images = network.laid_out(torch.randn(1, 1, 32, 32, 32))
    found = []
    for garbage in (float("nan"), 1e30):
        network.zero_grad()
        for n in (2**16, 2**18, 2**20):
            # Freed at once, and taken again by whoever asks for memory next.
            torch.full((n,), garbage)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = network(images)
        logits.mean().backward()
        found.append([parameter.grad.clone() for parameter in network.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))
    assert all(one.isfinite().all() for one in found[0])


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
