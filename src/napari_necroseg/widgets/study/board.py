"""How the runs of a study stand, as its events and its files tell: plain values, drawn by the grid."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from napari_necroseg.core.events import Event
from napari_necroseg.core.study.events import (
    RunAdvanced,
    RunDone,
    RunEvent,
    RunFailed,
    RunPlanned,
    RunStarted,
)
from napari_necroseg.core.study.record import RunState
from napari_necroseg.core.study.runs import Run

# Of the loss curve of a run; beyond that every second one is left out.
_MOST_POINTS = 1000

Points = tuple[tuple[int, float], ...]


@dataclass(frozen=True, kw_only=True)
class RunStanding:
    """How one run stands.

    Parameters
    ----------
    run, state
        Which run; ``waiting``, ``running``, ``done``, ``failed`` or ``interrupted``.
    plan
        What it will be, once it was planned.
    phase, share, iteration, loss, seconds, seconds_left
        How far it is, as in `RunAdvanced`.
    mean_dice
        Of a run that is done, over `validation` cases; None if undefined.
    reason
        Of a failure.
    """

    run: Run
    state: str = "waiting"
    plan: RunPlanned | None = None
    phase: str = ""
    share: float = 0.0
    iteration: int = 0
    loss: float | None = None
    seconds: float = 0.0
    seconds_left: float | None = None
    mean_dice: float | None = None
    validation: int = 0
    reason: str = ""

    @property
    def behind(self) -> float:
        """How much of it is behind, 0 to 1; nothing more is to come of a failed one."""
        return 1.0 if self.state in ("done", "failed") else self.share


@dataclass(frozen=True, kw_only=True)
class Total:
    """How a whole study stands: runs by what has become of them, the share that is behind, the time left."""

    runs: int
    done: int
    failed: int
    share: float
    seconds_left: float | None


@dataclass
class Board:
    """The runs of a study by key; follows events, and what the files of a study say."""

    standings: dict[str, RunStanding] = field(default_factory=dict)
    _points: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    _began: float | None = None
    _share_then: float = 0.0

    def show(
        self, runs: Iterable[Run], states: Mapping[str, RunState], interrupted: Iterable[str] = ()
    ) -> None:
        """Stand as the files of a study say; a run that was seen to be interrupted may have none."""
        seen = {key for key, one in self.standings.items() if one.state == "interrupted"}
        began = seen | set(interrupted)
        self.standings = {run.key: _on_disk(run, states.get(run.key), run.key in began) for run in runs}

    def forget(self) -> None:
        """Know nothing, as before a study."""
        self.standings, self._points, self._began = {}, {}, None

    def take(self, event: Event) -> str | None:
        """Follow an event; return the key of the run that it is about, None for any other event."""
        if not isinstance(event, RunEvent):
            return None
        key = event.run.key
        now = self.standings.get(key, RunStanding(run=event.run))
        if isinstance(event, RunStarted | RunAdvanced):
            self._note_pace()
        if isinstance(event, RunStarted):
            self._points.pop(key, None)
        if isinstance(event, RunAdvanced) and event.loss is not None:
            self._add_point(key, event.iteration, event.loss)
        self.standings[key] = _after(now, event)
        return key

    def interrupt(self) -> None:
        """What was running runs no more."""
        self._began = None
        for key, one in self.standings.items():
            if one.state == "running":
                self.standings[key] = replace(one, state="interrupted", seconds_left=None)

    def points(self, key: str) -> Points:
        """Return the loss over iterations of a run, as far as it was followed."""
        return tuple(self._points.get(key, ()))

    def total(self) -> Total:
        """Sum up all runs."""
        ones = self.standings.values()
        share = sum(one.behind for one in ones) / max(1, len(ones))
        return Total(
            runs=len(ones),
            done=sum(one.state == "done" for one in ones),
            failed=sum(one.state == "failed" for one in ones),
            share=share,
            seconds_left=self._seconds_left(share),
        )

    def mean_dice(self, configuration: str, seed: int) -> float | None:
        """Return the mean Dice of the cases of a configuration's runs that are done; None without any."""
        scored = [
            (one.mean_dice, max(1, one.validation))
            for one in self.standings.values()
            if (one.run.configuration, one.run.seed) == (configuration, seed)
            and one.state == "done"
            and one.mean_dice is not None
        ]
        cases = sum(n for _, n in scored)
        return sum(dice * n for dice, n in scored) / cases if cases else None

    def _note_pace(self) -> None:
        if self._began is None:
            self._began, self._share_then = time.monotonic(), self.total().share

    def _seconds_left(self, share: float) -> float | None:
        """Go on at the pace so far; nothing is known before a hundredth of the whole is behind."""
        gained = share - self._share_then
        if self._began is None or gained < 0.01:
            return None
        return (time.monotonic() - self._began) * (1 - share) / gained

    def _add_point(self, key: str, iteration: int, loss: float) -> None:
        points = self._points.setdefault(key, [])
        points.append((iteration, loss))
        if len(points) > _MOST_POINTS:
            del points[1::2]


def _on_disk(run: Run, state: RunState | None, is_interrupted: bool) -> RunStanding:
    if state is None:
        return RunStanding(run=run, state="interrupted" if is_interrupted else "waiting")
    return RunStanding(
        run=run,
        state=state.state,
        iteration=state.iterations,
        seconds=sum(state.seconds.values()),
        mean_dice=state.mean_dice,
        validation=len(state.validation),
        reason=state.reason,
    )


def _after(now: RunStanding, event: RunEvent) -> RunStanding:
    match event:
        case RunPlanned():
            plan = _with_estimates(event, now.plan)
            return replace(now, plan=plan, state=event.state, validation=event.validation)
        case RunStarted():
            return RunStanding(run=now.run, state="running", plan=now.plan, validation=now.validation)
        case RunAdvanced():
            names = ["phase", "share", "seconds", "seconds_left"]
            # What is said after the training knows no iteration.
            names += ["iteration", "loss"] if event.iteration else []
            changes = {name: getattr(event, name) for name in names}
            return replace(now, state="running", **changes)
        case RunDone():
            seconds = event.seconds or now.seconds
            return replace(now, state="done", mean_dice=event.mean_dice, seconds=seconds, seconds_left=None)
        case RunFailed():
            return replace(now, state="failed", reason=event.reason, mean_dice=None, seconds_left=None)
    return now


def _with_estimates(plan: RunPlanned, checked: RunPlanned | None) -> RunPlanned:
    """Keep what was measured before, as a run that is begun measures nothing."""
    if checked is None or plan.estimated_s is not None:
        return plan
    names = ("estimated_iterations", "estimated_s", "memory_gib")
    return replace(plan, **{name: getattr(checked, name) for name in names})
