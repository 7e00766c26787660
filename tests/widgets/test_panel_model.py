"""The step Model of the panel: one button that learns, then predicts, and the list of known models."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from napari_necroseg.core.case import Cohort
from napari_necroseg.core.cohort.table import read_cohort
from napari_necroseg.core.events import CaseDone, Progress, TrainingStep, Validated, Warned
from napari_necroseg.core.language import set_language
from napari_necroseg.core.prediction.predict_cohort import PredictedCohort
from napari_necroseg.core.project.model_folder import TrainedRun
from napari_necroseg.core.project.remembered import read_remembered, remember_project
from napari_necroseg.jobs import predict, train
from napari_necroseg.widgets.panel.model_step import ModelStep
from napari_necroseg.widgets.shared import qt_parts


def write_model(run: Path, *, iterations: int = 1200, age_s: int = 0, **record: object) -> Path:
    run.mkdir(parents=True, exist_ok=True)
    (run / "weights.safetensors").touch()
    os.utime(run / "weights.safetensors", (1_700_000_000 - age_s,) * 2)
    (run / "run.json").write_text(json.dumps({"iterations": iterations, **record}))
    return run


@pytest.fixture
def step(open_dock):
    return open_dock(ModelStep)


@pytest.fixture
def four_patients(cohort_table):
    """The table of a project, and four cases with a reference; the last two have the files of the first."""
    cohort = read_cohort(cohort_table).only(("a", "b"))
    more = [replace(case, name=f"{case.name}2") for case in cohort]
    return Cohort(cases=(*cohort, *more)), cohort_table


@pytest.fixture
def ready(qtbot, step, four_patients):
    step.workspace.set_cohort(*four_patients)
    qtbot.waitUntil(lambda: step.view.proposal is not None)
    return step


@pytest.fixture
def fake_training(monkeypatch, steered_job):
    """Replace the training by a step and a test; the model appears when the test says so."""
    job = steered_job()
    job.asked, job.iterations = [], 1200

    def do_training(training, controls, stop):
        job.asked.append(training)
        yield TrainingStep(iteration=10, iterations=None, loss=0.9, seconds=1.0, seconds_left=540.0)
        yield Validated(iteration=10, dice={"b": 0.5}, mean_dice=0.5)
        yield TrainingStep(iteration=20, iterations=None, loss=0.8, seconds=60.0, seconds_left=480.0)
        write_model(
            training.out,
            iterations=job.iterations,
            cases=list(training.cohort.names),
            validation=list(training.validation.names),
        )
        (training.out / "history.csv").write_text(
            "iteration,seconds,loss,validation_dice\n20,60.0,,0.710000\n"
        )
        job.result = TrainedRun(
            run=training.out, cases=3, parameters=1, iterations=job.iterations, seconds=600.0, loss=0.3
        )
        yield from job(stop)

    monkeypatch.setattr(train, "do_training", do_training)
    return job


def test_without_a_project_it_says_what_to_do(step):
    assert step.main().act is None
    assert "Open a folder of cases first" in step.learn.what.said


def test_one_button_learns_tests_and_then_predicts(qtbot, ready, fake_training):
    assert ready.main().text == "Learn from 3 cases, about 10 min, test on 1"
    ready.learn.minutes.setValue(4)
    assert ready.main().text == "Learn from 3 cases, about 4 min, test on 1"
    said = []
    ready.learn.runner.reported.connect(lambda _: said.append(ready.main().text))
    ready.main().act()
    assert ready.main().act is None
    qtbot.waitUntil(lambda: len(said) >= 4)
    assert said[0] == "Learning: about 9 min left"
    assert said[2] == "Learning: about 8 min left. Dice in the test so far: 0.50"
    with qtbot.waitSignal(ready.learn.trained):
        fake_training.go_on.set()
    (training,) = fake_training.asked
    assert (training.config.preset, training.config.minutes) == ("fast", 4.0)
    assert len(training.cohort.names) == 3
    assert len(training.validation.names) == 1
    assert ready.learn.result.said.startswith("Dice on 1 unseen case: 0.71")
    qtbot.waitUntil(lambda: ready.main().text == "Predict all 4 cases")
    assert ready.workspace.run == training.out
    remembered = read_remembered()
    assert (remembered.model, remembered.minutes) == (training.out, 4.0)
    assert ready.models.table.cell(0, 0).text() == "✓ 2d-ceT1-T2-1"
    assert ready.models.table.cell(0, 3).text() == "0.71"


def test_a_model_that_was_stopped_at_once_is_not_used(qtbot, ready, fake_training):
    good = write_model(ready.workspace.folder / "models" / "good", age_s=100)
    ready.workspace.models_changed.emit()
    qtbot.waitUntil(lambda: ready.workspace.run == good)
    fake_training.iterations = 12
    ready.learn.start()
    fake_training.go_on.set()
    qtbot.waitUntil(lambda: ready.models.table.rowCount() == 2)
    assert "too short to be of use" in ready.learn.result.said
    # 12 steps took 10 minutes.
    assert ready.learn.minutes.value() == 168
    assert ready.workspace.run == good
    assert ready.models.table.cell(1, 0).text() == "✓ good"


def test_models_of_other_projects_are_known_and_the_chosen_one_is_kept(qtbot, ready, tmp_path, monkeypatch):
    there = write_model(tmp_path / "there" / "models" / "theirs", age_s=50)
    newer = write_model(tmp_path / "elsewhere" / "lent")
    remember_project(tmp_path / "there")
    ready.look_again()
    qtbot.waitUntil(lambda: ready.workspace.run == there)
    monkeypatch.setattr(qt_parts, "ask_folder", lambda *_, **__: newer)
    ready.models.add_button.click()
    qtbot.waitUntil(lambda: ready.models.table.rowCount() == 2)
    assert ready.workspace.run == newer
    ready.models.table.cellClicked.emit(1, 0)
    qtbot.waitUntil(lambda: ready.models.table.cell(1, 0).text() == "✓ theirs")
    assert read_remembered().model == there
    assert set(ready.workspace.known_runs) == {there, newer}
    monkeypatch.setattr(qt_parts, "ask_folder", lambda *_, **__: tmp_path)
    ready.models.add_button.click()
    assert "is not the folder of a trained model" in ready.batch.panel.message


def test_all_cases_are_predicted_with_case_and_time_left(qtbot, ready, monkeypatch, steered_job, tmp_path):
    job = steered_job()

    def predict_all(runs, cohort, *, config, out, warm, stop):
        job.runs, job.out = runs, out
        yield Progress(done=130, total=400, message="Case 2 of 4: b; about 3 min left")
        yield Warned(message="b: The T2 image was resampled.")
        yield CaseDone(case="b", done=2, total=4, seconds=1.0)
        yield from job(stop)

    job.result = PredictedCohort(
        out=tmp_path, done=3, failed=1, seconds=9.0, left_out=0, most_left_out_ml=0.0, failed_cases=("b",)
    )
    monkeypatch.setattr(predict, "predict_all", predict_all)
    run = write_model(ready.workspace.folder / "models" / "good")
    ready.workspace.models_changed.emit()
    qtbot.waitUntil(lambda: ready.main().text == "Predict all 4 cases")
    said = []
    ready.batch.runner.reported.connect(lambda _: said.append(ready.batch.panel.message))
    ready.main().act()
    qtbot.waitUntil(lambda: len(said) >= 3)
    assert said[0] == "Case 2 of 4: b; about 3 min left"
    for name in ("a", "b", "a2", "b2"):
        job.out.mkdir(parents=True, exist_ok=True)
        (job.out / f"{name}.nii.gz").touch()
    with qtbot.waitSignal(ready.batch.predicted):
        job.go_on.set()
    assert job.runs == [run]
    assert ready.batch.result.said == "3 cases are predicted. 1 case could not be."
    assert ready.batch.panel.note_list.words.said == "b: The T2 image was resampled."
    qtbot.waitUntil(lambda: ready.main().text == "Check the predictions")
    wanted = []
    ready.workspace.case_wanted.connect(wanted.append)
    ready.workspace.step_wanted.connect(wanted.append)
    ready.main().act()
    assert wanted == ["a", "draw"]


def test_an_improvement_raises_the_step_and_names_the_new_cases(qtbot, ready, fake_training):
    run = write_model(ready.workspace.folder / "models" / "good", cases=["a", "b"])
    ready.workspace.models_changed.emit()
    qtbot.waitUntil(lambda: ready.workspace.run == run)
    wanted = []
    ready.workspace.step_wanted.connect(wanted.append)
    ready.workspace.improvement_wanted.emit(("a", "a2", "b2"))
    assert wanted == ["model"]
    assert ready.main().text == "Improve the model with 2 cases, about 10 min"
    ready.main().act()
    qtbot.waitUntil(lambda: bool(fake_training.asked))
    (training,) = fake_training.asked
    assert (training.start_from, training.cohort.names) == (run, ("a2", "b2"))
    fake_training.go_on.set()
    qtbot.waitUntil(lambda: not ready.learn.is_busy)
    assert ready.learn.improvement is None


def test_an_interrupted_training_is_one_banner(qtbot, ready, fake_training):
    run = ready.workspace.folder / "models" / "cut-off"
    run.mkdir(parents=True)
    (run / "checkpoint.safetensors").touch()
    ready.workspace.models_changed.emit()
    qtbot.waitUntil(lambda: not ready.learn.interrupted.isHidden())
    assert ready.learn.interrupted.go_on.text() == "Go on with cut-off"
    ready.learn.interrupted.go_on.click()
    qtbot.waitUntil(lambda: bool(fake_training.asked))
    assert fake_training.asked[0].out == run
    assert ready.learn.interrupted.isHidden()
    fake_training.go_on.set()
    qtbot.waitUntil(lambda: not ready.learn.is_busy)


def test_in_german_dates_and_numbers_are_german(qtbot, open_dock, four_patients):
    set_language("de")
    step = open_dock(ModelStep)
    run = write_model(four_patients[1].parent / "models" / "gut", cases=["p"], validation=["q"])
    history = "iteration,seconds,loss,validation_dice\n20,60.0,,0.710000\n"
    (run / "history.csv").write_text(history)
    step.workspace.set_cohort(*four_patients)
    qtbot.waitUntil(lambda: step.models.table.rowCount() == 1)
    cells = [step.models.table.cell(0, column).text() for column in range(4)]
    assert cells == ["✓ gut", "14.11.2023", "1", "0,71"]
    step.learn.minutes.setValue(2.5)
    assert step.learn.title() == "Aus 3 Fällen lernen, etwa 2,5 min, Test an 1"
