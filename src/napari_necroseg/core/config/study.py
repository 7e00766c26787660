"""Settings of an experiment: its networks and their sequences, folds, and the length of a run."""

from pathlib import Path
from typing import Annotated, Self, get_args

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import core_schema

from napari_necroseg.core.case import Sequence
from napari_necroseg.core.config.base import Config, Device, Threads
from napari_necroseg.core.config.train import Dimension, Preset, Target

MOST_FOLDS = 50
MOST_SEEDS = 100


class Configuration(str):
    """A network and what it sees: a text such as ``2d:ceT1+T2``, checked once, and its parts.

    `text`: sequences may be in any order, with blanks around each.
    Raises ValueError if the text is not that of a configuration.
    """

    # The network, and the sequences that it sees.
    dimension: Dimension
    sequences: tuple[Sequence, ...]

    def __new__(cls, text: str) -> Self:  # noqa: D102  # said by the class
        dimension, _, names = text.strip().partition(":")
        chosen = [name.strip() for name in names.split("+")]
        known = {str(one): one for one in get_args(Dimension)}
        if dimension not in known or len(set(chosen)) < len(chosen) or not set(chosen) <= set(Sequence):
            raise ValueError(f"{text!r} is no configuration; write for example 2d:ceT1 or 3d:ceT1+T2")
        sequences = tuple(sequence for sequence in Sequence if sequence in chosen)
        made = super().__new__(cls, f"{dimension}:{'+'.join(sequences)}")
        made.dimension, made.sequences = known[dimension], sequences
        return made

    @property
    def file_name(self) -> str:
        """The text as part of a file's name."""
        return self.replace(":", "-")

    @property
    def heading(self) -> str:
        """The text as a heading: ``2D ceT1+T2``."""
        return f"{self.dimension.upper()} {'+'.join(self.sequences)}"

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: object, _handler: object) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema())


# The six of the paper, in the order of its Table 1.
PAPER_CONFIGURATIONS = tuple(
    Configuration(f"{dimension}:{sequences}")
    for dimension in get_args(Dimension)
    for sequences in ("ceT1", "T2", "ceT1+T2")
)


def _read(texts: object) -> object:
    """Read all configurations at once, so that an error names the setting, not a position in it."""
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        return texts
    found = tuple(map(Configuration, texts))
    if not found:
        raise ValueError("name at least one configuration, for example 2d:ceT1+T2")
    if len(set(found)) < len(found):
        raise ValueError("a configuration is named twice")
    return found


class StudyConfig(Config):
    """Settings of an experiment: configurations, folds, seeds, the length of a run, and where it runs."""

    preset: Preset = Field(
        "fast",
        title="Preset",
        description="fast: useful models in minutes. paper: the published training, whose length is fixed.",
    )
    configurations: Annotated[tuple[Configuration, ...], BeforeValidator(_read)] = Field(
        PAPER_CONFIGURATIONS,
        title="Configurations",
        description="Networks and what they see, such as 2d:ceT1,3d:ceT1+T2; the paper's six if not given.",
    )
    folds: int = Field(
        6,
        ge=2,
        le=MOST_FOLDS,
        title="Folds",
        description="Parts of the cohort; each is predicted by networks that were trained on the others.",
    )
    seeds: int = Field(
        1,
        ge=1,
        le=MOST_SEEDS,
        title="Seeds",
        description="How often each network is trained, from other random weights.",
    )
    minutes_per_run: float | None = Field(
        None,
        gt=0,
        le=100_000,
        title="Time a run",
        json_schema_extra={"unit": "min"},
        description="Wall time of each training, preparing its samples included, in minutes.",
    )
    steps_per_run: int | None = Field(
        None,
        ge=1,
        le=10_000_000,
        title="Iterations a run",
        description="Mini-batches of each training; instead of a time.",
    )
    target: Target = Field(
        "reference",
        title="Target",
        description="Which mask to learn and to score: the necrosis reference or the tumour.",
    )
    fold_seed: int = Field(
        0, ge=0, le=2**31 - 1, title="Seed of the folds", description="Start of the random draw of the folds."
    )
    start_from: Path | None = Field(
        None,
        title="Start from",
        description="A trained model that every run goes on from (fine-tuning); random weights if not given.",
    )
    tolerance_mm: float = Field(
        2.0,
        ge=0,
        le=100,
        title="Tolerance",
        json_schema_extra={"unit": "mm"},
        description="Distance that counts as agreement of surfaces (NSD).",
    )
    device: Device = "auto"
    threads: Threads = Field(
        None, description="CPU threads of each run; if not given, all cores are shared out among the workers."
    )
    spare_cores: int = Field(
        0,
        ge=0,
        le=1024,
        title="Spare cores",
        description="Cores left free for other programs, where the threads are not chosen.",
    )
    workers: int | None = Field(
        None,
        ge=1,
        le=1024,
        title="Workers",
        description="Runs at the same time here; one a graphics card, or a set of cores, if not given.",
    )
    scheduler: str | None = Field(
        None,
        max_length=300,
        title="Scheduler",
        description="Address of a running Dask scheduler, such as tcp://host:8786; instead of workers here.",
    )
    dashboard: bool = Field(
        False,
        title="Dashboard",
        description="Start dask's web pages beside several workers; any user of this computer can read them.",
    )

    @model_validator(mode="after")
    def _contradicts_nothing(self) -> Self:
        if self.preset == "paper" and self.minutes_per_run is not None:
            raise ValueError(
                "the paper preset has a fixed length, so a time limit contradicts it; "
                "use the fast preset with a limit, or the paper preset without one"
            )
        if self.minutes_per_run is not None and self.steps_per_run is not None:
            raise ValueError("minutes and iterations of a run were both given; choose one of the two")
        if self.workers is not None and self.scheduler is not None:
            raise ValueError(
                "workers on this computer and a scheduler were both given; choose one of the two"
            )
        return self
