"""The dock Scores: the right masks, the right numbers, again after each edit."""

import dataclasses
import math
import shutil

import nibabel
import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QApplication

from napari_necroseg.core.cohort.table import read_cohort
from napari_necroseg.core.config import train_preset
from napari_necroseg.core.scoring.scores import score_masks
from napari_necroseg.core.volume import Volume
from napari_necroseg.layerdata import Role, case_layers, case_source, mask_layer
from napari_necroseg.widgets.scores.dock import Scores
from napari_necroseg.widgets.shared import qt_parts
from napari_necroseg.widgets.shared.score_table import Cell


@pytest.fixture
def dock(open_dock):
    return open_dock(Scores)


@pytest.fixture
def scored(qtbot, dock, make_case):
    """A case whose prediction is the reference moved by 5 of 10 rows: Dice 50 %."""
    case = make_case()
    list(dock.workspace.layers.show(case_layers(case), first_slice=2))
    dock.workspace.set_case(case, None)
    moved = Volume(np.roll(case.reference.voxels, 5, axis=1), case.grid)
    dock.workspace.layers.add(
        mask_layer(moved, case_source(case, Role.PREDICTION, run="run"), name="prediction"), is_saved=False
    )
    qtbot.waitUntil(lambda: value(dock, 0) == "50.0 %")
    return dock


def value(dock, row):
    return dock.table.item(row, 1).text()


def test_scores_the_reference_and_the_prediction_of_the_open_case(scored):
    assert scored.masks.reference.layer().name == "reference"
    assert scored.masks.prediction.layer().name == "prediction"
    assert value(scored, 1) == "50.0 %"
    # 200 voxels of 4 x 0.9 x 0.8 mm
    # The faces of 10 rows of 0.9 mm have moved by 5.
    assert value(scored, 5) == "4.50 mm"
    assert [value(scored, row) for row in (9, 10, 11)] == ["1", "1", "0"]
    assert value(scored, 12) == value(scored, 13) == "0.58 mL"
    assert value(scored, 14) == "0.00 mL"


def test_follows_drawing_and_undo(qtbot, scored, viewer):
    prediction = viewer.layers["prediction"]
    everywhere = np.nonzero(prediction.data)
    prediction.data_setitem(everywhere, 0)
    qtbot.waitUntil(lambda: value(scored, 0) == "0.0 %")
    qtbot.waitUntil(lambda: "missed" in scored.message.said)
    assert value(scored, 5) == "∞ mm"
    prediction.undo()
    qtbot.waitUntil(lambda: value(scored, 0) == "50.0 %")


def test_errors_are_shown_follow_and_can_be_hidden(qtbot, scored, viewer):
    prediction = viewer.layers["prediction"]
    viewer.layers.selection.active = prediction
    scored.shows_errors.setChecked(True)
    (errors,) = [layer for layer in viewer.layers if layer.name.endswith("extra blue")]
    counts = [int(np.count_nonzero(errors.data == kind)) for kind in (1, 2, 3)]
    assert counts == [100, 100, 100]
    assert viewer.layers.selection.active is prediction
    prediction.data_setitem(np.nonzero(prediction.data), 0)
    qtbot.waitUntil(lambda: int(np.count_nonzero(errors.data == 2)) == 200)
    assert errors.name not in [
        scored.masks.prediction.itemText(i) for i in range(scored.masks.prediction.count())
    ]
    assert scored.workspace.layers.unsaved() == [prediction]
    scored.shows_errors.setChecked(False)
    assert errors not in viewer.layers


