"""The dock Predict: a layer a prediction, on the right case, saved without loss."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import numpy as np
import pytest
from faked_prediction import KNOWN, open_case, predict

from napari_necroseg.core.cohort.seen_cases import Known
from napari_necroseg.core.cohort.table import read_cohort
from napari_necroseg.core.config import train_preset
from napari_necroseg.core.plan import make_plan
from napari_necroseg.core.training.train import train_planned
from napari_necroseg.widgets.predict import dock as dock_module
from napari_necroseg.widgets.shared import qt_parts


@pytest.fixture
def ready(predict_dock, make_case, tmp_path):
    predict_dock.workspace.set_run(tmp_path / "models" / "run-1")
    open_case(predict_dock, make_case())
    return predict_dock


def names(viewer):
    return [layer.name for layer in viewer.layers if "(on T2)" not in layer.name]


def test_says_what_is_missing(predict_dock, make_case, tmp_path):
    assert "No model yet" in predict_dock._about.said
    assert not predict_dock.start_button.isEnabled()
    predict_dock.workspace.set_run(tmp_path / "run-1")
    assert "Open a case" in predict_dock._about.said
    assert not predict_dock.start_button.isEnabled()
    open_case(predict_dock, make_case())
    assert predict_dock.start_button.isEnabled()
    assert predict_dock.start_button.text() == "Predict a"


def test_adds_the_prediction_outlined_and_the_probability_hidden(qtbot, ready, viewer, fake_prediction):
    predict(qtbot, ready, fake_prediction)
    added = ["uncertainty run-1", "probability run-1", "prediction run-1"]
    assert names(viewer) == ["T2", "ceT1", "reference", *added]
    prediction = viewer.layers["prediction run-1"]
    assert prediction.contour == 1
    assert not any(viewer.layers[name].visible for name in added[:2])
    # 200 voxels of 4 x 0.9 x 0.8 mm
    assert "a: 0.58 mL" in ready.result.said
    colours = [viewer.layers[name].get_color(1) for name in ("prediction run-1", "reference")]
    assert colours[0][2] > colours[0][1]
    assert colours[1][1] > colours[1][2]


def test_a_second_prediction_never_replaces_strokes_on_the_first(qtbot, ready, viewer, fake_prediction):
    predict(qtbot, ready, fake_prediction)
    viewer.layers["prediction run-1"].paint((0, 3, 3), 1)
    drawn = viewer.layers["prediction run-1"].data.copy()
    predict(qtbot, ready, fake_prediction)
    np.testing.assert_array_equal(viewer.layers["prediction run-1"].data, drawn)
    assert "prediction run-1 [1]" in viewer.layers


def test_an_empty_prediction_says_what_to_try(qtbot, ready, fake_prediction):
    ready.form.input("threshold").set_value(0.95)
    predict(qtbot, ready, fake_prediction)
    assert "0.00 mL" in ready.result.said
    assert "lower one" in ready.result.said


@pytest.mark.parametrize(
    ("name", "words"), [("trained", "on this case, so"), ("named", "on a case of this name")]
)
def test_a_case_that_the_model_was_trained_on_is_told(qtbot, ready, make_case, fake_prediction, name, words):
    open_case(ready, make_case(name))
    predict(qtbot, ready, fake_prediction)
    assert f"⚠ The model was trained {words}" in ready.result.said
    layer = ready.viewer.layers["prediction run-1"]
    assert ready._live.record(layer)["trained_on"] == KNOWN[name]


def test_nothing_is_said_of_a_case_that_the_model_does_not_know(qtbot, ready, fake_prediction):
    predict(qtbot, ready, fake_prediction)
    assert "⚠" not in ready.result.said


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
    qtbot, predict_dock, make_case, fake_prediction, cohort_table
):
    predict_dock.workspace.set_cohort(read_cohort(cohort_table), cohort_table)
    predict_dock.workspace.set_run(cohort_table.parent / "models" / "run-1")
    open_case(predict_dock, make_case())
    predict(qtbot, predict_dock, fake_prediction)
    for _ in range(2):
        with qtbot.waitSignal(predict_dock.runner.finished):
            predict_dock.save()
    saved = cohort_table.parent / "predictions" / "run-1"
    kept = ["a_earlier-001.json", "a_earlier-001.nii.gz"]
    assert sorted(path.name for path in saved.iterdir()) == ["a.json", "a.nii.gz", *kept]
    record = json.loads((saved / "a.json").read_text())
    assert (record["case"], record["model"], record["threshold"]) == ("a", "run-1", 0.5)
    assert record["corrected_by_hand"] is False
    assert predict_dock.workspace.layers.unsaved() == []


def test_saving_can_be_given_up(qtbot, ready, fake_prediction, monkeypatch):
    predict(qtbot, ready, fake_prediction)
    monkeypatch.setattr(qt_parts, "ask_where_to_save", lambda *_, **__: None)
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
    monkeypatch.setattr(qt_parts, "ask_folder", lambda *_, **__: tmp_path / "elsewhere")
    ready.model._browse()
    assert ready.model.combo.currentText() == "elsewhere"
    with qtbot.waitSignal(ready.runner.failed, timeout=60_000) as failed:
        ready.start()
    assert "no trained model" in failed.args[0]
    assert ready.runner.report == ""


def test_the_outline_follows_the_choices_without_another_run(qtbot, ready, viewer, fake_prediction):
    predict(qtbot, ready, fake_prediction)
    layer = viewer.layers["prediction run-1"]
    ready.form.input("threshold").set_value(0.7)
    assert layer.data.sum() == 100
    assert "a: 0.29 mL" in ready.result.said
    ready.form.input("min_volume_ml").set_value(0.3)
    assert layer.data.sum() == 0
    assert "a: 0.00 mL, by run-1. Left out in smaller parts: 0.29 mL." in ready.result.said
    ready.form.input("min_volume_ml").set_value(0.0)
    ready.form.input("threshold").set_value(0.5)
    assert layer.data.sum() == 200
    assert "a: 0.58 mL, longest diameter" in ready.result.said
    assert ready.workspace.layers.unsaved() == [layer]


def test_another_model_leaves_the_outline_that_is_shown(
    qtbot, predict_dock, two_presets, make_case, viewer, fake_prediction
):
    case = make_case()
    # A second part, of one voxel.
    case.reference.voxels[0, 0, 0] = 1
    open_case(predict_dock, case)
    predict_dock.model.choose(two_presets / "paper")
    predict(qtbot, predict_dock, fake_prediction)
    layer = viewer.layers["prediction paper"]
    before, said = layer.data.copy(), predict_dock.result.said
    assert "2 parts" in said
    predict_dock.model.choose(two_presets / "fast")
    assert predict_dock.form.config().smallest_share == 0.1
    np.testing.assert_array_equal(layer.data, before)
    assert predict_dock.result.said == said
    # Nor does it follow that preset when it is steered, unless the person says so.
    predict_dock.form.input("threshold").set_value(0.55)
    np.testing.assert_array_equal(layer.data, before)
    predict_dock.form.input("smallest_share").set_value(0.2)
    assert layer.data[0, 0, 0] == 0
    assert "Left out in smaller parts: less than 0.01 mL." in predict_dock.result.said


def test_what_was_drawn_on_is_not_steered(qtbot, ready, viewer, fake_prediction, monkeypatch, tmp_path):
    predict(qtbot, ready, fake_prediction)
    layer = viewer.layers["prediction run-1"]
    layer.paint((0, 3, 3), 1)
    drawn = layer.data.copy()
    ready.form.input("threshold").set_value(0.7)
    np.testing.assert_array_equal(layer.data, drawn)
    assert "You have drawn on this prediction" in ready.result.said
    monkeypatch.setattr(qt_parts, "ask_where_to_save", lambda *_, **__: tmp_path / "mine.nii.gz")
    with qtbot.waitSignal(ready.runner.finished):
        ready.save()
    assert json.loads((tmp_path / "mine.json").read_text())["corrected_by_hand"] is True


def saved_record(qtbot, predict_dock, monkeypatch, path):
    monkeypatch.setattr(qt_parts, "ask_where_to_save", lambda *_, **__: path)
    with qtbot.waitSignal(predict_dock.runner.finished):
        predict_dock.save()
    return json.loads(path.with_name(path.name.replace(".nii.gz", ".json")).read_text())


def test_the_record_says_what_made_the_outline_and_not_what_the_form_says_since(
    qtbot, ready, viewer, fake_prediction, monkeypatch, tmp_path
):
    predict(qtbot, ready, fake_prediction)
    ready.form.input("threshold").set_value(0.7)
    viewer.layers["prediction run-1"].paint((0, 3, 3), 1)
    ready.form.input("threshold").set_value(0.9)
    record = saved_record(qtbot, ready, monkeypatch, tmp_path / "mine.nii.gz")
    assert (record["threshold"], record["corrected_by_hand"]) == (0.7, True)


def test_a_prediction_made_ahead_is_not_shown_in_another_project(qtbot, ready, fake_prediction, make_case):
    """A case of the same name, on the same grid, is another patient's."""
    predict(qtbot, ready, fake_prediction)
    case = ready.workspace.case
    theirs = replace(case, origin=replace(case.origin, path=Path("/elsewhere/ceT1.nii.gz")))
    ready.offer(replace(fake_prediction.result, case=theirs))
    ready.workspace.layers.drop_predictions(case.name, but=())
    ready.workspace.set_case(case, None)
    assert ready.predictions() == []
    ready.offer(fake_prediction.result)
    ready.workspace.set_case(case, None)
    qtbot.waitUntil(lambda: len(ready.predictions()) == 1)


