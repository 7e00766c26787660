"""The dock Predict: a layer a prediction, on the right case, saved without loss."""

import json
from pathlib import Path

import numpy as np
import pytest

from napari_necroseg.core.io.cohort import read_cohort
from napari_necroseg.core.volume import Volume
from napari_necroseg.layerdata import Role, case_layers, case_source, mask_layer, probability_layer
from napari_necroseg.widgets import _ask, _jobs
from napari_necroseg.widgets._runs import describe_run, find_runs, new_run_name
from napari_necroseg.widgets.predict import Predict


@pytest.fixture
def dock(open_dock):
    return open_dock(Predict)


def open_case(dock, case):
    list(dock.workspace.layers.show(case_layers(case), first_slice=0))
    dock.workspace.set_case(case, None)


@pytest.fixture
def ready(dock, make_case, tmp_path):
    dock.workspace.set_run(tmp_path / "models" / "run-1")
    open_case(dock, make_case())
    return dock


@pytest.fixture
def fake_prediction(monkeypatch, steered_job):
    """Replace the network: it predicts the reference once the test says so."""
    job = steered_job()

    def predict_case(run, case, config, stop):
        labels = Volume((case.reference.voxels * (config.threshold < 0.9)).astype(np.uint8), case.grid)
        job.result = _jobs.CasePrediction(
            case=case,
            run=run,
            layers=(
                probability_layer(
                    Volume(labels.voxels.astype(np.float16), case.grid),
                    case_source(case, Role.PROBABILITY, run.name),
                    f"probability {run.name}",
                ),
                mask_layer(labels, case_source(case, Role.PREDICTION, run.name), f"prediction {run.name}"),
            ),
            volume_ml=float(labels.voxels.sum()) * case.grid.voxel_ml,
            was_trained_on=case.name == "trained",
        )
        yield from job(stop)

    monkeypatch.setattr(_jobs, "predict_case", predict_case)
    return job


def predict(qtbot, dock, job):
    job.go_on.set()
    with qtbot.waitSignal(dock.runner.finished):
        dock.start()
    qtbot.waitUntil(lambda: not dock.workspace.screen.is_busy)


def names(viewer):
    return [layer.name for layer in viewer.layers if "(on T2)" not in layer.name]


def test_says_what_is_missing(dock, make_case, tmp_path):
    assert "No model yet" in dock._about.said
    assert not dock.start_button.isEnabled()
    dock.workspace.set_run(tmp_path / "run-1")
    assert "Open a case" in dock._about.said
    assert not dock.start_button.isEnabled()
    open_case(dock, make_case())
    assert dock.start_button.isEnabled()
    assert dock.start_button.text() == "Predict a"


def test_adds_the_prediction_outlined_and_the_probability_hidden(qtbot, ready, viewer, fake_prediction):
    predict(qtbot, ready, fake_prediction)
    assert names(viewer) == ["T2", "ceT1", "reference", "probability run-1", "prediction run-1"]
    prediction = viewer.layers["prediction run-1"]
    assert prediction.contour == 1
    assert not viewer.layers["probability run-1"].visible
    # 200 voxels of 4 x 0.9 x 0.8 mm
    assert "a: 0.58 mL" in ready.result.said
    colours = [viewer.layers[name].get_color(1) for name in ("prediction run-1", "reference")]
    assert colours[0][2] > colours[0][1]
    assert colours[1][1] > colours[1][2]


def test_a_second_prediction_never_replaces_the_first(qtbot, ready, viewer, fake_prediction):
    predict(qtbot, ready, fake_prediction)
    viewer.layers["prediction run-1"].paint((0, 3, 3), 1)
    drawn = viewer.layers["prediction run-1"].data.copy()
    predict(qtbot, ready, fake_prediction)
    np.testing.assert_array_equal(viewer.layers["prediction run-1"].data, drawn)
    assert "prediction run-1 [1]" in viewer.layers


def test_an_empty_prediction_says_what_to_try(qtbot, ready, fake_prediction):
    ready.form.editor("threshold").set_value(0.95)
    predict(qtbot, ready, fake_prediction)
    assert "0.00 mL" in ready.result.said
    assert "lower one" in ready.result.said


def test_a_case_that_the_model_was_trained_on_is_told(qtbot, ready, make_case, fake_prediction):
    open_case(ready, make_case("trained"))
    predict(qtbot, ready, fake_prediction)
    assert "too good" in ready.result.said


def test_a_case_switched_meanwhile_gets_no_foreign_mask_and_nothing_is_lost(
    qtbot, ready, viewer, make_case, fake_prediction
):
    ready.start()
    first, other = ready.workspace.case, make_case("other", shape=(7, 44, 38))
    open_case(ready, other)
    with qtbot.waitSignal(ready.runner.finished):
        fake_prediction.go_on.set()
    assert "a is no longer open" in ready.panel.message
    assert "prediction run-1" not in viewer.layers
    open_case(ready, first)
    qtbot.waitUntil(lambda: "prediction run-1" in viewer.layers)
    assert viewer.layers["prediction run-1"].data.sum() == 200


