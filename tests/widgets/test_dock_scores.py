"""The dock Scores: the right masks, the right numbers, again after each edit."""

import math
import shutil

import nibabel
import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt

from napari_necroseg.core.io.cohort import read_cohort
from napari_necroseg.core.volume import Volume
from napari_necroseg.layerdata import Role, case_layers, case_source, mask_layer
from napari_necroseg.widgets._cohort_scores import _Cell
from napari_necroseg.widgets.scores import Scores


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
        mask_layer(moved, case_source(case, Role.PREDICTION, "run"), "prediction"), is_saved=False
    )
    qtbot.waitUntil(lambda: value(dock, 0) == "50.0 %")
    return dock


def value(dock, row):
    return dock.table.item(row, 1).text()


def test_scores_the_reference_and_the_prediction_of_the_open_case(scored):
    assert scored.reference.layer().name == "reference"
    assert scored.prediction.layer().name == "prediction"
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
    assert "missed" in scored.message.said
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
    assert errors.name not in [scored.prediction.itemText(i) for i in range(scored.prediction.count())]
    assert scored.workspace.layers.unsaved() == [prediction]
    scored.shows_errors.setChecked(False)
    assert errors not in viewer.layers


def test_the_worst_slices_come_first_and_a_click_goes_to_a_slice(qtbot, scored, viewer):
    prediction = viewer.layers["prediction"]
    prediction.data_setitem((np.array([3]), np.array([0]), np.array([0])), 1)
    qtbot.waitUntil(lambda: scored._scored.slices.worst_first() == [3, 2])
    shown = []
    for _ in range(3):
        scored.worst_button.click()
        shown.append(viewer.dims.current_step[0])
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
    names = [scored.reference.itemText(i) for i in range(scored.reference.count())]
    assert names == ["reference", "prediction"]


def test_one_mask_twice_is_refused(qtbot, scored, viewer):
    scored.prediction.choose(viewer.layers["reference"])
    qtbot.waitUntil(lambda: "two different" in scored.message.said)
    assert value(scored, 0) == ""


def test_masks_on_different_grids_are_refused(qtbot, scored, viewer):
    other = viewer.add_labels(np.zeros((3, 4, 5), np.uint8), name="elsewhere")
    scored.prediction.choose(other)
    qtbot.waitUntil(lambda: "same grid" in scored.message.said)


def test_a_mask_that_the_user_added_can_be_scored_on_the_grid_of_the_case(qtbot, scored, viewer):
    mine = viewer.add_labels(viewer.layers["reference"].data.copy(), name="mine")
    scored.prediction.choose(mine)
    qtbot.waitUntil(lambda: value(scored, 0) == "100.0 %")


def test_the_choice_stays_while_layers_come_and_go_and_are_renamed(scored, viewer):
    viewer.add_points(np.zeros((1, 3)))
    viewer.layers["prediction"].name = "better"
    assert scored.prediction.layer().name == "better"
    assert scored.prediction.currentText() == "better"


def test_the_table_can_be_copied(scored):
    from qtpy.QtWidgets import QApplication

    scored.table.copy()
    assert QApplication.clipboard().text().splitlines()[0] == "Dice\t50.0 %"


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
    with qtbot.waitSignal(dock.runner.finished, timeout=20_000):
        dock.cohort.start_button.click()
    table = dock.cohort.table
    cells = [[table.item(row, column).text() for column in range(3)] for row in range(table.rowCount())]
    assert cells == [["b (missed)", "0.0 %", "0.0 %"], ["a", "100.0 %", "100.0 %"]]
    assert table.item(0, 3).text() == "∞ mm"
    assert "Mean Dice 50.0 %" in dock.cohort.summary.said
    assert "1 scored, 1 missed" in dock.cohort.summary.said
    wanted = []
    dock.workspace.case_wanted.connect(wanted.append)
    table.cellDoubleClicked.emit(0, 2)
    assert wanted == ["b"]


def test_undefined_scores_come_last(dock):
    values = [_Cell("", value) for value in (0.5, math.nan, 0.0)]
    in_order = [cell.data(Qt.ItemDataRole.UserRole) for cell in sorted(values)]
    assert in_order[:2] == [0.0, 0.5]
    assert math.isnan(in_order[2])
