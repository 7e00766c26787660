"""Settings of a prediction."""

from pydantic import Field

from napari_necroseg.core.config.base import Config, Device, Precision, Threads
from napari_necroseg.core.config.train import TrainConfig

# The settings that depend on the preset; see `usual_prediction`.
BY_PRESET = ("smallest_share", "tta", "slice_smoothing_mm")


class PredictConfig(Config):
    """Settings of a prediction: how a model is applied, and how its probability becomes a mask."""

    threshold: float = Field(
        0.5,
        gt=0,
        lt=1,
        title="Threshold",
        json_schema_extra={"step": 0.01},
        description="Probability from which a voxel counts as necrosis.",
    )
    fill_holes: bool = Field(
        False, title="Fill holes", description="Fill what the outline encloses within a slice."
    )
    min_volume_ml: float = Field(
        0.0,
        ge=0,
        le=1000,
        title="Smallest part",
        json_schema_extra={"unit": "mL"},
        description="Leave out parts of the outline that are smaller.",
    )
    smallest_share: float = Field(
        0.0,
        ge=0,
        le=1,
        title="Smallest share",
        description="Leave out parts of the outline that are smaller than this share of the largest one.",
    )
    largest: bool = Field(
        False, title="Largest only", description="Keep the largest part of the outline only."
    )
    tta: bool = Field(
        False,
        title="Mirror, too",
        description="Predict the image mirrored in plane as well, and average: steadier, four times as long.",
    )
    slice_smoothing_mm: float = Field(
        0.0,
        ge=0,
        le=20,
        title="Across slices",
        json_schema_extra={"unit": "mm"},
        description="Average the probability over neighbouring slices, by a Gaussian of this standard "
        "deviation: a 2d network sees one slice at a time. 0 leaves it as it is; 3d networks are left alone.",
    )
    around: tuple[float, float, float] | None = Field(
        None,
        title="Around",
        json_schema_extra={"unit": "mm"},
        description="Predict only what lies about this point, 128 x 128 pixels of each slice: world "
        "coordinates right, anterior, superior, in mm.",
    )
    precision: Precision = "auto"
    device: Device = "auto"
    threads: Threads = None


def usual_prediction(*trained: TrainConfig) -> PredictConfig:
    """Return the default settings of a prediction, by the presets that the models were trained with.

    ``paper``: the probability is cut at one half, and nothing else is done. ``fast``: mirrored images are
    averaged (if the model was trained with mirroring), slices are smoothed, and small parts beside the zone
    are left out, because a network needs that after a few minutes of training. Models that differ in this are
    applied as the paper's.
    """
    first, *others = map(_usual, trained)
    return first if all(other == first for other in others) else PredictConfig()


def _usual(trained: TrainConfig) -> PredictConfig:
    if trained.preset == "paper":
        return PredictConfig()
    mirrors = trained.augment.mirror and trained.augment.mirror_probability > 0
    return PredictConfig(smallest_share=0.1, tta=mirrors, slice_smoothing_mm=2.5)
