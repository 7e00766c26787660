"""The Tversky loss against its definition, finite differences and MONAI."""

import pytest
import torch
from monai.losses import TverskyLoss

from napari_necroseg.core.network.losses import tversky_loss

PROBABILITY = torch.tensor([[0.9, 0.4], [0.2, 0.5]])
TARGET = torch.tensor([[1, 0], [0, 1]], dtype=torch.uint8)


def test_the_index_by_hand() -> None:
    # hit 0.9 + 0.5; false positive 0.4 + 0.2; false negative 0.1 + 0.5
    expected = 1 - 1.4 / (1.4 + 0.3 * 0.6 + 0.7 * 0.6)
    assert tversky_loss(PROBABILITY, TARGET, alpha=0.3, beta=0.7).item() == pytest.approx(expected)


def test_alpha_weighs_false_positives_and_beta_false_negatives() -> None:
    everything = torch.ones(10)
    tenth = torch.zeros(10)
    tenth[0] = 1
    # 9 false positives, 1 hit; then 1 hit, 9 misses
    assert tversky_loss(everything, tenth, alpha=0.3, beta=0.7).item() == pytest.approx(1 - 1 / 3.7)
    assert tversky_loss(tenth, everything, alpha=0.3, beta=0.7).item() == pytest.approx(1 - 1 / 7.3)


def test_equal_halves_are_dice() -> None:
    dice = 2 * 1.4 / (PROBABILITY.sum() + 2)
    assert tversky_loss(PROBABILITY, TARGET, alpha=0.5, beta=0.5).item() == pytest.approx(1 - dice.item())


def test_the_gradient_is_that_of_finite_differences() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 4, 5, generator=generator, dtype=torch.float64, requires_grad=True)
    target = (torch.rand(3, 4, 5, generator=generator) > 0.7).to(torch.uint8)
    assert torch.autograd.gradcheck(lambda x: tversky_loss(x.sigmoid(), target, alpha=0.3, beta=0.7), logits)


def test_monai_gives_the_same_loss_and_gradient() -> None:
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(4, 1, 6, 7, generator=generator, dtype=torch.float64)
    target = (torch.rand(4, 1, 6, 7, generator=generator) > 0.8).double()
    peer = TverskyLoss(sigmoid=True, alpha=0.3, beta=0.7, batch=True, smooth_nr=1e-9, smooth_dr=1e-9)
    gradients = []
    losses = []
    for loss in (lambda x: tversky_loss(x.sigmoid(), target, alpha=0.3, beta=0.7), lambda x: peer(x, target)):
        own = logits.clone().requires_grad_()
        losses.append(loss(own))
        losses[-1].backward()
        gradients.append(own.grad)
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-6, atol=0)
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-5, atol=1e-12)


def test_sums_run_over_the_whole_batch_not_sample_by_sample() -> None:
    probability, target = torch.rand(6, 8), torch.zeros(6, 8)
    target[0] = 1
    shuffled = torch.randperm(48)
    expected = tversky_loss(probability, target, alpha=0.3, beta=0.7)
    found = tversky_loss(probability.reshape(-1)[shuffled], target.reshape(-1)[shuffled], alpha=0.3, beta=0.7)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(("level", "expected"), [(0.0, 0.0), (0.5, 1.0), (1.0, 1.0)])
def test_an_empty_target_gives_a_number_and_a_finite_gradient(level: float, expected: float) -> None:
    probability = torch.full((4, 4), level, requires_grad=True)
    loss = tversky_loss(probability, torch.zeros(4, 4), alpha=0.3, beta=0.7)
    loss.backward()
    assert loss.item() == pytest.approx(expected, abs=1e-5)
    assert torch.isfinite(probability.grad).all()


def test_bfloat16_is_summed_in_32_bits() -> None:
    ones = torch.ones(4096, dtype=torch.bfloat16)
    ones_and_one = torch.cat([ones, torch.zeros(1, dtype=torch.bfloat16)])
    target = torch.ones(4097)
    loss = tversky_loss(ones_and_one, target, alpha=0.3, beta=0.7)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(1 - 4096 / (4096 + 0.7), rel=1e-3)
