"""What going on from a trained model means for the choices of a training."""

from collections.abc import Mapping
from pathlib import Path

from napari_necroseg.core.config import Dimension, Preset, TrainConfig, train_preset
from napari_necroseg.core.project.models import learned_cases, trained_config
from napari_necroseg.core.tuning import SAME_IMAGES, SAME_NETWORK, seen_by, tuned, tuning_preset, watched

# What a trained model may take for granted.
TAKEN = (*SAME_NETWORK, *SAME_IMAGES)


def taken_by(run: Path | None) -> tuple[str, ...]:
    """Return which choices a model takes for granted: not to be made where it is gone on from."""
    if run is None:
        return ()
    learned = trained_config(run)
    return TAKEN if learned is None else (*SAME_NETWORK, *seen_by(learned))


def starting_point(
    preset: Preset, dimension: Dimension, personal: Mapping[str, object], run: Path | None
) -> TrainConfig:
    """Return a preset with a person's own choices, and what a model takes for granted in place of both.

    What goes on from a model starts from the preset for that (`tuning_preset`).

    A model that cannot be read changes nothing here; the training itself says what is wrong with it.
    """
    learned = None if run is None else trained_config(run)
    if learned is None:
        return train_preset(preset, dimension).changed(**personal)
    config = tuned(tuning_preset(preset, learned.dimension).changed(**personal), learned)
    return config.changed(**{name: getattr(learned, name) for name in SAME_NETWORK})


def to_score(held_out: tuple[str, ...], run: Path | None) -> tuple[str, ...]:
    """Return the cases to score meanwhile: a few that the model knows, so that forgetting shows, or all."""
    return watched(held_out, () if run is None else learned_cases(run)) or held_out
