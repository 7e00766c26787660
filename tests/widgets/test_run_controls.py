"""The dock Train when things change meanwhile: masks saved, other projects, a training cut off."""

import shutil
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from napari.layers import Labels

from napari_necroseg.core.case import Cohort
from napari_necroseg.core.cohort.table import read_cohort
from napari_necroseg.core.config import train_preset
from napari_necroseg.core.disk import file_lock
from napari_necroseg.core.errors import CohortError, ModelError
from napari_necroseg.core.events import Paused, TrainingStep
from napari_necroseg.core.plan import make_plan
from napari_necroseg.core.project.model_folder import lock_path
from napari_necroseg.core.project.models import find_interrupted
from napari_necroseg.core.training import train as train_module
from napari_necroseg.core.training.train import train_planned
from napari_necroseg.jobs import train as train_py
from napari_necroseg.jobs.train import NewTraining, ResumedTraining, TrainingControls, do_training
from napari_necroseg.widgets.shared import qt_parts
from napari_necroseg.widgets.train.dock import Train


@pytest.fixture
def ready(open_dock, cohort_table):
    dock = open_dock(Train)
    dock.workspace.set_cohort(read_cohort(cohort_table), cohort_table)
    return dock


@pytest.fixture
def cut_off(ready, cohort_table):
    """A training of a and b that was killed after its second step."""
    cohort = read_cohort(cohort_table).only(("a", "b"))
    config = train_preset("fast").changed(steps=3, batch_size=1, device="cpu", threads=1)
    run = cohort_table.parent / "models" / "mine"
    job = train_planned(make_plan(config, cohort), cohort, run=run)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_module, "_SECONDS_BETWEEN_CHECKPOINTS", 0.0)
        patch.setattr(train_module, "_SECONDS_BETWEEN_EVENTS", 0.0)
        next(event for event in job if isinstance(event, TrainingStep) and event.iteration == 2)
    job.close()
    ready.workspace.set_cohort(read_cohort(cohort_table), cohort_table)
    return run


def save_mask(cohort_table) -> Path:
    labels = cohort_table.parent / "labels"
    labels.mkdir(exist_ok=True)
    shutil.copy(cohort_table.parent / "a" / "necrosis.nii.gz", labels / "c.nii.gz")
    return labels / "c.nii.gz"


def test_a_mask_is_learned_from_as_soon_as_it_is_signed_off(ready, cohort_table, sign_off):
    assert "no reference" in ready.cases._list.item(2).text()
    corrected = save_mask(cohort_table)
    ready.workspace.layers.saved.emit(Labels(np.zeros((2, 3, 4), np.uint8)))
    assert ready.cases._list.item(2).text() == "c  (no reference mask; its mask in work is left alone)"
    sign_off(corrected.parent, "c")
    ready.workspace.layers.saved.emit(Labels(np.zeros((2, 3, 4), np.uint8)))
    assert ready.chooser.cohort["c"].reference == corrected
    assert ready.cases._list.item(2).text() == "c  (mask signed off by AB)"


def test_a_mask_that_another_program_signed_counts_when_training_starts(
    ready, cohort_table, monkeypatch, sign_off
):
    asked = []
    monkeypatch.setattr(ready, "_run", lambda training, *_: asked.append(training.cohort))
    ready.cases.tick(("a",))
    labels = cohort_table.parent / "labels"
    labels.mkdir()
    shutil.copy(cohort_table.parent / "b" / "necrosis.nii.gz", labels / "a.nii.gz")
    sign_off(labels, "a")
    ready.start()
    assert asked[0]["a"].reference == labels / "a.nii.gz"


def test_an_improvement_sees_the_masks_that_are_there(ready, cohort_table, tmp_path, sign_off):
    ready.workspace.set_run(tmp_path / "models" / "first")
    ready.model.choose_newest()
    sign_off(save_mask(cohort_table).parent, "c")
    # The newest model is chosen already: nothing in its list changes.
    ready.workspace.improvement_wanted.emit(("c",))
    assert ready.cases.ticked() == ("c",)


def added(ready, cohort_table, name: str) -> None:
    files = read_cohort(cohort_table)["a"]
    ready.chooser.add(replace(files, name=name, patient="of layers"))
    ready.chooser.show_cases(ready.chooser.config)


def test_layers_of_another_project_do_not_stand_for_its_cases(ready, cohort_table, tmp_path):
    added(ready, cohort_table, "b")
    assert ready.chooser.cohort["b"].patient == "of layers"
    # The same project, read again.
    ready.workspace.set_cohort(read_cohort(cohort_table), cohort_table)
    assert ready.chooser.cohort["b"].patient == "of layers"
    other = tmp_path / "other" / "cohort.csv"
    ready.workspace.set_cohort(read_cohort(cohort_table), other)
    assert ready.chooser.cohort["b"].patient != "of layers"
    assert ready.chooser.layers._forget.isHidden()


