"""Follows the status of each run of a study, by its events and files, and puts it into words."""

import math
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from napari_necroseg.core.case import Cohort
from napari_necroseg.core.config.study import Configuration, StudyConfig
from napari_necroseg.core.display import duration
from napari_necroseg.core.events import Event
from napari_necroseg.core.study.record import RunState
from napari_necroseg.core.study.run import (
    Run,
    RunAdvanced,
    RunDone,
    RunEvent,
    RunFailed,
    RunPlanned,
    RunStarted,
    training_of,
)

# Of the loss curve of a run; of more, every second one is dropped.
_MOST_POINTS = 1000
Points = tuple[tuple[int, float], ...]
GOES_ON = "This study exists: Go on does what is left. What is greyed stays as it was."
_STATES = {
    "waiting": "waits for its turn",
    "running": "is running",
    "done": "is done",
    "failed": "failed",
    "interrupted": "was interrupted; Go on takes it up again",
}


@dataclass(frozen=True, kw_only=True)
class RunStatus:
    """The status of one run."""

    # Which run; ``waiting``, ``running``, ``done``, ``failed`` or ``interrupted``.
    run: Run
    state: str = "waiting"
    # Its length and cost, once it was planned.
    plan: RunPlanned | None = None
    # Its progress, as in `RunAdvanced`.
    phase: str = ""
    share: float = 0.0
    iteration: int = 0
    loss: float | None = None
    seconds: float = 0.0
    seconds_left: float | None = None
    # The mean of a run that is done, over `scored` cases with something to find; None if there are none.
    mean_dice: float | None = None
    scored: int = 0
    # The number of cases that it is scored on.
    validation: int = 0
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Total:
    """The status of a whole study."""

    # The number of all runs, and of those that are done or failed.
    runs: int
    done: int
    failed: int
    # The share of the current work that is done, 0 to 1, and about how long the rest takes.
    share: float
    seconds_left: float | None


