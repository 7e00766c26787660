"""Settings that a person chooses: frozen values with bounds and help, the source of forms and ``--help``."""

from napari_necroseg.core.config.assist import AssistConfig, AssistMethod
from napari_necroseg.core.config.augment import (
    AUGMENT_SWITCHES,
    AugmentConfig,
    Range,
    describe,
    only,
    range_bounds,
)
from napari_necroseg.core.config.base import Config, Precision
from napari_necroseg.core.config.predict import BY_PRESET, PredictConfig, usual_prediction
from napari_necroseg.core.config.train import Dimension, Preset, Target, TrainConfig, Whitening, train_preset

__all__ = [
    "AUGMENT_SWITCHES",
    "BY_PRESET",
    "AssistConfig",
    "AssistMethod",
    "AugmentConfig",
    "Config",
    "Dimension",
    "Precision",
    "PredictConfig",
    "Preset",
    "Range",
    "Target",
    "TrainConfig",
    "Whitening",
    "describe",
    "only",
    "range_bounds",
    "train_preset",
    "usual_prediction",
]