def test_the_worst_slices_come_first_and_a_click_goes_to_a_slice(qtbot, scored, viewer):
    prediction = viewer.layers["prediction"]
    prediction.data_setitem((np.array([3]), np.array([0]), np.array([0])), 1)
    qtbot.waitUntil(lambda: scored._scored.slices[0].worst_first() == [3, 2])
    shown = []
    for _ in range(3):
        scored.worst_button.click()
        shown.append(viewer.dims.current_step[0])
        # As slowly as a person: another slice that is seen is no edit.
        qtbot.wait(350)
    assert shown == [3, 2, 3]
    scored.plot.resize(234 + 8, 130)
    assert [scored.plot.slice_at(x) for x in (10, 35, 34 + 5.5 * 200 / 6, 240)] == [None, 0, 5, None]
    qtbot.mouseClick(scored.plot, Qt.MouseButton.LeftButton, pos=QPoint(40, 50))
    assert viewer.dims.current_step[0] == 0


def test_two_empty_masks_have_no_overlap_and_the_table_says_why(qtbot, scored, viewer):
    for name in ("reference", "prediction"):
        viewer.layers[name].data = np.zeros(viewer.layers[name].data.shape, np.uint8)
    qtbot.waitUntil(lambda: value(scored, 0) == "–")
    assert "nothing to find" in scored.message.said
    assert "Undefined" in scored.table.item(0, 1).toolTip()


def test_a_removed_layer_is_no_longer_scored(qtbot, scored, viewer):
    viewer.layers.remove("prediction")
    qtbot.waitUntil(lambda: value(scored, 0) == "")
    assert "Choose" in scored.message.said


def test_mirrors_are_not_offered(scored):
    names = [scored.masks.reference.itemText(i) for i in range(scored.masks.reference.count())]
    assert names == ["reference", "prediction"]


def test_one_mask_twice_is_refused(qtbot, scored, viewer):
    scored.masks.prediction.choose(viewer.layers["reference"])
    qtbot.waitUntil(lambda: "different masks" in scored.message.said)
    assert value(scored, 0) == ""


def test_masks_on_different_grids_are_refused(qtbot, scored, viewer):
    other = viewer.add_labels(np.zeros((3, 4, 5), np.uint8), name="elsewhere")
    scored.masks.prediction.choose(other)
    qtbot.waitUntil(lambda: "same grid" in scored.message.said)


def test_a_mask_that_the_user_added_can_be_scored_on_the_grid_of_the_case(qtbot, scored, viewer):
    mine = viewer.add_labels(viewer.layers["reference"].data.copy(), name="mine")
    scored.masks.prediction.choose(mine)
    qtbot.waitUntil(lambda: value(scored, 0) == "100.0 %")


def test_the_choice_stays_while_layers_come_and_go_and_are_renamed(scored, viewer):
    viewer.add_points(np.zeros((1, 3)))
    viewer.layers["prediction"].name = "better"
    assert scored.masks.prediction.layer().name == "better"
    assert scored.masks.prediction.currentText() == "better"


def test_the_table_can_be_copied(scored):
    scored.table.copy()
    lines = QApplication.clipboard().text().splitlines()
    assert lines[:2] == ["Score\tValue\tPaper", "Dice\t50.0 %\t77.2 ± 15.6 %"]


def test_a_closed_dock_hears_nothing_more(qtbot, scored, viewer):
    scored.shut_down()
    viewer.layers["prediction"].data_setitem(np.nonzero(viewer.layers["prediction"].data), 0)
    qtbot.wait(400)
    assert value(scored, 0) == "50.0 %"


def test_a_cohort_has_a_row_a_case_the_worst_first_and_opens_by_a_double_click(qtbot, dock, cohort_table):
    folder = cohort_table.parent / "predictions" / "run"
    folder.mkdir(parents=True)
    for name in ("a", "b"):
        shutil.copy(cohort_table.parent / name / "necrosis.nii.gz", folder / f"{name}.nii.gz")
    mask = nibabel.load(folder / "b.nii.gz")
    nothing = nibabel.Nifti1Image(np.zeros(mask.shape, np.uint8), mask.affine)
    nibabel.save(nothing, folder / "b.nii.gz")
    assert not dock.cohort.start_button.isEnabled()
    dock.workspace.set_cohort(read_cohort(cohort_table), cohort_table)
    with qtbot.waitSignal(dock.runner.finished):
        dock.cohort.start_button.click()
    table = dock.cohort.table
    cells = [[table.item(row, column).text() for column in range(3)] for row in range(table.rowCount())]
    assert cells == [["✗ b", "0.0", "∞"], ["a", "100.0", "0.00"]]
    assert "(missed)" in table.item(0, 0).toolTip()
    assert "Dice: mean 50.0 %" in dock.cohort.summary.said
    assert "1 scored, 1 missed" in dock.cohort.summary.said
    wanted = []
    dock.workspace.case_wanted.connect(wanted.append)
    table.cellDoubleClicked.emit(0, 2)
    assert wanted == ["b"]


