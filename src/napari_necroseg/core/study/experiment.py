"""A whole study, from its beginning or from wherever it was left: folds, runs, tables, report."""

import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from napari_necroseg.core.case import CaseFiles, Cohort
from napari_necroseg.core.config import train_preset, usual_prediction
from napari_necroseg.core.config.study import StudyConfig
from napari_necroseg.core.disk import file_lock
from napari_necroseg.core.errors import (
    CohortError,
    FileError,
    ModelError,
    ResourceError,
    SettingsError,
)
from napari_necroseg.core.events import Event, Finished, Started, Warned
from napari_necroseg.core.files import file_sha256, write_text
from napari_necroseg.core.network.model import software_versions
from napari_necroseg.core.output import check_out_folder, sweep_all
from napari_necroseg.core.project.labels import masks_in_words
from napari_necroseg.core.project.model_folder import (
    MODELS_FOLDER,
    WEIGHTS_NAME,
)
from napari_necroseg.core.project.models import write_ensemble
from napari_necroseg.core.study.cases import (
    CaseStore,
    check_cases,
    number_of_folds,
    read_study_cases,
    stored_path,
    without_voxels,
)
from napari_necroseg.core.study.compute import Compute, resolve_compute
from napari_necroseg.core.study.record import (
    STUDY_NAME,
    RunState,
    StudyRecord,
    read_states,
    read_study,
    scores_path,
    write_record,
    write_state,
)
from napari_necroseg.core.study.report.report import REPORT_NAMES, write_report
from napari_necroseg.core.study.results import SCORES_NAME, read_results, results_sha256, results_text
from napari_necroseg.core.study.run import Run, RunDone, RunFailed, runs_of
from napari_necroseg.core.study.run_job import RunSpec, do_run

_LOCK_NAME = ".study.lock"
_UNSEEN = (
    "Its files are not visible from here: the worker needs the folder of the study, shared under the same "
    "path."
)


@dataclass(frozen=True, kw_only=True)
class StudyDone:
    """The outcome of a study."""

    # With all that it wrote.
    folder: Path
    done: int
    failed: int
    total: int
    # The report; None while no run is done.
    report: Path | None

    def __str__(self) -> str:
        remark = f", {self.failed} failed; run the study again to retry them" if self.failed else ""
        where = f"; the report is {self.report}" if self.report else ""
        return f"{self.done} of {self.total} runs are done{remark}{where}."


def run_study(
    cohort: Cohort,
    config: StudyConfig | None = None,
    *,
    out: str | Path,
    only: Sequence[str] = (),
    stop: threading.Event | None = None,
) -> Generator[Event, None, None]:
    """Run a study, or what is left of it.

    Parameters
    ----------
    cohort
        Its cases, as `read_cohort` returns them.
    config
        What is trained and where; `usual_study` if not given.
    out
        Folder of the study; runs that are done there are not done again.
    only
        Keys of the runs to do; all that are left if none are named.
    stop
        Set it to end within two seconds; the same call goes on later.

    Yields
    ------
    Event
        `Started`, `Progress`, `Warned`, `RunPlanned` for each run and `RunDone` for those done before; then
        `RunStarted`, `RunAdvanced`, `RunDone`, `RunFailed`; `Finished` with `StudyDone`.

    Raises
    ------
    NecrosegError
        If it cannot begin because of its cases, folds or choices, or because the folder holds another study.
    """
    stop, out = stop or threading.Event(), Path(out)
    config = config or usual_study(cohort, out)
    compute = resolve_compute(config)
    check_out_folder(out)
    _check_start(config)
    with file_lock(out / _LOCK_NAME, f"The study in {out}"):
        sweep_all(out)
        prepared = yield from prepare_study(config, cohort, out=out, stop=stop)
        if prepared is None:
            return
        study = Experiment(record=prepared.record, cohort=cohort, out=out, compute=compute, stop=stop)
        yield from study.planned()
        if stop.is_set():
            return
        write_record(out / STUDY_NAME, prepared.record)
        yield from study.run(_chosen(runs_of(config), only), prepared.store)
        if not stop.is_set():
            yield from _end(study)


