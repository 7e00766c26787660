"""The dock Train: a proposal, a plan in words, one training at a time."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from napari_necroseg.core.case import CaseFiles, Cohort, Sequence
from napari_necroseg.core.cohort.table import read_cohort
from napari_necroseg.core.config import train_preset
from napari_necroseg.core.events import TrainingStep, Validated, ValidationPicture
from napari_necroseg.core.project.model_folder import TrainedRun
from napari_necroseg.core.project.models import find_interrupted, find_weights
from napari_necroseg.jobs import train
from napari_necroseg.layerdata import Role, case_layers
from napari_necroseg.widgets.shared import qt_parts
from napari_necroseg.widgets.shared.workspace import masks_to_save
from napari_necroseg.widgets.train.cases import proposal
from napari_necroseg.widgets.train.dock import Train


@dataclasses.dataclass(frozen=True)
class Trained:
    run: Path
    iterations: int = 1200
    seconds: float = 61.0
    loss: float = 0.25


@pytest.fixture
def dock(open_dock):
    return open_dock(Train)


@pytest.fixture
def ready(dock, cohort_table):
    dock.workspace.set_cohort(read_cohort(cohort_table), cohort_table)
    return dock


@pytest.fixture
def fake_training(monkeypatch, steered_job):
    """Replace the training by one step, and a wait for the test's word; collect what was asked for."""
    job = steered_job()
    asked = []

    def do_training(training, controls, stop):
        asked.append((training.config, training.cohort.names, training.out))
        job.cohort, job.start_from = training.cohort, training.start_from
        job.validation = training.validation.names
        job.keep, job.pause = controls.keep, controls.pause
        if training.picture is not None:
            yield job.picture
        yield TrainingStep(iteration=10, iterations=None, loss=0.9, seconds=1.0, seconds_left=9.0)
        yield Validated(iteration=10, dice={"b": 0.4}, mean_dice=0.4)
        job.result = Trained(training.out)
        yield from job(stop)

    monkeypatch.setattr(train, "do_training", do_training)
    return job, asked


def case(name, *, patient="", fold=None, has_t2=True, has_reference=True):
    names = (Sequence.CET1, Sequence.T2) if has_t2 else (Sequence.CET1,)
    return CaseFiles(
        name=name,
        sequences={sequence: Path(f"{name}-{sequence}.nii.gz") for sequence in names},
        reference=Path(f"{name}-mask.nii.gz") if has_reference else None,
        patient=patient,
        fold=fold,
    )


def test_an_improvement_goes_on_from_the_newest_model_with_the_named_cases(ready, tmp_path):
    ready.workspace.set_run(tmp_path / "study" / "models" / "first")
    ready.workspace.improvement_wanted.emit(("b",))
    assert ready.model.combo.currentText() == "first"
    assert ready.cases.ticked() == ("b",)


def test_without_a_cohort_it_says_what_to_do(dock):
    assert not dock.start_button.isEnabled()
    assert "Open a cohort" in dock.summary.said
    dock.start()
    assert not dock.runner.is_busy


def test_a_cohort_without_enough_can_be_seen_through(ready):
    assert ready.cases.ticked() == ("a", "b")
    assert "c  (no reference mask)" in [ready.cases._list.item(row).text() for row in range(3)]
    assert "of 2 cases: 10 min" in ready.summary.said
    assert ready.start_button.isEnabled()


def test_the_model_goes_into_the_project_under_a_new_name(ready, cohort_table):
    assert ready._folder_label.said == f"Folder: {cohort_table.parent / 'models'}"
    assert ready.name.text() == "2d-ceT1-T2-1"
    (cohort_table.parent / "models" / "2d-ceT1-T2-1").mkdir(parents=True)
    ready.form.input("seed").set_value(3)
    assert ready.name.text() == "2d-ceT1-T2-2"
    ready.form.input("sequences").set_value((Sequence.T2,))
    assert ready.name.text() == "2d-T2-1"


