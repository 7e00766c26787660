"""A network made ready gives what the trained one does: folded, in slabs, in short formats if they hold."""

import pytest
import torch

from napari_necroseg.core.network.unet import UNet
from napari_necroseg.core.prediction import folded_network
from napari_necroseg.core.prediction.folded_network import fold_network, precision_holds, probability_of


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
    folded = fold_network(trained, "cpu", None)
    assert not any("BatchNorm" in type(module).__name__ for module in folded.modules())
    torch.testing.assert_close(probability_of(folded, seen), expected, atol=1e-5, rtol=0)
    assert all(torch.equal(before[name], tensor) for name, tensor in trained.state_dict().items())


@pytest.mark.parametrize("upsampling", ["nearest", "linear"])
@pytest.mark.parametrize("slices_at_once", [2, 8, 12])
def test_slabs_are_the_very_result_of_one_pass(monkeypatch, upsampling, slices_at_once) -> None:
    made, seen = fold_network(network(3, upsampling), "cpu", None), images(3)
    expected = probability_of(made, seen)
    calls = []
    finish = UNet.finish
    monkeypatch.setattr(UNet, "finish", lambda self, *args: calls.append(1) or finish(self, *args))
    monkeypatch.setattr(folded_network, "_BYTES_AT_ONCE", slices_at_once * 26 * 22 * 4)
    torch.testing.assert_close(probability_of(made, seen), expected, atol=1e-6, rtol=0)
    assert len(calls) > 1


def test_an_odd_number_of_slices_is_seen_at_once(monkeypatch) -> None:
    made, seen = fold_network(network(3), "cpu", None), images(3)[:, :, :19]
    expected = probability_of(made, seen)
    monkeypatch.setattr(folded_network, "_BYTES_AT_ONCE", 1)
    assert torch.equal(probability_of(made, seen), expected)


def test_a_short_format_holds_where_it_changes_little() -> None:
    trained, seen = network(2), images(2)
    torch.nn.init.normal_(trained.head.weight, std=0.01)
    assert precision_holds(trained, seen, "cpu", torch.bfloat16)
    # Features that cancel but for what was rounded away.
    with torch.no_grad():
        trained.head.weight.copy_(torch.tensor([1.0, -1.0, 1.0, -1.0]).view_as(trained.head.weight) * 100)
        features = trained.head.register_forward_pre_hook(lambda _, inputs: seen_by_head.append(inputs[0]))
        seen_by_head: list[torch.Tensor] = []
        trained(seen)
        features.remove()
        mean = (seen_by_head[0] * trained.head.weight).sum(dim=1).mean()
        trained.head.bias.copy_(-mean)
    assert not precision_holds(trained, seen, "cpu", torch.bfloat16)


def test_the_head_stays_in_32_bits() -> None:
    made = fold_network(network(2), "cpu", torch.bfloat16)
    assert made.head.weight.dtype == torch.float32
    assert made.encoders[0][0][0].weight.dtype == torch.bfloat16
    probability = probability_of(made, images(2))
    assert probability.dtype == torch.float32
    # A sigmoid of 16 bits would have a few hundred values.
    assert len(probability.unique()) > 1000


@pytest.mark.parametrize("slices_at_once", [2, 8])
def test_slabs_of_short_numbers_are_those_of_one_pass(monkeypatch, slices_at_once) -> None:
    made, seen = fold_network(network(3), "cpu", torch.bfloat16), images(3)
    expected = probability_of(made, seen)
    monkeypatch.setattr(folded_network, "_BYTES_AT_ONCE", slices_at_once * 26 * 22 * 2)
    torch.testing.assert_close(probability_of(made, seen), expected, atol=1e-3, rtol=0)