@dataclass
class StudyStatus:
    """The status of each run of a study by its key; follows events, and the study's files."""

    runs: dict[str, RunStatus] = field(default_factory=dict)
    _points: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    _of_row: dict[tuple[str, int], list[str]] = field(default_factory=dict)
    # The runs of the current job; without one, all runs count.
    _job: set[str] | None = None
    _is_job_given: bool = False
    _failed_now: set[str] = field(default_factory=set)
    _began: float | None = None
    _share_then: float = 0.0

    def show(
        self, runs: Iterable[Run], states: Mapping[str, RunState], *, interrupted: Iterable[str] = ()
    ) -> None:
        """Take over the status from a study's files; a run that was interrupted may have left none."""
        seen = {key for key, one in self.runs.items() if one.state == "interrupted"}
        began = seen | set(interrupted)
        self.runs, self._of_row = {}, {}
        for run in runs:
            key = run.key
            self._put(key, _on_disk(run, states.get(key), is_interrupted=key in began))

    def forget(self) -> None:
        """Forget all runs."""
        self.runs, self._points, self._of_row = {}, {}, {}
        self._end_job()

    def begin(self, only: Collection[str] = ()) -> None:
        """Begin a job: these runs, or all that are not done; runs that failed are tried again."""
        left = (key for key, one in self.runs.items() if one.state != "done")
        self._job, self._is_job_given = set(only or left), bool(only)
        self._failed_now, self._began = set(), None
        for key in self._job & set(self.runs):
            self.runs[key] = replace(self.runs[key], share=0.0)

    def take(self, event: Event) -> str | None:
        """Follow an event; return the key of its run, or None for an event of no run."""
        if not isinstance(event, RunEvent):
            return None
        key = event.run.key
        now = self.runs.get(key, RunStatus(run=event.run))
        if isinstance(event, RunStarted | RunAdvanced):
            self._note_pace()
        if isinstance(event, RunStarted):
            self._points.pop(key, None)
        if isinstance(event, RunAdvanced) and event.loss is not None:
            self._add_point(key, event.iteration, loss=event.loss)
        self._follow_job(key, event)
        self._put(key, _after(now, event))
        return key

    def interrupt(self) -> None:
        """Mark the runs that were running as interrupted."""
        self._end_job()
        for key, one in self.runs.items():
            if one.state == "running":
                self.runs[key] = replace(one, state="interrupted", seconds_left=None)

    def points(self, key: str) -> Points:
        """Return iterations and losses of a run, as far as it was followed."""
        return tuple(self._points.get(key, ()))

    def total(self) -> Total:
        """Count all runs, and sum up the progress of the current job."""
        ones = self.runs.values()
        job = self.runs.keys() if self._job is None else self._job
        share = sum(self._behind(key) for key in job) / max(1, len(job))
        return Total(
            runs=len(ones),
            done=sum(one.state == "done" for one in ones),
            failed=sum(one.state == "failed" for one in ones),
            share=share,
            seconds_left=self._seconds_left(share),
        )

    def mean_dice(self, configuration: Configuration, seed: int) -> float | None:
        """Return the mean Dice of a configuration and a seed so far; of cases with something to find."""
        ones = (self.runs[key] for key in self._of_row.get((configuration, seed), ()))
        # A record that does not say how many cases its mean is over counts once.
        scored = [
            (one.mean_dice, max(1, one.scored))
            for one in ones
            if one.state == "done" and one.mean_dice is not None
        ]
        cases = sum(n for _, n in scored)
        return sum(dice * n for dice, n in scored) / cases if cases else None

    def failed(self, configuration: Configuration, seed: int) -> int:
        """Return how many runs of a configuration and a seed failed; their cases are missing in the mean."""
        keys = self._of_row.get((configuration, seed), ())
        return sum(self.runs[key].state == "failed" for key in keys)

    def _put(self, key: str, one: RunStatus) -> None:
        if key not in self.runs:
            self._of_row.setdefault((one.run.configuration, one.run.seed), []).append(key)
        self.runs[key] = one

    def _behind(self, key: str) -> float:
        """Return the share of a run that is done; one that failed before this job is still to come."""
        one = self.runs.get(key)
        if one is None:
            return 0.0
        if one.state == "failed":
            return float(key in self._failed_now)
        return 1.0 if one.state == "done" else one.share

    def _follow_job(self, key: str, event: RunEvent) -> None:
        """Correct the runs of the job: the files may differ from what was known when it began."""
        if self._job is None:
            return
        match event:
            case RunPlanned() if not self._is_job_given and event.state != "done":
                self._job.add(key)
            case RunDone(was_done=True):
                self._job.discard(key)
            case RunFailed():
                self._failed_now.add(key)

    def _end_job(self) -> None:
        self._job, self._is_job_given, self._failed_now, self._began = None, False, set(), None

    def _note_pace(self) -> None:
        if self._began is None:
            self._began, self._share_then = time.monotonic(), self.total().share

    def _seconds_left(self, share: float) -> float | None:
        """Extrapolate the pace so far; None before a hundredth of the whole is done."""
        gained = share - self._share_then
        if self._began is None or gained < 0.01:
            return None
        return (time.monotonic() - self._began) * (1 - share) / gained

    def _add_point(self, key: str, iteration: int, *, loss: float) -> None:
        points = self._points.setdefault(key, [])
        points.append((iteration, loss))
        if len(points) > _MOST_POINTS:
            del points[1::2]


def _on_disk(run: Run, state: RunState | None, *, is_interrupted: bool) -> RunStatus:
    if state is None:
        return RunStatus(run=run, state="interrupted" if is_interrupted else "waiting")
    return RunStatus(
        run=run,
        state=state.state,
        iteration=state.iterations,
        seconds=sum(state.seconds.values()),
        mean_dice=state.mean_dice,
        scored=state.scored,
        validation=len(state.validation),
        reason=state.reason,
    )


def _after(now: RunStatus, event: RunEvent) -> RunStatus:
    match event:
        case RunPlanned():
            plan = _with_estimates(event, now.plan)
            return replace(now, plan=plan, state=event.state, validation=event.validation)
        case RunStarted():
            return RunStatus(run=now.run, state="running", plan=now.plan, validation=now.validation)
        case RunAdvanced():
            names = ["phase", "share", "seconds", "seconds_left"]
            # Events after the training have no iteration.
            names += ["iteration", "loss"] if event.iteration else []
            changes = {name: getattr(event, name) for name in names}
            return replace(now, state="running", **changes)
        case RunDone():
            seconds = event.seconds or now.seconds
            scored = replace(now, mean_dice=event.mean_dice, scored=event.scored)
            return replace(scored, state="done", seconds=seconds, seconds_left=None)
        case RunFailed():
            return replace(now, state="failed", reason=event.reason, mean_dice=None, seconds_left=None)
    return now


def _with_estimates(plan: RunPlanned, checked: RunPlanned | None) -> RunPlanned:
    """Keep what Check has measured, since a run that begins measures nothing."""
    if checked is None or plan.estimated_s is not None:
        return plan
    names = ("estimated_iterations", "estimated_s", "memory_gib")
    return replace(plan, **{name: getattr(checked, name) for name in names})


