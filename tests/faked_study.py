"""Events, files and jobs of studies that are not done: what the tests of the dock Study are made of."""

import dataclasses
import threading
from pathlib import Path

from qtpy.QtWidgets import QApplication

from napari_necroseg.core.config.study import Configuration, StudyConfig
from napari_necroseg.core.events import Finished, Started
from napari_necroseg.core.scoring.scores import score_masks
from napari_necroseg.core.study.record import RunState, StudyCase, StudyRecord, write_record
from napari_necroseg.core.study.results import CaseResult
from napari_necroseg.core.study.run import Run, RunAdvanced, RunDone, RunPlanned
from napari_necroseg.layerdata import Role

CONFIGURATIONS = ("2d:ceT1", "3d:ceT1+T2")


@dataclasses.dataclass(frozen=True)
class Result:
    folder: Path
    done: int = 4
    failed: int = 0
    total: int = 4
    report: Path | None = None

    def __str__(self):
        return f"{self.done} of {self.total} runs done."


def run(configuration="2d:ceT1", fold=1):
    return Run(configuration=Configuration(configuration), fold=fold, seed=0)


def about(one):
    return {"configuration": one.configuration, "fold": one.fold, "seed": one.seed}


def planned(one, state="waiting", **more):
    length = {"iterations": None, "minutes": 10.0}
    return RunPlanned(
        **about(one), **length, training=1, validation=1, state=state, key=one.key, estimated_s=720.0, **more
    )


def advanced(one, share, loss=0.5, iteration=10):
    return RunAdvanced(
        **about(one),
        phase="training",
        share=share,
        iteration=iteration,
        loss=loss,
        seconds=3.0,
        seconds_left=90.0,
    )


def done(one, dice=0.8, scored=1, **more):
    return RunDone(**about(one), done=1, total=4, seconds=60.0, mean_dice=dice, scored=scored, **more)


def settled(dock):
    """Let the dock look at all that was changed just now."""
    QApplication.processEvents()
    return dock


def type_name(dock, text):
    """Type a name, and press Enter."""
    dock.place.combo.setEditText(text)
    dock.place.combo.lineEdit().editingFinished.emit()


class Job:
    """A study that yields what the test gives it, then waits for its word; notes what was asked for."""

    def __init__(self, *events):
        self.events, self.asked = list(events), []
        self.go_on = threading.Event()

    def __call__(self, to_do, stop):
        self.asked.append(to_do)
        yield Started(message="A study of 4 runs.")
        yield from self.events
        while not self.go_on.wait(0.005):
            if stop.is_set():
                return
        yield Finished(result=Result(to_do.out))


def texts(dock, configuration="2d:ceT1"):
    return [dock.progress.grid.text(run(configuration, fold)) for fold in (1, 2)]


def write_study(folder, table, states=()):
    """Write a study of the cases a (fold 1) and b (fold 2), with what has become of its runs."""
    config = StudyConfig(configurations=CONFIGURATIONS, folds=2, minutes_per_run=3.0)
    folder.mkdir(parents=True, exist_ok=True)
    cases = {
        name: StudyCase(patient=name, fold=fold, target_ml=1.0, images_sha256={})
        for name, fold in (("a", 1), ("b", 2))
    }
    write_record(
        folder / "study.json", StudyRecord(config=config, cohort=str(table), cases=cases, versions={})
    )
    (folder / "runs").mkdir(exist_ok=True)
    for state in states:
        write_record(folder / "runs" / f"{state.run.key}.json", state)
    return folder


def state_of(one, state="done", **more):
    seen = ("a",) if one.fold == 1 else ("b",)
    return RunState(**about(one), state=state, training=("x",), validation=seen, **more)


def predictions(dock, name):
    return dock.workspace.layers.find(name, [Role.PREDICTION])


def result_of(case, fold, dice, configuration="2d:ceT1", seed=0):
    reference, grid = case.reference.voxels, case.grid
    scores = score_masks(reference, reference, grid, tolerance_mm=2.0)
    scores = dataclasses.replace(scores, dice=dice)
    network = Configuration(configuration)
    return CaseResult(configuration=network, fold=fold, seed=seed, case=case.name, scores=scores)
