"""Fine-tuning: what a trained model takes for granted, and the other cases that show what it forgets."""

from collections.abc import Collection, Sequence

from napari_necroseg.core.case import Cohort
from napari_necroseg.core.casename import name_key
from napari_necroseg.core.config import Dimension, Preset, TrainConfig, train_preset

# What the network is, and what it is for.
SAME_NETWORK = ("dimension", "sequences", "target", "upsampling")
# How it sees its images.
SAME_IMAGES = ("whitening", "slices", "patch_side")
# At the rate that it learned with a model forgets about twice as much of its old cases: docs/training.md.
RATE_SHARE = 0.1
# Predicting them takes of the training's time.
_MOST_WATCHED = 4


def tuning_preset(name: Preset, dimension: Dimension) -> TrainConfig:
    """Return the starting point of a training that goes on from a model with a few cases.

    It is the preset's own (`train_preset`), but for the learning rate of ``fast``, which is a tenth;
    ``paper`` stays as published.
    """
    config = train_preset(name, dimension)
    if name == "paper":
        return config
    return config.changed(learning_rate=RATE_SHARE * config.learning_rate)


def seen_by(learned: TrainConfig) -> dict[str, object]:
    """Return how a model sees its images, by the names of the choices.

    The size of the patches is part of it only where each is whitened by itself: a smaller one has other
    statistics.
    """
    names = SAME_IMAGES[:-1] if learned.whitens_images else SAME_IMAGES
    return {name: getattr(learned, name) for name in names}


def tuned(config: TrainConfig, learned: TrainConfig) -> TrainConfig:
    """Return the configuration with whatever a trained model takes for granted of its images."""
    spread = config.intensity_spread if learned.whitens_images else 0.0
    return config.changed(intensity_spread=spread, **seen_by(learned))


def watched(held_out: Sequence[str], learned: Collection[str]) -> tuple[str, ...]:
    """Return a few cases that a model learned from before and does not now: they show what it forgets."""
    known = set(map(name_key, learned))
    return tuple([name for name in held_out if name_key(name) in known][:_MOST_WATCHED])


def may_validate(cohort: Cohort, trained: Cohort, config: TrainConfig) -> Cohort:
    """Return the cases of a cohort that can be validated on: of other patients, with all that it takes."""
    patients = {case.patient_or_name for case in trained}
    return Cohort(
        cases=tuple(
            case
            for case in cohort
            if case.patient_or_name not in patients
            and set(config.sequences) <= set(case.sequences)
            and (case.reference if config.target == "reference" else case.tumour) is not None
        )
    )
