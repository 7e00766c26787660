"""Settings of a training, and the presets to start from."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from napari_necroseg.core.case import Sequence
from napari_necroseg.core.config.augment import AugmentConfig, only
from napari_necroseg.core.config.base import Config, Device, Precision, Threads

Dimension = Literal["2d", "3d"]
Target = Literal["reference", "tumour"]
Preset = Literal["fast", "paper"]
Upsampling = Literal["nearest", "linear"]
Whitening = Literal["patch", "volume", "tissue"]


def _in_channel_order(sequences: tuple[Sequence, ...]) -> tuple[Sequence, ...]:
    """Return the sequences in the order of the channels, which is the same everywhere."""
    if not sequences or len(set(sequences)) != len(sequences):
        raise ValueError("name one or two different sequences")
    return tuple(sequence for sequence in Sequence if sequence in sequences)


Sequences = Annotated[tuple[Sequence, ...], AfterValidator(_in_channel_order)]

FAST_LEARNING_RATE = 2e-3


class TrainConfig(Config):
    """Settings of a training."""

    preset: Preset = Field(
        "fast",
        title="Preset",
        description="fast: a useful model in minutes. paper: the published training, whose length is fixed.",
    )
    dimension: Dimension = Field(
        "2d", title="Network", description="2d looks at single slices, 3d at the whole stack."
    )
    sequences: Sequences = Field(
        (Sequence.CET1, Sequence.T2), title="Sequences", description="Which images the network sees."
    )
    target: Target = Field(
        "reference",
        title="Target",
        description="Which mask to learn: the necrosis reference or the tumour.",
    )
    minutes: float | None = Field(
        None,
        gt=0,
        le=100_000,
        title="Time limit",
        json_schema_extra={"unit": "min"},
        description="Wall time of the whole training, loading included, in minutes; instead of iterations.",
    )
    steps: int | None = Field(
        None,
        ge=1,
        le=10_000_000,
        title="Iterations",
        description="Number of mini-batches; instead of a time limit.",
    )
    slices: int = Field(
        64,
        ge=32,
        le=256,
        multiple_of=16,
        title="Slices",
        description="Number of slices that each stack is interpolated to: 64 in the paper; fewer make steps "
        "faster.",
    )
    patch_side: int = Field(
        128,
        ge=32,
        le=512,
        multiple_of=16,
        title="Patch side",
        json_schema_extra={"unit": "pixels"},
        description="Rows and columns of a sample: 128 in the paper; fewer make steps faster.",
    )
    batch_size: int = Field(
        32,
        ge=1,
        le=512,
        title="Batch size",
        description="Samples in a mini-batch: slices or volumes.",
    )
    upsampling: Upsampling = Field(
        "nearest", title="Upsampling", description="How the network enlarges its coarse levels."
    )
    patches_per_case: int = Field(
        1800, ge=1, le=1_000_000, title="Patches per case", description="Volume patches drawn from each case."
    )
    learning_rate: float = Field(
        1e-3, gt=0, le=1.0, title="Learning rate", description="Step size of the Adam optimiser."
    )
    alpha: float = Field(
        0.3, ge=0, le=1, title="alpha", description="Weight of false positives in the Tversky loss."
    )
    beta: float = Field(
        0.7, ge=0, le=1, title="beta", description="Weight of false negatives in the Tversky loss."
    )
    cross_entropy: float = Field(
        0.0,
        ge=0,
        le=10,
        title="Cross-entropy",
        description="Weight of cross-entropy beside the Tversky loss; 0 in the paper.",
    )
    learning_rate_decay: bool = Field(
        False,
        title="Decay",
        description="Lower the learning rate to zero along a half cosine; constant in the paper.",
    )
    whitening: Whitening = Field(
        "patch",
        title="Whitening",
        description="Whose mean and standard deviation count: each patch's, as in the paper, those of the "
        "whole image's brighter voxels (volume), or of its tissue, where outliers do not count (tissue).",
    )
    intensity_spread: float = Field(
        0.0,
        ge=0,
        le=1,
        title="Intensity spread",
        description="How much contrast (logarithm of a factor) and brightness (in standard deviations) of a "
        "white image vary from sample to sample; 0 in the paper, which whitens patches afterwards.",
    )
    precision: Precision = "auto"
    seed: int = Field(0, ge=0, le=2**31 - 1, title="Seed", description="Start of every random draw.")
    device: Device = "auto"
    threads: Threads = None
    target_share: float = Field(
        1.0,
        ge=0.1,
        le=1.0,
        title="Patches at the target",
        description="Share of the patches that must show the target; the others lie anywhere in the image.",
    )
    slice_share: float = Field(
        0.0,
        ge=0.0,
        le=1.0,
        title="Slices at the target",
        description="In 2d: share of those patches whose slice must show the target; any slice otherwise.",
    )
    validation_minutes: float = Field(
        2.0,
        gt=0,
        le=100_000,
        title="Validate every",
        json_schema_extra={"unit": "min"},
        description="Minutes between looks at the validation cases, if there are any; they change nothing.",
    )
    augment: AugmentConfig = Field(
        AugmentConfig(), title="Augmentation", description="How samples are varied."
    )

    @property
    def whitens_images(self) -> bool:
        """Whether whole images are whitened before patches are cut, rather than each patch by itself."""
        return self.whitening != "patch"

    def changed(self, /, **choices: object) -> Self:
        """Return a checked copy with some settings replaced.

        A number of iterations replaces a time limit, and a time limit a number of iterations.
        """
        if choices.get("steps") is not None:
            choices = {"minutes": None} | choices
        elif choices.get("minutes") is not None:
            choices = {"steps": None} | choices
        return super().changed(**choices)

    @model_validator(mode="after")
    def _contradicts_nothing(self) -> Self:
        if self.preset == "paper" and self.minutes is not None:
            raise ValueError(
                "the paper preset has a fixed length, so a time limit contradicts it; "
                "use the fast preset with a limit, or the paper preset without one"
            )
        if self.steps is not None and self.minutes is not None:
            raise ValueError(
                f"{self.steps} iterations and {self.minutes:g} minutes were both given; choose one of the two"
            )
        if self.intensity_spread and not self.whitens_images:
            raise ValueError(
                "patches that are whitened by themselves have no contrast or brightness left to vary; "
                "set the intensity spread to 0, or whiten whole images"
            )
        if self.alpha == 0 and self.beta == 0:
            raise ValueError("alpha and beta cannot both be 0; the paper's source uses 0.3 and 0.7")
        return self


def train_preset(name: Preset, dimension: Dimension = "2d") -> TrainConfig:
    """Return the settings of a preset.

    Parameters
    ----------
    name
        ``paper``: every number as published, in fp32, of fixed length. ``fast``: ten minutes unless changed,
        and reduced precision where the device has it. A third of the patches lies away from the target, so
        that the network also learns what is not necrosis. The loss is Dice and cross-entropy, with a learning
        rate that falls to zero, because Tversky alone hardly improves in the first minutes. Whole images are
        whitened and then varied a little, because a single patch does not show how bright it is.
    dimension
        Decides the batch: 32 slices of 128 x 128 pixels (``fast``: 16 of 64 x 64) or 2 volumes of
        64 x 128 x 128 voxels (``fast``: 32 x 64 x 64). Small samples allow many more steps in the same time;
        the network sees whole images when it predicts.
    """
    if name == "paper":
        batch_size = 32 if dimension == "2d" else 2
        return TrainConfig(preset="paper", dimension=dimension, batch_size=batch_size, precision="fp32")
    return TrainConfig(
        preset="fast",
        dimension=dimension,
        slices=64 if dimension == "2d" else 32,
        patch_side=64,
        batch_size=16 if dimension == "2d" else 2,
        minutes=10.0,
        alpha=0.5,
        beta=0.5,
        cross_entropy=1.0,
        learning_rate=FAST_LEARNING_RATE,
        learning_rate_decay=True,
        whitening="tissue",
        intensity_spread=0.2,
        target_share=0.67,
        slice_share=0.5,
        augment=only("mirror", "translation"),
    )