def test_a_name_that_was_typed_stays(qtbot, ready):
    ready.name.setText("")
    qtbot.keyClicks(ready.name, "mine")
    ready.form.input("seed").set_value(3)
    assert ready.name.text() == "mine"


def test_the_preset_fills_in_the_form_and_leaves_personal_choices(ready):
    ready.form.input("seed").set_value(5)
    ready.form.input("preset").set_value("paper")
    assert ready.form.config() == train_preset("paper").changed(seed=5)
    ready.form.input("dimension").set_value("3d")
    assert ready.form.config() == train_preset("paper", "3d").changed(seed=5)
    assert "1800 iterations" in ready.summary.said


def test_choices_that_contradict_each_other_are_told_before_training(ready):
    ready.form.input("preset").set_value("paper")
    ready.form.input("minutes").set_value(3.0)
    assert "time limit" in ready.summary.said
    assert not ready.start_button.isEnabled()
    ready.form.input("sequences").set_value(())
    assert not ready.start_button.isEnabled()


def test_no_case_ticked_is_told(ready):
    ready.cases.tick(())
    assert "no case to train on" in ready.summary.said
    assert not ready.start_button.isEnabled()


def test_pressed_twice_it_trains_once(qtbot, ready, fake_training, cohort_table):
    _, asked = fake_training
    ready.start()
    ready.start()
    qtbot.waitUntil(lambda: len(ready.curve.points) == 1)
    assert asked == [(train_preset("fast"), ("a", "b"), cohort_table.parent / "models" / "2d-ceT1-T2-1")]
    assert not ready.start_button.isEnabled()


def test_the_model_is_handed_to_predict(qtbot, ready, fake_training, cohort_table):
    job, _ = fake_training
    with qtbot.waitSignal(ready.runner.finished):
        ready.start()
        job.go_on.set()
    assert ready.workspace.run == cohort_table.parent / "models" / "2d-ceT1-T2-1"
    assert "1200 iterations in 61 s" in ready.panel.message
    assert ready.curve.points == ((10, 0.9),)
    assert ready.start_button.isEnabled()


def test_after_a_cancel_it_can_train_again(qtbot, ready, fake_training):
    with qtbot.waitSignal(ready.runner.cancelled):
        ready.start()
        ready.runner.cancel()
    assert ready.panel.message == "Cancelled."
    assert ready.start_button.isEnabled()


@pytest.mark.parametrize("wanted", [False, True])
def test_the_cases_left_out_are_scored_meanwhile_if_wanted(qtbot, ready, fake_training, wanted):
    job, _ = fake_training
    ready.cases.tick(("a",))
    ready.validates.setChecked(wanted)
    ready.start()
    qtbot.waitUntil(lambda: len(ready.curve.dice) == 1)
    assert ready.curve.dice == ((10, 0.4),)
    # The third case has no reference.
    assert job.validation == (("b",) if wanted else ())
    job.go_on.set()
    qtbot.waitUntil(lambda: not ready.runner.is_busy)


def picture_of(case, *, dice):
    return ValidationPicture(case=case.name, labels=case.reference, dice=dice)


