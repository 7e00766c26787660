"""An experiment under way: what is done, what is left, and what is written when a run ends."""

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from napari_necroseg.core.case import CaseFiles, Cohort
from napari_necroseg.core.config import TrainConfig
from napari_necroseg.core.config.study import Configuration
from napari_necroseg.core.errors import FileError, NecrosegError, ResourceError, SettingsError
from napari_necroseg.core.events import Event, Finished, Warned
from napari_necroseg.core.files import file_sha256, write_text
from napari_necroseg.core.network.model import WEIGHTS_NAME
from napari_necroseg.core.plan import Plan, make_plan
from napari_necroseg.core.project.models import trained_config, write_ensemble
from napari_necroseg.core.study.events import RunDone, RunFailed, RunPlanned
from napari_necroseg.core.study.findings import write_state
from napari_necroseg.core.study.job import do_unit
from napari_necroseg.core.study.places import Places
from napari_necroseg.core.study.record import RunState, StudyRecord, read_states
from napari_necroseg.core.study.results import SCORES_NAME, read_results, results_sha256, results_text
from napari_necroseg.core.study.runs import Run, runs_of, tuned_training_of
from napari_necroseg.core.study.store import CaseStore
from napari_necroseg.core.study.unit import Unit, scores_path
from napari_necroseg.core.training.checkpoint import CHECKPOINT_NAME, read_progress

_UNSEEN = (
    "What it wrote cannot be seen from here: its worker needs the folder of the study, shared under the "
    "same path."
)


@dataclass(kw_only=True)
class Underway:
    """An experiment under way.

    Parameters
    ----------
    record
        What it is, all that was ever asked for of it included.
    cohort
        Its cases.
    out
        Its folder.
    places, stop
        Where runs are computed; set the flag to end them.
    """

    record: StudyRecord
    cohort: Cohort
    out: Path
    places: Places
    stop: threading.Event
    states: dict[str, RunState] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.runs = runs_of(self.record.config)
        # Workers may be elsewhere, and have another working folder.
        self._cohort = Cohort(cases=tuple(_absolute(files) for files in self.cohort))
        self._over: set[str] = set()

    def planned(self) -> Iterator[Event]:
        """Look at what is there; say what each run is, and which are done."""
        for key, state in read_states(self.out).items():
            if self.stop.is_set():
                return
            if self._is_whole(state):
                self.states[key] = state
            elif self._has_other_scores(state):
                yield Warned(
                    message=f"The scores of {state.run} in runs/{key}.csv are not those that were written "
                    "when it was scored: somebody or something has changed them. They are computed again "
                    "from its model."
                )
        self._check_choices()
        for run in self.runs:
            yield planned_run(self.unit(run), self.states.get(run.key))
        for run in self.done():
            self._over.add(run.key)
            yield self._done(self.states[run.key], was_done=True)

    def _check_choices(self) -> None:
        """Refuse to mix runs of one study that two versions of this program trained in two ways."""
        for run in self.runs if len(self.done()) < len(self.runs) else ():
            unit = self.unit(run)
            was, now = _begun_with(unit.model), tuned_training_of(unit.config, run)
            # Where it ran is no matter.
            was = None if was is None else was.changed(device=now.device, threads=now.threads)
            if was is None or was == now:
                continue
            name = next(name for name in type(now).model_fields if getattr(was, name) != getattr(now, name))
            raise SettingsError(
                f"{run} was trained with {name} {getattr(was, name)}, as an earlier version of this program "
                f"did, and the runs that are left would be with {getattr(now, name)}. Begin a new study in "
                "another folder, or go on with that version."
            )

    def run(self, runs: Sequence[Run], store: CaseStore) -> Iterator[Event]:
        """Do what is left of these runs."""
        left = [self.unit(run) for run in runs if not self._is_done(run)]
        if not left:
            return
        with closing(_engine(self.places)(left, self.places, store, self.stop)) as events:
            said: set[str] = set()
            for event in events:
                if isinstance(event, Finished):
                    yield from self._take(event.result)
                elif not isinstance(event, Warned):
                    yield event
                elif event.message not in said:
                    # Every run would say the same of the same case.
                    said.add(event.message)
                    yield event

    def done(self) -> tuple[Run, ...]:
        """Return the runs that are done."""
        return tuple(run for run in self.runs if self._is_done(run))

    def failed(self) -> int:
        """Return how many runs could not be done."""
        return sum(state.state == "failed" for state in self.states.values())

    def write_scores(self) -> None:
        """Put the scores of all runs that are done into one table."""
        results = [one for run in self.done() for one in read_results(scores_path(self.out, run))]
        write_text(self.out / SCORES_NAME, results_text(results))

    def write_ensembles(self) -> None:
        """Let the models of each configuration stand together for one."""
        done = self.done()
        for name in dict.fromkeys(run.configuration for run in done):
            of_it = [run for run in done if run.configuration == name]
            folder = self.out / "ensembles" / Configuration.parse(name).file_name
            write_ensemble(folder, [self.out / "models" / run.key for run in of_it])

    def unit(self, run: Run) -> Unit:
        """Return a run as it is handed to a process."""
        return Unit(
            run=run,
            config=self.record.config_in(self.out),
            cohort=self._cohort,
            cases=self.record.cases,
            out=self.out.resolve(),
            device=self.places.devices[0],
            threads=self.places.threads,
            prediction=self.record.prediction,
        )

    def _take(self, state: RunState) -> Iterator[Event]:
        if state.state == "done" and not self._is_whole(state):
            state = state.model_copy(update={"state": "failed", "reason": _UNSEEN})
        self.states[state.run.key] = state
        self._over.add(state.run.key)
        if state.state == "done":
            try:
                self.write_scores()
            except ResourceError as error:
                # It is written again at the end; another program may have it open.
                yield Warned(message=str(error))
            yield self._done(state)
            return
        write_state(self.out, state)
        yield RunFailed(**state.run.names, done=len(self._over), total=len(self.runs), reason=state.reason)

    def _done(self, state: RunState, *, was_done: bool = False) -> RunDone:
        return RunDone(
            **state.run.names,
            done=len(self._over),
            total=len(self.runs),
            seconds=sum(state.seconds.values()),
            mean_dice=state.mean_dice,
            scored=state.scored,
            was_done=was_done,
        )

    def _is_done(self, run: Run) -> bool:
        return run.key in self.states and self.states[run.key].state == "done"

    def _has_other_scores(self, state: RunState) -> bool:
        """Whether the scores of a run are there, and not as they were written."""
        if state.run not in self.runs or not state.scores_sha256:
            return False
        try:
            return results_sha256(read_results(scores_path(self.out, state.run))) != state.scores_sha256
        except FileError:
            return True

    def _is_whole(self, state: RunState) -> bool:
        """Whether a run is one of this study, and what it says it made is there."""
        if state.run not in self.runs:
            return False
        if state.state == "failed":
            return True
        made = {self.out / "models" / state.run.key / WEIGHTS_NAME: state.weights_sha256}
        masks = self.out / "predictions" / state.run.out_of_fold
        made |= {masks / f"{name}.nii.gz": digest for name, digest in state.predictions_sha256.items()}
        try:
            results = read_results(scores_path(self.out, state.run))
        except FileError:
            return False
        scored = {one.case for one in results}
        is_same = state.scores_sha256 in ("", results_sha256(results))
        return (
            is_same
            and scored == set(state.validation)
            and all(path.is_file() and file_sha256(path) == digest for path, digest in made.items())
        )


