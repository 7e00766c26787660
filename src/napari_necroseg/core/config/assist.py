"""Settings of the first mask that is made from a click."""

from typing import Literal

from pydantic import Field

from napari_necroseg.core.case import Sequence
from napari_necroseg.core.config.base import Config
from napari_necroseg.core.config.train import Sequences

AssistMethod = Literal["graph-cut", "region-growing", "watershed", "fuzzy-c-means", "random-walker"]


class AssistConfig(Config):
    """Settings of the first mask that is made from a click, without a model."""

    method: AssistMethod = Field(
        "graph-cut", title="Method", description="How what belongs to the click is told from the rest."
    )
    sequences: Sequences = Field(
        (Sequence.CET1, Sequence.T2),
        title="Sequences",
        description="Which images are looked at; one that the case lacks is left out.",
    )
    radius_mm: float = Field(
        30.0,
        ge=5,
        le=150,
        title="Radius",
        json_schema_extra={"unit": "mm"},
        description="Nothing further from the click is looked at, or becomes part of the mask.",
    )
    tolerance: float | None = Field(
        None,
        gt=0,
        le=20,
        title="Tolerance",
        json_schema_extra={"step": 0.05},
        description="How much a voxel may differ from those at the click, in robust standard deviations of "
        "what surrounds it; found from the contrast of the outline if not given. Not used by fuzzy-c-means.",
    )
    smooth_mm: float = Field(
        1.5,
        ge=0,
        le=10,
        title="Clean up",
        json_schema_extra={"unit": "mm"},
        description="Gaps that a ball of this radius does not pass are closed; thin parts are cut off.",
    )
    clusters: int = Field(
        4, ge=2, le=8, title="Clusters", description="Fuzzy-c-means: kinds of tissue about the click."
    )
