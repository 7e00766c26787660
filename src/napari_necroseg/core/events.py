"""What a long job reports while it runs.

A job is a generator of these small frozen values; the last one is `Finished`. Closing the generator
cancels the job. The command line prints them, a dock draws them, a test puts them in a list.
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
    """Something that happened in a job; `event` is its name in ``--json`` output."""

    event: ClassVar[str]


@dataclass(frozen=True, kw_only=True)
class Started(Event):
    """The job begins; `message` says in a sentence what it is about to do."""

    event: ClassVar[str] = "started"
    message: str


@dataclass(frozen=True, kw_only=True)
class Progress(Event):
    """`done` of `total` steps are behind us; `message` names the step."""

    event: ClassVar[str] = "progress"
    done: int
    total: int
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class Warned(Event):
    """Something that the user should know, and that does not stop the job."""

    event: ClassVar[str] = "warning"
    message: str


@dataclass(frozen=True, kw_only=True)
class TrainingStep(Event):
    """State of a training, at most ten times a second.

    `iteration` of `iterations` (None where only time bounds the training) are done; `loss` is the
    mean since the last such event; `seconds` have passed, about `seconds_left` remain; since the last such
    event `samples_per_s` were learned from. `memory_gib` are in use: of the graphics card by torch, else of
    the computer by the whole program.
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
    """A training looked at whole cases that it does not learn from.

    `dice` is the Dice coefficient of each, undefined (nan) where there was nothing to find and nothing was
    found; `mean_dice` is their mean.
    """

    event: ClassVar[str] = "validated"
    iteration: int
    dice: Mapping[str, float]
    mean_dice: float

    def __str__(self) -> str:
        n, total = sum(not math.isnan(value) for value in self.dice.values()), len(self.dice)
        cases = f"{n} cases" if n == total else f"{n} of {total} cases: the others have nothing to find"
        return f"Validation after iteration {self.iteration}: mean Dice {self.mean_dice:.3f} ({cases})"


@dataclass(frozen=True, kw_only=True, eq=False)
class ValidationPicture(Event):
    """What the network in training makes of a case that it does not learn from; only where it was asked for.

    `labels` are uint8, 0 and 1, on the case's grid; `dice` is as in `Validated`.
    """

    event: ClassVar[str] = "validation_picture"
    case: str
    labels: Volume
    dice: float


@dataclass(frozen=True, kw_only=True)
class Checkpointed(Event):
    """What a training learned until an iteration is on disk: it could go on from there."""

    event: ClassVar[str] = "checkpoint"
    iteration: int


@dataclass(frozen=True, kw_only=True)
class Paused(Event):
    """A training stands still after an iteration, as asked; what it learned is on disk."""

    event: ClassVar[str] = "paused"
    iteration: int


@dataclass(frozen=True, kw_only=True)
class CaseDone(Event):
    """A case of a batch is finished, `done` of `total`; `path` is what was written for it."""

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
    """A case of a batch could not be done, for `reason`; the others go on."""

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
    """Turn an event into what ``--json`` prints: its name, then its fields, those of a `result` unfolded.

    Parameters
    ----------
    event
        Any event; a field named `result` must be a dataclass or a mapping of plain values.

    Returns
    -------
    dict
        Strings, numbers, None, and lists and dicts of them; paths as strings, infinities as ``"inf"``,
        undefined numbers (nan) as None.
    """
    values: dict[str, Any] = plain(event)
    unfolded: dict[str, Any] = values.pop("result", {})
    return {"event": event.event} | values | unfolded


def plain(value: Any) -> Any:
    """Turn dataclasses, mappings, lists, paths and numbers that JSON does not know into what it knows."""
    if is_dataclass(value):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return _plain_number(value)
    return str(value) if isinstance(value, Path) else value


def _plain_number(value: float) -> float | str | None:
    if math.isnan(value):
        return None
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return float(value)