@dataclass(frozen=True, kw_only=True)
class PreparedStudy:
    """The record of a study that begins, and its cases in memory."""

    record: StudyRecord
    store: CaseStore


def usual_study(cohort: Cohort, out: Path) -> StudyConfig:
    """Return the usual study of a cohort: of the paper's six configurations, in the folds that there are."""
    folds = number_of_folds(cohort, out)
    return StudyConfig() if folds is None else StudyConfig(folds=folds)


def prepare_study(
    config: StudyConfig, cohort: Cohort, *, out: Path, stop: threading.Event
) -> Generator[Event, None, PreparedStudy | None]:
    """Check and read the cases, and return the record of the study; None if stopped.

    Nothing but the table of folds is written.

    `config`, `cohort`, `out`, `stop`: as in `run_study`.
    Raises what `run_study` raises.
    """
    _check_start(config)
    _check_folder(out)
    check_cases(config, without_voxels(cohort))
    table = _table_of(cohort)
    n_runs = len(runs_of(config))
    yield Started(message=f"A study of {n_runs} runs in {config.folds} folds of {len(cohort)} cases.")
    for words in masks_in_words(cohort, config.target, doing="Learning from, and scoring against,"):
        yield Started(message=words)
    store = CaseStore()
    cases = yield from read_study_cases(config, cohort, store=store, out=out, stop=stop)
    if cases is None:
        return None
    start = config.start_from
    record = StudyRecord(
        # The record travels with the folder: it names nothing of this computer.
        config=config if start is None else config.changed(start_from=stored_path(start, out)),
        start_from_sha256="" if start is None else file_sha256(start / WEIGHTS_NAME),
        prediction=usual_prediction(train_preset(config.preset)),
        cohort=stored_path(table, out),
        cases=dict(cases),
        versions=software_versions(),
    )
    if (out / STUDY_NAME).exists():
        record = record.going_on_with(read_study(out))
    return PreparedStudy(record=record, store=store)


def _table_of(cohort: Cohort) -> Path:
    """Return the table that a cohort was read from: the record of a study names it."""
    if cohort.table is None:
        raise CohortError("A study needs a cohort with a table on disk; write it with `necroseg prepare`.")
    return cohort.table


def _check_folder(out: Path) -> None:
    """Refuse a folder that holds what a study would write, and no study."""
    held = [name for name in (SCORES_NAME, *REPORT_NAMES) if (out / name).exists()]
    if held and not (out / STUDY_NAME).exists():
        raise SettingsError(
            f"{out} holds {held[0]}, but no study to go on with (no {STUDY_NAME}); choose a new folder, so "
            "that nothing is replaced."
        )


def _check_start(config: StudyConfig) -> None:
    """Refuse, before anything is read or written, to start from a folder without a model."""
    start = config.start_from
    if start is not None and not (start / WEIGHTS_NAME).is_file():
        raise ModelError(f"There is no trained model in {start} to start from (no {WEIGHTS_NAME}).")