def study_in_words(config: StudyConfig, cohort: Cohort) -> str:
    """Say how many runs on how many cases a study has, and about how long they take.

    Raises SettingsError for choices that no training can have.
    """
    n_runs = len(config.configurations) * config.folds * config.seeds
    factors = [_count(len(config.configurations), "configuration"), f"{config.folds} folds"]
    factors += [f"{config.seeds} seeds"] if config.seeds > 1 else []
    least, rest = divmod(len(cohort), config.folds)
    size = f"{least}" if not rest else f"{least} or {least + 1}"
    return (
        f"{n_runs} trainings: {' × '.join(factors)}. Each network is scored on the cases of one fold "
        f"(about {size} of the {len(cohort)}) and learns from the others. {_length_in_words(config, n_runs)}"
    )


def _length_in_words(config: StudyConfig, n_runs: int) -> str:
    # Only the configuration decides the length of a run.
    runs = [Run(configuration=name, fold=1, seed=0) for name in config.configurations]
    minutes = [training_of(config, run).minutes for run in runs]
    known = [one for one in minutes if one is not None]
    if len(known) < len(minutes):
        return "Press Check to learn how long that takes here."
    a_run_s = 60.0 * sum(known) / len(known)
    if config.workers is None:
        whole = duration(a_run_s * n_runs)
        return f"They train for {whole} in all; Check says how many run at once and how long it takes here."
    at_once = min(config.workers, n_runs)
    rounds = math.ceil(n_runs / at_once)
    return f"They train for about {duration(a_run_s * rounds)}, {at_once} at a time."


def total_in_words(total: Total) -> str:
    """Say how many runs are done."""
    failed = f", {total.failed} failed" if total.failed else ""
    left = f"; about {duration(total.seconds_left)} left" if total.seconds_left is not None else ""
    return f"{total.done} of {_count(total.runs, 'run')} done{failed}{left}."


def title_of(run: Run) -> str:
    """Name a run as a heading."""
    seed = f", seed {run.seed}" if run.seed else ""
    return f"{run.configuration.heading}, fold {run.fold}{seed}"


def status_in_words(one: RunStatus) -> str:
    """Describe the status of a run in a few sentences."""
    parts = [f"{title_of(one.run)} {_STATES.get(one.state, one.state)}."]
    if one.state == "running" and one.phase:
        parts[0] = f"{title_of(one.run)}: {one.phase}, {one.share:.0%} of the run."
    if one.reason and one.state == "failed":
        parts.append(one.reason)
    if one.state == "done":
        parts.append(_dice_in_words(one))
    if one.iteration and one.state != "waiting":
        loss = "" if one.loss is None else f", loss {one.loss:.3f}"
        parts.append(f"Iteration {one.iteration}{loss}.")
    if one.seconds and one.state in ("running", "done"):
        parts.append(
            f"{duration(one.seconds)} so far." if one.state == "running" else f"Took {duration(one.seconds)}."
        )
    if one.seconds_left is not None:
        parts.append(f"About {duration(one.seconds_left)} left.")
    if one.plan is not None and one.state in ("waiting", "interrupted"):
        parts.append(_plan_in_words(one))
    return " ".join(part for part in parts if part)


def _plan_in_words(one: RunStatus) -> str:
    plan = one.plan
    if plan is None:
        return ""
    length = f"{plan.iterations} iterations" if plan.iterations else f"{plan.minutes or 0:g} min"
    if plan.estimated_iterations and not plan.iterations:
        length += f" (about {plan.estimated_iterations} iterations)"
    time = f" It takes about {duration(plan.estimated_s)}" if plan.estimated_s is not None else ""
    memory = (
        f"{' and' if time else ' It takes'} {plan.memory_gib:.1f} GiB" if plan.memory_gib is not None else ""
    )
    end = "." if time or memory else ""
    return f"{length} on {_count(plan.training, 'case')}, scored on {plan.validation}.{time}{memory}{end}"


def _dice_in_words(one: RunStatus) -> str:
    if one.mean_dice is None:
        return "Mean Dice undefined: none of the cases that it has not seen has anything to find."
    over = f" over {_count(one.scored, 'case')} that it has not seen" if one.scored else ""
    rest = one.validation - one.scored if one.scored else 0
    more = f"; {rest} more {'has' if rest == 1 else 'have'} nothing to find" if rest > 0 else ""
    return f"Mean Dice {100 * one.mean_dice:.1f} %{over}{more}."


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"