@pytest.fixture
def score_of(make_case):
    """Scores of a case with a Dice that was chosen."""
    case = make_case()
    scores = score_masks(case.reference.voxels, case.reference.voxels, case.grid, tolerance_mm=2.0)
    return lambda dice: dataclasses.replace(scores, dice=dice)


def listed(table):
    return [table.item(row, 0).text() for row in range(table.rowCount())]


def test_rows_come_where_they_belong_and_stay_as_the_person_has_sorted_them(dock, score_of):
    table = dock.cohort.table
    for case, dice in (("b", 0.5), ("c", 0.9), ("a", 0.1), ("d", 0.6)):
        table.add(case, score_of(dice))
    assert listed(table) == ["a", "b", "d", "c"]
    table.sortItems(0, Qt.SortOrder.DescendingOrder)
    table.add("bb", score_of(0.0))
    assert listed(table) == ["d", "c", "bb", "b", "a"]
    table.choose("c")
    table.fill([(case, score_of(0.3)) for case in "abcde"])
    assert listed(table) == ["e", "d", "c", "b", "a"]
    assert table.chosen() == "c"
    table.fill([("a", score_of(0.3))])
    assert table.chosen() == ""


def test_a_table_that_is_filled_anew_is_sorted_once_and_scrolled_as_before(
    qtbot, dock, score_of, monkeypatch
):
    compared = []
    less = Cell.__lt__
    monkeypatch.setattr(Cell, "__lt__", lambda mine, other: compared.append(1) or less(mine, other))
    table, rows = dock.cohort.table, [(f"case-{n:03}", score_of(n / 300)) for n in range(300)]
    table.fill(rows)
    # About n log n; a sort for each row would compare ten thousands of times.
    assert len(compared) < 5000
    dock.show()
    qtbot.waitUntil(lambda: table.verticalScrollBar().maximum() > 100)
    table.verticalScrollBar().setValue(100)
    table.fill(rows)
    assert table.verticalScrollBar().value() == 100


def test_undefined_scores_come_last(dock):
    values = [Cell("", value) for value in (0.5, math.nan, 0.0)]
    in_order = [cell.data(Qt.ItemDataRole.UserRole) for cell in sorted(values)]
    assert in_order[:2] == [0.0, 0.5]
    assert math.isnan(in_order[2])


def until_it_follows(qtbot, dock):
    """Wait until strokes are counted as they come: napari reports that it drew a layer as if it were new."""
    qtbot.waitUntil(lambda: not dock._rest.isActive() and not dock._quiet.is_busy)
    assert dock._live._counts is not None


def test_a_stroke_is_counted_at_once_and_distances_follow(qtbot, scored, viewer):
    prediction = viewer.layers["prediction"]
    everywhere = np.nonzero(prediction.data)
    hd95 = value(scored, 5)
    until_it_follows(qtbot, scored)
    prediction.data_setitem(tuple(index[:100] for index in everywhere), 0)
    QApplication.processEvents()
    assert prediction.data.sum() == 100
    common = int(np.count_nonzero((prediction.data > 0) & (viewer.layers["reference"].data > 0)))
    assert value(scored, 0) == f"{100 * 2 * common / 300:.1f} %"
    assert value(scored, 13) == "0.29 mL"
    assert value(scored, 5) == hd95
    qtbot.waitUntil(lambda: value(scored, 5) != hd95)


