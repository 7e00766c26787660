"""Three planes at once, the view in 3D, and how both give way to the slices again."""

import time

import numpy as np
import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_necroseg.layerdata import Role, case_layers
from napari_necroseg.widgets.shared.plane import Plane, shown_plane
from napari_necroseg.widgets.shared.workspace import Workspace
from napari_necroseg.widgets.view.side_pane import SidePane
from napari_necroseg.widgets.view.solid_view import SolidView
from napari_necroseg.widgets.view.three_planes import ThreePlanes
from napari_necroseg.widgets.view.turn import turn_to


def open_case(workspace, case):
    list(workspace.layers.show(case_layers(case), first_slice=2))
    workspace.set_case(case, None)


@pytest.fixture
def shown(viewer, make_case):
    workspace = Workspace.of(viewer)
    open_case(workspace, make_case())
    return workspace


@pytest.fixture
def three(qtbot, shown):
    made = ThreePlanes(shown)
    made.switch(True)
    shown.screen.finish()
    for pane in made.panes:
        qtbot.addWidget(pane)
        pane.resize(300, 240)
    yield made
    made.switch(False)
    shown.screen.finish()


@pytest.fixture
def solid(shown):
    made = SolidView(shown)
    yield made
    made.switch(False)
    shown.screen.finish()
    made.stop()


def seen(viewer):
    return [layer.name for layer in viewer.layers if layer.visible]


def test_one_sequence_is_shown_and_both_come_back(viewer, three, shown):
    assert seen(viewer) == ["ceT1", "reference"]
    assert not viewer.canvas.grid.enabled
    three.show_sequence(Role.T2)
    assert seen(viewer) == ["T2", "reference"]
    three.switch(False)
    shown.screen.finish()
    assert set(seen(viewer)) == {"ceT1", "T2", "reference", "reference (on T2)"}
    assert viewer.canvas.grid.enabled


def test_three_planes_begin_in_the_lesion_on_the_slice_of_now(viewer, shown):
    """Even after a click far away; the slice that is shown stays."""
    shown.cross_hair.place((3, 39, 35))
    made = ThreePlanes(shown)
    made.switch(True)
    shown.screen.finish()
    z, y, x = shown.cross_hair.index
    assert z == 3
    assert viewer.layers["reference"].data[z, y, x] == 1
    made.switch(False)
    shown.screen.finish()
    for pane in made.panes:
        pane.deleteLater()


def test_a_case_without_t2_shows_its_ce_t1(viewer, three, shown, make_case):
    three.show_sequence(Role.T2)
    open_case(shown, make_case("b", has_t2=False))
    assert three.image is viewer.layers["ceT1"]
    assert viewer.layers["ceT1"].visible


def test_the_next_case_keeps_the_three_planes(viewer, three, shown, make_case):
    open_case(shown, make_case("b"))
    assert seen(viewer) == ["ceT1", "reference"]
    assert not viewer.canvas.grid.enabled


def test_the_panes_show_the_planes_that_the_canvas_does_not(viewer, three, shown):
    assert [pane.axis for pane in three.panes] == [1, 2]
    for axis, others in ((1, [0, 2]), (2, [0, 1])):
        turn_to(shown, axis)
        three._redraw()
        assert [pane.axis for pane in three.panes] == others


def test_a_pane_is_drawn_in_true_proportions(three, shown):
    """The axial slice is 36 columns of 0.8 mm high and 6 slices of 4 mm wide."""
    pane = three.panes[0]
    picture = pane.picture()
    assert picture.size_mm == pytest.approx((28.8, 24.0))
    target = pane._target(picture)
    assert target.height() / target.width() == pytest.approx(28.8 / 24, rel=0.01)


def test_a_click_in_a_pane_moves_the_cross_hair_and_the_canvas(qtbot, viewer, three, shown):
    pane = three.panes[0]
    target = pane._target(pane.picture())
    row = shown.cross_hair.index[1]
    # The fifth slice from the right of the patient, the tenth column from the front.
    place = QPointF(target.left() + target.width() * 4.5 / 6, target.top() + target.height() * 9.5 / 36)
    QTest.mouseClick(pane, Qt.MouseButton.LeftButton, pos=place.toPoint())
    assert shown.cross_hair.index == (4, row, 9)
    assert shown_plane(viewer) == Plane(axis=0, number=4)