def test_a_second_prediction_takes_the_place_of_the_first_unless_somebody_drew_on_that(
    qtbot, ready, viewer, fake_prediction
):
    for _ in range(2):
        predict(qtbot, ready, fake_prediction)
    assert [layer.name for layer in ready.predictions()] == ["prediction run-1"]
    drawn = ready.predictions()[0]
    drawn.paint((0, 3, 3), 1)
    predict(qtbot, ready, fake_prediction)
    assert drawn in viewer.layers
    assert len(ready.predictions()) == 2


def test_an_earlier_prediction_is_saved_with_its_own_record(
    qtbot, ready, viewer, fake_prediction, monkeypatch, tmp_path
):
    ready.keeps.setChecked(True)
    predict(qtbot, ready, fake_prediction)
    ready.form.input("threshold").set_value(0.7)
    predict(qtbot, ready, fake_prediction)
    ready.form.input("threshold").set_value(0.9)
    viewer.layers.remove("prediction run-1 [1]")
    record = saved_record(qtbot, ready, monkeypatch, tmp_path / "mine.nii.gz")
    assert (record["threshold"], record["corrected_by_hand"]) == (0.7, False)
    # And it is this one that follows the choices now.
    ready.form.input("threshold").set_value(0.5)
    assert viewer.layers["prediction run-1"].data.sum() == 200


