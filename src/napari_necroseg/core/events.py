"""Defines the events that a long job reports while it runs.

A job is a generator of these small frozen values, of which the last is `Finished`. Closing the generator
cancels the job. The command line prints events, a dock shows them, a test collects them in a list.
"""

import math
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from napari_necroseg.core.errors import NecrosegError
from napari_necroseg.core.volume import Volume

Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened in a job; `event` is its name in the ``--json`` output."""

    event: ClassVar[str]


@dataclass(frozen=True, kw_only=True)
class Started(Event):
    """The job begins; `message` is a sentence on what it is about to do."""

    event: ClassVar[str] = "started"
    message: str


@dataclass(frozen=True, kw_only=True)
class Progress(Event):
    """`done` of `total` steps are finished; `message` names the current one."""

    event: ClassVar[str] = "progress"
    done: int
    total: int
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class Warned(Event):
    """Something that the user should know, and that does not end the job."""

    event: ClassVar[str] = "warning"
    message: str


@dataclass(frozen=True, kw_only=True)
class TrainingStep(Event):
    """State of a training, at most ten times a second.

    `iteration` of `iterations` are done (None if only a time limits the training); `loss` is the mean since
    the last such event, and `samples_per_s` is the speed since then; `seconds` have passed, about
    `seconds_left` remain. `memory_gib` are in use: on a graphics card by torch, otherwise in the computer by
    the whole program.
    """

    event: ClassVar[str] = "step"
    iteration: int
    iterations: int | None
    loss: float
    seconds: float
    seconds_left: float | None
    samples_per_s: float | None = None
    memory_gib: float | None = None


@dataclass(frozen=True, kw_only=True)
class Validated(Event):
    """A training was scored on whole cases that it does not learn from.

    `dice` is the Dice coefficient of each case, nan if both masks are empty; `mean_dice` is their mean.
    """

    event: ClassVar[str] = "validated"
    iteration: int
    dice: Mapping[str, float]
    mean_dice: float

    def __str__(self) -> str:
        n, total = sum(not math.isnan(value) for value in self.dice.values()), len(self.dice)
        cases = f"{n} of {total} cases: the others have nothing to find"
        if n == total:
            cases = "1 case" if n == 1 else f"{n} cases"
        return f"Validation after iteration {self.iteration}: mean Dice {self.mean_dice:.3f} ({cases})"


@dataclass(frozen=True, kw_only=True, eq=False)
class ValidationPicture(Event):
    """The current prediction for a case that the training does not learn from; only on request.

    `labels` are uint8, 0 and 1, on the case's grid; `dice` is as in `Validated`.
    """

    event: ClassVar[str] = "validation_picture"
    case: str
    labels: Volume
    dice: float


@dataclass(frozen=True, kw_only=True)
class Checkpointed(Event):
    """A training was saved after an iteration, so that it can go on from there."""

    event: ClassVar[str] = "checkpoint"
    iteration: int


@dataclass(frozen=True, kw_only=True)
class Paused(Event):
    """A training was saved and paused after an iteration, as requested."""

    event: ClassVar[str] = "paused"
    iteration: int


@dataclass(frozen=True, kw_only=True)
class CaseDone(Event):
    """A case of a batch is finished, as number `done` of `total`; `path` was written for it."""

    event: ClassVar[str] = "case"
    case: str
    done: int
    total: int
    seconds: float
    path: Path | None = None

    def __str__(self) -> str:
        where = f" -> {self.path}" if self.path else ""
        return f"[{self.done}/{self.total}] {self.case}: {self.seconds:.1f} s{where}"


@dataclass(frozen=True, kw_only=True)
class CaseFailed(Event):
    """A case of a batch failed for a `reason`; the others go on."""

    event: ClassVar[str] = "failed"
    case: str
    done: int
    total: int
    reason: str

    def __str__(self) -> str:
        return f"[{self.done}/{self.total}] {self.case}: not done. {self.reason}"


@dataclass(frozen=True, kw_only=True)
class Finished(Event, Generic[Result]):
    """The job is complete; `result` is what it made."""

    event: ClassVar[str] = "finished"
    result: Result


def run(job: Generator[Event, None, Any], on_event: Callable[[Event], object] | None = None) -> Any:
    """Do a job to its end and return what it made.

    Parameters
    ----------
    job
        A generator of events, such as `train` or `predict` returns.
    on_event
        Called with each event as it comes, for example ``print``.

    Returns
    -------
    Any
        The result of `Finished`; of a job without one, what its generator returns.

    Raises
    ------
    NecrosegError
        If the job was stopped before it finished, or for a mistake that the job met.
    """
    finished: Finished[Any] | None = None
    while True:
        try:
            event = next(job)
        except StopIteration as end:
            if finished is None and end.value is None:
                raise NecrosegError("The job was stopped before it had finished.") from None
            return finished.result if finished is not None else end.value
        if isinstance(event, Finished):
            finished = event
        if on_event is not None:
            on_event(event)


def to_record(event: Event) -> dict[str, Any]:
    """Return what ``--json`` prints of an event: its name, its fields, and those of its `result`.

    A `result` must be a dataclass or a mapping of plain values. Paths become strings, infinities ``"inf"``,
    and undefined numbers (nan) None.
    """
    values: dict[str, Any] = plain(event)
    unfolded: dict[str, Any] = values.pop("result", {})
    return {"event": event.event} | values | unfolded


def plain(value: Any) -> Any:
    """Return dataclasses, mappings, lists, paths, infinities and nan as values that JSON has."""
    if is_dataclass(value):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return _plain_number(value)
    # Texts of a kind of their own become plain ones: not every writer knows them.
    return str(value) if isinstance(value, Path | str) else value


def _plain_number(value: float) -> float | str | None:
    if math.isnan(value):
        return None
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return float(value)
