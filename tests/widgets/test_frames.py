"""What is drawn, frame by frame, in a real window: panes never swap, and two cases never stand together."""

import numpy as np
import pytest
from napari.layers import Image
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_necroseg.core.volume import Volume
from napari_necroseg.layerdata import Role, case_layers, case_source, mask_layer, probability_layer, source_of
from napari_necroseg.widgets.shared.panes import canvas_of
from napari_necroseg.widgets.shared.workspace import Workspace


class Frames:
    """Remembers of each drawn frame which pane each visible layer stood in, and whose case it was of."""

    def __init__(self, viewer):
        self.viewer, self.seen = viewer, []
        self.canvas = viewer.window._qt_viewer.canvas
        self.canvas._scene_canvas.events.draw.connect(self._on_draw)

    def _on_draw(self, _event):
        grid, layers = self.viewer.canvas.grid, self.viewer.layers
        frame = []
        for index, layer in enumerate(layers):
            source = source_of(layer.metadata)
            if source is not None and layer.visible:
                pane = grid.position(index, layers)[1] if grid.enabled else None
                # The pane that it is really drawn in, not only the one that it should be.
                node = self.canvas.layer_to_visual[layer].node
                views = self.canvas.grid_views if grid.enabled else [self.canvas.view]
                drawn = [number for number, view in enumerate(views) if view.scene is node.parent]
                frame.append((source.case, source.role, pane, drawn, isinstance(layer, Image)))
        self.seen.append(frame)

    def check(self):
        """Every frame since the last check: ceT1 left, T2 right, one case."""
        frames, self.seen = self.seen, []
        assert frames
        for frame in frames:
            assert len({case for case, *_ in frame}) <= 1, frame
            panes = {role: pane for _, role, pane, _, is_image in frame if is_image}
            if Role.CET1 in panes and Role.T2 in panes:
                assert (panes[Role.CET1], panes[Role.T2]) == (0, 1), frame
                assert all(drawn == [pane] for _, _, pane, drawn, _ in frame), frame


@pytest.fixture
def window(make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    QTest.qWaitForWindowExposed(viewer.window._qt_window)
    return viewer


def serve(qtbot, workspace):
    """Serve the screen until all steps are done, and a little longer."""
    qtbot.waitUntil(lambda: not workspace.screen.is_busy)
    qtbot.wait(100)


def open_case(qtbot, workspace, case):
    workspace.screen.start(workspace.layers.show(case_layers(case), first_slice=2))
    serve(qtbot, workspace)
    workspace.set_case(case, None)


def prediction_of(case):
    mask, source = Volume(case.reference.voxels, case.grid), case_source(case, Role.PREDICTION, run="run")
    doubt = Volume(np.zeros(case.grid.shape, np.float32), case.grid)
    return [
        probability_layer(doubt, case_source(case, Role.UNCERTAINTY), name="uncertainty"),
        probability_layer(doubt, case_source(case, Role.PROBABILITY), name="probability"),
        mask_layer(mask, source, name="prediction"),
    ]


def test_panes_never_swap_while_cases_and_predictions_come_and_go(qtbot, window, make_case):
    frames, workspace = Frames(window), Workspace.of(window)
    first, second = make_case("a"), make_case("b", shape=(7, 44, 38))
    open_case(qtbot, workspace, first)
    frames.check()
    workspace.screen.start(workspace.layers.add_all(prediction_of(first)))
    serve(qtbot, workspace)
    assert "prediction (on T2)" in window.layers
    frames.check()
    workspace.layers.new_mask(first)
    qtbot.wait(50)
    frames.check()
    window.add_points(np.zeros((1, 3)))
    qtbot.wait(50)
    frames.check()
    open_case(qtbot, workspace, second)
    frames.check()
    window.layers.remove("Points")
    window.layers.remove("reference")
    qtbot.wait(50)
    frames.check()
    open_case(qtbot, workspace, make_case("c", has_t2=False))
    frames.check()
    open_case(qtbot, workspace, first)
    frames.check()


def test_each_pane_says_what_it_shows(qtbot, window, make_case):
    workspace = Workspace.of(window)
    open_case(qtbot, workspace, make_case())
    captions = {layer.name for layer in window.layers if layer.name_overlay.visible}
    assert captions == {"ceT1", "T2"}
    workspace.layers.panes.side_by_side = False
    assert not window.layers["T2"].name_overlay.visible
    window.layers["ceT1"].visible = False
    assert window.layers["T2"].name_overlay.visible


def test_the_canvas_takes_no_clicks_for_what_is_not_seen_yet(qtbot, window, make_case):
    workspace, canvas = Workspace.of(window), canvas_of(window)
    steps = workspace.layers.show(case_layers(make_case()), first_slice=2)
    next(steps)
    assert not canvas.updatesEnabled()
    assert canvas.testAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
    for _ in steps:
        QApplication.processEvents()
    assert canvas.updatesEnabled()
    assert not canvas.testAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)


def test_steps_that_are_given_up_leave_the_canvas_usable(window, make_case):
    workspace, canvas = Workspace.of(window), canvas_of(window)
    steps = workspace.layers.show(case_layers(make_case()), first_slice=2)
    next(steps)
    steps.close()
    assert canvas.updatesEnabled()


@pytest.mark.parametrize("order", [(1, 0, 2), (2, 1, 0)])
def test_a_real_stroke_in_an_axial_or_coronal_pane_is_drawn_there(qtbot, window, make_case, order):
    from napari_necroseg.widgets.correct.dock import Correct

    _, dock = window.window.add_plugin_dock_widget("napari-necroseg", "Correct")
    assert isinstance(dock, Correct)
    open_case(qtbot, dock.workspace, make_case())
    mask, canvas = dock.hand.mask, canvas_of(window)
    mask.mode = "paint"
    window.dims.order = order
    window.fit_to_view()
    qtbot.wait(100)
    for share in (0.25, 0.75):
        place = QPoint(int(canvas.width() * share), canvas.height() // 2)
        QTest.mouseMove(canvas, place)
        QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=place)
        QTest.mouseMove(canvas, place + QPoint(6, 0))
        QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=place + QPoint(6, 0))
        assert mask.data.any()
        assert len(set(np.nonzero(mask.data)[order[0]])) == 1
        mask.undo()
        assert not mask.data.any()
    mask.mode = "pan_zoom"
