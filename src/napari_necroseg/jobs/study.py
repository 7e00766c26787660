"""Checks a study, runs it in a process of its own, and reads its files."""

import csv
import io
import os
import threading
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from napari_necroseg.core.case import Case, Cohort
from napari_necroseg.core.case_names import named_file
from napari_necroseg.core.config.study import StudyConfig
from napari_necroseg.core.errors import CohortError, FileError
from napari_necroseg.core.events import Event, Finished, Progress
from napari_necroseg.core.files import file_sha256, read_json, read_text, voxels_sha256
from napari_necroseg.core.labels_folder import LABELS_FOLDER
from napari_necroseg.core.process import run_remotely
from napari_necroseg.core.project.model_folder import (
    CHECKPOINT_NAME,
    HISTORY_NAME,
    MODELS_FOLDER,
    read_run_record,
)
from napari_necroseg.core.study.cases import check_cases, decide_folds, without_voxels
from napari_necroseg.core.study.folds import FOLDS_NAME
from napari_necroseg.core.study.record import STUDY_NAME, RunState, StudyRecord, read_study
from napari_necroseg.core.study.report.findings import changed_scores
from napari_necroseg.core.study.results import CaseResult, read_results
from napari_necroseg.core.study.run import Run, runs_of
from napari_necroseg.layerdata import LayerData, Role, case_source, mask_layer

SCORES_NAME = "scores.csv"
_MOST_BYTES = 50_000_000
_MOST_TOLD = 3

# Of a curve; the screen has no more columns.
_MOST_POINTS = 2000


def check_cohort(cohort: Cohort | None, table: Path | None) -> Cohort:
    """Return the open cohort.

    Raises CohortError if there is none that has a table.
    """
    if cohort is None or not len(cohort):
        raise CohortError("Open a cohort in the dock Cases first.")
    if table is None:
        raise CohortError(
            "What is open is a pair of files, not a cohort; open a folder of cases or a cohort.csv in the "
            "dock Cases."
        )
    return cohort


def check_study(config: StudyConfig, cohort: Cohort, *, folder: Path) -> None:
    """Refuse cases that lack what a configuration needs, and folds that do not fit the cohort.

    Raises NecrosegError saying what is wrong, and what to do.
    """
    check_cases(config, without_voxels(cohort))
    try:
        # Volumes decide which case is in which fold, not whether folds are possible.
        decide_folds(config, cohort, volumes_ml=dict.fromkeys(cohort.names, 0.0), out=folder)
    except CohortError as error:
        if (folder / FOLDS_NAME).is_file():
            raise CohortError(
                f"{error} The folds are those in {folder.name}/{FOLDS_NAME}, which Check or a person has "
                "written: give the study another name, or remove that file to draw the folds anew."
            ) from error
        raise


def check_same_cohort(table: Path | None, of_study: Path) -> None:
    """Refuse to go on with a study of another cohort than the one that is open.

    Raises CohortError naming the study's cohort. A cohort whose table is gone is not compared.
    """
    if table is not None and of_study.is_file() and table.resolve() != of_study:
        raise CohortError(
            f"This study is of another cohort, {of_study}: open that in the dock Cases to go on."
        )


@dataclass(frozen=True, kw_only=True)
class StudyToDo:
    """A study of a cohort in a folder: all runs are done, or those in `only`; with `is_plan`, none."""

    config: StudyConfig
    cohort: Cohort
    table: Path
    out: Path
    only: tuple[str, ...] = ()
    is_plan: bool = False

    def __call__(self, flags: Mapping[str, threading.Event]) -> Iterator[Event]:
        """Run or plan the study; called in its own process."""
        from napari_necroseg.core.study.dry_run import plan_study
        from napari_necroseg.core.study.experiment import run_study

        # One core stays free for the viewer.
        config, cohort = self.config.changed(spare_cores=1), replace(self.cohort, table=self.table)
        stop = flags["stop"]
        if self.is_plan:
            events = plan_study(cohort, config, out=self.out, stop=stop)
        else:
            events = run_study(cohort, config, out=self.out, only=self.only, stop=stop)
        return _in_plain_words(events)


