"""A training in words agrees with the training."""

import pytest

from napari_necroseg.core.config import train_preset
from napari_necroseg.core.network.model import new_network
from napari_necroseg.core.network.unet import n_parameters
from napari_necroseg.core.training.description import parameters_of, training_in_words


@pytest.mark.parametrize("dimension", ["2d", "3d"])
@pytest.mark.parametrize("sequences", [("ceT1",), ("ceT1", "T2")])
def test_the_parameters_are_those_of_the_network(dimension, sequences) -> None:
    config = train_preset("paper", dimension).changed(sequences=sequences)
    for widths in ((4, 8), (16, 32, 64, 128, 128)):
        assert parameters_of(config, widths) == n_parameters(new_network(config, widths))


def test_the_words_follow_the_choices() -> None:
    paper = training_in_words(train_preset("paper", "3d"), (4, 8))
    assert paper["loss"] == "1 - Tversky index over the batch, alpha 0.3, beta 0.7"
    assert paper["network"].startswith("3D U-Net, 3 x 3 x 3 convolutions")
    assert "widths 4, 8" in paper["network"]
    assert paper["augmentation"] == "all of the paper's, with its ranges"
    fast = training_in_words(train_preset("fast"), (4, 8))
    assert fast["loss"].endswith("alpha 0.5, beta 0.5 + 1 x cross-entropy")
    assert fast["optimiser"] == "Adam, learning rate 0.002, falling to 0 along a half cosine"
    assert fast["whitening"].endswith("varied by 0.2")
