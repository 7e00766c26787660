"""Settings of the augmentation: a switch and ranges for each transform of the paper."""

from typing import Self

from pydantic import Field, model_validator
from pydantic.fields import FieldInfo

from napari_necroseg.core.config.base import Config

Range = tuple[float, float]

AUGMENT_SWITCHES = ("blur", "gamma", "mirror", "scaling", "rotation", "elastic", "translation")


class AugmentConfig(Config):
    """Settings of the augmentation of training samples; the defaults are the paper's.

    Each sample is drawn anew: uniformly from each range, both ends included, unless its help says otherwise.
    """

    blur: bool = Field(True, title="Blur", description="Blur each sequence in the plane of its slices.")
    blur_sigma_voxels: Range = Field(
        (0.0, 0.5),
        title="Sigma",
        json_schema_extra={"unit": "voxels", "least": 0.0, "most": 2.0},
        description="Range of the Gaussian's sigma, for each sequence anew.",
    )
    gamma: bool = Field(
        True, title="Gamma", description="Raise each sequence, scaled to 0 to 1 by its own range, to a power."
    )
    gamma_range: Range = Field(
        (0.5, 2.0),
        title="Power",
        json_schema_extra={"unit": "", "least": 0.2, "most": 5.0},
        description="Range of the power, for each sequence anew; 0.5 and 2 are equally likely (log-uniform).",
    )
    mirror: bool = Field(
        True, title="Mirroring", description="Flip each axis, head to foot and left to right, too."
    )
    mirror_probability: float = Field(
        0.5,
        ge=0.0,
        le=1.0,
        title="Probability",
        description="How often each axis is flipped.",
    )
    scaling: bool = Field(True, title="Scaling", description="Make everything smaller or larger.")
    scale_range: Range = Field(
        (0.6, 1.4),
        title="Factor",
        json_schema_extra={"unit": "", "least": 0.2, "most": 3.0},
        description="Range of the factor, the same along all axes.",
    )
    rotation: bool = Field(True, title="Rotation", description="Turn the image, in millimetres.")
    rotation_transversal_deg: Range = Field(
        (-30.0, 30.0),
        title="In the slice",
        json_schema_extra={"unit": "°", "least": -90.0, "most": 90.0},
        description="Range of the turn about the transversal (left-right) axis: in the plane of the slices.",
    )
    rotation_sagittal_deg: Range = Field(
        (-20.0, 20.0),
        title="Sideways",
        json_schema_extra={"unit": "°", "least": -90.0, "most": 90.0},
        description="Range of the turn about the sagittal (anterior-posterior) axis: it tilts the slices.",
    )
    elastic: bool = Field(
        True, title="Elastic", description="Bend the image by random displacements of a few control points."
    )
    elastic_sigma_cells: Range = Field(
        (0.0, 0.3),
        title="Smoothing",
        json_schema_extra={"unit": "cells", "least": 0.0, "most": 2.0},
        description="Range of the sigma that smooths the displacements, in distances of control points.",
    )
    elastic_points: int = Field(
        3,
        ge=2,
        le=8,
        title="Control points",
        description="Control points along each axis of the patch; cubic B-splines between them.",
    )
    elastic_in_plane_voxels: float = Field(
        10.0,
        ge=0.0,
        le=50.0,
        title="In the slice",
        json_schema_extra={"unit": "voxels"},
        description="Standard deviation of the displacements of rows and columns.",
    )
    elastic_through_plane_voxels: float = Field(
        5.0,
        ge=0.0,
        le=50.0,
        title="Across slices",
        json_schema_extra={"unit": "voxels"},
        description="Standard deviation of the displacements across slices.",
    )
    translation: bool = Field(True, title="Translation", description="Move the necrosis about in the patch.")
    shift_voxels: int = Field(
        20,
        ge=0,
        le=200,
        title="Shift",
        json_schema_extra={"unit": "voxels"},
        description="Largest in-plane shift of the patch away from the centre of the necrosis.",
    )

    @model_validator(mode="after")
    def _ranges_are_in_order_and_in_bounds(self) -> Self:
        for name, field in type(self).model_fields.items():
            if not isinstance(field.default, tuple):
                continue
            least, most = range_bounds(field)
            low, high = getattr(self, name)
            if not low <= high:
                raise ValueError(
                    f"the range {name} goes from {low:g} to {high:g}; the smaller number comes first"
                )
            if low < least or high > most:
                raise ValueError(
                    f"the range {name} must lie between {least:g} and {most:g}, not {low:g} to {high:g}"
                )
        return self


def only(*switches: str) -> AugmentConfig:
    """Return the paper's augmentation with the named transforms only."""
    return AugmentConfig().changed(**{name: name in switches for name in AUGMENT_SWITCHES})


def describe(config: AugmentConfig) -> str:
    """Name the transforms that are switched on, in one line."""
    if config == AugmentConfig():
        return "all of the paper's, with its ranges"
    names = [name for name in AUGMENT_SWITCHES if getattr(config, name)]
    if not names:
        return "none"
    titles = [(AugmentConfig.model_fields[name].title or name).lower() for name in names]
    is_papers = config == only(*names)
    return ", ".join(titles) + (" (the paper's ranges)" if is_papers else " (own ranges)")


def range_bounds(field: FieldInfo) -> tuple[float, float]:
    """Return the bounds of a range."""
    assert isinstance(field.json_schema_extra, dict)
    least, most = field.json_schema_extra["least"], field.json_schema_extra["most"]
    assert isinstance(least, float)
    assert isinstance(most, float)
    return least, most
