"""Mouse and keys on the canvas, with real events in a real window."""

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QCursor, QMouseEvent, QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_necroseg.core.language import set_language
from napari_necroseg.core.project.remembered import read_remembered
from napari_necroseg.layerdata import case_layers
from napari_necroseg.widgets.shared.plane import shown_plane
from napari_necroseg.widgets.shared.workspace import Workspace
from napari_necroseg.widgets.view.geometry import panes_of, to_screen, to_world
from napari_necroseg.widgets.view.view import View

RIGHT, LEFT = Qt.MouseButton.RightButton, Qt.MouseButton.LeftButton
MIDDLE = Qt.MouseButton.MiddleButton
CONTROL = Qt.KeyboardModifier.ControlModifier


class Hands:
    """Mouse and keys of a person on the canvas of a window with a case."""

    def __init__(self, viewer, qtbot):
        self.viewer, self.qtbot = viewer, qtbot

    @property
    def canvas(self):
        # Not kept: the window must be gone at the end of the test.
        return self.viewer.window._qt_viewer.canvas.native

    @property
    def screen(self):
        return View.of(self.viewer).screen

    def wheel(self, notches, at=(100, 150), held=Qt.KeyboardModifier.NoModifier):
        around = QPointF(self.canvas.mapToGlobal(QPoint(*at)))
        turned = QPoint(0, round(120 * notches))
        event = QWheelEvent(
            QPointF(*at),
            around,
            QPoint(),
            turned,
            Qt.MouseButton.NoButton,
            held,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(self.canvas, event)

    def drag(self, start, end, button=LEFT):
        QTest.mousePress(self.canvas, button, pos=QPoint(*start))
        for share in (0.3, 0.6, 1.0):
            at = QPointF(*(a + share * (b - a) for a, b in zip(start, end, strict=True)))
            around = QPointF(self.canvas.mapToGlobal(at.toPoint()))
            nothing, kind = Qt.MouseButton.NoButton, QEvent.Type.MouseMove
            event = QMouseEvent(kind, at, around, nothing, button, Qt.KeyboardModifier.NoModifier)
            QApplication.sendEvent(self.canvas, event)
            # napari hears of one move in 10 ms.
            self.qtbot.wait(12)
        QTest.mouseRelease(self.canvas, button, pos=QPoint(*end))

    def click(self, at, button=LEFT):
        QTest.mouseClick(self.canvas, button, pos=QPoint(*at))

    def key(self, key, held=Qt.KeyboardModifier.NoModifier):
        QTest.keyClick(self.canvas, key, held)

    def layer(self, name):
        return next(layer for layer in self.viewer.layers if layer.name == name)

    @property
    def slice(self):
        return shown_plane(self.viewer).number


@pytest.fixture
def hands(make_napari_viewer, make_case, qtbot):
    # The pointer of the screen must not lie in the window: its moves would be taken for the hand's.
    QCursor.setPos(QApplication.primaryScreen().geometry().bottomRight())
    viewer = make_napari_viewer(show=True)
    viewer.window._qt_window.setGeometry(0, 0, 1000, 700)
    View.of(viewer)
    workspace, case = Workspace.of(viewer), make_case()
    list(workspace.layers.show(case_layers(case), first_slice=2))
    workspace.set_case(case, None)
    # The window takes a moment to find its size, and the view follows it.
    sizes = [None]
    while sizes[-1] != viewer.canvas.size:
        sizes.append(viewer.canvas.size)
        qtbot.wait(250)
    return Hands(viewer, qtbot)


def test_the_panes_are_where_napari_draws_them_and_the_wheel_turns_slices_or_zooms(hands):
    check_panes(hands)
    check_wheel(hands)


def check_panes(hands):
    canvas = hands.viewer.window._qt_viewer.canvas
    for pane, view in zip(panes_of(hands.viewer), canvas.grid_views, strict=True):
        assert (pane.left, pane.top) == pytest.approx(tuple(view.transform.translate[:2]), abs=1)
        assert (pane.width, pane.height) == pytest.approx(tuple(view.rect.size), abs=1)
        at = (50.0, 60.0)
        x, y = pane.left + at[0], pane.top + at[1]
        there = to_world(hands.viewer, pane, x=x, y=y)
        assert there == pytest.approx(canvas._map_canvas2world((x, y), view), abs=0.05)
        assert to_screen(hands.viewer, pane, point=there) == pytest.approx((x, y))


def check_wheel(hands):
    hands.wheel(-1)
    assert hands.slice == 3
    hands.wheel(0.5)
    assert hands.slice == 3
    hands.wheel(0.5)
    assert hands.slice == 2
    hands.wheel(-20)
    assert hands.slice == 5
    pane = panes_of(hands.viewer)[1]
    at = (round(pane.left) + 80, 120)
    before = to_world(hands.viewer, pane, x=at[0], y=at[1])
    zoom = hands.viewer.scene.camera.zoom
    hands.wheel(2, at=at, held=CONTROL)
    assert hands.viewer.scene.camera.zoom > 1.2 * zoom
    assert to_world(hands.viewer, pane, x=at[0], y=at[1]) == pytest.approx(before, abs=1e-3)
    assert hands.slice == 5


def test_a_right_drag_sets_the_window_of_its_pane_in_every_tool(hands):
    for mode in ("pan_zoom", "paint", "erase", "fill", "polygon"):
        check_right_drag(hands, mode)
    check_right_click(hands)
    check_middle_drag(hands)


def check_right_drag(hands, mode):
    workspace = Workspace.of(hands.viewer)
    mine = workspace.layers.new_mask(workspace.case)
    mine.mode = mode
    camera = (hands.viewer.scene.camera.zoom, *hands.viewer.scene.camera.center)
    ce_t1, t2 = hands.layer("ceT1"), hands.layer("T2")
    before = list(ce_t1.contrast_limits), list(t2.contrast_limits)
    hands.drag((120, 200), (80, 230), button=RIGHT)
    assert list(ce_t1.contrast_limits) != before[0]
    assert list(t2.contrast_limits) == before[1]
    right = round(panes_of(hands.viewer)[1].left)
    hands.drag((right + 120, 200), (right + 80, 200), button=RIGHT)
    assert list(t2.contrast_limits) != before[1]
    assert not mine.data.any()
    assert (hands.viewer.scene.camera.zoom, *hands.viewer.scene.camera.center) == pytest.approx(camera)


def check_right_click(hands):
    """It is the tool's own, and encircle-and-fill is off."""
    workspace = Workspace.of(hands.viewer)
    mine = workspace.layers.new_mask(workspace.case)
    mine.mode = "polygon"
    for at in ((120, 200), (180, 200), (180, 260)):
        hands.click(at)
        hands.qtbot.wait(15)
    points = len(mine._overlays["polygon"].points)
    hands.click((180, 260), RIGHT)
    assert len(mine._overlays["polygon"].points) < points
    mine.mode = "pan_zoom"
    mine.mode = "paint"
    hands.click((150, 200), RIGHT)
    assert not mine._overlays["brush_stroke"].active
    assert not mine.data.any()


def check_middle_drag(hands):
    """It moves the image."""
    workspace = Workspace.of(hands.viewer)
    workspace.layers.new_mask(workspace.case).mode = "paint"
    pane = panes_of(hands.viewer)[0]
    before = to_world(hands.viewer, pane, x=120, y=200)
    hands.drag((120, 200), (160, 180), button=MIDDLE)
    assert to_world(hands.viewer, pane, x=160, y=180) == pytest.approx(before, abs=1e-3)


def test_a_double_click_fits_the_lesion_but_is_the_tools_own_in_a_tool(hands):
    camera = hands.viewer.scene.camera
    whole = camera.zoom
    QTest.mouseDClick(hands.canvas, LEFT, pos=QPoint(150, 200))
    fitted = camera.zoom
    # At least 40 mm are shown, which is more than all of this image.
    assert fitted < whole
    # Rows 14 to 23 of 0.9 mm, columns 12 to 21 of 0.8 mm.
    image = hands.layer("ceT1")
    middle = image.data_to_world((2, 18.5, 16.5))
    assert tuple(camera.center)[-2:] == pytest.approx(middle[1:], abs=0.01)
    workspace = Workspace.of(hands.viewer)
    mine, heard = workspace.layers.new_mask(workspace.case), []
    mine.mode = "paint"
    QTest.mouseDClick(hands.canvas, LEFT, pos=QPoint(150, 200))
    assert camera.zoom == fitted
    mine.mode = "pan_zoom"
    # As the live-wire does, which is closed by a double click.
    hands.viewer.mouse_double_click_callbacks.insert(0, lambda _viewer, event: heard.append(event.type))
    hands.viewer.mouse_double_click_callbacks[1:] = []
    QTest.mouseDClick(hands.canvas, LEFT, pos=QPoint(150, 200))
    assert (camera.zoom, heard) == (fitted, ["mouse_double_click"])
    hands.key(Qt.Key.Key_Right)
    hands.key(Qt.Key.Key_Enter)
    assert heard == ["mouse_double_click"]
    hands.key(Qt.Key.Key_Enter)
    assert heard == ["mouse_double_click"] * 2


def test_keys_work_whichever_layer_is_active(hands, make_case):
    check_brush_keys(hands)
    check_key_sheet(hands)
    check_keys(hands)
    check_hidden_contours(hands, make_case("b"))


def check_keys(hands):
    workspace = Workspace.of(hands.viewer)
    mine = workspace.layers.new_mask(workspace.case)
    shapes = hands.viewer.add_shapes(ndim=3)
    reference = hands.layer("reference")
    for layer in (mine, shapes, hands.layer("ceT1")):
        hands.viewer.layers.selection.active = layer
        hands.key("c")
        assert not reference.visible
        hands.key("c")
        assert reference.visible
        whole = hands.viewer.scene.camera.zoom
        hands.key("l")
        assert hands.viewer.scene.camera.zoom < 0.9 * whole
        hands.key("l")
        assert hands.viewer.scene.camera.zoom == pytest.approx(whole)
        hands.key("r")
        assert hands.screen.ruler.is_armed
        hands.key(Qt.Key.Key_Escape)
        assert not hands.screen.ruler.is_armed
        hands.key(Qt.Key.Key_PageDown)
        hands.key(",")
        hands.key(".")
        hands.key(Qt.Key.Key_PageUp)
        assert hands.slice == 2
        assert str(layer.mode) == "pan_zoom"


def check_brush_keys(hands):
    workspace = Workspace.of(hands.viewer)
    mine = workspace.layers.new_mask(workspace.case)
    size = mine.brush_size
    hands.key("]")
    assert mine.brush_size == size + 1
    hands.key("[")
    assert mine.brush_size == size


def test_the_ruler_measures_in_true_millimetres_in_each_plane(hands):
    viewer, screen = hands.viewer, hands.screen
    for order in ((0, 1, 2), (1, 2, 0)):
        viewer.dims.order = order
        hands.qtbot.wait(30)
        pane = panes_of(viewer)[0]
        shown = viewer.dims.displayed
        start = list(viewer.dims.point)
        end = list(start)
        # Three steps of the rows, four of the columns.
        spacing = (4.0, 0.9, 0.8)
        end[shown[0]] += 3 * spacing[shown[0]]
        end[shown[1]] += 4 * spacing[shown[1]]
        places = [tuple(round(c) for c in to_screen(viewer, pane, point=tuple(p))) for p in (start, end)]
        hands.key("r")
        hands.drag(*places)
        assert not screen.ruler.is_armed
        expected = np.hypot(3 * spacing[shown[0]], 4 * spacing[shown[1]])
        pixel_mm = 1 / viewer.scene.camera.zoom
        assert screen.ruler.length_mm == pytest.approx(expected, abs=2 * pixel_mm)
        assert screen.ruler.is_shown
        hands.wheel(-1)
        assert not screen.ruler.is_shown
        hands.wheel(1)
        hands.key(Qt.Key.Key_Escape)
        assert screen.ruler.line is None


def test_arrows_and_enter_stand_in_for_the_mouse(hands):
    workspace = Workspace.of(hands.viewer)
    mine = workspace.layers.new_mask(workspace.case)
    mine.mode, mine.brush_size = "paint", 1
    hands.key(Qt.Key.Key_Right)
    start = np.round(mine.world_to_data(hands.viewer.dims.point)).astype(int)
    hands.key(Qt.Key.Key_Right)
    hands.key(Qt.Key.Key_Down)
    hands.key(Qt.Key.Key_Down)
    hands.key(Qt.Key.Key_Enter)
    assert np.argwhere(mine.data).tolist() == [[2, start[1] + 2, start[2] + 1]]
    assert hands.screen.keyboard.is_shown
    hands.key(Qt.Key.Key_Escape)
    assert not hands.screen.keyboard.is_shown
    check_brush_circle(hands)


def test_a_button_that_was_released_unheard_drags_no_more(hands):
    image = hands.layer("ceT1")
    QTest.mousePress(hands.canvas, RIGHT, pos=QPoint(100, 200))
    hands.screen.mouse.is_on = False
    QTest.mouseRelease(hands.canvas, RIGHT, pos=QPoint(100, 200))
    hands.screen.mouse.is_on = True
    before = list(image.contrast_limits)
    QTest.mouseMove(hands.canvas, QPoint(40, 260))
    hands.qtbot.wait(50)
    assert list(image.contrast_limits) == before


def test_the_bar_speaks_german_as_soon_as_it_is_chosen(hands):
    planes = hands.screen.planes.three
    assert planes.text() == "3 planes"
    set_language("de")
    try:
        View.of(hands.viewer).speak()
        assert planes.text() == "3 Ebenen"
    finally:
        set_language("en")


def test_all_of_it_can_be_given_back_to_napari(hands):
    View.of(hands.viewer).set_reader_controls(False)
    assert read_remembered().reader_controls is False
    slice_, zoom = hands.slice, hands.viewer.scene.camera.zoom
    limits = list(hands.layer("ceT1").contrast_limits)
    hands.wheel(1)
    assert hands.slice == slice_
    # The wheel is napari's zoom, which a busy computer may draw later.
    hands.qtbot.waitUntil(lambda: hands.viewer.scene.camera.zoom != zoom)
    hands.drag((120, 200), (80, 260), button=RIGHT)
    assert list(hands.layer("ceT1").contrast_limits) == limits
    workspace = Workspace.of(hands.viewer)
    mine = workspace.layers.new_mask(workspace.case)
    hands.key("l")
    assert str(mine.mode) == "pick"
    assert hands.screen.captions.shown()
    View.of(hands.viewer).set_reader_controls(True)
    hands.wheel(1)
    assert hands.slice == slice_ - 1


def check_brush_circle(hands):
    """No box stays behind it."""
    workspace = Workspace.of(hands.viewer)
    mine = workspace.layers.new_mask(workspace.case)
    mine.mode, mine.brush_size = "paint", 9
    canvas = hands.viewer.window._qt_viewer.canvas
    circle = hands.viewer.canvas.overlays._brush_circle
    hands.viewer.mouse_over_canvas = True
    # Another layer makes napari set its overlays up anew.
    hands.layer("reference").visible = False
    assert circle.visible
    (drawn,) = canvas._viewer_overlay_to_visual[circle]
    assert drawn.box.parent is None
    hands.viewer.mouse_over_canvas = False
    assert not drawn.node.visible


def check_key_sheet(hands):
    sheet = hands.screen.key_sheet
    for key in ("?", Qt.Key.Key_F1):
        hands.key(key)
        assert sheet.isVisible()
        for text in ("Hide or show all contours", "Next or previous slice", "Right drag"):
            assert text in sheet.text.text()
        hands.key(Qt.Key.Key_Escape)
        assert not sheet.isVisible()


def test_the_view_is_fitted_again_and_the_left_column_is_folded(hands, make_case):
    check_settling(hands, make_case("b"))
    check_focus_ring(hands)
    check_presets(hands)
    check_left_column(hands)
    check_tab_order(hands)
    check_fit(hands)


def check_fit(hands):
    camera, window = hands.viewer.scene.camera, hands.viewer.window._qt_window
    whole = camera.zoom
    window.resize(800, 500)
    hands.qtbot.waitUntil(lambda: camera.zoom < 0.9 * whole)
    hands.wheel(3, held=CONTROL)
    zoomed = camera.zoom
    window.resize(1000, 700)
    hands.qtbot.wait(80)
    assert camera.zoom == zoomed


def check_tab_order(hands):
    """Tab walks through the bar from left to right, and on to the canvas."""
    bar, canvas = hands.screen.bar, hands.canvas
    one, walked = bar.button_of(next(action for action in bar.actions() if not action.isSeparator())), []
    while one is not canvas and len(walked) < 40:
        walked.append(one)
        one = one.nextInFocusChain()
        while one.focusPolicy() == Qt.FocusPolicy.NoFocus:
            one = one.nextInFocusChain()
    texts = [button.text() for button in walked]
    assert texts == [action.text() for action in bar.actions() if not action.isSeparator()]


def check_settling(hands, case):
    """napari spoils the zoom of a new case where the size of its panes is not known yet."""
    camera = hands.viewer.scene.camera
    list(Workspace.of(hands.viewer).layers.show(case_layers(case), first_slice=2))
    fitted = camera.zoom
    camera.zoom = 50 * fitted
    hands.qtbot.waitUntil(lambda: camera.zoom == pytest.approx(fitted, rel=0.02))


def check_focus_ring(hands):
    """It lies around what Tab reaches, not around what is clicked."""
    bar, ring = hands.screen.bar, hands.screen.focus_ring
    window = hands.viewer.window._qt_window
    button = bar.button_of(next(action for action in bar.actions() if action.text() == "Lesion"))
    ring._on_focus(None, button)
    assert ring.isVisible()
    assert ring.geometry().contains(button.mapTo(window, button.rect().center()))
    ring._on_focus(button, hands.canvas)
    assert not ring.isVisible()


def check_left_column(hands):
    qt_viewer = hands.viewer.window._qt_viewer
    layers = next(one for one in hands.screen.bar.actions() if one.text() == "Layers")
    assert not qt_viewer.dockLayerList.isVisible()
    narrow = hands.canvas.width()
    layers.trigger()
    assert qt_viewer.dockLayerList.isVisible()
    assert qt_viewer.dockLayerControls.isVisible()
    assert read_remembered().hides_layers is False
    hands.qtbot.waitUntil(lambda: hands.canvas.width() < narrow)
    layers.trigger()
    assert not qt_viewer.dockLayerControls.isVisible()
    assert read_remembered().hides_layers is True


def check_presets(hands):
    image = hands.layer("ceT1")
    opened = list(image.contrast_limits)
    hands.screen.window_menu.fill()
    actions = {one.text(): one for one in hands.screen.window_menu.actions()}
    actions["Strong contrast"].trigger()
    assert image.contrast_limits[1] - image.contrast_limits[0] < opened[1] - opened[0]
    assert list(hands.layer("T2").contrast_limits) != opened
    actions["Automatic"].trigger()
    assert list(image.contrast_limits) == pytest.approx(opened)


def check_hidden_contours(hands, case):
    """They are back with the next case."""
    hands.key("c")
    assert not hands.layer("reference").visible
    list(Workspace.of(hands.viewer).layers.show(case_layers(case), first_slice=2))
    assert hands.layer("reference").visible
