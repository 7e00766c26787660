"""How a trained network is applied."""

from pydantic import Field

from napari_necroseg.core.config.base import Config, Device, Precision, Threads


class PredictConfig(Config):
    """How a trained model is applied, and how its probability becomes an outline."""

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
    largest: bool = Field(
        False, title="Largest only", description="Keep the largest part of the outline only."
    )
    tta: bool = Field(
        False,
        title="Mirror, too",
        description="Predict the image mirrored in plane as well, and average: steadier, four times as long.",
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
