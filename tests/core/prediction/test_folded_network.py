"""A folded network, in slabs and in short numbers, gives the probability of the trained one."""

import pytest
import torch

from napari_necroseg.core.network.unet import Joining2d, Joining3d, UNet, doubled_taps
from napari_necroseg.core.prediction import folded_network
from napari_necroseg.core.prediction.folded_network import (
    Bfloat16Convolution,
    Bfloat16Joining,
    fold_network,
    precision_holds,
    probability_of,
    rounded,
    rounded_by_phase,
)


def network(spatial_axes: int, upsampling: str = "nearest") -> UNet:
    """Random weights, and running statistics that folding must take into account."""
    torch.manual_seed(0)
    made = UNet(spatial_axes=spatial_axes, channels=2, widths=(4, 6, 8), upsampling=upsampling)
    for module in made.modules():
        if isinstance(module, torch.nn.BatchNorm2d | torch.nn.BatchNorm3d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2.0)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias)
    torch.nn.init.zeros_(made.head.bias)
    return made.eval()


def images(spatial_axes: int, *, seed: int = 1) -> torch.Tensor:
    shape = (1, 2, 20, 26, 22) if spatial_axes == 3 else (3, 2, 26, 22)
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("spatial_axes", [2, 3])
def test_folding_changes_nothing_and_leaves_the_trained_network_alone(spatial_axes) -> None:
    trained, seen = network(spatial_axes), images(spatial_axes)
    before = {name: tensor.clone() for name, tensor in trained.state_dict().items()}
    with torch.inference_mode():
        expected = trained(seen)[:, 0].sigmoid()
    folded = fold_network(trained, "cpu", dtype=None)
    assert not any("BatchNorm" in type(module).__name__ for module in folded.modules())
    torch.testing.assert_close(probability_of(folded, seen), expected, atol=1e-5, rtol=0)
    assert all(torch.equal(before[name], tensor) for name, tensor in trained.state_dict().items())


@pytest.mark.parametrize("upsampling", ["nearest", "linear"])
@pytest.mark.parametrize("slices_at_once", [2, 8, 12])
def test_slabs_are_the_very_result_of_one_pass(monkeypatch, upsampling, slices_at_once) -> None:
    made, seen = fold_network(network(3, upsampling), "cpu", dtype=None), images(3)
    expected = probability_of(made, seen)
    calls = []
    finish = UNet.finish
    monkeypatch.setattr(UNet, "finish", lambda self, *args: calls.append(1) or finish(self, *args))
    monkeypatch.setattr(folded_network, "_BYTES_AT_ONCE", slices_at_once * 26 * 22 * 4)
    torch.testing.assert_close(probability_of(made, seen), expected, atol=1e-6, rtol=0)
    assert len(calls) > 1


def test_an_odd_number_of_slices_is_seen_at_once(monkeypatch) -> None:
    made, seen = fold_network(network(3), "cpu", dtype=None), images(3)[:, :, :19]
    expected = probability_of(made, seen)
    monkeypatch.setattr(folded_network, "_BYTES_AT_ONCE", 1)
    assert torch.equal(probability_of(made, seen), expected)


def test_a_short_format_holds_where_it_changes_little() -> None:
    trained, seen = network(2), images(2)
    torch.nn.init.normal_(trained.head.weight, std=0.01)
    assert precision_holds(trained, seen, device="cpu", dtype=torch.bfloat16)
    # Features that cancel but for what was rounded away.
    with torch.no_grad():
        trained.head.weight.copy_(torch.tensor([1.0, -1.0, 1.0, -1.0]).view_as(trained.head.weight) * 100)
        features = trained.head.register_forward_pre_hook(lambda _, inputs: seen_by_head.append(inputs[0]))
        seen_by_head: list[torch.Tensor] = []
        trained(seen)
        features.remove()
        mean = (seen_by_head[0] * trained.head.weight).sum(dim=1).mean()
        trained.head.bias.copy_(-mean)
    assert not precision_holds(trained, seen, device="cpu", dtype=torch.bfloat16)


def test_the_head_stays_in_32_bits() -> None:
    made = fold_network(network(2), "cpu", dtype=torch.bfloat16)
    assert made.head.weight.dtype == torch.float32
    assert made.encoders[0][0][0].weight.dtype == torch.bfloat16
    probability = probability_of(made, images(2))
    assert probability.dtype == torch.float32
    # A sigmoid of 16 bits would have a few hundred values.
    assert len(probability.unique()) > 1000