def test_the_open_case_shows_what_is_made_of_it(qtbot, ready, fake_training, make_case, viewer):
    job, _ = fake_training
    opened = make_case("b")
    ready.workspace.set_case(opened, None)
    job.picture = picture_of(opened, dice=0.25)
    ready.cases.tick(("a",))
    ready.validates.setChecked(True)
    ready.start()
    qtbot.waitUntil(lambda: len(viewer.layers) == 1)
    (layer,) = viewer.layers
    assert layer.name == "in training, Dice 0.25"
    # The docks Predict and Scores take the newest prediction: this is none.
    assert ready.workspace.layers.find("b", [Role.PREDICTION]) == []
    (save,) = masks_to_save(ready, [layer], folder=ready.workspace.folder)
    assert save.path == ready.workspace.folder / "predictions" / "2d-ceT1-T2-1-in-training" / "b.nii.gz"
    np.testing.assert_array_equal(layer.data, opened.reference.voxels)
    assert ready.workspace.layers.unsaved() == []
    empty = dataclasses.replace(opened.reference, voxels=np.zeros_like(opened.reference.voxels))
    ready._on_event(ValidationPicture(case="b", labels=empty, dice=0.5))
    assert viewer.layers[0] is layer
    assert layer.name == "in training, Dice 0.50"
    assert not layer.data.any()
    assert ready.workspace.layers.unsaved() == []
    # What was drawn on is the person's: it is not changed any more, and asked about before it goes.
    layer.data[0, 0, 0] = 1
    ready._on_event(picture_of(opened, dice=0.75))
    assert (layer.name, int(layer.data.sum())) == ("in training, Dice 0.50", 1)
    assert ready.workspace.layers.unsaved() == [layer]
    viewer.layers.remove(layer)
    ready._on_event(picture_of(opened, dice=0.75))
    assert not viewer.layers
    job.go_on.set()
    qtbot.waitUntil(lambda: not ready.runner.is_busy)


def test_another_case_that_was_opened_meanwhile_gets_no_picture(ready, make_case, viewer):
    ready.workspace.set_case(make_case("b"), None)
    assert ready._live.begin(("b", "c"), "mine") == "b"
    ready.workspace.set_case(make_case("c"), None)
    ready._on_event(picture_of(make_case("b"), dice=0.5))
    assert not viewer.layers
    assert ready._live.begin(("b",), "mine") is None


def test_a_training_can_be_paused_and_kept(qtbot, ready, fake_training):
    job, _ = fake_training
    assert ready.meanwhile.isHidden()
    assert ready.meanwhile.isHidden()
    ready.start()
    qtbot.waitUntil(lambda: len(ready.curve.points) == 1)
    assert not ready.meanwhile.isHidden()
    ready.meanwhile.pause.click()
    assert job.pause.is_set()
    assert ready.meanwhile.pause.text() == "Go on"
    ready.meanwhile.pause.click()
    assert not job.pause.is_set()
    ready.meanwhile.keep.click()
    assert job.keep.is_set()
    assert not ready.meanwhile.keep.isEnabled()
    with qtbot.waitSignal(ready.runner.finished):
        job.go_on.set()
    assert ready.meanwhile.isHidden()
    assert ready.meanwhile.pause.text() == "Pause"


def test_a_finished_training_is_not_taken_for_an_interrupted_one(tmp_path):
    for name in ("done", "cut-off"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "checkpoint.safetensors").touch()
    (tmp_path / "done" / "run.json").touch()
    assert find_interrupted(tmp_path) == tmp_path / "cut-off"
    (tmp_path / "cut-off" / "run.json").touch()
    assert find_interrupted(tmp_path) is None


def show_layers(dock, opened):
    """Open a case as the dock Cases does, and return its mask."""
    for data in case_layers(opened):
        layer = dock.workspace.layers.add(data, is_saved=True)
    dock.workspace.set_case(opened, None)
    return layer


def add_layers(qtbot, dock):
    with qtbot.waitSignal(dock.runner.finished):
        dock.chooser.layers.wanted.emit()


def test_open_layers_are_trained_on_as_they_were_when_they_were_added(qtbot, ready, fake_training, make_case):
    job, asked = fake_training
    mask = show_layers(ready, make_case("b"))
    mask.data[0, 0, 0] = 1
    add_layers(qtbot, ready)
    mask.data[0, 0, 1] = 1
    assert ready.cases._list.item(1).text() == "b  (open layers)"
    assert ready.cases.ticked() == ("a", "b")
    ready.start()
    qtbot.waitUntil(lambda: len(ready.curve.points) == 1)
    assert asked[0][1] == ("a", "b")
    learned = job.cohort["b"].loaded.reference.voxels
    assert (learned[0, 0, 0], learned[0, 0, 1]) == (1, 0)
    assert job.cohort["a"].loaded is None


