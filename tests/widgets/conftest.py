"""Cases in memory, a viewer without a window, and jobs that a test steers."""

import dataclasses
import gc
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from correcting import show
from faked_prediction import KNOWN
from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QWidget

from faked_study import CONFIGURATIONS, Job, run, settled, state_of, write_study
from napari_necroseg.core.case import Case, CaseFiles, Cohort, Sequence
from napari_necroseg.core.cohort.load import load_case
from napari_necroseg.core.cohort.table import read_cohort, write_cohort
from napari_necroseg.core.config import train_preset
from napari_necroseg.core.config.study import Configuration
from napari_necroseg.core.events import Event, Finished, Progress
from napari_necroseg.core.images.save import save_mask
from napari_necroseg.core.prediction.predict import Prediction
from napari_necroseg.core.scoring.scores import score_masks
from napari_necroseg.core.study.results import CaseResult, results_text
from napari_necroseg.core.volume import Grid, Origin, Volume
from napari_necroseg.jobs import predict as predict_module
from napari_necroseg.jobs import study
from napari_necroseg.widgets.correct.dock import Correct
from napari_necroseg.widgets.predict.dock import Predict
from napari_necroseg.widgets.shared import qt_parts
from napari_necroseg.widgets.shared.dock import Dock
from napari_necroseg.widgets.shared.worker import JobRunner
from napari_necroseg.widgets.study.dock import Study

SHAPE = (6, 40, 36)
# (L, I, P): 4 mm slices, rows of 0.9 mm downwards, columns of 0.8 mm backwards.
UPRIGHT_AFFINE = np.array([[-4.0, 0, 0, 10], [0, 0, -0.8, 20], [0, -0.9, 0, 30], [0, 0, 0, 1]])


@pytest.fixture(scope="module")
def _only_new_objects() -> Iterator[None]:
    """Keep the garbage collector from all that earlier tests have left: napari collects for every window."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def make_napari_viewer(
    _only_new_objects: None, qtbot, make_napari_viewer: Callable[..., Any]
) -> Callable[..., Any]:
    """As napari's, with no mouse button held: Qt remembers one that another test has left pressed."""
    anywhere = QWidget()
    qtbot.addWidget(anywhere)
    for button in (Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton, Qt.MouseButton.RightButton):
        QTest.mouseRelease(anywhere, button)
    return make_napari_viewer


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


@pytest.fixture
def threads() -> Callable[[], list[threading.Thread]]:
    """List the threads of docks that were begun in this test; the docks of others wait for the collector."""
    earlier = set(threading.enumerate())
    return lambda: [
        one for one in threading.enumerate() if one.name == "necroseg-preview" and one not in earlier
    ]


@pytest.fixture
def open_dock(qtbot, viewer: ViewerModel) -> Callable[[type[Dock]], Dock]:
    """Open a dock; at the end of the test its jobs are stopped before Qt deletes it."""
    # As napari's window does: pytest-qt alone would let Python collect a dock that the test does not name.
    opened: list[Dock] = []

    def stop(dock: Dock) -> None:
        dock.shut_down()
        qtbot.waitUntil(lambda: not any(runner.is_busy for runner in dock.findChildren(JobRunner)))

    def make(kind: type[Dock]) -> Dock:
        dock = kind(viewer)
        opened.append(dock)
        qtbot.addWidget(dock, before_close_func=stop)
        return dock

    return make


@pytest.fixture
def make_case(make_grid: Callable[..., Grid]) -> Callable[..., Case]:
    """Make a case of noise with a cube of necrosis in slices 2 and 3 (2 x 10 x 10 voxels)."""

    def make(
        name: str = "a",
        *,
        shape: tuple[int, int, int] = SHAPE,
        has_t2: bool = True,
        has_reference: bool = True,
    ) -> Case:
        grid = make_grid(shape, UPRIGHT_AFFINE)
        generator = np.random.default_rng(0)
        mask = np.zeros(shape, np.uint8)
        mask[2:4, 14:24, 12:22] = 1
        names = (Sequence.CET1, Sequence.T2) if has_t2 else (Sequence.CET1,)
        return Case(
            name=name,
            sequences={
                sequence: Volume(generator.random(shape, dtype=np.float32), grid) for sequence in names
            },
            origin=Origin(grid),
            reference=Volume(mask, grid) if has_reference else None,
        )

    return make


