"""Fine-tuning: what a trained model takes for granted, and the earlier cases that show what it forgets."""

from collections.abc import Collection

from napari_necroseg.core.case import Cohort
from napari_necroseg.core.config import TrainConfig
from napari_necroseg.core.learning.validate import may_validate

# Predicting them takes of the training's time.
_MOST_WATCHED = 4


def tuned(config: TrainConfig, learned: TrainConfig) -> TrainConfig:
    """Return the configuration with whatever a trained model takes for granted of its images."""
    spread = config.intensity_spread if learned.whitening == "volume" else 0.0
    return config.changed(whitening=learned.whitening, intensity_spread=spread)


def watched_cases(
    cohort: Cohort, learned: Collection[str], *, trained: Cohort, config: TrainConfig
) -> Cohort:
    """Return some cases that a model learned from before and does not now: they show what it forgets."""
    others = may_validate(cohort, trained, config)
    return Cohort(cases=tuple([case for case in others if case.name in learned][:_MOST_WATCHED]))