def test_without_a_cohort_open_layers_are_the_cohort(qtbot, dock, make_case):
    show_layers(dock, make_case("mine"))
    add_layers(qtbot, dock)
    assert dock.cases.ticked() == ("mine",)
    assert "of 1 cases: 10 min" in dock.summary.said
    assert dock.start_button.isEnabled()


def test_layers_without_a_mask_cannot_be_added(qtbot, ready, make_case):
    show_layers(ready, make_case("b", has_reference=False))
    assert not ready.chooser.layers._add.isEnabled()
    ready.add_layers()
    assert "nothing to learn from" in ready.panel.message


@pytest.fixture
def corrected(ready, cohort_table, sign_off):
    labels = cohort_table.parent / "labels"
    labels.mkdir()
    shutil.copy(cohort_table.parent / "a" / "necrosis.nii.gz", labels / "c.nii.gz")
    sign_off(labels, "c")
    ready.workspace.set_cohort(read_cohort(cohort_table), cohort_table)
    return labels / "c.nii.gz"


def test_a_corrected_mask_can_be_learned_from_or_not(ready, corrected):
    assert "(1)" in ready.chooser.corrected.text()
    assert ready.chooser.cohort["c"].reference == corrected
    assert ready.cases._list.item(2).text() == "c  (mask signed off by AB)"
    ready.chooser.corrected.setChecked(False)
    assert ready.chooser.cohort["c"].reference is None
    assert "no reference" in ready.cases._list.item(2).text()


def test_a_scribble_in_work_is_learned_from_only_if_that_is_ticked(ready, corrected, cohort_table):
    scribble = corrected.with_name("a.nii.gz")
    shutil.copy(cohort_table.parent / "b" / "necrosis.nii.gz", scribble)
    ready.workspace.set_cohort(read_cohort(cohort_table), cohort_table)
    assert "(1)" in ready.chooser.unsigned.text()
    assert ready.chooser.cohort["a"].reference == cohort_table.parent / "a" / "necrosis.nii.gz"
    assert ready.cases._list.item(0).text() == "a  (its mask in work is left alone)"
    ready.chooser.unsigned.setChecked(True)
    assert ready.chooser.cohort["a"].reference == scribble
    assert ready.cases._list.item(0).text() == "a  (mask in work)"
    ready.chooser.corrected.setChecked(False)
    assert ready.chooser.unsigned.isHidden()
    assert ready.chooser.cohort["a"].reference == cohort_table.parent / "a" / "necrosis.nii.gz"


def test_without_a_corrected_mask_there_is_no_such_choice(ready):
    assert ready.chooser.corrected.isHidden()


@pytest.fixture
def model(ready, cohort_table):
    """A model in the project that has learned T2 of a and b in 3D."""
    run = cohort_table.parent / "models" / "before"
    run.mkdir(parents=True)
    (run / "weights.safetensors").touch()
    config = train_preset("paper", "3d").changed(sequences=("T2",), seed=4)
    record = {"config": config.model_dump(mode="json"), "cases": ["a"], "earlier_cases": ["b"]}
    (run / "run.json").write_text(json.dumps(record | {"weights_sha256": "1234"}))
    ready.workspace.set_cohort(read_cohort(cohort_table), cohort_table)
    return run


@pytest.mark.usefixtures("corrected")
def test_a_model_is_gone_on_from_with_what_it_takes_for_granted(qtbot, ready, model, fake_training):
    job, asked = fake_training
    ready.model.choose(model)
    config = ready.form.config()
    assert (config.dimension, config.sequences, config.whitening) == ("3d", (Sequence.T2,), "patch")
    assert (config.preset, config.seed, config.intensity_spread, config.batch_size) == ("fast", 0, 0, 2)
    assert (config.slices, config.patch_side) == (64, 128)
    assert config.learning_rate == pytest.approx(2e-4)
    assert not ready.form.input("patch_side").enabled
    assert not ready.form.input("dimension").enabled
    assert "from the weights of before" in ready.summary.said
    # The one case that it does not know; the others show what it forgets.
    assert ready.cases.ticked() == ("c",)
    ready.form.input("preset").set_value("paper")
    assert ready.form.config().dimension == "3d"
    ready.form.input("preset").set_value("fast")
    ready.start()
    qtbot.waitUntil(lambda: len(ready.curve.points) == 1)
    assert asked[0][:2] == (config, ("c",))
    assert (job.start_from, job.validation) == (model, ("a", "b"))
    with qtbot.waitSignal(ready.runner.finished):
        job.go_on.set()
    ready.model.combo.setCurrentIndex(0)
    assert ready.form.input("dimension").enabled
    assert ready.form.input("patch_side").enabled
    assert ready.form.config().whitening == "tissue"
    assert ready.form.config().learning_rate == 2e-3


