"""An experiment from beginning to end, or from wherever it was left: folds, runs, tables, report."""

import os
import threading
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_necroseg.core.case import Cohort
from napari_necroseg.core.config.study import StudyConfig
from napari_necroseg.core.errors import SettingsError
from napari_necroseg.core.events import Event, Finished, Started
from napari_necroseg.core.learning.checkpoint import software_versions
from napari_necroseg.core.study.alone import alone
from napari_necroseg.core.study.cohort import check_cases, read_study_cases, without_voxels
from napari_necroseg.core.study.places import places_of
from napari_necroseg.core.study.record import (
    STUDY_NAME,
    StudyRecord,
    read_study,
    write_record,
)
from napari_necroseg.core.study.runs import Run, runs_of
from napari_necroseg.core.study.store import CaseStore
from napari_necroseg.core.study.underway import Underway

SCORES_NAME = "scores.csv"
_LOCK_NAME = ".study.lock"


@dataclass(frozen=True, kw_only=True)
class StudyDone:
    """What an experiment came to.

    Parameters
    ----------
    folder
        With all that it wrote.
    done, failed, total
        Runs.
    report
        The page that says it all; None while no run is done.
    """

    folder: Path
    done: int
    failed: int
    total: int
    report: Path | None

    def __str__(self) -> str:
        remark = f", {self.failed} not: the same command tries them again" if self.failed else ""
        where = f"; the report is {self.report}" if self.report else ""
        return f"{self.done} of {self.total} runs are done{remark}{where}."


def run_study(
    config: StudyConfig,
    cohort: Cohort,
    *,
    table: Path,
    out: Path,
    only: Sequence[str] = (),
    stop: threading.Event | None = None,
) -> Generator[Event, None, None]:
    """Do an experiment, or what is left of it.

    Parameters
    ----------
    config
        What it is, and where it runs.
    cohort
        Its cases.
    table
        The cohort's table.
    out
        Folder of the experiment; what is done in there is not done again.
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
        If it cannot begin: cases, folds, choices, or a folder that holds another experiment.
    """
    stop = stop or threading.Event()
    places = places_of(config)
    with alone(out / _LOCK_NAME, f"The study in {out}"):
        began = yield from begin(config, cohort, (table, out), stop)
        if began is None:
            return
        study = Underway(record=began.record, cohort=cohort, out=out, places=places, stop=stop)
        yield from study.planned()
        yield from study.run(_chosen(study.runs, only), began.store)
        if not stop.is_set():
            yield from _end(study)


@dataclass(frozen=True, kw_only=True)
class Begun:
    """What an experiment is, and its cases in memory."""

    record: StudyRecord
    store: CaseStore


def begin(
    config: StudyConfig,
    cohort: Cohort,
    places: tuple[Path, Path],
    stop: threading.Event,
    *,
    writes: bool = True,
) -> Generator[Event, None, Begun | None]:
    """Check and read the cases, and write down what the experiment is; return None if it was stopped.

    Parameters
    ----------
    config, cohort, stop
        As in `run_study`.
    places
        The cohort's table, and the folder of the experiment.
    writes
        Write down more than the table of folds.

    Raises
    ------
    NecrosegError
        As `run_study`.
    """
    table, out = places
    check_cases(config, without_voxels(cohort))
    n_runs = len(runs_of(config))
    yield Started(message=f"A study of {n_runs} runs in {config.folds} folds of {len(cohort)} cases.")
    store = CaseStore()
    cases = yield from read_study_cases(config, cohort, store, out, stop)
    if cases is None:
        return None
    record = StudyRecord(
        config=config,
        cohort=Path(os.path.relpath(table.resolve(), out.resolve())).as_posix(),
        cases=dict(cases),
        versions=software_versions(),
    )
    if (out / STUDY_NAME).exists():
        _check_same_study(read_study(out), record)
    if writes:
        write_record(out / STUDY_NAME, record)
    return Begun(record=record, store=store)


def _end(study: Underway) -> Iterator[Event]:
    """Make tables, ensembles and report of what is done."""
    study.write_scores()
    study.write_ensembles()
    done, report = study.done(), None
    yield Finished(
        result=StudyDone(
            folder=study.out,
            done=len(done),
            failed=study.failed(),
            total=len(study.runs),
            report=report,
        )
    )


def _check_same_study(earlier: StudyRecord, record: StudyRecord) -> None:
    """Refuse to mix two experiments in one folder."""
    was, wanted = earlier.what(), record.what()
    different = sorted(name for name in was if was[name] != wanted[name])
    if different:
        name = different[0]
        raise SettingsError(
            f"The study in this folder has {name} {was[name]}, not {wanted[name]}; go on with its own "
            "choices, or choose a new folder."
        )
    changed = [name for name in {**earlier.cases, **record.cases} if not _is_same(earlier, record, name)]
    if changed:
        raise SettingsError(
            f"The study in this folder was begun with another {changed[0]} (its image, mask, patient or "
            "fold, or whether it takes part); restore it, or choose a new folder."
        )


def _is_same(earlier: StudyRecord, record: StudyRecord, name: str) -> bool:
    return earlier.cases.get(name) == record.cases.get(name)


def _chosen(runs: Sequence[Run], only: Sequence[str]) -> tuple[Run, ...]:
    unknown = sorted(set(only) - {run.key for run in runs})
    if unknown:
        raise SettingsError(
            f"There is no run {unknown[0]!r} in this study; a run is called, for example, {runs[0].key}."
        )
    return tuple(run for run in runs if run.key in only) if only else tuple(runs)
