"""The jobs of the dock Study: the study itself in a process of its own, and reading what it has written."""

import csv
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from napari_necroseg.core.case import Case, Cohort
from napari_necroseg.core.config.study import StudyConfig
from napari_necroseg.core.errors import FileError
from napari_necroseg.core.events import Event, Finished, Progress
from napari_necroseg.core.remote import run_remotely
from napari_necroseg.core.study.record import RunState, StudyRecord, read_states, read_study
from napari_necroseg.core.study.results import CaseResult, read_results
from napari_necroseg.core.study.runs import Run, runs_of
from napari_necroseg.layerdata import LayerData, Role, case_source, mask_layer

SCORES_NAME = "scores.csv"
_CHECKPOINT = "checkpoint.safetensors"
_MOST_BYTES = 50_000_000


@dataclass(frozen=True, kw_only=True)
class StudyToDo:
    """What is done: which study of which cohort, in which folder; `only` some runs, or none but a plan."""

    config: StudyConfig
    cohort: Cohort
    table: Path
    out: Path
    only: tuple[str, ...] = ()
    is_plan: bool = False

    def __call__(self, flags: Mapping[str, threading.Event]) -> Iterator[Event]:
        """Do it; called in its own process."""
        from napari_necroseg.core.study.planning import plan_study
        from napari_necroseg.core.study.study import run_study

        _leave_a_core()
        stop = flags["stop"]
        if self.is_plan:
            return plan_study(self.config, self.cohort, table=self.table, out=self.out, stop=stop)
        return run_study(self.config, self.cohort, table=self.table, out=self.out, only=self.only, stop=stop)


def _leave_a_core() -> None:
    """Keep this process, and those that it starts, off one core: it stays free for the viewer."""
    process = psutil.Process()
    if not hasattr(process, "cpu_affinity"):
        # macOS shares out its cores by priority alone.
        return
    cores = process.cpu_affinity()
    if len(cores) > 1:
        process.cpu_affinity(cores[1:])


@dataclass(frozen=True, kw_only=True)
class OpenedStudy:
    """A study as its files have it: what it is, its runs, how they went, and the scores so far."""

    folder: Path
    record: StudyRecord
    runs: tuple[Run, ...]
    states: Mapping[str, RunState]
    interrupted: tuple[str, ...]
    results: tuple[CaseResult, ...]


@dataclass(frozen=True, kw_only=True)
class ScoresSoFar:
    """The scores of a study whose runs are not all done."""

    folder: Path
    results: tuple[CaseResult, ...]


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
    """Do a study in a process of its own: PyTorch then holds neither Python nor memory of the viewer."""
    yield Progress(done=0, total=0, message="Loading PyTorch ...")
    yield from run_remotely(to_do, {"stop": stop})


def open_study(folder: Path, _stop: threading.Event) -> Iterator[Event]:
    """Read how a study stands; nothing is computed."""
    record = read_study(folder)
    runs, states = runs_of(record.config), read_states(folder)
    began = tuple(
        run.key
        for run in runs
        if run.key not in states and (folder / "models" / run.key / _CHECKPOINT).is_file()
    )
    yield Finished(
        result=OpenedStudy(
            folder=folder,
            record=record,
            runs=runs,
            states=states,
            interrupted=began,
            results=_results(folder),
        )
    )


def read_scores(folder: Path, _stop: threading.Event) -> Iterator[Event]:
    """Read the scores of a study so far; none before the first run is done."""
    yield Finished(result=ScoresSoFar(folder=folder, results=_results(folder)))


def read_curve(folder: Path, key: str, _stop: threading.Event) -> Iterator[Event]:
    """Read the loss of a run that is over, and its validations if there were any."""
    path = folder / "models" / key / "history.csv"
    losses: list[tuple[int, float]] = []
    dice: list[tuple[int, float]] = []
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise FileError(f"{path} is too large for the history of a training.")
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                iteration = int(row["iteration"])
                if row["loss"]:
                    losses.append((iteration, float(row["loss"])))
                if row.get("validation_dice"):
                    dice.append((iteration, float(row["validation_dice"])))
    except FileNotFoundError:
        pass
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise FileError(f"{path} is no history of a training; the run itself is not affected.") from error
    yield Finished(result=Curve(key=key, losses=tuple(losses), dice=tuple(dice)))


def read_prediction(path: Path, case: Case, run: str, _stop: threading.Event) -> Iterator[Event]:
    """Read the prediction of a case by the network that has not seen it, as a layer on the case's grid."""
    from napari_necroseg.core.grids.orient import to_working
    from napari_necroseg.core.grids.resample import resample_mask
    from napari_necroseg.core.io.image import read_mask

    yield Progress(done=0, total=1, message=f"Reading the prediction of {case.name} ...")
    mask = to_working(read_mask(path).volume)
    if not mask.grid.matches(case.grid):
        mask = resample_mask(mask, case.grid)
    layer = mask_layer(mask, case_source(case, Role.PREDICTION, run), f"prediction {run}")
    yield Finished(result=FoundPrediction(case=case, layer=layer))


def _results(folder: Path) -> tuple[CaseResult, ...]:
    path = folder / SCORES_NAME
    return read_results(path) if path.is_file() else ()
