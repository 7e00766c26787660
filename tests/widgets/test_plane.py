"""Brush, tools, lists and scores act in the plane that is shown; in 3D they work or say why not."""

from types import SimpleNamespace

import numpy as np
import pytest
from napari.layers.labels._labels_key_bindings import decrease_brush_size, increase_brush_size

from napari_necroseg.core.masks.edits import disk_mm
from napari_necroseg.core.volume import Volume
from napari_necroseg.layerdata import Role, case_layers, case_source, mask_layer, probability_layer
from napari_necroseg.widgets.correct.dock import Correct
from napari_necroseg.widgets.scores.dock import Scores
from napari_necroseg.widgets.shared.plane import Plane, go_to_slice, shown_plane

# The axis that runs through the screen stands first; (1, 2, 0) is axial, upright.
ORDERS = [(1, 0, 2), (1, 2, 0), (2, 1, 0)]
# napari says so of every outlined mask that is shown in 3D.
in_3d_too = pytest.mark.filterwarnings("ignore:Contours are not displayed during 3D rendering")


def show(dock, case):
    layers = dock.workspace.layers
    list(layers.show(case_layers(case), first_slice=2))
    dock.workspace.set_case(case, None)
    doubt = np.zeros(case.grid.shape, np.float32)
    doubt[3, 30, 5], doubt[1, 7, 5] = 0.4, 0.2
    layers.add(
        probability_layer(Volume(doubt, case.grid), case_source(case, Role.UNCERTAINTY), name="uncertainty"),
        is_saved=True,
    )


@pytest.fixture
def correct(qtbot, open_dock, make_case):
    """A mask in hand, empty, of a case that is in no project."""
    dock = open_dock(Correct)
    show(dock, make_case())
    mask = dock.hand.mask
    mask.data_setitem(np.nonzero(mask.data), 0)
    return dock


@pytest.fixture(params=ORDERS, ids=str)
def order(request, viewer):
    return request.param


def turn(viewer, order, number):
    """Show a slice of a plane."""
    viewer.dims.order = order
    go_to_slice(viewer, Plane(axis=order[0], number=number))


@in_3d_too
def test_the_plane_is_known_by_its_axis_and_slice(correct, viewer, order):
    turn(viewer, order, 4)
    assert shown_plane(viewer) == Plane(axis=order[0], number=4)
    assert shown_plane(viewer).name == ("sagittal", "axial", "coronal")[order[0]]
    viewer.dims.ndisplay = 3
    assert shown_plane(viewer) is None


def test_a_flat_stroke_is_a_round_disk_in_millimetres_in_the_plane_that_is_shown(correct, viewer, order):
    mask, centre = correct.hand.mask, (3, 20, 18)
    turn(viewer, order, centre[order[0]])
    correct.brush.radius_mm.setValue(4.4)
    mask.paint(centre, 1)
    distance_mm = np.linalg.norm(
        (np.indices(mask.data.shape).T - centre) * correct.workspace.case.grid.spacing_mm, axis=-1
    ).T
    expected = distance_mm <= 4.4
    expected[
        tuple(
            slice(None) if axis != order[0] else np.arange(n) != centre[axis]
            for axis, n in enumerate(mask.data.shape)
        )
    ] = False
    assert expected.any()
    np.testing.assert_array_equal(mask.data > 0, expected)
    mask.undo()
    assert not mask.data.any()


@in_3d_too
def test_a_ball_is_the_same_in_every_plane_and_in_3d(correct, viewer, order):
    mask = correct.hand.mask
    turn(viewer, order, 3)
    correct.brush.in_3d.setChecked(True)
    spacing_mm = correct.workspace.case.grid.spacing_mm
    box, ball = disk_mm(spacing_mm, (3, 20, 18), radius_mm=3.0, shape=mask.data.shape, in_3d=True)
    for ndisplay in (2, 3):
        viewer.dims.ndisplay = ndisplay
        mask.data_setitem(np.nonzero(mask.data), 0)
        mask.paint((3, 20, 18), 1)
        assert np.count_nonzero(mask.data) == ball.sum()
        np.testing.assert_array_equal(mask.data[box] > 0, ball)