def test_added_layers_can_be_removed(ready, cohort_table):
    assert ready.chooser.layers._forget.isHidden()
    added(ready, cohort_table, "b")
    assert ready.chooser.layers._forget.text() == "Remove added layers (1)"
    ready.chooser.layers._forget.click()
    assert ready.chooser.cohort["b"].patient != "of layers"
    assert ready.chooser.layers._forget.isHidden()


@pytest.mark.parametrize("gives_up", [False, True])
def test_closing_the_dock_interrupts_and_cancel_gives_up(qtbot, ready, cohort_table, monkeypatch, gives_up):
    monkeypatch.setattr(train_py, "run_remotely", _slowly)
    models = cohort_table.parent / "models"
    ready.form.set_config(train_preset("fast").changed(steps=500, batch_size=1, device="cpu", threads=1))
    ready.name.clear()
    qtbot.keyClicks(ready.name, "mine")
    ready.start()
    qtbot.waitUntil((models / "mine" / "checkpoint.safetensors").exists, timeout=60_000)
    if gives_up:
        ready.panel._cancel.click()
    else:
        ready.shut_down()
    qtbot.waitUntil(lambda: not ready.runner.is_busy)
    assert (models / "mine").exists() != gives_up
    assert find_interrupted(models) == (None if gives_up else models / "mine")


def _slowly(training, flags):
    """Do the job in this process, a checkpoint after each step."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_module, "_SECONDS_BETWEEN_CHECKPOINTS", 0.0)
        yield from training(flags)


def test_what_is_wanted_meanwhile_reaches_the_process(cohort_table, tmp_path):
    cohort = read_cohort(cohort_table).only(("a", "b"))
    config = train_preset("fast").changed(steps=400, batch_size=1, device="cpu", threads=1)
    controls, nobody = TrainingControls(), Cohort(cases=())
    training = NewTraining(config=config, cohort=cohort, validation=nobody, out=tmp_path / "run")
    events = []
    for event in do_training(training, controls, stop=threading.Event()):
        events.append(event)
        if isinstance(event, TrainingStep) and not controls.pause.is_set():
            controls.pause.set()
        if isinstance(event, Paused):
            controls.keep.set()
    assert any(isinstance(event, Paused) for event in events)
    assert events[-1].result.iterations < 400
    assert (tmp_path / "run" / "run.json").exists()


def test_an_interrupted_training_is_gone_on_with(qtbot, ready, cut_off):
    assert not ready.interrupted.isHidden()
    assert ready.interrupted.go_on.text() == "Go on with mine"
    # Whatever the form says now: the training has its own choices.
    ready.form.input("seed").set_value(9)
    results = []
    ready.runner.finished.connect(results.append)
    ready.runner.failed.connect(results.append)
    ready.interrupted.go_on.click()
    assert ready.interrupted.isHidden()
    qtbot.waitUntil(lambda: len(results) == 1, timeout=60_000)
    assert (results[0].iterations, results[0].run) == (3, cut_off)
    assert ready.curve.points[0][0] >= 2
    assert ready.interrupted.isHidden()


def test_without_an_interrupted_training_there_is_nothing_to_go_on_with(ready):
    assert ready.interrupted.isHidden()


def test_an_interrupted_training_can_be_discarded(ready, cut_off, monkeypatch):
    assert ready.interrupted.run == cut_off
    answers = iter([False, True])
    monkeypatch.setattr(qt_parts, "ask_discard", lambda *_, **__: next(answers))
    ready.interrupted.discard.click()
    assert cut_off.exists()
    ready.interrupted.discard.click()
    assert not cut_off.exists()
    assert ready.interrupted.isHidden()
    assert ready.panel.message == "Discarded mine."


def test_a_training_that_another_program_does_is_neither_offered_nor_discarded(ready, cut_off, monkeypatch):
    monkeypatch.setattr(qt_parts, "ask_discard", lambda *_, **__: True)
    with file_lock(lock_path(cut_off), "It"):
        assert find_interrupted(cut_off.parent) is None
        ready.interrupted.discard.click()
        assert "is under way in another window or program" in ready.panel.message
    assert cut_off.exists()
    assert find_interrupted(cut_off.parent) == cut_off


def what_it_was(cut_off, cohort):
    return ResumedTraining(out=cut_off, cohort=cohort, validation=cohort).as_begun()


def test_a_case_that_is_not_there_is_named_when_a_training_goes_on(cut_off, cohort_table):
    cohort = read_cohort(cohort_table)
    assert what_it_was(cut_off, cohort).cohort.names == ("a", "b")
    with pytest.raises(CohortError, match="mine was begun with b, which is not in the list"):
        what_it_was(cut_off, cohort.without(("b",)))


def test_a_model_that_is_not_there_is_told_when_a_fine_tuning_goes_on(cut_off, cohort_table, monkeypatch):
    from napari_necroseg.core.training import checkpoint as checkpoint_module

    read = checkpoint_module.read_progress
    monkeypatch.setattr(
        checkpoint_module, "read_progress", lambda run: read(run).model_copy(update={"started_from": "1234"})
    )
    with pytest.raises(ModelError, match=r"The model that mine went on from is not in .*models"):
        what_it_was(cut_off, read_cohort(cohort_table))
