"""Side by side: what stands in which pane, and that both panes show the same mask."""

import numpy as np
import pytest
from napari.layers import Image, Labels

from napari_necroseg.layerdata import case_layers
from napari_necroseg.widgets.shared.case_layers import CaseLayers
from napari_necroseg.widgets.shared.panes import Panes


def mirror_of(panes: Panes, base: Labels) -> Labels | None:
    mirror = panes._mirrors.get(base)
    return None if mirror is None else mirror.layer


@pytest.fixture
def shown(viewer, make_case):
    layers = CaseLayers(viewer)
    list(layers.show(case_layers(make_case()), first_slice=2))
    return layers


def panes_of(viewer):
    """Names of the visible layers in the left and in the right pane, from the lowest to the topmost."""
    grid = viewer.canvas.grid
    assert grid.enabled
    assert grid.actual_shape(viewer.layers) == (1, 2)
    inside = [[], []]
    for index, layer in enumerate(viewer.layers):
        if layer.visible:
            inside[grid.position(index, viewer.layers)[1]].append(layer.name)
    return inside


def test_ce_t1_stands_left_and_t2_right_with_the_mask_on_both(viewer, shown):
    assert panes_of(viewer) == [["ceT1", "reference"], ["T2", "reference (on T2)"]]


def test_a_mask_drawn_by_the_user_is_shown_on_both_sides(viewer, shown):
    mine = viewer.add_labels(np.zeros(viewer.layers["ceT1"].data.shape, np.uint8), name="mine")
    assert panes_of(viewer) == [
        ["ceT1", "reference", "mine"],
        ["T2", "reference (on T2)", "mine (on T2)"],
    ]
    assert viewer.layers.selection.active is mine


def test_other_layers_of_the_user_stand_left(viewer, shown):
    viewer.add_points(np.zeros((1, 3)), name="points")
    viewer.add_labels(np.zeros((3, 4, 5), np.uint8), name="elsewhere")
    assert panes_of(viewer)[0] == ["ceT1", "reference", "points", "elsewhere"]
    assert panes_of(viewer)[1] == ["T2", "reference (on T2)"]


def test_any_order_in_the_list_keeps_the_panes(viewer, shown):
    viewer.layers.move(0, 4)
    assert panes_of(viewer) == [["ceT1", "reference"], ["T2", "reference (on T2)"]]
    viewer.layers.move(3, 0)
    assert panes_of(viewer)[1] == ["T2", "reference (on T2)"]


def test_painting_and_undo_show_on_both_sides(viewer, shown):
    base = viewer.layers["reference"]
    mirror = mirror_of(shown.panes, base)
    drawn = []
    for happening in (mirror.events.set_data, mirror.events.labels_update):
        happening.connect(lambda _: drawn.append(int(mirror.data[2, 1, 1])))
    base.paint((2, 1, 1), 1)
    assert drawn[-1] == 1
    base.undo()
    assert drawn[-1] == 0
    base.redo()
    assert drawn[-1] == 1


def test_an_edit_that_is_reported_before_it_is_made_shows_on_both_sides(viewer, shown):
    base = viewer.layers["reference"]
    mirror = mirror_of(shown.panes, base)
    base.editable = True
    base.data_setitem((np.array([2, 2]), np.array([1, 1]), np.array([1, 2])), 1)
    base.data_setitem((np.array([2]), np.array([1]), np.array([1])), 0)
    np.testing.assert_array_equal(mirror._slice.image.view, base._slice.image.view)


def test_a_piece_of_a_stroke_shows_on_both_sides_at_once_and_nothing_else_is_drawn(viewer, shown):
    base = viewer.layers["reference"]
    mirror = mirror_of(shown.panes, base)
    pieces, slices = [], []
    for layer in (base, mirror):
        layer.events.labels_update.connect(lambda event: pieces.append((event.offset, event.data.tolist())))
    mirror.events.set_data.connect(lambda _: slices.append(1))
    base.brush_size = 1
    with base.block_history():
        base.paint((2, 1, 1), 1)
        assert len(pieces) == 2
        assert pieces[0] == pieces[1]
        assert not slices
    assert slices