def test_strokes_with_the_brush_the_bucket_and_a_polygon_are_counted_at_once(qtbot, scored, viewer):
    prediction, reference = viewer.layers["prediction"], viewer.layers["reference"]
    viewer.dims.set_current_step(0, 2)
    until_it_follows(qtbot, scored)
    prediction.brush_size = 6
    strokes = (
        lambda: prediction.paint((2, 12, 12), 1),
        lambda: prediction.paint((2, 10, 18), 0),
        lambda: prediction.fill((2, 0, 0), 1),
        lambda: prediction.paint_polygon([(2, 2, 2), (2, 2, 30), (2, 20, 20)], 0),
        lambda: reference.paint((2, 5, 5), 1),
    )
    for stroke in strokes:
        stroke()
        QApplication.processEvents()
        p, r = prediction.data != 0, reference.data != 0
        dice = 200 * np.count_nonzero(p & r) / (np.count_nonzero(p) + np.count_nonzero(r))
        assert value(scored, 0) == f"{dice:.1f} %"


def test_a_second_reader_is_scored_against_both(qtbot, scored, viewer):
    assert scored.table.isColumnHidden(3)
    hers = viewer.add_labels(np.roll(viewer.layers["reference"].data, 1, axis=1), name="hers")
    scored.masks.reader.choose(hers)
    qtbot.waitUntil(lambda: scored.table.item(0, 3).text() == "90.0 %")
    assert scored.table.item(0, 4).text() == "60.0 %"
    assert not scored.table.isColumnHidden(4)
    scored.masks.reader.choose(None)
    qtbot.waitUntil(lambda: scored.table.isColumnHidden(3))


def test_the_tolerance_is_chosen_and_named(qtbot, scored):
    assert scored.table.item(7, 0).text() == "Surface within 2 mm"
    before = value(scored, 7)
    scored.masks.tolerance.setValue(4.6)
    qtbot.waitUntil(lambda: scored.table.item(7, 0).text() == "Surface within 4.6 mm")
    assert (before, value(scored, 7)) != ("100.0 %", before)
    assert value(scored, 7) == "100.0 %"


def test_distances_are_shown_along_the_contour_of_the_reference(qtbot, scored, viewer):
    scored.shows_distances.setChecked(True)
    layer = viewer.layers["surface distance, mm"]
    reference = viewer.layers["reference"].data != 0
    assert not layer.data[~reference].any()
    assert layer.data.max() == pytest.approx(4.5)
    prediction = viewer.layers["prediction"]
    prediction.data_setitem(np.nonzero(prediction.data), 0)
    # Without a prediction all of the contour is infinitely far: as bright as it gets.
    qtbot.waitUntil(lambda: layer.data.max() == 10)
    scored.shows_distances.setChecked(False)
    assert layer not in viewer.layers


def test_the_papers_numbers_are_those_of_the_models_configuration(qtbot, scored, tmp_path, monkeypatch):
    from napari_necroseg.widgets.scores import dock as module

    assert scored.table.item(0, 2).text() == "77.2 ± 15.6 %"
    assert "26 spine patients" in scored.table.item(0, 2).toolTip()
    # Its mean cannot be read in the text of the paper.
    assert scored.table.item(1, 2).text() == "median 81.0 %"
    monkeypatch.setattr(type(scored.workspace), "folder", tmp_path)
    learned = train_preset("fast", "3d").changed(sequences=("T2",))
    monkeypatch.setattr(module, "trained_config", lambda run: learned if run.name == "run" else None)
    scored._on_choice()
    assert scored.table.item(0, 2).text() == "60.4 ± 27.4 %"


