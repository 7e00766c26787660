"""A run of a study: one network, trained without one fold, from one seed; and the events that tell of it."""

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from napari_necroseg.core.config import TrainConfig, train_preset
from napari_necroseg.core.config.study import Configuration, StudyConfig
from napari_necroseg.core.display import duration
from napari_necroseg.core.events import Event
from napari_necroseg.core.plan import fine_tuned
from napari_necroseg.core.project.model_folder import trained_config


@dataclass(frozen=True, kw_only=True, order=True)
class Run:
    """One training of a study."""

    configuration: Configuration
    # The fold that is left out, from 1.
    fold: int
    # Of the weights and of all random draws, from 0.
    seed: int

    @property
    def key(self) -> str:
        """The name of the run and of its files."""
        return f"{self.configuration.file_name}_fold-{self.fold}_seed-{self.seed}"

    @property
    def names(self) -> dict[str, Any]:
        """Configuration, fold and seed by name."""
        return asdict(self)

    @property
    def out_of_fold(self) -> str:
        """Folder of the predictions that all folds of this configuration and seed share."""
        return f"{self.configuration.file_name}_seed-{self.seed}"

    def __str__(self) -> str:
        remark = f", seed {self.seed}" if self.seed else ""
        return f"{self.configuration} fold {self.fold}{remark}"


def runs_of(config: StudyConfig) -> tuple[Run, ...]:
    """Return all runs, seed by seed, then configuration by configuration: early results can be compared."""
    return tuple(
        Run(configuration=name, fold=fold, seed=seed)
        for seed in range(config.seeds)
        for name in config.configurations
        for fold in range(1, config.folds + 1)
    )


def training_of(config: StudyConfig, run: Run) -> TrainConfig:
    """Return the training configuration of a run."""
    configuration = run.configuration
    length = {"minutes": config.minutes_per_run, "steps": config.steps_per_run}
    return train_preset(config.preset, configuration.dimension).changed(
        sequences=configuration.sequences,
        target=config.target,
        seed=run.seed,
        device=config.device,
        threads=config.threads,
        **{name: value for name, value in length.items() if value is not None},
    )


def tuned_training_of(config: StudyConfig, run: Run) -> TrainConfig:
    """Return the training configuration of a run, with the settings that its start model dictates."""
    training = training_of(config, run)
    learned = None if config.start_from is None else trained_config(config.start_from)
    return training if learned is None else fine_tuned(training, learned)


@dataclass(frozen=True, kw_only=True)
class RunEvent(Event):
    """Something that happened in a run, named by its configuration, fold and seed."""

    configuration: Configuration
    fold: int
    seed: int

    @property
    def run(self) -> Run:
        """The run that it is about."""
        return Run(configuration=self.configuration, fold=self.fold, seed=self.seed)


@dataclass(frozen=True, kw_only=True)
class RunPlanned(RunEvent):
    """The plan of a run; a study begins with one such event per run."""

    event: ClassVar[str] = "run"
    # Mini-batches; None where only time bounds the training.
    iterations: int | None
    # Its time limit; None where it has a number of iterations.
    minutes: float | None
    # How many cases it is trained and scored on.
    training: int
    validation: int
    # ``waiting``, ``done``, ``interrupted`` (resumed from its checkpoint) or ``failed``.
    state: str
    # Name of its files.
    key: str
    estimated_iterations: int | None = None
    estimated_s: float | None = None
    memory_gib: float | None = None

    def __str__(self) -> str:
        length = f"{self.iterations} iterations" if self.iterations else f"{self.minutes or 0:g} min"
        time = f", about {duration(self.estimated_s)}" if self.estimated_s is not None else ""
        memory = f", {self.memory_gib:.1f} GiB" if self.memory_gib is not None else ""
        state = "" if self.state == "waiting" else f" ({self.state})"
        return (
            f"{self.run}: {length} on {self.training} cases, scored on {self.validation}{time}{memory}{state}"
        )


@dataclass(frozen=True, kw_only=True)
class RunStarted(RunEvent):
    """A run begins or is resumed on a `worker`; empty in this process."""

    event: ClassVar[str] = "run_started"
    worker: str = ""

    def __str__(self) -> str:
        return f"{self.run}: begins" + (f" on {self.worker}" if self.worker else "")


@dataclass(frozen=True, kw_only=True)
class RunAdvanced(RunEvent):
    """The progress of a run."""

    event: ClassVar[str] = "run_step"
    # ``reading``, ``training``, ``predicting`` or ``scoring``.
    phase: str
    # How much of the run is done, 0 to 1.
    share: float
    # As last reported by its training.
    iteration: int = 0
    loss: float | None = None
    # Since it began, and about how many remain; None if unknown.
    seconds: float = 0.0
    seconds_left: float | None = None

    def __str__(self) -> str:
        loss = "" if self.loss is None else f", iteration {self.iteration}, loss {self.loss:.3f}"
        return f"{self.run}: {self.phase}{loss}"


@dataclass(frozen=True, kw_only=True)
class RunDone(RunEvent):
    """A run is complete; `done` of `total` are.

    `mean_dice` is over its `scored` left-out cases, those that have something to find; None without any.
    """

    event: ClassVar[str] = "run_done"
    done: int
    total: int
    seconds: float
    mean_dice: float | None
    scored: int = 0
    was_done: bool = False

    def __str__(self) -> str:
        dice = "undefined" if self.mean_dice is None else f"{self.mean_dice:.3f}"
        when = "was done before" if self.was_done else f"done in {duration(self.seconds)}"
        over = "" if self.mean_dice is None else f" ({self.scored} cases)"
        return f"[{self.done}/{self.total}] {self.run}: {when}, mean Dice {dice}{over}"


@dataclass(frozen=True, kw_only=True)
class RunFailed(RunEvent):
    """A run failed for a `reason`; the others go on."""

    event: ClassVar[str] = "run_failed"
    done: int
    total: int
    reason: str

    def __str__(self) -> str:
        return f"[{self.done}/{self.total}] {self.run}: not done. {self.reason}"