@pytest.mark.parametrize("slices_at_once", [2, 8])
def test_slabs_of_short_numbers_are_those_of_one_pass(monkeypatch, slices_at_once) -> None:
    made, seen = fold_network(network(3), "cpu", dtype=torch.bfloat16), images(3)
    expected = probability_of(made, seen)
    monkeypatch.setattr(folded_network, "_BYTES_AT_ONCE", slices_at_once * 26 * 22 * 2)
    torch.testing.assert_close(probability_of(made, seen), expected, atol=1e-3, rtol=0)


# Half a unit in the last place of bfloat16, relative.
HALF_STEP = 2.0**-8


def weights(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("axes", [2, 3])
def test_each_weight_stays_within_a_step_of_the_largest_and_their_sum_far_closer(axes) -> None:
    exact = weights(40, 30, *(3,) * axes)
    found = rounded(exact, torch.bfloat16)
    assert found.dtype == torch.bfloat16
    assert found.shape == exact.shape
    # A small weight takes over what a large one lost.
    largest = exact.flatten(2).abs().amax(dim=2)
    assert ((found - exact).flatten(2).abs().amax(dim=2) <= 2 * HALF_STEP * largest).all()
    nearest, diffused = (
        (one.float() - exact).flatten(2).sum(dim=2).abs() for one in (exact.bfloat16(), found)
    )
    # What is lost in the end is half a step of the smallest weight.
    smallest = exact.flatten(2).abs().amin(dim=2)
    assert (diffused <= HALF_STEP * (smallest + diffused) * 2 + 1e-6).float().mean() > 0.9
    assert diffused.mean() < nearest.mean() / 10


def test_each_phase_of_doubling_keeps_its_own_sum() -> None:
    exact = doubled_taps(weights(6, 5, 3, 3))
    found = rounded_by_phase(exact, torch.bfloat16).float()
    for rows in (0, 1):
        for columns in (0, 1):
            of_phase = (..., slice(rows, None, 2), slice(columns, None, 2))
            torch.testing.assert_close(found[of_phase], rounded(exact[of_phase], torch.bfloat16).float())


@pytest.fixture(params=[True, False], ids=["fused", "bias added afterwards"])
def way(request, monkeypatch) -> None:
    """Both ways to a long bias; that of a processor without the former is tested on any."""
    if not request.param:
        monkeypatch.setattr(folded_network, "takes_float32_bias", lambda: False)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("axes", [2, 3])
def test_a_short_convolution_is_that_of_32_bits_but_for_what_is_rounded_in_the_end(axes, stride) -> None:
    kind = torch.nn.Conv2d if axes == 2 else torch.nn.Conv3d
    torch.manual_seed(0)
    exact = kind(6, 8, 3, stride=stride, padding=1)
    images = torch.randn(2, 6, *(8, 9, 10)[:axes]).bfloat16()
    made = Bfloat16Convolution(exact, torch.bfloat16)
    exact.weight = torch.nn.Parameter(made.weight.float())
    found, expected = made(images), exact(images.float())
    assert found.dtype == torch.bfloat16
    bound = HALF_STEP * expected.abs() + 1e-4
    if not folded_network.takes_float32_bias():
        # What is rounded before the bias comes may be larger than what is left.
        bound += HALF_STEP * (expected - exact.bias.view(-1, *(1,) * axes)).abs()
    assert ((found.float() - expected).abs() <= bound).all()


@pytest.mark.usefixtures("way")
def test_a_bias_that_short_numbers_do_not_have_is_not_rounded_by_itself() -> None:
    exact = torch.nn.Conv2d(1, 1, 3, padding=1)
    torch.nn.init.constant_(exact.weight, -1.0)
    torch.nn.init.constant_(exact.bias, 9 + 2.0**-6)
    # In the middle of an image of ones the bias is all that is left: nine ones are taken off.
    assert (
        Bfloat16Convolution(exact, torch.bfloat16)(torch.ones(1, 1, 3, 3).bfloat16())[0, 0, 1, 1] == 2.0**-6
    )


@pytest.mark.parametrize("odd", [False, True])
@pytest.mark.parametrize(("axes", "kind"), [(2, Joining2d), (3, Joining3d)])
def test_joining_in_short_numbers_is_joining_in_32_bits(axes, kind, odd) -> None:
    torch.manual_seed(0)
    exact = kind(5, "nearest")
    exact.bias = torch.nn.Parameter(torch.randn(5))
    sizes = [2 * size for size in (4, 6, 5)[:axes]]
    sizes[-1] -= odd
    pair = torch.randn(2, 5, *(4, 6, 5)[:axes]).bfloat16(), torch.randn(2, 5, *sizes).bfloat16()
    found = Bfloat16Joining(exact, torch.bfloat16)(pair).float()
    expected = exact((pair[0].float(), pair[1].float()))
    assert (found - expected).abs().max() < 0.04
    assert (found - expected).mean().abs() < 1e-3