def test_fill_polygon_and_eraser_stay_in_the_plane(correct, viewer, order):
    mask, axis = correct.hand.mask, order[0]
    turn(viewer, order, 3)
    corners = [[2, 5, 5], [4, 5, 5], [4, 9, 9]] if axis else [[2, 5, 5], [2, 9, 5], [2, 9, 9]]
    for corner in corners:
        corner[axis] = 3
    mask.paint_polygon(corners, 1)
    assert set(np.nonzero(mask.data)[axis]) == {3}
    at = [1, 1, 1]
    at[axis] = 3
    mask.fill(at, 1)
    assert set(np.nonzero(mask.data)[axis]) == {3}
    mask.mode = "erase"
    mask.paint(corners[0], 0)
    assert mask.data[tuple(corners[0])] == 0


def test_the_next_slice_is_that_of_the_plane_that_is_shown(correct, viewer, order):
    mask, axis = correct.hand.mask, order[0]
    turn(viewer, order, 2)
    mask.paint((2, 2, 2), 1)
    contour = np.moveaxis(mask.data, axis, 0)[2].copy()
    assert contour.any()
    correct.tools.use("next")
    slices = np.moveaxis(mask.data, axis, 0)
    np.testing.assert_array_equal(slices[3], contour)
    assert np.count_nonzero(mask.data) == 2 * np.count_nonzero(contour)
    assert shown_plane(viewer) == Plane(axis=axis, number=3)
    go_to_slice(viewer, Plane(axis=axis, number=2))
    correct.tools.use("previous")
    np.testing.assert_array_equal(np.moveaxis(mask.data, axis, 0)[1], contour)
    assert shown_plane(viewer) == Plane(axis=axis, number=1)


def test_slices_are_filled_across_the_plane_that_is_shown(correct, viewer, order):
    mask, axis = correct.hand.mask, order[0]
    turn(viewer, order, 1)
    slices = np.moveaxis(mask.data, axis, 0)
    slices[1, 2:5, 2:5] = slices[4, 2:5, 2:5] = 1
    correct.tools.use("interpolate")
    slices = np.moveaxis(mask.data, axis, 0)
    np.testing.assert_array_equal(slices[1:5, 2:5, 2:5], 1)
    assert mask.data.sum() == 4 * 9
    mask.undo()
    assert mask.data.sum() == 2 * 9


def test_holes_are_those_of_the_slices_that_are_shown(correct, viewer, order):
    mask, axis = correct.hand.mask, order[0]
    turn(viewer, order, 2)
    slices = np.moveaxis(mask.data, axis, 0)
    slices[2, 1:4, 1:4] = 1
    slices[2, 2, 2] = 0
    correct.tools.use("holes")
    assert np.moveaxis(mask.data, axis, 0)[2, 2, 2] == 1


@pytest.mark.parametrize("name", ["smooth", "grow", "shrink"])
def test_slice_by_slice_is_in_the_plane_that_is_shown(correct, viewer, order, name):
    mask, axis = correct.hand.mask, order[0]
    turn(viewer, order, 3)
    correct.tools.per_slice.setChecked(True)
    correct.tools.grow_mm.setValue(4.0)
    slices = np.moveaxis(mask.data, axis, 0)
    slices[3, 1:5, 10:20] = 1
    correct.tools.use(name)
    assert set(np.nonzero(mask.data)[axis]) <= {3}


def test_the_box_acts_on_the_slice_that_is_shown(correct, viewer, order):
    mask, axis = correct.hand.mask, order[0]
    mask.data_setitem(np.nonzero(mask.data == 0), 1)
    turn(viewer, order, 2)
    correct.tools.use("erase")
    # Another slice is gone to before the box is drawn.
    turn(viewer, order, 3)
    start, stop = np.array([1.0, 1, 1]), np.array([4.0, 4, 4])
    start[axis] = stop[axis] = 3
    event = SimpleNamespace(type="mouse_press", position=mask.data_to_world(start), pos=(0, 0))
    moves = viewer.mouse_drag_callbacks[-1](viewer, event)
    next(moves)
    event.type, event.position = "mouse_move", mask.data_to_world(stop)
    next(moves)
    event.type = "mouse_release"
    assert next(moves, None) is None
    assert set(np.argwhere(mask.data == 0)[:, axis]) == {3}
    assert np.count_nonzero(mask.data == 0) == 16


@in_3d_too
def test_in_3d_each_tool_works_or_says_that_it_needs_a_slice(correct, viewer):
    mask = correct.hand.mask
    mask.data[2:4, 10:20, 10:20] = 1
    mask.data[0, 0, 0] = 1
    viewer.dims.ndisplay = 3
    for tool in [entry for entry in correct.tools.entries if not entry.mode]:
        before = mask.data.copy()
        correct.tools.use(tool.name)
        if tool.name in ("smooth", "grow", "shrink", "largest"):
            assert "2D view" not in correct.panel.message, tool
        else:
            assert "go back to the 2D view" in correct.panel.message, tool
            np.testing.assert_array_equal(mask.data, before)


