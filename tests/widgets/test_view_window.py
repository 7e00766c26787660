"""Planes, surfaces and lists in a real window, with real clicks."""

import numpy as np
import pytest
from napari.layers import Labels
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QImage, QPainter
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_necroseg.core.volume import Volume
from napari_necroseg.layerdata import Role, case_layers, case_source, probability_layer
from napari_necroseg.widgets.shared.plane import shown_plane
from napari_necroseg.widgets.shared.workspace import Workspace
from napari_necroseg.widgets.view.view import View

PLANES = {0: "sagittal", 1: "axial", 2: "coronal"}


@pytest.fixture
def window(make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    QTest.qWaitForWindowExposed(viewer.window._qt_window)
    viewer.window._qt_window.resize(1200, 760)
    return viewer


@pytest.fixture
def view(qtbot, window, make_case):
    """A case of 6 slices of 4 mm in a window with the view's bar."""
    workspace = Workspace.of(window)
    case = make_case()
    list(workspace.layers.show(case_layers(case), first_slice=2))
    workspace.set_case(case, None)
    View.of(window)
    qtbot.wait(100)
    return Shown(window)


class Shown:
    """Reaches the view by its viewer: held itself, it would outlive its window."""

    def __init__(self, viewer):
        self._viewer = viewer

    @property
    def planes(self):
        return View.of(self._viewer).planes


def canvas_of(viewer):
    return viewer.window._qt_viewer.canvas.native


def place_of(viewer, index, *, panes=2):
    """The place on the canvas, in the left pane, of a voxel of the slice that is shown."""
    layer = viewer.layers["ceT1"]
    down, right = viewer.dims.displayed
    world = layer.data_to_world(index)
    camera, canvas = viewer.scene.camera, canvas_of(viewer)
    middle = (canvas.width() / (2 * panes), canvas.height() / 2)
    x = middle[0] + (world[right] - camera.center[-1]) * camera.zoom
    y = middle[1] + (world[down] - camera.center[-2]) * camera.zoom
    return QPoint(round(x), round(y))


def click(viewer, place):
    # vispy takes a second click soon after for a double click.
    QTest.mouseClick(canvas_of(viewer), Qt.MouseButton.LeftButton, pos=place, delay=10)
    QApplication.processEvents()


def test_brush_and_cross_hair_act_where_one_clicks_in_every_plane(qtbot, window, view):
    """One window for all planes: each costs half a second."""
    workspace = Workspace.of(window)
    mine = workspace.layers.new_mask(workspace.case)
    for axis in (1, 2, 0):
        view.planes.planes[axis].trigger()
        qtbot.wait(60)
        assert shown_plane(window).axis == axis
        assert [one.isChecked() for one in view.planes.planes.values()] == [
            one == axis for one in view.planes.planes
        ]
        target = [3, 17, 15]
        target[axis] = shown_plane(window).number
        mine.data[:] = 0
        mine.brush_size, mine.mode = 1, "paint"
        window.layers.selection.active = mine
        click(window, place_of(window, target))
        assert np.argwhere(mine.data).tolist() == [target], PLANES[axis]
        mine.mode = "pan_zoom"
        aim = [4, 25, 20]
        aim[axis] = target[axis]
        qtbot.wait(QApplication.doubleClickInterval() + 50)
        click(window, place_of(window, aim))
        assert workspace.cross_hair.index == tuple(aim), PLANES[axis]
        qtbot.wait(QApplication.doubleClickInterval() + 50)


def check_surface(window, mesh):
    """The surface in the scene, whose axes are columns, rows and slices, lies about the mask, in mm."""
    vertices, layer = mesh.mesh_data.get_vertices(), window.layers["reference"]
    inside = np.argwhere(layer.data)
    for axis in range(3):
        ends = [layer.data_to_world(index)[axis] for index in (inside.min(axis=0), inside.max(axis=0))]
        reach, step = vertices[:, 2 - axis], layer.scale[axis]
        assert reach.min() == pytest.approx(min(ends) - step / 2, abs=step)
        assert reach.max() == pytest.approx(max(ends) + step / 2, abs=step)


def test_three_planes_and_3d_leave_the_window_as_large_as_it_is(qtbot, window, view):
    workspace, main = Workspace.of(window), window.window._qt_window
    size = main.size()
    view.planes.three.trigger()
    qtbot.waitUntil(lambda: not workspace.screen.is_busy)
    qtbot.wait(50)
    panes = view.planes.three_planes.panes
    assert all(pane.isVisible() and pane.width() > 100 for pane in panes)
    assert view.planes.three_planes._cross._line.visible
    view.planes.solid.trigger()
    qtbot.waitUntil(lambda: window.dims.ndisplay == 3 and not workspace.screen.is_busy)
    qtbot.wait(50)
    assert not view.planes.three_planes._cross._line.visible
    (mesh,) = view.planes.solid_view.scene._meshes
    check_surface(window, mesh)
    # Seen from the patient's left: the first axis, which leads to the left, comes towards the eye.
    assert window.scene.camera.view_direction[0] < 0
    assert window.scene.camera.up_direction[1] < 0
    view.planes.three.trigger()
    qtbot.waitUntil(lambda: not workspace.screen.is_busy)
    assert not any(pane.isVisible() for pane in panes)
    assert window.dims.ndisplay == 2
    assert not view.planes.solid.isChecked()
    assert view.planes.solid_view.scene._meshes == []
    assert window.canvas.grid.enabled
    assert main.size() == size


def drawn_outlines(viewer):
    """Places, down and right, of the pixels that outlines are drawn on."""
    screen = View.of(viewer).screen
    image = QImage(screen.sheet.size(), QImage.Format.Format_ARGB32)
    image.fill(0)
    painter = QPainter(image)
    screen.outlines._paint(painter)
    painter.end()
    rows, columns = image.height(), image.width()
    pixels = np.frombuffer(image.constBits().asstring(4 * rows * columns), np.uint32)
    return np.argwhere(pixels.reshape(rows, columns) >> 24 > 200)


def test_thin_outlines_take_the_place_of_long_voxels(qtbot, window, view):
    """Axial pixels are 0.8 mm by 4 mm; sagittal ones 0.9 mm by 0.8 mm, which is small at this zoom."""
    window.scene.camera.zoom = 3.0
    drawn = window.window._qt_viewer.canvas.layer_to_visual
    masks = [layer for layer in window.layers if isinstance(layer, Labels)]
    assert len(masks) == 2

    def visible():
        return [drawn[layer].node.opacity > 0 for layer in masks]

    assert visible() == [True, True]
    assert not len(drawn_outlines(window))
    view.planes.planes[1].trigger()
    window.scene.camera.zoom = 3.0
    qtbot.wait(50)
    assert visible() == [False, False]
    # The outline runs about the mask, whose voxels are slices 2 to 3 and columns 12 to 21.
    left = drawn_outlines(window)[:, ::-1]
    left = left[left[:, 0] < canvas_of(window).width() / 2]
    row = shown_plane(window).number
    first, last = (place_of(window, index) for index in ([1.5, row, 11.5], [3.5, row, 21.5]))
    assert left.min(axis=0).tolist() == pytest.approx([first.x(), first.y()], abs=2)
    assert left.max(axis=0).tolist() == pytest.approx([last.x(), last.y()], abs=2)
    reference = window.layers["reference"]
    for look, value, expected in (("visible", True, False), ("opacity", 0.9, False), ("contour", 0, True)):
        setattr(reference, look, value)
        assert visible() == [expected, expected]
    reference.contour = 1
    view.planes.planes[0].trigger()
    window.scene.camera.zoom = 3.0
    assert visible() == [True, True]
    window.scene.camera.zoom = 12.0
    assert visible() == [False, False]


def test_helpers_and_mirrors_are_hidden_in_naparis_list(qtbot, window, view):
    workspace = Workspace.of(window)
    case = workspace.case
    doubt = Volume(np.zeros(case.grid.shape, np.float32), case.grid)
    workspace.layers.add(
        probability_layer(doubt, case_source(case, Role.PROBABILITY), name="probability"), is_saved=True
    )
    rows = window.window._qt_viewer.layers
    hidden = []

    def look():
        names = [rows.model().index(row, 0).data() for row in range(rows.model().rowCount())]
        hidden[:] = [name for row, name in enumerate(names) if rows.isRowHidden(row)]
        return len(hidden) == 2

    qtbot.waitUntil(look)
    assert set(hidden) == {"probability", "reference (on T2)"}
    window.layers.move(0, 3)
    qtbot.waitUntil(look)
    assert set(hidden) == {"probability", "reference (on T2)"}


def test_the_title_of_a_dock_is_short_and_stays_so(qtbot, window):
    dock, _ = window.window.add_plugin_dock_widget("napari-necroseg", "Scores")
    qtbot.waitUntil(lambda: dock.title.title.text() == "Scores")
    dock.setFloating(True)
    dock.setFloating(False)
    assert (dock.windowTitle(), dock.title.title.text()) == ("Scores", "Scores")
    # napari finds it again by the long name.
    assert window.window.add_plugin_dock_widget("napari-necroseg", "Scores")[0] is dock