@pytest.fixture
def cohort_table(tmp_path: Path, write_case: Callable[..., Path]) -> Path:
    """Write a cohort of three cases; the second is larger, the third has no reference."""
    rows = []
    for name, shape in (("a", SHAPE), ("b", (7, 44, 38)), ("c", SHAPE)):
        folder = write_case(tmp_path / "study" / name, shape=shape)
        rows.append(
            CaseFiles(
                name=name,
                sequences={sequence: folder / f"{sequence}.nii.gz" for sequence in Sequence},
                reference=None if name == "c" else folder / "necrosis.nii.gz",
            )
        )
    table = tmp_path / "study" / "cohort.csv"
    write_cohort(table, Cohort(cases=tuple(rows)))
    return table


class SteeredJob:
    """A job that yields what the test tells it to, and notes how it ended."""

    def __init__(self, *, result: object = "result", error: Exception | None = None) -> None:
        self.go_on = threading.Event()
        self.was_closed = threading.Event()
        self.result = result
        self.error = error

    def __call__(self, stop: threading.Event) -> Iterator[Event]:
        try:
            yield Progress(done=1, total=2, message="half way")
            while not self.go_on.is_set():
                if stop.wait(0.005):
                    return
            if self.error is not None:
                raise self.error
            yield Finished(result=self.result)
        finally:
            self.was_closed.set()


@pytest.fixture
def steered_job() -> type[SteeredJob]:
    return SteeredJob


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[[qt_parts.Answer], list[list[str]]]:
    """Answer the question about unsaved masks; the returned list collects what was asked about."""

    def set_answer(what: qt_parts.Answer) -> list[list[str]]:
        asked: list[list[str]] = []

        def answered(_parent: object, names: list[str]) -> qt_parts.Answer:
            asked.append(list(names))
            return what

        monkeypatch.setattr(qt_parts, "ask_about_unsaved", answered)
        return asked

    return set_answer


@pytest.fixture
def two_patients(cohort_table):
    """A cohort whose cases all have a reference; two folds of one case each."""
    cohort = read_cohort(cohort_table).only(("a", "b"))
    write_cohort(cohort_table, cohort)
    return cohort_table


@pytest.fixture
def make_folds(two_patients):
    def write(cohort, folds):
        cases = [dataclasses.replace(case, fold=fold) for case, fold in zip(cohort, folds, strict=True)]
        write_cohort(two_patients, Cohort(cases=tuple(cases)))

    return write


@pytest.fixture
def other_cohort(tmp_path, write_case):
    """A cohort of other patients in another project, whose cases are called a and b, too."""
    rows = []
    for case in ("a", "b"):
        folder = write_case(tmp_path / "other" / case, shape=(6, 40, 36))
        sequences = {sequence: folder / f"{sequence}.nii.gz" for sequence in Sequence}
        rows.append(CaseFiles(name=case, sequences=sequences, reference=folder / "necrosis.nii.gz"))
    table = tmp_path / "other" / "cohort.csv"
    write_cohort(table, Cohort(cases=tuple(rows)))
    return table


@pytest.fixture
def study_dock(open_dock):
    return open_dock(Study)


@pytest.fixture
def ready_study(study_dock, two_patients):
    study_dock.workspace.set_cohort(read_cohort(two_patients), two_patients)
    study_dock.choices.form.input("folds").set_value(2)
    for name, box in study_dock.choices.boxes.items():
        box.setChecked(name in CONFIGURATIONS)
    return settled(study_dock)