def test_weights_are_found_again_by_their_hash(model):
    assert find_weights(model.parent, "1234") == model
    assert find_weights(model.parent, "4321") is None


def test_a_pair_without_a_project_asks_for_a_folder(qtbot, dock, fake_training, tmp_path, monkeypatch):
    job, asked = fake_training
    dock.workspace.set_cohort(Cohort(cases=(case("pair"),)), None)
    monkeypatch.setattr(qt_parts, "ask_folder", lambda *_, **__: None)
    dock.start()
    assert not dock.runner.is_busy
    monkeypatch.setattr(qt_parts, "ask_folder", lambda *_, **__: tmp_path)
    with qtbot.waitSignal(dock.runner.finished):
        dock.start()
        job.go_on.set()
    assert asked[0][2].parent == tmp_path


def test_the_real_training_ends_in_a_model(qtbot, ready, cohort_table):
    ready.form.input("minutes").set_value(None)
    ready.form.input("steps").set_value(1)
    ready.form.input("batch_size").set_value(1)
    ready.form.input("device").set_value("cpu")
    results = []
    ready.runner.finished.connect(results.append)
    ready.runner.failed.connect(results.append)
    ready.start()
    qtbot.waitUntil(lambda: len(results) == 1, timeout=60_000)
    assert (cohort_table.parent / "models" / "2d-ceT1-T2-1" / "weights.safetensors").exists(), results
    # It was unpickled in the viewer: its module must not import PyTorch.
    assert type(results[0]) is TrainedRun


def test_an_unknown_device_is_told_in_words(qtbot, ready):
    ready.form.input("device").set_value("abacus")
    with qtbot.waitSignal(ready.runner.failed, timeout=60_000) as failed:
        ready.start()
    assert "abacus" in failed.args[0]
    assert ready.start_button.isEnabled()


def test_what_a_case_lacks():
    both = (Sequence.CET1, Sequence.T2)
    assert case("a").missing(both, "reference") == ()
    assert case("a", has_t2=False).missing(both, "reference") == ("T2",)
    assert case("a", has_t2=False).missing(("ceT1",), "reference") == ()
    assert case("a").missing(both, "tumour") == ("tumour mask",)


def test_the_proposal_holds_out_a_fifth_of_the_patients():
    ten = [case(str(number)) for number in range(10)]
    assert proposal(ten) == tuple("01234567")
    assert proposal(ten[:2]) == ("0", "1")


def test_the_proposal_never_splits_a_patient():
    cases = [case("a", patient="p"), case("b", patient="q"), case("c", patient="r"), case("d", patient="r")]
    assert proposal(cases) == ("a", "b")


def test_the_proposal_holds_out_the_first_fold_where_there_are_folds():
    cases = [case(str(number), fold=1 + number % 3) for number in range(6)]
    assert proposal(cases) == ("1", "2", "4", "5")


def test_a_patient_on_both_sides_is_told(dock):
    cohort = Cohort(cases=(case("a", patient="p"), case("b", patient="p"), case("c", patient="q")))
    dock.workspace.set_cohort(cohort, None)
    dock.cases.tick(("a", "c"))
    assert "Left out, but of a patient who is trained on: " in dock.cases._summary.said
    dock.cases.tick(("a", "b"))
    assert "both sides" not in dock.cases._summary.said