def _in_plain_words(events: Generator[Event, None, None]) -> Iterator[Event]:
    """Replace the result by its sentence: to unpickle the result itself, the viewer would import PyTorch."""
    with closing(events):
        for event in events:
            yield Finished(result=str(event.result)) if isinstance(event, Finished) else event


@dataclass(frozen=True, kw_only=True)
class OpenedStudy:
    """A study, as its files describe it."""

    # Its folder, and its record.
    folder: Path
    record: StudyRecord
    table: Path
    # Its runs, the outcome of those that are over, and the keys of those that were begun.
    runs: tuple[Run, ...]
    states: Mapping[str, RunState]
    interrupted: tuple[str, ...]
    results: tuple[CaseResult, ...]
    # The cases whose mask was corrected in the project; None if that is not known.
    corrected: frozenset[str] | None = None
    # Sentences about files that could not be read.
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ScoresSoFar:
    """The scores so far of a study of the cohort in `table`, which has `n_cases`."""

    folder: Path
    table: Path
    results: tuple[CaseResult, ...]
    n_cases: int | None = None


@dataclass(frozen=True, kw_only=True)
class Curve:
    """The loss of a run over its iterations, and the Dice of its validations."""

    key: str
    losses: tuple[tuple[int, float], ...]
    dice: tuple[tuple[int, float], ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class FoundPrediction:
    """A saved prediction of a case, ready to be shown."""

    case: Case
    layer: LayerData


def do_study(to_do: StudyToDo, stop: threading.Event) -> Iterator[Event]:
    """Run a study in a process of its own: PyTorch then holds neither Python nor memory of the viewer."""
    yield Progress(done=0, total=0, message="Loading PyTorch ...")
    yield from run_remotely(to_do, {"stop": stop})


def open_study(folder: Path, stop: threading.Event) -> Iterator[Event]:
    """Read the status of a study; nothing is computed, and a damaged file hides no other."""
    record = read_study(folder)
    table = (folder / record.cohort).resolve()
    problems: list[str] = []
    runs, states = runs_of(record.config), _states(folder, problems)
    began = tuple(
        run.key
        for run in runs
        if run.key not in states and (folder / MODELS_FOLDER / run.key / CHECKPOINT_NAME).is_file()
    )
    results = _results_or_problem(folder, problems)
    problems += changed_scores(results, states)
    yield Finished(
        result=OpenedStudy(
            folder=folder,
            # Paths in a record start at the folder of the study.
            record=record.model_copy(update={"config": record.config_in(folder)}),
            table=table,
            runs=runs,
            states=states,
            interrupted=began,
            results=results,
            corrected=_corrected(folder, record, labels=table.parent / LABELS_FOLDER),
            problems=_few(problems),
        )
    )


def read_scores(folder: Path, table: Path, *, stop: threading.Event) -> Iterator[Event]:
    """Read the scores of a study of a cohort so far; none before the first run is done."""
    n_cases = len(read_study(folder).cases) if (folder / STUDY_NAME).is_file() else None
    yield Finished(
        result=ScoresSoFar(folder=folder, table=table.resolve(), results=_results(folder), n_cases=n_cases)
    )


def read_curve(folder: Path, key: str, *, stop: threading.Event) -> Iterator[Event]:
    """Read the losses of a run that is over, and its validations, if any."""
    path = folder / MODELS_FOLDER / key / HISTORY_NAME
    written = read_run_record(path.parent).get("history_sha256")
    if isinstance(written, str) and path.is_file() and file_sha256(path) != written:
        raise FileError(f"{path} is not as the training wrote it and is not drawn; the run is unaffected.")
    losses: list[tuple[int, float]] = []
    dice: list[tuple[int, float]] = []
    text = read_text(path, "the history of a training", most_bytes=_MOST_BYTES) if path.exists() else ""
    try:
        for row in csv.DictReader(io.StringIO(text, newline="")):
            iteration = int(row["iteration"])
            if row["loss"]:
                losses.append((iteration, float(row["loss"])))
            if row.get("validation_dice"):
                dice.append((iteration, float(row["validation_dice"])))
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise FileError(f"{path} is no history of a training; the run itself is not affected.") from error
    yield Finished(result=Curve(key=key, losses=_thinned(losses), dice=_thinned(dice)))


def read_prediction(folder: Path, run: Run, *, case: Case, stop: threading.Event) -> Iterator[Event]:
    """Read the prediction of a case by the network that was not trained on it, as a layer on its grid."""
    from napari_necroseg.core.images.read import read_mask_on

    yield Progress(done=0, total=1, message=f"Reading the prediction of {case.name} ...")
    path = named_file(folder / "predictions" / run.out_of_fold, f"{case.name}.nii.gz")
    mask = read_mask_on(path, case.grid)
    # A study predicts on the grid of each case.
    if mask.was_resampled or not _is_same_image(case, read_study(folder)):
        raise FileError(
            f"The {case.name} that is open is another image than the one that this study has predicted, so "
            "its prediction is not shown; open the cohort of the study in the dock Cases."
        )
    name = f"{folder.name}-{run.out_of_fold}"
    layer = mask_layer(mask.volume, case_source(case, Role.PREDICTION, run=name), name=f"prediction {name}")
    yield Finished(result=FoundPrediction(case=case, layer=layer))


def _is_same_image(case: Case, record: StudyRecord) -> bool:
    """Whether the voxels of a case are those of the study."""
    known = record.cases[case.name].images_sha256 if case.name in record.cases else {}
    return all(
        voxels_sha256(image) == known[str(name)]
        for name, image in case.sequences.items()
        if str(name) in known
    )


def _states(folder: Path, problems: list[str]) -> Mapping[str, RunState]:
    """Read the outcome of each run; a record that cannot be read is a problem of that run alone."""
    found: dict[str, RunState] = {}
    for path in sorted((folder / "runs").glob("[!.]*.json")):
        try:
            state = RunState.model_validate(read_json(path, "a record of a run", most_bytes=_MOST_BYTES))
            found[state.run.key] = state
        except (FileError, ValueError):
            if not path.exists():
                # Just being rewritten.
                continue
            problems.append(
                f"{path} is damaged, so its run is shown as waiting; restore it, or remove it to do that run "
                "again."
            )
    return found


def _results_or_problem(folder: Path, problems: list[str]) -> tuple[CaseResult, ...]:
    try:
        return _results(folder)
    except FileError as error:
        problems.append(f"{error} The runs are not affected.")
        return ()


def _few(problems: list[str]) -> tuple[str, ...]:
    more = len(problems) - _MOST_TOLD
    return (*problems[:_MOST_TOLD], *((f"And {more} more files.",) if more > 0 else ()))


def _corrected(folder: Path, record: StudyRecord, *, labels: Path) -> frozenset[str] | None:
    """Return the cases whose mask is in the project's folder of corrected masks."""
    files = {name: case.target_file for name, case in record.cases.items() if case.target_file}
    root = folder.resolve()
    is_in = {name: Path(os.path.normpath(root / file)).parent == labels for name, file in files.items()}
    return frozenset(name for name, there in is_in.items() if there) if files else None


def _thinned(points: list[tuple[int, float]]) -> tuple[tuple[int, float], ...]:
    """Keep every n-th point, the last one among them."""
    every = -(-len(points) // _MOST_POINTS)
    return tuple(points[(len(points) - 1) % every :: every]) if points else ()


def _results(folder: Path) -> tuple[CaseResult, ...]:
    path = folder / SCORES_NAME
    return read_results(path) if path.is_file() else ()