def _begun_with(model: Path) -> TrainConfig | None:
    """Return the choices of a training that is finished, or was interrupted; None if it has to be begun."""
    if not (model / CHECKPOINT_NAME).exists():
        return trained_config(model)
    try:
        return read_progress(model).config
    except NecrosegError:
        # The run itself says what is wrong with it.
        return None


def _absolute(files: CaseFiles) -> CaseFiles:
    """Return the row of a case with paths that hold wherever the program runs."""
    sequences = {name: path.absolute() for name, path in files.sequences.items()}
    reference, tumour = (
        None if path is None else path.absolute() for path in (files.reference, files.tumour)
    )
    return replace(files, sequences=sequences, reference=reference, tumour=tumour)


def planned_run(unit: Unit, state: RunState | None) -> RunPlanned:
    """Say what a run will be, or how it went."""
    plan = plan_of(unit)
    model = unit.model
    interrupted = "interrupted" if (model / CHECKPOINT_NAME).exists() else "waiting"
    return RunPlanned(
        **unit.run.names,
        key=unit.run.key,
        iterations=plan.iterations,
        minutes=None if plan.seconds is None else plan.seconds / 60,
        training=len(plan.cases),
        validation=len(unit.validation),
        state=interrupted if state is None else state.state,
    )


def plan_of(unit: Unit) -> Plan:
    """Return the plan of a run's training, wherever it will be."""
    cohort = unit.cohort.without(unit.validation)
    config = tuned_training_of(unit.config, unit.run)
    return make_plan(config, cohort, device=unit.device, threads=unit.threads or 1)


Engine = Callable[[Sequence[Unit], Places, CaseStore, threading.Event], Generator[Event, None, None]]


def _engine(places: Places) -> Engine:
    return _on_cluster if places.needs_cluster else _one_by_one


def _one_by_one(
    units: Sequence[Unit], _places: Places, store: CaseStore, stop: threading.Event
) -> Generator[Event, None, None]:
    for unit in units:
        if stop.is_set():
            return
        yield from do_unit(unit, store, stop)


def _on_cluster(
    units: Sequence[Unit], places: Places, _store: CaseStore, stop: threading.Event
) -> Generator[Event, None, None]:
    from napari_necroseg.core.study.cluster import on_cluster

    yield from on_cluster(units, places, stop)
