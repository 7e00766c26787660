"""How a trained network is applied."""

from pydantic import Field

from napari_necroseg.core.config.base import Config, Device, Precision, Threads


class PredictConfig(Config):
    """How a trained model is applied."""

    threshold: float = Field(
        0.5, gt=0, lt=1, title="Threshold", description="Probability from which a voxel counts as necrosis."
    )
    precision: Precision = "auto"
    device: Device = "auto"
    threads: Threads = None
