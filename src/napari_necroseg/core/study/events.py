"""What an experiment reports beside the usual: its runs, one by one, as plain numbers and words."""

from dataclasses import dataclass
from typing import ClassVar

from napari_necroseg.core.events import Event
from napari_necroseg.core.plan import duration
from napari_necroseg.core.study.runs import Run


@dataclass(frozen=True, kw_only=True)
class RunEvent(Event):
    """Something that happened in a run, named by its configuration, fold and seed."""

    configuration: str
    fold: int
    seed: int

    @property
    def run(self) -> Run:
        """The run that it is about."""
        return Run(configuration=self.configuration, fold=self.fold, seed=self.seed)


@dataclass(frozen=True, kw_only=True)
class RunPlanned(RunEvent):
    """A run as it will be; the first events of an experiment, one a run.

    Parameters
    ----------
    iterations
        Mini-batches; None where only time bounds the training.
    minutes
        Its time limit; None where it has a number of iterations.
    training, validation
        How many cases it learns from and is scored on.
    state
        ``waiting``, ``done`` (before), ``interrupted`` (goes on from its checkpoint) or ``failed`` (before).
    key
        Name of its files.
    """

    event: ClassVar[str] = "run"
    iterations: int | None
    minutes: float | None
    training: int
    validation: int
    state: str
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
    """A run begins, or goes on; `worker` is where, empty in this process."""

    event: ClassVar[str] = "run_started"
    worker: str = ""

    def __str__(self) -> str:
        return f"{self.run}: begins" + (f" on {self.worker}" if self.worker else "")


@dataclass(frozen=True, kw_only=True)
class RunAdvanced(RunEvent):
    """A run goes on.

    Parameters
    ----------
    phase
        ``reading``, ``training``, ``predicting`` or ``scoring``.
    share
        How much of the run is behind, 0 to 1.
    iteration, loss
        Of its training, as last reported.
    seconds, seconds_left
        Since it began, and about how many remain; None where that is not known.
    """

    event: ClassVar[str] = "run_step"
    phase: str
    share: float
    iteration: int = 0
    loss: float | None = None
    seconds: float = 0.0
    seconds_left: float | None = None

    def __str__(self) -> str:
        loss = "" if self.loss is None else f", iteration {self.iteration}, loss {self.loss:.3f}"
        return f"{self.run}: {self.phase}{loss}"


@dataclass(frozen=True, kw_only=True)
class RunDone(RunEvent):
    """A run is complete, `done` of `total`.

    `mean_dice` is over the `scored` ones of its left-out cases that have something to find; None if there are
    none.
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
    """A run could not be done, for `reason`; the others go on."""

    event: ClassVar[str] = "run_failed"
    done: int
    total: int
    reason: str

    def __str__(self) -> str:
        return f"[{self.done}/{self.total}] {self.run}: not done. {self.reason}"