def test_cancel_adds_nothing(qtbot, ready, viewer, fake_prediction):
    with qtbot.waitSignal(ready.runner.cancelled, timeout=2000):
        ready.start()
        ready.runner.cancel()
    assert names(viewer) == ["T2", "ceT1", "reference"]
    assert ready.start_button.isEnabled()


def test_saves_into_the_project_and_keeps_the_earlier_file(
    qtbot, dock, make_case, fake_prediction, cohort_table
):
    dock.workspace.set_cohort(read_cohort(cohort_table), cohort_table)
    dock.workspace.set_run(cohort_table.parent / "models" / "run-1")
    open_case(dock, make_case())
    predict(qtbot, dock, fake_prediction)
    for _ in range(2):
        with qtbot.waitSignal(dock.runner.finished):
            dock.save()
    saved = cohort_table.parent / "predictions" / "run-1"
    assert sorted(path.name for path in saved.iterdir()) == ["a.nii.gz", "a_earlier-001.nii.gz"]
    assert dock.workspace.layers.unsaved() == []


def test_saving_can_be_given_up(qtbot, ready, fake_prediction, monkeypatch):
    predict(qtbot, ready, fake_prediction)
    monkeypatch.setattr(_ask, "ask_where_to_save", lambda *_: None)
    ready.save()
    assert not ready.runner.is_busy
    assert len(ready.workspace.layers.unsaved()) == 1


def test_a_prediction_removed_by_hand_cannot_be_saved(qtbot, ready, viewer, fake_prediction):
    predict(qtbot, ready, fake_prediction)
    assert ready.save_button.isEnabled()
    viewer.layers.remove("prediction run-1")
    assert not ready.save_button.isEnabled()
    ready.save()
    assert not ready.runner.is_busy


def test_a_folder_that_is_no_model_is_told_in_words(qtbot, ready, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setattr(_ask, "ask_folder", lambda *_: tmp_path / "elsewhere")
    ready._browse()
    assert ready.models.currentText() == "elsewhere"
    with qtbot.waitSignal(ready.runner.failed, timeout=60_000) as failed:
        ready.start()
    assert "no trained model" in failed.args[0]
    assert ready.runner.report == ""


def make_run(folder: Path, record: object) -> Path:
    folder.mkdir(parents=True)
    (folder / "weights.safetensors").touch()
    (folder / "run.json").write_text(record if isinstance(record, str) else json.dumps(record))
    return folder


def test_lists_the_models_of_a_project(tmp_path):
    run = make_run(
        tmp_path / "models" / "one",
        {"config": {"dimension": "2d", "sequences": ["ceT1", "T2"]}, "cases": ["a", "b"], "iterations": 1200},
    )
    (tmp_path / "models" / "unfinished").mkdir()
    assert find_runs(tmp_path) == [run]
    assert describe_run(run) == "2D, ceT1 and T2, trained on 2 cases, 1,200 iterations"
    assert find_runs(None) == find_runs(tmp_path / "nowhere") == []


@pytest.mark.parametrize("record", ["", "[1]", '{"config": 3, "cases": "many"}', "\x00"])
def test_a_foreign_record_is_left_out(tmp_path, record):
    assert describe_run(make_run(tmp_path / "run", record)) == ""


def test_new_models_never_share_a_name(tmp_path):
    assert new_run_name(tmp_path, "2d", ("ceT1",)) == "2d-ceT1-1"
    (tmp_path / "2d-ceT1-1").mkdir()
    assert new_run_name(tmp_path, "2d", ("ceT1",)) == "2d-ceT1-2"


def test_the_real_network_predicts_on_the_grid_of_the_case(qtbot, dock, viewer, cohort_table, make_case):
    from napari_necroseg.core.config import train_preset
    from napari_necroseg.core.learning.train import train
    from napari_necroseg.core.plan import make_plan

    cohort = read_cohort(cohort_table).only(("a",))
    config = train_preset("fast").changed(minutes=None, steps=1, batch_size=1)
    run = cohort_table.parent / "models" / "tiny"
    list(train(make_plan(config, cohort, device="cpu", threads=1), cohort, run=run))
    dock.workspace.set_cohort(read_cohort(cohort_table), cohort_table)
    open_case(dock, make_case("a"))
    assert dock.models.currentText() == "tiny"
    dock.form.editor("device").set_value("cpu")
    with qtbot.waitSignal(dock.runner.finished, timeout=60_000):
        dock.start()
    qtbot.waitUntil(lambda: not dock.workspace.screen.is_busy)
    assert viewer.layers["prediction tiny"].data.shape == (6, 40, 36)
    assert "too good" in dock.result.said
