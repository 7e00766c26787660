"""The dock Scores: the right masks, the right numbers, again after each edit."""

import numpy as np
import pytest

from napari_necroseg.core.volume import Volume
from napari_necroseg.layerdata import Role, case_layers, case_source, mask_layer
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
    assert value(scored, 5) == value(scored, 6) == "0.58 mL"
    assert value(scored, 7) == "0.00 mL"


def test_follows_drawing_and_undo(qtbot, scored, viewer):
    prediction = viewer.layers["prediction"]
    everywhere = np.nonzero(prediction.data)
    prediction.data_setitem(everywhere, 0)
    qtbot.waitUntil(lambda: value(scored, 0) == "0.0 %")
    assert "missed" in scored.message.said
    prediction.undo()
    qtbot.waitUntil(lambda: value(scored, 0) == "50.0 %")


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
