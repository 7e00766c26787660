"""A first mask without a model: a click is enough, a slider changes it, strokes refine it."""

from types import SimpleNamespace

import numpy as np
import pytest

from napari_necroseg.core.case import Case, Sequence
from napari_necroseg.core.scoring.overlap import count, dice
from napari_necroseg.core.volume import Origin, Volume
from napari_necroseg.layerdata import case_layers
from napari_necroseg.widgets.correct.dock import Correct

SHAPE = (10, 70, 64)
SPACING = (4.0, 0.9, 0.9)
MIDDLE = (5, 34, 31)


def ellipsoid(radii_mm):
    index = np.indices(SHAPE)
    return sum(((index[axis] - MIDDLE[axis]) * SPACING[axis] / radii_mm[axis]) ** 2 for axis in range(3)) <= 1


@pytest.fixture
def zone():
    return ellipsoid((13, 12, 10))


@pytest.fixture
def case(make_grid, zone):
    """A dark zone in a bright rim, as in ceT1 after an ablation, with noise; T2 is bright inside."""
    grid = make_grid(SHAPE, np.diag([-4.0, -0.9, -0.9, 1.0]))
    random = np.random.default_rng(1)
    rim = ellipsoid((17, 15, 13))
    ce_t1 = np.where(zone, 40.0, np.where(rim, 160.0, 100.0)) + random.normal(0, 6, SHAPE)
    t2 = np.where(zone, 140.0, 80.0) + random.normal(0, 6, SHAPE)
    sequences = {Sequence.CET1: Volume(ce_t1.astype(np.float32), grid)}
    sequences[Sequence.T2] = Volume(t2.astype(np.float32), grid)
    return Case(name="a", sequences=sequences, origin=Origin(grid), reference=None)


@pytest.fixture
def dock(open_dock, case):
    dock = open_dock(Correct)
    list(dock.workspace.layers.show(case_layers(case), first_slice=MIDDLE[0]))
    dock.workspace.set_case(case, None)
    return dock


def event_at(dock, index):
    return SimpleNamespace(position=dock.viewer.layers["ceT1"].data_to_world(index), handled=False)


def settle(qtbot, dock):
    qtbot.waitUntil(lambda: not dock.first._work.is_busy)
    qtbot.wait(20)


def click(qtbot, dock, index=MIDDLE):
    dock.first.click_button.click()
    dock.viewer.mouse_drag_callbacks[-1](dock.viewer, event_at(dock, index))
    settle(qtbot, dock)


def overlap(one, other):
    return dice(count(np.asarray(one) != 0, np.asarray(other) != 0))


@pytest.mark.parametrize(
    "method", ["graph-cut", "region-growing", "watershed", "random-walker", "fuzzy-c-means"]
)
def test_a_click_puts_the_zone_into_the_mask_in_one_step(qtbot, dock, zone, method):
    dock.first.method.setCurrentText(method)
    layers = list(dock.viewer.layers)
    click(qtbot, dock)
    mask = dock.hand.mask
    assert overlap(mask.data, zone) > 0.8
    assert mask.data[MIDDLE]
    assert list(dock.viewer.layers) == layers
    # Somebody has clicked: it is kept safe like a stroke.
    assert dock.workspace.journalling.unsaved() == [mask]
    mask.undo()
    assert not mask.data.any()


def test_another_choice_replaces_what_the_click_gave_in_one_step(qtbot, dock):
    click(qtbot, dock)
    first = dock.hand.mask.data.copy()
    dock.first.is_automatic.setChecked(False)
    dock.first.tolerance.setValue(0.2)
    settle(qtbot, dock)
    assert (first != 0)[dock.hand.mask.data == 0].any()
    dock.hand.mask.undo()
    assert not dock.hand.mask.data.any()


def test_another_click_adds_and_each_is_taken_back_by_itself(qtbot, dock):
    click(qtbot, dock)
    first = dock.hand.mask.data.copy()
    click(qtbot, dock, (MIDDLE[0], 60, 5))
    both = dock.hand.mask.data.copy()
    assert (both[first != 0] != 0).all()
    assert both[MIDDLE[0], 60, 5]
    assert "of it new" in dock.panel.message
    dock.hand.mask.undo()
    np.testing.assert_array_equal(dock.hand.mask.data, first)
    # What was said is no longer true.
    qtbot.waitUntil(lambda: dock.panel.message == "")
    dock.hand.mask.undo()
    assert not dock.hand.mask.data.any()


def test_the_right_button_is_no_click(dock):
    dock.first.click_button.click()
    event = event_at(dock, MIDDLE)
    event.button = 2
    dock.viewer.mouse_drag_callbacks[-1](dock.viewer, event)
    assert dock.first.is_waiting


def test_a_greater_tolerance_only_adds(qtbot, dock):
    dock.first.method.setCurrentText("region-growing")
    click(qtbot, dock)
    dock.first.is_automatic.setChecked(False)
    masks = []
    for tolerance in (0.3, 0.8, 2.0):
        dock.first.tolerance.setValue(tolerance)
        settle(qtbot, dock)
        masks.append(dock.hand.mask.data != 0)
    assert (masks[0] <= masks[1]).all()
    assert (masks[1] <= masks[2]).all()
    assert masks[0].sum() < masks[2].sum()


