"""The list of contours: one row for each mask in a reader's words, helpers apart, both ways in line."""

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QColorDialog

from napari_necroseg.core.volume import Volume
from napari_necroseg.layerdata import (
    Role,
    case_layers,
    case_source,
    errors_layer,
    mask_layer,
    probability_layer,
)
from napari_necroseg.widgets.shared.workspace import Workspace
from napari_necroseg.widgets.view.contour_list import ContourList
from napari_necroseg.widgets.view.contours import colour_of


@pytest.fixture
def workspace(viewer, make_case):
    made = Workspace.of(viewer)
    case = make_case()
    list(made.layers.show(case_layers(case), first_slice=2))
    made.set_case(case, None)
    return made


@pytest.fixture
def listed(qtbot, workspace):
    made = ContourList(workspace)
    qtbot.addWidget(made)
    made.resize(300, 200)
    made.show()
    qtbot.waitExposed(made)
    return made


def predicted(workspace, run):
    case = workspace.case
    source = case_source(case, Role.PREDICTION, run=run)
    return workspace.layers.add(mask_layer(case.reference, source, name=f"prediction {run}"), is_saved=True)


def names(listed):
    return [row._name for row in listed.rows]


def test_each_mask_has_a_row_and_its_mirror_has_none(qtbot, workspace, listed):
    assert names(listed) == ["Reference"]
    workspace.layers.new_mask(workspace.case)
    predicted(workspace, "2d-ceT1-T2-1")
    predicted(workspace, "2d-ceT1-T2-1")
    predicted(workspace, "fast")
    qtbot.waitUntil(lambda: len(listed.rows) == 5)
    models = ["Model fast", "Model 2d-ceT1-T2-1 (1)", "Model 2d-ceT1-T2-1 (2)"]
    assert names(listed) == ["My mask", *models, "Reference"]
    colours = {row.colour.colour.name() for row in listed.rows}
    assert len(colours) == 5


def test_helpers_stand_under_more(qtbot, workspace, listed):
    case = workspace.case
    assert not listed.more.isVisible()
    doubt = Volume(np.zeros(case.grid.shape, np.float32), case.grid)
    workspace.layers.add(
        probability_layer(doubt, case_source(case, Role.PROBABILITY), name="probability"), is_saved=True
    )
    errors = Volume(np.ones(case.grid.shape, np.uint8), case.grid)
    workspace.layers.add(errors_layer(errors, case_source(case, Role.ERRORS)), is_saved=True)
    qtbot.waitUntil(lambda: len(listed.rows) == 3)
    assert listed.more.isVisible()
    assert names(listed) == ["Reference", "Errors: missed orange, extra blue", "Probability"]
    assert not listed.rows[1].colour.isVisibleTo(listed)


def test_eye_strength_and_filled_go_both_ways(viewer, workspace, listed):
    layer, row = viewer.layers["reference"], listed.rows[0]
    QTest.mouseClick(row.eye, Qt.MouseButton.LeftButton)
    assert not layer.visible
    layer.visible = True
    assert row.eye.isChecked()
    row.strength.setValue(30)
    assert layer.opacity == pytest.approx(0.3)
    layer.opacity = 0.8
    assert row.strength.value() == 80
    QTest.mouseClick(row.filled, Qt.MouseButton.LeftButton)
    assert (layer.contour, layer.opacity) == (0, pytest.approx(0.4))
    layer.contour = 1
    assert not row.filled.isChecked()


def test_another_colour_holds_on_both_sides(viewer, monkeypatch, listed):
    monkeypatch.setattr(QColorDialog, "getColor", lambda *_: QColor("#123456"))
    QTest.mouseClick(listed.rows[0].colour, Qt.MouseButton.LeftButton)
    for name in ("reference", "reference (on T2)"):
        assert colour_of(viewer.layers[name]).name() == "#123456"
    assert listed.rows[0].colour.colour.name() == "#123456"
    monkeypatch.setattr(QColorDialog, "getColor", lambda *_: QColor())
    QTest.mouseClick(listed.rows[0].colour, Qt.MouseButton.LeftButton)
    assert colour_of(viewer.layers["reference"]).name() == "#123456"


def test_a_click_on_a_name_takes_the_mask_in_hand(qtbot, viewer, workspace, listed):
    mine = workspace.layers.new_mask(workspace.case)
    qtbot.waitUntil(lambda: len(listed.rows) == 2)
    QTest.mouseClick(listed.row_of(viewer.layers["reference"]).text, Qt.MouseButton.LeftButton)
    assert viewer.layers.selection.active is viewer.layers["reference"]
    qtbot.waitUntil(lambda: listed.row_of(viewer.layers["reference"]).text.font().bold())
    QTest.mouseClick(listed.row_of(mine).text, Qt.MouseButton.LeftButton)
    assert viewer.layers.selection.active is mine


def test_the_space_bar_takes_a_mask_in_hand(qtbot, viewer, workspace, listed):
    mine = workspace.layers.new_mask(workspace.case)
    viewer.layers.selection.active = viewer.layers["ceT1"]
    qtbot.waitUntil(lambda: len(listed.rows) == 2)
    QTest.keyClick(listed.row_of(mine).text, Qt.Key.Key_Space)
    assert viewer.layers.selection.active is mine


def test_a_mask_that_is_removed_leaves_the_list(qtbot, viewer, listed):
    viewer.layers.remove(viewer.layers["reference"])
    qtbot.waitUntil(lambda: not listed.rows)
    assert listed._empty.isVisible()


def test_a_destroyed_list_hears_nothing(qtbot, viewer, workspace):
    made = ContourList(workspace)
    made.deleteLater()
    qtbot.wait(20)
    viewer.layers["reference"].opacity = 0.5
    workspace.layers.new_mask(workspace.case)
    qtbot.wait(20)
