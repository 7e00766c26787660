"""What a training that goes on from a model starts with."""

import pytest

from napari_necroseg.core.config import train_preset
from napari_necroseg.core.plan import fine_tuning_preset


@pytest.mark.parametrize("dimension", ["2d", "3d"])
def test_a_model_goes_on_gently(dimension: str) -> None:
    usual, gentle = train_preset("fast", dimension), fine_tuning_preset("fast", dimension)
    assert usual.learning_rate == 2e-3
    assert gentle.learning_rate == pytest.approx(2e-4)
    assert gentle.changed(learning_rate=usual.learning_rate) == usual


@pytest.mark.parametrize("dimension", ["2d", "3d"])
def test_the_papers_numbers_stay_the_papers(dimension: str) -> None:
    assert fine_tuning_preset("paper", dimension) == train_preset("paper", dimension)