def test_strokes_on_what_was_found_are_obeyed(qtbot, dock):
    click(qtbot, dock)
    mask = dock.hand.mask
    found = mask.data != 0
    dock.first.refine_button.click()
    assert "Paint what is missing" in dock.panel.message
    removed = tuple(np.argwhere(found[MIDDLE[0]])[0])
    mask.data_setitem(
        (np.array([MIDDLE[0]] * 2), np.array([removed[0], 60]), np.array([removed[1], 5])), [0, 1]
    )
    dock.first.refine_button.click()
    settle(qtbot, dock)
    assert not mask.data[MIDDLE[0], removed[0], removed[1]]
    assert mask.data[MIDDLE[0], 60, 5]
    assert mask.data[MIDDLE]


def test_a_click_adds_to_what_was_drawn(qtbot, dock):
    mask = dock.hand.mask
    mask.paint((1, 5, 5), 1)
    before = mask.data.copy()
    click(qtbot, dock)
    assert (mask.data[before != 0] != 0).all()
    assert mask.data[MIDDLE]
    drawn = mask.data.copy()
    mask.paint((1, 60, 5), 1)
    drawn_on = mask.data.copy()
    # Somebody has drawn since: the next click adds.
    click(qtbot, dock)
    assert (mask.data[(drawn != 0) | (drawn_on != 0)] != 0).all()
    # It found the same, so there is nothing to take back but the stroke.
    np.testing.assert_array_equal(mask.data, drawn_on)
    click(qtbot, dock)
    np.testing.assert_array_equal(mask.data, drawn_on)


def test_a_click_beside_the_image_is_told_in_words(qtbot, dock):
    click(qtbot, dock, (5, 200, 3))
    assert "outside of the image" in dock.panel.message
    assert not dock.hand.mask.data.any()


def test_what_is_found_for_a_case_that_was_left_is_dropped(qtbot, dock, case):
    dock.first.click_button.click()
    dock.viewer.mouse_drag_callbacks[-1](dock.viewer, event_at(dock, MIDDLE))
    dock.workspace.set_case(case, None)
    settle(qtbot, dock)
    assert not dock.hand.mask.data.any()


def test_a_click_can_be_given_up(dock):
    before = list(dock.viewer.mouse_drag_callbacks)
    dock.first.click_button.click()
    assert dock.first.click_button.text() == "Give up"
    dock.first.click_button.click()
    assert dock.viewer.mouse_drag_callbacks == before


@pytest.fixture
def wired(qtbot, dock):
    dock.first.method.setCurrentText("live-wire")
    dock.first.click_button.click()
    return dock


def anchor(qtbot, dock, pixel):
    dock.first.wire._on_click(dock.viewer, event_at(dock, (MIDDLE[0], *pixel)))
    qtbot.waitUntil(lambda: dock.first.wire._wire is not None)


def test_a_live_wire_follows_the_edge_and_is_filled(qtbot, wired, zone):
    _, y, x = MIDDLE
    for pixel in ((y - 13, x), (y, x + 11), (y + 13, x), (y, x - 11)):
        anchor(qtbot, wired, pixel)
    wired.first.wire._on_move(wired.viewer, event_at(wired, (MIDDLE[0], y - 5, x - 9)))
    event = event_at(wired, (MIDDLE[0], y, x - 11))
    wired.first.wire._on_double_click(wired.viewer, event)
    assert event.handled
    mask = wired.hand.mask.data != 0
    assert overlap(mask[MIDDLE[0]], zone[MIDDLE[0]]) > 0.9
    assert not mask[np.arange(SHAPE[0]) != MIDDLE[0]].any()
    assert not wired.first.wire.is_on
    assert "in the mask" in wired.panel.message
    assert wired.first.preview.layer is None
    assert wired.viewer.layers.selection.active is wired.hand.mask
    wired.hand.mask.undo()
    assert not wired.hand.mask.data.any()


def test_a_live_wire_that_is_given_up_leaves_nothing(qtbot, wired):
    anchor(qtbot, wired, MIDDLE[1:])
    wired.first.wire._on_move(wired.viewer, event_at(wired, (MIDDLE[0], 40, 40)))
    assert wired.first.preview.mask().any()
    wired.first.click_button.click()
    assert wired.first.preview.layer is None
    assert not wired.hand.mask.data.any()
    callbacks = [
        *wired.viewer.mouse_drag_callbacks,
        *wired.viewer.mouse_move_callbacks,
        *wired.viewer.mouse_double_click_callbacks,
    ]
    assert not any(getattr(one, "__self__", None) is wired.first.wire for one in callbacks)


def test_clicks_on_another_slice_do_not_count(qtbot, wired):
    anchor(qtbot, wired, MIDDLE[1:])
    wired.first.wire._on_click(wired.viewer, event_at(wired, (2, 10, 10)))
    assert wired.first.wire._anchors == [MIDDLE[1:]]