@pytest.fixture
def fake_study(monkeypatch):
    def make(*events):
        job = Job(*events)
        monkeypatch.setattr(study, "do_study", job)
        return job

    return make


@pytest.fixture
def scored_study(qtbot, study_dock, two_patients):
    """A study whose predictions of a are moved by half, those of b are perfect."""
    folder = write_study(two_patients.parent / "study" / "before", two_patients)
    results = []
    for fold, (name, moved) in enumerate((("a", 5), ("b", 0)), start=1):
        case = load_case(read_cohort(two_patients)[name])
        prediction = np.roll(case.reference.voxels, moved, axis=1)
        scores = score_masks(case.reference.voxels, prediction, case.grid, tolerance_mm=2.0)
        network = Configuration("2d:ceT1")
        results.append(CaseResult(configuration=network, fold=fold, seed=0, case=name, scores=scores))
        save = folder / "predictions" / "2d-ceT1_seed-0" / f"{name}.nii.gz"
        save.parent.mkdir(parents=True, exist_ok=True)
        save_mask(save, prediction, case.origin)
    (folder / "scores.csv").write_text(results_text(reversed(results)))
    study_dock.workspace.set_cohort(read_cohort(two_patients), two_patients)
    qtbot.waitUntil(lambda: study_dock.cases.table.rowCount() == 2)
    return study_dock


@pytest.fixture
def opened_study(qtbot, study_dock, two_patients):
    """The dock with a study that was there, of two configurations in two folds."""
    write_study(two_patients.parent / "study" / "before", two_patients, [state_of(run(), mean_dice=0.75)])
    study_dock.workspace.set_cohort(read_cohort(two_patients), two_patients)
    qtbot.waitUntil(lambda: study_dock._opened is not None)
    return settled(study_dock)


@pytest.fixture
def predict_dock(open_dock):
    return open_dock(Predict)


@pytest.fixture
def fake_prediction(monkeypatch, steered_job):
    """Replace the network: a ramp of probability in the reference, which steps down from slice to slice."""
    job = steered_job()

    def predict_case(runs, case, config, place, warm, stop):
        job.runs, job.place, job.config = runs, place, config
        probability = case.reference.voxels * np.float16(0.8)
        probability[3] *= np.float16(0.75)
        provenance = {
            "model": runs[0].name,
            "models": [{}] * len(runs),
            "trained_on": KNOWN.get(case.name, "no"),
        }
        prediction = Prediction(
            case=case.name,
            labels=Volume((probability >= config.threshold).astype(np.uint8), case.grid),
            probability=Volume(probability, case.grid),
            uncertainty=Volume(probability * (1 - probability), case.grid),
            provenance=provenance,
        )
        job.result = predict_module._ready_to_show(prediction, case, runs=runs, config=config).result
        yield from job(stop)

    monkeypatch.setattr(predict_module, "predict_case", predict_case)
    return job


@pytest.fixture
def two_presets(predict_dock, tmp_path):
    """Two models of a project, by their records alone."""
    for preset in ("fast", "paper"):
        run = tmp_path / "models" / preset
        run.mkdir(parents=True)
        (run / "weights.safetensors").write_bytes(b"")
        record = {"config": train_preset(preset).model_dump(mode="json")}
        (run / "run.json").write_text(json.dumps(record))
    predict_dock.workspace.set_cohort(Cohort(cases=()), tmp_path / "cohort.csv")
    return tmp_path / "models"


@pytest.fixture
def correct_dock(open_dock):
    return open_dock(Correct)


@pytest.fixture
def opened(correct_dock, cohort_table):
    """The first case of a project is open, with a prediction: its reference moved by two rows."""
    dock, cohort = correct_dock, read_cohort(cohort_table)
    dock.workspace.set_cohort(cohort, cohort_table)
    show(dock, cohort["a"])
    return dock