@dataclass(kw_only=True)
class Experiment:
    """A study that is running."""

    # Its record, which includes all runs that were ever asked for.
    record: StudyRecord
    cohort: Cohort
    out: Path
    compute: Compute
    # Ends all runs when it is set.
    stop: threading.Event
    states: dict[str, RunState] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.runs = runs_of(self.record.config)
        # Workers may be on other computers, with another working folder.
        self._cohort = Cohort(cases=tuple(_absolute(files) for files in self.cohort))
        self._over: set[str] = set()

    def planned(self) -> Iterator[Event]:
        """Look at what is on disk; report what each run is, and which are done."""
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
            yield self.spec(run).planned(self.states.get(run.key))
        for run in self.done():
            self._over.add(run.key)
            yield self._done(self.states[run.key], was_done=True)

    def _check_choices(self) -> None:
        """Refuse to mix runs that two versions of this program trained with different choices."""
        for run in self.runs if len(self.done()) < len(self.runs) else ():
            was, now = self.spec(run).begun_with(), self.spec(run).training
            # The device makes no difference.
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
        left = [self.spec(run) for run in runs if not self._is_done(run)]
        if not left:
            return
        with closing(_do_runs(left, self.compute, store=store, stop=self.stop)) as events:
            said: set[str] = set()
            for event in events:
                if isinstance(event, Finished):
                    yield from self._take(event.result)
                elif not isinstance(event, Warned):
                    yield event
                elif event.message not in said:
                    # Every run would repeat it for the same case.
                    said.add(event.message)
                    yield event

    def done(self) -> tuple[Run, ...]:
        """Return the runs that are done."""
        return tuple(run for run in self.runs if self._is_done(run))

    def failed(self) -> int:
        """Return how many runs could not be done."""
        return sum(state.state == "failed" for state in self.states.values())

    def write_scores(self) -> None:
        """Write the scores of all finished runs into one table."""
        results = [one for run in self.done() for one in read_results(scores_path(self.out, run))]
        write_text(self.out / SCORES_NAME, results_text(results))

    def write_ensembles(self) -> None:
        """Make the models of each configuration an ensemble."""
        done = self.done()
        for configuration in dict.fromkeys(run.configuration for run in done):
            of_it = [run for run in done if run.configuration == configuration]
            folder = self.out / "ensembles" / configuration.file_name
            write_ensemble(folder, [self.out / MODELS_FOLDER / run.key for run in of_it])

    def spec(self, run: Run) -> RunSpec:
        """Return all that a process needs to do a run."""
        return RunSpec(
            run=run,
            config=self.record.config_in(self.out),
            cohort=self._cohort,
            cases=self.record.cases,
            out=self.out.resolve(),
            device=self.compute.devices[0],
            threads=self.compute.threads,
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
                # Another program may have the table open; it is written again at the end.
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
        """Whether the scores of a run are there and were changed after they were written."""
        if state.run not in self.runs or not state.scores_sha256:
            return False
        try:
            return results_sha256(read_results(scores_path(self.out, state.run))) != state.scores_sha256
        except FileError:
            return True

    def _is_whole(self, state: RunState) -> bool:
        """Whether a run belongs to this study, and everything that it made is still there."""
        if state.run not in self.runs:
            return False
        if state.state == "failed":
            return True
        made = {self.out / MODELS_FOLDER / state.run.key / WEIGHTS_NAME: state.weights_sha256}
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


def _end(study: Experiment) -> Generator[Event, None, None]:
    """Write tables, ensembles and report of the finished runs."""
    study.write_scores()
    study.write_ensembles()
    report = (yield from _reported(study)) if study.done() else None
    if study.stop.is_set():
        return
    yield Finished(
        result=StudyDone(
            folder=study.out,
            done=len(study.done()),
            failed=study.failed(),
            total=len(study.runs),
            report=report,
        )
    )


def _reported(study: Experiment) -> Generator[Event, None, Path | None]:
    """Write tables, figures and report; return where the report is."""
    report = None
    with closing(write_report(study.out)) as events:
        for event in events:
            if study.stop.is_set():
                return None
            if isinstance(event, Finished):
                report = event.result.report
            else:
                yield event
    return report


def _chosen(runs: Sequence[Run], only: Sequence[str]) -> tuple[Run, ...]:
    unknown = sorted(set(only) - {run.key for run in runs})
    if unknown:
        raise SettingsError(
            f"There is no run {unknown[0]!r} in this study; a run is called, for example, {runs[0].key}."
        )
    return tuple(run for run in runs if run.key in only) if only else tuple(runs)


def _absolute(files: CaseFiles) -> CaseFiles:
    """Return the files of a case with absolute paths."""
    for column, path in files.paths.items():
        files = files.with_file(column, path.absolute())
    return files


def _do_runs(
    specs: Sequence[RunSpec], compute: Compute, *, store: CaseStore, stop: threading.Event
) -> Generator[Event, None, None]:
    if compute.needs_cluster:
        from napari_necroseg.core.study.workers import do_on_workers

        yield from do_on_workers(specs, compute, stop=stop)
        return
    for spec in specs:
        if stop.is_set():
            return
        yield from do_run(spec, store, stop=stop)