def test_only_one_of_the_two_can_be_drawn_on(viewer, shown):
    mirror = mirror_of(shown.panes, viewer.layers["reference"])
    mirror.mode = "paint"
    assert not mirror.editable
    assert mirror.mode == "pan_zoom"


def test_looks_follow_the_mask(viewer, shown):
    base = viewer.layers["reference"]
    mirror = mirror_of(shown.panes, base)
    base.contour, base.opacity, base.visible = 3, 0.4, False
    assert (mirror.contour, mirror.opacity, mirror.visible) == (3, 0.4, False)


def test_other_voxels_of_the_mask_show_on_both_sides(viewer, shown):
    base = viewer.layers["reference"]
    base.data = np.ones(base.data.shape, np.uint8)
    mirror = mirror_of(shown.panes, base)
    assert mirror.data is base.data
    assert not mirror.editable


def test_removing_the_mask_removes_its_mirror(viewer, shown):
    viewer.layers.remove("reference")
    assert [layer.name for layer in viewer.layers] == ["T2", "ceT1"]
    assert panes_of(viewer) == [["ceT1"], ["T2"]]


def test_a_mirror_that_was_removed_by_hand_stays_away_and_the_mask_stays(viewer, shown):
    viewer.layers.remove("reference (on T2)")
    viewer.add_points(np.zeros((1, 3)), name="points")
    assert panes_of(viewer) == [["ceT1", "reference", "points"], ["T2"]]


def test_without_t2_there_is_one_pane(viewer, make_case):
    layers = CaseLayers(viewer)
    list(layers.show(case_layers(make_case(has_t2=False)), first_slice=0))
    assert not viewer.canvas.grid.enabled
    assert [layer.name for layer in viewer.layers] == ["ceT1", "reference"]


def test_removing_t2_by_hand_leaves_one_pane(viewer, shown):
    viewer.layers.remove("T2")
    assert not viewer.canvas.grid.enabled
    assert [layer.name for layer in viewer.layers] == ["ceT1", "reference"]


def test_side_by_side_can_be_switched_off_and_on(viewer, shown):
    shown.panes.side_by_side = False
    assert not viewer.canvas.grid.enabled
    assert [layer.name for layer in viewer.layers] == ["T2", "ceT1", "reference"]
    shown.panes.side_by_side = True
    assert panes_of(viewer) == [["ceT1", "reference"], ["T2", "reference (on T2)"]]


def test_a_hidden_mask_gets_its_mirror_when_it_is_shown(viewer, make_case):
    layers = CaseLayers(viewer)
    data = case_layers(make_case())
    data[-1][1]["visible"] = False
    list(layers.show(data, first_slice=0))
    assert panes_of(viewer) == [["ceT1"], ["T2"]]
    viewer.layers["reference"].visible = True
    assert panes_of(viewer) == [["ceT1", "reference"], ["T2", "reference (on T2)"]]


def test_both_images_share_place_and_units(viewer, shown):
    images = [layer for layer in viewer.layers if isinstance(layer, Image)]
    assert len({str(layer.units) for layer in viewer.layers}) == 1
    assert str(images[0].units[0]) == "millimeter"
    assert len({(tuple(layer.scale), tuple(layer.translate)) for layer in viewer.layers}) == 1
    assert tuple(images[0].scale) == pytest.approx((4.0, 0.9, 0.8), rel=1e-7)
    assert all(isinstance(layer, Image | Labels) for layer in viewer.layers)


def test_a_mirror_stays_in_the_viewer_when_the_next_case_comes(viewer, shown, make_case):
    removed = []
    viewer.layers.events.removed.connect(lambda event: removed.append(event.value.name))
    list(shown.show(case_layers(make_case("b")), first_slice=1))
    assert removed == []