@in_3d_too
def test_in_3d_no_click_is_waited_for(correct, viewer):
    viewer.dims.ndisplay = 3
    for method in ("graph-cut", "live-wire"):
        correct.first.method.setCurrentText(method)
        correct.first.click_button.click()
        assert "go back to the 2D view" in correct.panel.message
        assert not correct.first.click.is_waiting
        assert not correct.first.wire.is_on


@in_3d_too
def test_the_list_of_slices_to_check_is_of_the_plane_that_is_shown(correct, viewer):
    assert correct.check.axis == 0
    turn(viewer, (1, 0, 2), 12)
    assert [correct.check.rows.item(n).data(256) for n in range(2)] == [30, 7]
    seen = correct.check.seen[0]
    correct.check.go_on()
    assert shown_plane(viewer) == Plane(axis=1, number=30)
    assert correct.check.seen[0] == seen + 1
    viewer.dims.ndisplay = 3
    correct.check.go_on()
    assert "go back to the 2D view" in correct.panel.message


def test_slices_of_other_planes_do_not_count_as_seen(correct, viewer):
    seen = correct.check.seen
    turn(viewer, (2, 0, 1), 1)
    turn(viewer, (2, 0, 1), 3)
    viewer.dims.order = (0, 1, 2)
    assert correct.check.seen == seen


def test_scores_by_slice_are_of_the_plane_that_is_shown(qtbot, open_dock, viewer, make_case):
    dock, case = open_dock(Scores), make_case()
    show(dock, case)
    moved = Volume(np.roll(case.reference.voxels, 5, axis=1), case.grid)
    dock.workspace.layers.add(
        mask_layer(moved, case_source(case, Role.PREDICTION, run="run"), name="prediction"), is_saved=False
    )
    qtbot.waitUntil(lambda: dock._scored is not None)
    turn(viewer, (1, 0, 2), 0)
    # The zone is in rows 14 to 23, the prediction in 19 to 28.
    assert len(dock.plot._scores.dice) == case.grid.shape[1]
    assert [n for n, dice in enumerate(dock.plot._scores.dice) if dice == 0] == [
        *range(14, 19),
        *range(24, 29),
    ]
    dock.worst_button.click()
    assert shown_plane(viewer) == Plane(axis=1, number=14)
    dock.plot.chosen.emit(20)
    assert shown_plane(viewer) == Plane(axis=1, number=20)
    viewer.dims.order = (0, 1, 2)
    assert len(dock.plot._scores.dice) == case.grid.shape[0]


def test_naparis_brush_size_and_that_of_the_dock_are_one(correct, viewer, order):
    mask, radius_mm = correct.hand.mask, correct.brush.radius_mm
    turn(viewer, order, 3)
    spacing_mm = correct.workspace.case.grid.spacing_mm
    unit_mm = min(length for axis, length in enumerate(spacing_mm) if axis != order[0])
    radius_mm.setValue(6.0)
    assert mask.brush_size == round(12.0 / unit_mm)
    assert mask.cursor_size == viewer.cursor.size == 12.0
    for key, step in ((increase_brush_size, 1), (decrease_brush_size, -1)):
        before_mm, size = radius_mm.value(), mask.brush_size
        key(mask)
        assert mask.brush_size == size + step
        assert radius_mm.value() == pytest.approx(before_mm + step * unit_mm / 2, abs=0.26)
        assert mask.cursor_size == pytest.approx(2 * radius_mm.value())
    mask.brush_size = 20
    assert radius_mm.value() == pytest.approx(min(30.0, 10 * unit_mm), abs=0.051)


def test_the_brush_has_limits_that_naparis_size_keeps_to(correct):
    mask = correct.hand.mask
    mask.brush_size = 500
    assert correct.brush.radius_mm.value() == 30.0
    assert mask.brush_size == round(60.0 / 0.8)
    mask.brush_size = 1
    for _ in range(5):
        decrease_brush_size(mask)
    assert correct.brush.radius_mm.value() == pytest.approx(0.4)


def test_another_plane_keeps_the_size_in_millimetres(correct, viewer):
    correct.brush.radius_mm.setValue(7.3)
    for order in ORDERS:
        viewer.dims.order = order
        assert correct.brush.radius_mm.value() == 7.3
        assert correct.hand.mask.cursor_size == pytest.approx(14.6)