def turn_wheel(pane, notches, keys=Qt.KeyboardModifier.NoModifier):
    middle = QPointF(pane.rect().center())
    event = QWheelEvent(
        middle,
        middle,
        QPoint(),
        QPoint(0, 120 * notches),
        Qt.MouseButton.NoButton,
        keys,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(pane, event)


def test_the_wheel_scrolls_the_slices_of_a_pane_and_ctrl_magnifies(three, shown):
    pane = three.panes[0]
    z, y, x = shown.cross_hair.index
    turn_wheel(pane, -2)
    assert shown.cross_hair.index == (z, y + 2, x)
    before = pane._target(pane.picture()).width()
    turn_wheel(pane, 2, Qt.KeyboardModifier.ControlModifier)
    assert pane._target(pane.picture()).width() > 1.3 * before
    assert shown.cross_hair.index == (z, y + 2, x)


def test_a_double_click_makes_a_plane_the_large_one(viewer, three, shown):
    QTest.mouseDClick(three.panes[1], Qt.MouseButton.LeftButton)
    assert shown_plane(viewer).axis == 2


def test_a_stroke_and_a_look_are_seen_in_the_panes(qtbot, viewer, three, shown):
    mine = shown.layers.new_mask(shown.case)
    pane = three.panes[0]
    assert len(pane.picture().contours) == 1
    drawn = []
    pane.paintEvent = lambda event: drawn.append(SidePane.paintEvent(pane, event))
    pane.show()
    qtbot.waitExposed(pane)
    qtbot.wait(50)
    drawn.clear()
    mine.paint(shown.cross_hair.index, 1)
    qtbot.waitUntil(lambda: bool(drawn))
    assert len(pane.picture().contours) == 2
    for change in (
        lambda: setattr(viewer.layers["ceT1"], "contrast_limits", (0.2, 0.4)),
        lambda: setattr(mine, "visible", False),
    ):
        drawn.clear()
        change()
        qtbot.waitUntil(lambda: bool(drawn))
    assert len(pane.picture().contours) == 1


def test_a_pane_is_drawn_within_30_milliseconds(qtbot, three):
    pane = three.panes[1]
    pane.show()
    qtbot.waitExposed(pane)
    pane.repaint()
    times = []
    for _ in range(5):
        start = time.perf_counter()
        pane.repaint()
        times.append(time.perf_counter() - start)
    # The best of a few: other programs may have the processor meanwhile.
    assert min(times) < 0.03


def entered(qtbot, shown, solid):
    solid.switch(True)
    qtbot.waitUntil(lambda: shown.layers.viewer.dims.ndisplay == 3 and not shown.screen.is_busy)


def test_3d_puts_all_layers_aside_and_brings_them_back(qtbot, viewer, shown, solid):
    turn_to(shown, 2)
    before = (seen(viewer), viewer.dims.order, viewer.scene.camera.zoom, viewer.canvas.grid.enabled)
    entered(qtbot, shown, solid)
    assert seen(viewer) == []
    # Another order of the axes might show the patient mirrored.
    assert viewer.dims.order == (0, 1, 2)
    assert not viewer.canvas.grid.enabled
    solid.switch(False)
    shown.screen.finish()
    assert viewer.dims.ndisplay == 2
    assert (seen(viewer), viewer.dims.order, viewer.scene.camera.zoom, viewer.canvas.grid.enabled) == before
    assert not shown.journalling.unsaved()


@pytest.mark.parametrize("leave", ["key", "plane", "case"])
def test_3d_is_left_in_any_other_way_too(qtbot, viewer, shown, solid, make_case, leave):
    entered(qtbot, shown, solid)
    if leave == "key":
        viewer.dims.ndisplay = 2
    elif leave == "plane":
        turn_to(shown, 1)
    else:
        open_case(shown, make_case("b"))
    assert not solid.is_on
    assert {"ceT1", "T2", "reference"} <= set(seen(viewer))
    assert viewer.canvas.grid.enabled
    assert viewer.dims.order == ((1, 2, 0) if leave == "plane" else (0, 1, 2))


@pytest.mark.filterwarnings("ignore:Contours are not displayed during 3D rendering")
def test_the_eye_of_a_contour_holds_after_3d(qtbot, viewer, shown, solid):
    mine, reference = shown.layers.new_mask(shown.case), viewer.layers["reference"]
    mine.data[2, 5:9, 5:9] = 1
    entered(qtbot, shown, solid)
    aside = shown.layers.aside
    assert aside.is_shown(mine)
    aside.set_shown(mine, False)
    # napari's own eye, which is closed meanwhile, turns the wish round.
    reference.visible = True
    assert seen(viewer) == []
    assert not aside.is_shown(reference)
    reference.visible = True
    assert aside.is_shown(reference)
    solid.switch(False)
    shown.screen.finish()
    assert not mine.visible
    assert reference.visible


def test_without_a_visible_contour_3d_says_so_and_stays_flat(viewer, shown, solid):
    viewer.layers["reference"].visible = False
    solid.switch(True)
    assert not solid.is_on
    assert viewer.dims.ndisplay == 2


def test_nothing_of_3d_is_a_layer(qtbot, viewer, shown, solid):
    names = [layer.name for layer in viewer.layers]
    entered(qtbot, shown, solid)
    assert [layer.name for layer in viewer.layers] == names
    assert np.array_equal(viewer.layers["reference"].data, shown.case.reference.voxels)
