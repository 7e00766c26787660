"""The loss of a training: the paper's alone, or with cross-entropy beside it."""

import pytest
import torch

from napari_necroseg.core.config import TrainConfig, train_preset
from napari_necroseg.core.network.losses import training_loss, tversky_loss

LOGITS = torch.tensor([[2.0, -0.5], [-1.0, 0.3]])
TARGET = torch.tensor([[1, 0], [0, 1]], dtype=torch.uint8)


def test_the_paper_has_the_tversky_loss_alone() -> None:
    expected = tversky_loss(LOGITS.sigmoid(), TARGET, alpha=0.3, beta=0.7)
    assert training_loss(LOGITS, TARGET, config=train_preset("paper")) == expected


def test_cross_entropy_is_added_by_its_weight() -> None:
    config = TrainConfig(cross_entropy=0.5)
    p = LOGITS.sigmoid()
    # By its definition: minus the mean log-probability of the truth.
    truth = torch.stack([p[0, 0], 1 - p[0, 1], 1 - p[1, 0], p[1, 1]])
    expected = tversky_loss(p, TARGET, alpha=0.3, beta=0.7) - 0.5 * truth.log().mean()
    assert training_loss(LOGITS, TARGET, config=config).item() == pytest.approx(expected.item(), rel=1e-6)
