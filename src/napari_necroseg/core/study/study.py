"""An experiment from beginning to end, or from wherever it was left: folds, runs, tables, report."""

import threading
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from napari_necroseg.core.case import Cohort
from napari_necroseg.core.config import train_preset, usual_prediction
from napari_necroseg.core.config.study import StudyConfig
from napari_necroseg.core.disk import file_lock
from napari_necroseg.core.errors import ModelError, SettingsError
from napari_necroseg.core.events import Event, Finished, Started
from napari_necroseg.core.files import file_sha256
from napari_necroseg.core.network.model import WEIGHTS_NAME, software_versions
from napari_necroseg.core.output import check_out_folder, sweep_all
from napari_necroseg.core.project.labels import masks_in_words
from napari_necroseg.core.study.cohort import check_cases, read_study_cases, relative_path, without_voxels
from napari_necroseg.core.study.places import places_of
from napari_necroseg.core.study.record import (
    STUDY_NAME,
    StudyRecord,
    read_study,
    write_record,
)
from napari_necroseg.core.study.report import REPORT_NAMES, write_report
from napari_necroseg.core.study.results import SCORES_NAME
from napari_necroseg.core.study.runs import Run, runs_of
from napari_necroseg.core.study.store import CaseStore
from napari_necroseg.core.study.underway import Underway

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
        remark = f", {self.failed} failed: going on tries them again" if self.failed else ""
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
    check_out_folder(out)
    if config.start_from is not None:
        check_start(config.start_from)
    with file_lock(out / _LOCK_NAME, f"The study in {out}"):
        sweep_all(out)
        began = yield from begin(config, cohort, (table, out), stop)
        if began is None:
            return
        study = Underway(record=began.record, cohort=cohort, out=out, places=places, stop=stop)
        yield from study.planned()
        if stop.is_set():
            return
        write_record(out / STUDY_NAME, began.record)
        yield from study.run(_chosen(runs_of(config), only), began.store)
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
) -> Generator[Event, None, Begun | None]:
    """Check and read the cases, and say what the experiment is; return None if it was stopped.

    Nothing but the table of folds is written.

    Parameters
    ----------
    config, cohort, stop
        As in `run_study`.
    places
        The cohort's table, and the folder of the experiment.

    Raises
    ------
    NecrosegError
        As `run_study`.
    """
    table, out = places
    _check_folder(out)
    check_cases(config, without_voxels(cohort))
    n_runs = len(runs_of(config))
    yield Started(message=f"A study of {n_runs} runs in {config.folds} folds of {len(cohort)} cases.")
    for words in masks_in_words(cohort, config.target, doing="Learning from, and scoring against,"):
        yield Started(message=words)
    store = CaseStore()
    cases = yield from read_study_cases(config, cohort, store, out, stop)
    if cases is None:
        return None
    start = config.start_from
    record = StudyRecord(
        # What is written travels with the folder, and tells nothing of the computer.
        config=config if start is None else config.changed(start_from=relative_path(start, out)),
        start_from_sha256="" if start is None else _weights_sha256(start),
        prediction=usual_prediction(train_preset(config.preset)),
        cohort=relative_path(table, out),
        cases=dict(cases),
        versions=software_versions(),
    )
    if (out / STUDY_NAME).exists():
        earlier = read_study(out)
        _check_same_study(earlier, record)
        record = record.model_copy(update={"config": _together(earlier.config, record.config)})
    return Begun(record=record, store=store)


def _check_folder(out: Path) -> None:
    """Refuse a folder that holds what a study would write, and no study.

    Raises
    ------
    SettingsError
        With the name of a file that would be replaced.
    """
    held = [name for name in (SCORES_NAME, *REPORT_NAMES) if (out / name).exists()]
    if held and not (out / STUDY_NAME).exists():
        raise SettingsError(
            f"{out} holds {held[0]}, but no study to go on with (no {STUDY_NAME}); choose a new folder, so "
            "that nothing is replaced."
        )


def check_start(run: Path) -> None:
    """Refuse, before anything is read or written, a folder without a model.

    Raises
    ------
    ModelError
        If it has none.
    """
    if not (run / WEIGHTS_NAME).is_file():
        raise ModelError(f"There is no trained model in {run} to start from (no {WEIGHTS_NAME}).")


def _weights_sha256(run: Path) -> str:
    check_start(run)
    return file_sha256(run / WEIGHTS_NAME)


def _together(earlier: StudyConfig, config: StudyConfig) -> StudyConfig:
    """Return the choices with whatever was asked for before: what is done stays a part of the study."""
    names = dict.fromkeys((*earlier.configurations, *config.configurations))
    return config.changed(configurations=tuple(names), seeds=max(earlier.seeds, config.seeds))


def _end(study: Underway) -> Generator[Event, None, None]:
    """Make tables, ensembles and report of what is done."""
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


def _reported(study: Underway) -> Generator[Event, None, Path | None]:
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
    if earlier.prediction != record.prediction:
        raise SettingsError(
            "The networks of the study in this folder were applied in another way, by an earlier version of "
            "this program; go on with that version, or choose a new folder."
        )
    changed = [name for name in {**earlier.cases, **record.cases} if not _is_same(earlier, record, name)]
    if changed:
        raise SettingsError(
            f"The study in this folder was begun with another {changed[0]} (its image, mask, patient or "
            "fold, or whether it takes part; masks that nobody has signed off count with --unsigned alone); "
            "restore it, or choose a new folder."
        )


def _is_same(earlier: StudyRecord, record: StudyRecord, name: str) -> bool:
    was, now = earlier.cases.get(name), record.cases.get(name)
    if was is None or now is None:
        return False
    # A mask may be signed off meanwhile; earlier versions wrote down neither whose it is nor signatures.
    unlike = {"target_from": was.target_from, "images_likeness": was.images_likeness}
    return was == now.model_copy(update=unlike)


def _chosen(runs: Sequence[Run], only: Sequence[str]) -> tuple[Run, ...]:
    unknown = sorted(set(only) - {run.key for run in runs})
    if unknown:
        raise SettingsError(
            f"There is no run {unknown[0]!r} in this study; a run is called, for example, {runs[0].key}."
        )
    return tuple(run for run in runs if run.key in only) if only else tuple(runs)
