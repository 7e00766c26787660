"""The preset `paper`, row by row of the published network and training."""

import pytest
import torch
from torch import nn

from napari_necroseg.core.config import AugmentConfig, train_preset
from napari_necroseg.core.network import unet
from napari_necroseg.core.network.device import Hardware
from napari_necroseg.core.network.model import new_network
from napari_necroseg.core.network.unet import UNet, n_parameters
from napari_necroseg.core.plan import WIDTHS, Plan, patch_shape_of
from napari_necroseg.core.training.learner import Learner

CONVOLUTIONS = (nn.Conv2d, nn.Conv3d)
NORMALISATIONS = (nn.BatchNorm2d, nn.BatchNorm3d)
DIMENSIONS = pytest.mark.parametrize("dimension", ["2d", "3d"])


def network_of(dimension: str) -> UNet:
    return new_network(train_preset("paper", dimension), WIDTHS)


def layers(network: UNet) -> list[nn.Module]:
    return [layer for layer in network.modules() if not list(layer.children())]


def plan_of(dimension: str) -> Plan:
    config = train_preset("paper", dimension)
    return Plan(
        config=config,
        cases=("a",),
        iterations=1,
        seconds=None,
        patch_shape=patch_shape_of(config),
    )


def test_the_3d_network_has_285_hundredths_of_the_2d_networks_parameters() -> None:
    in_2d, in_3d = (n_parameters(network_of(dimension)) for dimension in ("2d", "3d"))
    assert in_2d == pytest.approx(1.4e6, rel=0.05)
    assert in_3d == pytest.approx(4.0e6, rel=0.05)
    assert 2.8 < in_3d / in_2d < 3.0


@DIMENSIONS
def test_batch_normalisation_and_relu_follow_each_convolution_but_the_head(dimension: str) -> None:
    network = network_of(dimension)
    blocks = [b for b in network.modules() if isinstance(b, nn.Sequential) and isinstance(b[0], CONVOLUTIONS)]
    assert all([type(layer) for layer in b[1:]] in ([n, nn.ReLU] for n in NORMALISATIONS) for b in blocks)
    n_convolutions = sum(isinstance(layer, CONVOLUTIONS) for layer in layers(network))
    assert n_convolutions == len(blocks) + 1
    assert network.head.kernel_size == (1,) * network.spatial_axes


@DIMENSIONS
def test_strided_convolutions_lead_down_and_no_pooling(dimension: str) -> None:
    network = network_of(dimension)
    strided = [layer for layer in layers(network) if isinstance(layer, CONVOLUTIONS) and layer.stride[0] > 1]
    assert len(strided) == len(WIDTHS) - 1
    for layer in strided:
        assert set(layer.stride) == {2}
        assert set(layer.kernel_size) == {3}
    assert not any("Pool" in type(layer).__name__ for layer in layers(network))


@DIMENSIONS
def test_upsampling_leads_up_and_no_transposed_convolution_is_learned(dimension: str, monkeypatch) -> None:
    network = network_of(dimension).eval()
    images = torch.randn(1, 2, *[32] * network.spatial_axes)
    with torch.inference_mode():
        in_short = network(images)
    resized = []
    interpolate = nn.functional.interpolate

    def noted(image: torch.Tensor, **how: object) -> torch.Tensor:
        resized.append((tuple(image.shape[2:]), tuple(how["size"])))
        return interpolate(image, **how)

    # The way that the paper describes; the program takes a shorter one to the same result.
    monkeypatch.setattr(unet, "doubles", lambda *_, **__: False)
    monkeypatch.setattr(unet.functional, "interpolate", noted)
    with torch.inference_mode():
        torch.testing.assert_close(network(images), in_short, atol=1e-4, rtol=1e-4)
    assert [before[0] for before, _ in resized] == [2, 4, 8, 16]
    assert all(after == tuple(2 * n for n in before) for before, after in resized)
    assert not any("Transpose" in type(layer).__name__ for layer in layers(network))


@DIMENSIONS
def test_adam_keeps_its_learning_rate_of_a_thousandth(dimension: str) -> None:
    small = plan_of(dimension)
    learner = Learner(small, Hardware(device="cpu", threads=1))
    assert type(learner.optimiser) is torch.optim.Adam
    (group,) = learner.optimiser.param_groups
    assert (group["lr"], group["weight_decay"]) == (1e-3, 0)
    assert not small.config.learning_rate_decay


@pytest.mark.parametrize(("dimension", "batch_size"), [("2d", 32), ("3d", 2)])
def test_the_choices_are_the_papers(dimension: str, batch_size: int) -> None:
    config = train_preset("paper", dimension)
    assert config.batch_size == batch_size
    assert (config.alpha, config.beta, config.cross_entropy) == (0.3, 0.7, 0)
    assert config.patches_per_case == 1800
    assert (config.target_share, config.slice_share) == (1, 0)
    assert config.augment == AugmentConfig()
    assert config.precision == "fp32"
    assert patch_shape_of(config) == (64, 128, 128)