def test_the_most_doubtful_slices_come_first(qtbot, ready, viewer, fake_prediction):
    assert not ready.doubt_button.isEnabled()
    predict(qtbot, ready, fake_prediction)
    shown = []
    for _ in range(3):
        ready.doubt_button.click()
        shown.append(viewer.dims.current_step[0])
    # 0.6 x 0.4 is more doubt than 0.8 x 0.2.
    assert shown == [3, 2, 3]


def test_predictions_are_outlined_or_filled(qtbot, ready, viewer, fake_prediction):
    predict(qtbot, ready, fake_prediction)
    ready.fills.setChecked(True)
    layer = viewer.layers["prediction run-1"]
    assert (layer.contour, layer.opacity) == (0, 0.5)
    ready.fills.setChecked(False)
    assert (layer.contour, layer.opacity) == (1, 1.0)


def test_a_click_names_the_part_and_leaves_no_dot(qtbot, ready, viewer, fake_prediction):
    case = ready.workspace.case
    mask = ready.workspace.layers.new_mask(case)
    viewer.layers.selection.active = mask
    mask.mode = "paint"
    ready.place.choice.setCurrentText("around a click")
    ready.start()
    assert "Click on the zone" in ready.panel.message
    assert mask.mode == "pan_zoom"
    callback = viewer.mouse_drag_callbacks[-1]
    position = viewer.layers["ceT1"].data_to_world((3, 10, 20))
    with qtbot.waitSignal(ready.runner.finished):
        callback(viewer, SimpleNamespace(position=position))
        fake_prediction.go_on.set()
    assert fake_prediction.place.point_mm == pytest.approx(tuple(case.grid.to_world_mm((3, 10, 20))))
    assert mask.mode == "paint"
    assert callback not in viewer.mouse_drag_callbacks