@pytest.fixture
def two_runs(dock, cohort_table):
    """Predictions of two models of the cases a and b: the first misses b."""
    for run in ("run-1", "run-2"):
        folder = cohort_table.parent / "predictions" / run
        folder.mkdir(parents=True)
        for name in ("a", "b"):
            shutil.copy(cohort_table.parent / name / "necrosis.nii.gz", folder / f"{name}.nii.gz")
    mask = nibabel.load(folder.with_name("run-1") / "b.nii.gz")
    nothing = nibabel.Nifti1Image(np.zeros(mask.shape, np.uint8), mask.affine)
    nibabel.save(nothing, folder.with_name("run-1") / "b.nii.gz")
    dock.workspace.set_cohort(read_cohort(cohort_table), cohort_table)
    return cohort_table.parent / "predictions"


def test_two_runs_are_compared_with_the_cases_that_changed(qtbot, dock, two_runs):
    dock.cohort.folders.setCurrentText("run-1")
    dock.cohort.others.setCurrentText("run-2")
    (two_runs / "run-1" / "a.json").write_text('{"trained_on": "image"}')
    with qtbot.waitSignal(dock.runner.finished):
        dock.cohort.start_button.click()
    said = dock.cohort.summary.said
    assert "run-2 on 2 of these cases: Dice better in 1 and worse in 0 of 2 patients" in said
    assert "Changed most: b 0 to 100 %" in said
    assert "⚠ 1 of the 2 cases (a) is among those that the model was trained on" in said
    # Pictures of both, drawn in the thread of the job.
    assert [label.pixmap().isNull() for label in dock.cohort.pictures] == [False, False]


def test_a_case_without_a_prediction_stands_on_top_and_the_mean_says_of_how_many_it_is(qtbot, dock, two_runs):
    (two_runs / "run-1" / "a.nii.gz").unlink()
    (two_runs / "run-2" / "b.nii.gz").write_bytes(b"no image")
    for run, case, why in (("run-1", "a", "no prediction of this case"), ("run-2", "b", "not a NIfTI")):
        dock.cohort.folders.setCurrentText(run)
        with qtbot.waitSignal(dock.runner.finished):
            dock.cohort.start_button.click()
        assert dock.cohort.table.item(0, 0).text() == f"⚠ {case}"
        assert why in dock.cohort.table.item(0, 0).toolTip()
        assert "⚠ So the means are over 1 of the 2 cases." in dock.cohort.summary.said
    assert "1 of the 2 cases with a reference could not be scored: b." in dock.cohort.summary.said


def test_a_folder_of_a_second_reader_can_be_named(qtbot, dock, two_runs, monkeypatch):
    dock.cohort.folders.setCurrentText("run-1")
    monkeypatch.setattr(qt_parts, "ask_folder", lambda *_, **__: two_runs / "run-2")
    others = dock.cohort.others
    others.setCurrentIndex(others.count() - 1)
    others.activated.emit(others.count() - 1)
    assert others.currentText() == "second reader: run-2"
    with qtbot.waitSignal(dock.runner.finished):
        dock.cohort.start_button.click()
    assert "second reader on 2 of these cases" in dock.cohort.summary.said
    assert "Against the second reader, the predictions' mean Dice is 50.0 %" in dock.cohort.summary.said


def test_scores_of_a_cohort_are_exported(qtbot, dock, two_runs, monkeypatch, tmp_path):
    monkeypatch.setattr(qt_parts, "ask_folder", lambda *_, **__: tmp_path / "out")
    with qtbot.waitSignal(dock.runner.finished):
        dock.cohort.export_button.click()
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"cases.csv", "scores.csv", "scores.json", "scores.md", "boxes.pdf", "volumes.svg"} <= written
    assert "Tables and figures are in out." in dock.panel.message


def test_giving_up_an_export_does_nothing(dock, two_runs, monkeypatch):
    monkeypatch.setattr(qt_parts, "ask_folder", lambda *_, **__: None)
    dock.cohort.export_button.click()
    assert not dock.runner.is_busy


def test_another_slice_is_not_another_mask(qtbot, scored, viewer):
    until_it_follows(qtbot, scored)
    before = scored._scored
    viewer.dims.set_current_step(0, 4)
    qtbot.wait(400)
    assert scored._scored is before
    assert scored._live._counts is not None