def test_the_brush_is_given_back_to_the_mask_that_it_was_taken_from(ready, viewer):
    mask = ready.workspace.layers.new_mask(ready.workspace.case)
    other = viewer.add_labels(np.zeros((6, 30, 40), np.uint8))
    viewer.layers.selection.active = mask
    mask.mode = "paint"
    ready.place.choice.setCurrentText("around a click")
    ready.start()
    viewer.layers.selection.active = other
    ready.start()
    assert (str(mask.mode), str(other.mode)) == ("paint", "pan_zoom")


def test_waiting_for_a_click_can_be_given_up(ready, viewer):
    ready.place.choice.setCurrentText("around a click")
    before = list(viewer.mouse_drag_callbacks)
    ready.start()
    assert len(viewer.mouse_drag_callbacks) == len(before) + 1
    assert ready.start_button.text() == "Give up waiting for a click"
    ready.start()
    assert viewer.mouse_drag_callbacks == before
    assert not ready.runner.is_busy
    assert ready.start_button.text() == "Predict a"


def test_a_drawn_box_is_the_part(qtbot, ready, viewer, fake_prediction):
    case = ready.workspace.case
    ready.place.choice.setCurrentText("in a drawn box")
    ready.start()
    assert "Draw a rectangle" in ready.panel.message
    image = viewer.layers["ceT1"]
    corners = [(3, 10, 5), (3, 10, 25), (3, 30, 25), (3, 30, 5)]
    viewer.add_shapes([corners], scale=image.scale, translate=image.translate, units=image.units)
    with qtbot.waitSignal(ready.runner.finished):
        ready.start()
        fake_prediction.go_on.set()
    np.testing.assert_allclose(fake_prediction.place.box_mm, case.grid.to_world_mm(corners), atol=1e-6)


def test_all_cases_of_a_cohort_get_a_row_and_no_mask_is_replaced(qtbot, predict_dock, cohort_table):
    cohort = read_cohort(cohort_table)
    config = train_preset("fast").changed(steps=1, batch_size=1, device="cpu", threads=1)
    plan = make_plan(config, cohort.only(("a",)))
    list(train_planned(plan, cohort, run=cohort_table.parent / "models" / "tiny"))
    (cohort_table.parent / "b" / "T2.nii.gz").write_bytes(b"damaged")
    out = cohort_table.parent / "predictions" / "tiny"
    out.mkdir(parents=True)
    (out / "c.nii.gz").write_bytes(b"mine")
    assert not predict_dock.batch.start_button.isEnabled()
    predict_dock.workspace.set_cohort(cohort, cohort_table)
    with qtbot.waitSignal(predict_dock.runner.finished, timeout=60_000):
        predict_dock.batch.start_button.click()
    rows = [predict_dock.batch.rows.item(row).text() for row in range(predict_dock.batch.rows.count())]
    assert [text for text in rows if text.startswith("a: done in")]
    assert [text for text in rows if text.startswith("⚠ b: ")]
    assert [text for text in rows if "1 left out, since tiny holds a mask already: c." in text]
    assert (out / "a.nii.gz").exists()
    assert (out / "c.nii.gz").read_bytes() == b"mine"
    assert "1 predicted, 1 not" in predict_dock.panel.message


def test_the_real_network_predicts_on_the_grid_of_the_case(
    qtbot, predict_dock, viewer, cohort_table, make_case
):
    from napari_necroseg.core.config import train_preset
    from napari_necroseg.core.plan import make_plan
    from napari_necroseg.core.training.train import train_planned

    cohort = read_cohort(cohort_table).only(("a",))
    config = train_preset("fast").changed(minutes=None, steps=1, batch_size=1, device="cpu", threads=1)
    run = cohort_table.parent / "models" / "tiny"
    list(train_planned(make_plan(config, cohort), cohort, run=run))
    predict_dock.workspace.set_cohort(read_cohort(cohort_table), cohort_table)
    open_case(predict_dock, make_case("a"))
    assert predict_dock.model.combo.currentText() == "tiny"
    predict_dock.form.input("device").set_value("cpu")
    with qtbot.waitSignal(predict_dock.runner.finished, timeout=60_000):
        predict_dock.start()
    qtbot.waitUntil(lambda: not predict_dock.workspace.screen.is_busy)
    assert viewer.layers["prediction tiny"].data.shape == (6, 40, 36)
    assert "too good" in predict_dock.result.said


def test_there_are_words_for_every_way_in_which_a_case_is_known():
    assert set(dock_module._WARNINGS) == set(get_args(Known))
