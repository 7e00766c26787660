"""The layers of a case, and that no edit is lost when another case takes their place."""

import dataclasses

import numpy as np
import pytest
from napari.layers import Labels

from napari_necroseg.core.case import Sequence
from napari_necroseg.core.volume import Volume
from napari_necroseg.jobs.cases import MaskToSave
from napari_necroseg.layerdata import (
    Role,
    case_layers,
    case_source,
    mask_layer,
    placeholder_layer,
    probability_layer,
)
from napari_necroseg.widgets.shared.case_layers import CaseLayers


@pytest.fixture
def shown(viewer, make_case):
    layers = CaseLayers(viewer)
    list(layers.show(case_layers(make_case()), first_slice=2))
    return layers


def show(layers, case):
    list(layers.show(case_layers(case), first_slice=1))


def test_shows_the_case_upright_outlined_and_with_a_scale_bar(viewer, shown):
    reference = viewer.layers["reference"]
    assert reference.contour == 1
    assert viewer.canvas.overlays.scale_bar.visible
    assert viewer.dims.current_step[0] == 2
    assert viewer.dims.displayed == (1, 2)


def test_the_next_case_takes_the_place_of_the_last(viewer, shown, make_case):
    before = viewer.layers["ceT1"]
    show(shown, make_case("b", shape=(7, 44, 38)))
    assert viewer.layers["ceT1"] is before
    assert [layer.data.shape for layer in viewer.layers] == [(7, 44, 38)] * 4
    assert {layer.metadata["necroseg"].case for layer in viewer.layers} == {"b"}
    assert viewer.dims.nsteps == (7, 44, 38)


def test_a_mirror_follows_its_mask_into_the_next_case_and_is_not_made_anew(viewer, shown, make_case):
    before = viewer.layers["reference (on T2)"]
    show(shown, make_case("b"))
    assert viewer.layers["reference (on T2)"] is before
    assert before.metadata["necroseg"].case == "b"


def test_the_contrast_is_that_of_the_case_and_the_slider_reaches_every_voxel(viewer, shown, make_case):
    case = make_case("b")
    bright = Volume(case.sequences["T2"].voxels * 1000, case.grid)
    for_t2 = dataclasses.replace(case, sequences={**case.sequences, Sequence.T2: bright})
    show(shown, for_t2)
    low, high = viewer.layers["T2"].contrast_limits
    assert 0 < low < 100
    assert 900 < high < 1000
    assert viewer.layers["T2"].contrast_limits_range == [bright.voxels.min(), bright.voxels.max()]
    assert viewer.layers["ceT1"].contrast_limits[1] < 1


def test_a_layer_is_selected_when_the_one_that_was_went_with_its_case(viewer, shown, make_case):
    shown.new_mask(make_case())
    assert viewer.layers.selection.active is viewer.layers["my mask"]
    show(shown, make_case("b"))
    assert viewer.layers.selection.active is viewer.layers["reference"]


def test_the_layer_that_was_selected_stays_so_in_the_next_case(viewer, shown, make_case):
    viewer.layers.selection.active = viewer.layers["ceT1"]
    show(shown, make_case("b"))
    assert viewer.layers.selection.active is viewer.layers["ceT1"]


def test_undo_never_writes_voxels_of_the_last_case(viewer, shown, make_case):
    viewer.layers["reference"].paint((2, 1, 1), 1)
    other = make_case("b")
    show(shown, other)
    viewer.layers["reference"].undo()
    np.testing.assert_array_equal(viewer.layers["reference"].data, other.reference.voxels)


def test_drawing_never_changes_the_case_itself(viewer, shown, make_case):
    case = make_case()
    show(shown, case)
    viewer.layers["reference"].paint((0, 1, 1), 1)
    assert case.reference.voxels[0, 1, 1] == 0


def test_layers_of_the_user_stay(viewer, shown, make_case):
    viewer.add_points(np.zeros((1, 3)), name="points")
    viewer.add_labels(np.zeros((3, 4, 5), np.uint8), name="drawn")
    duplicate = viewer.add_labels(
        viewer.layers["reference"].data.copy(), metadata=viewer.layers["reference"].metadata, name="copy"
    )
    show(shown, make_case("b", has_reference=False))
    assert "reference" not in viewer.layers
    assert {"points", "drawn"} <= {layer.name for layer in viewer.layers}
    # It shows the patient of the case that was left.
    assert duplicate not in viewer.layers


def test_the_placeholder_of_sample_data_goes(viewer, shown, make_case):
    data, kwargs, _ = placeholder_layer("making a phantom")
    viewer.add_points(data, **kwargs)
    assert len({str(layer.units) for layer in viewer.layers}) == 1
    show(shown, make_case("b"))
    assert "making a phantom" not in viewer.layers


def test_an_edit_is_unsaved_until_it_is_undone(viewer, shown):
    assert shown.unsaved() == []
    viewer.layers["reference"].paint((2, 1, 1), 1)
    assert [layer.name for layer in shown.unsaved()] == ["reference"]
    viewer.layers["reference"].undo()
    assert shown.unsaved() == []


def test_an_edit_is_unsaved_until_it_is_saved_and_again_after_the_next(viewer, shown, make_case):
    reference = viewer.layers["reference"]
    reference.paint((2, 1, 1), 1)
    saved = MaskToSave(path=None, voxels=reference.data.copy(), origin=make_case().origin, key=id(reference))
    reference.paint((2, 30, 1), 1)
    shown.mark_saved([saved])
    assert shown.unsaved() == [reference]
    reference.undo()
    assert shown.unsaved() == []


def test_a_new_prediction_is_unsaved_and_a_second_one_is_a_layer_of_its_own(viewer, shown, make_case):
    case = make_case()
    empty = Volume(np.zeros(case.grid.shape, np.uint8), case.grid)
    for _ in range(2):
        shown.add(
            mask_layer(empty, case_source(case, Role.PREDICTION, run="run"), name="prediction"),
            is_saved=False,
        )
    assert [layer.name for layer in shown.unsaved()] == ["prediction", "prediction [1]"]
    newest = shown.find("a", [Role.PREDICTION])[0]
    assert newest.name == "prediction [1]"


def test_a_probability_is_hidden_and_never_counts_as_unsaved(viewer, shown, make_case):
    case = make_case()
    volume = Volume(np.full(case.grid.shape, 0.5, np.float16), case.grid)
    layer = shown.add(
        probability_layer(volume, case_source(case, Role.PROBABILITY), name="probability"), is_saved=False
    )
    assert not layer.visible
    assert layer.data.dtype == np.float32
    assert shown.unsaved() == []


def test_a_new_mask_is_empty_on_the_grid_of_the_case_and_yellow_not_green(viewer, shown, make_case):
    layer = shown.new_mask(make_case())
    assert layer.data.shape == make_case().grid.shape
    assert not layer.data.any()
    assert layer.metadata["necroseg"].role is Role.LABELS
    assert shown.unsaved() == []
    layer.paint((1, 2, 3), 1)
    assert shown.unsaved() == [layer]


def test_a_mask_that_was_removed_by_hand_is_not_asked_about(viewer, shown):
    viewer.layers["reference"].paint((2, 1, 1), 1)
    viewer.layers.remove("reference")
    assert shown.unsaved() == []


def test_a_layer_of_a_case_is_never_moved_and_the_next_case_stands_straight(viewer, shown, make_case):
    for layer in viewer.layers:
        layer.mode = "transform"
        assert layer.mode == "pan_zoom"
    image = viewer.layers["ceT1"]
    image.affine = np.diag([1.0, 2, 2, 1])
    image.rotate = np.array([[1.0, 0, 0], [0, 0.8, -0.6], [0, 0.6, 0.8]])
    image.shear = [0, 0, 0.1]
    show(shown, make_case("b"))
    straight = viewer.layers["reference"]
    corner = (1, 5, 7)
    np.testing.assert_allclose(image.data_to_world(corner), straight.data_to_world(corner))


def test_an_unfinished_polygon_goes_with_its_case(viewer, shown, make_case):
    mask = shown.new_mask(make_case())
    mask.mode = "polygon"
    mask._overlays["polygon"].points = [[2, 3, 3], [2, 9, 9]]
    show(shown, make_case("b"))
    assert not mask._overlays["polygon"].points


def test_a_duplicate_of_a_patients_mask_leaves_with_the_case_and_names_are_the_programs(
    viewer, shown, make_case
):
    reference = viewer.layers["reference"]
    data, state, _ = reference.as_layer_data_tuple()
    copy = viewer.add_layer(Labels(data.copy(), **state | {"name": "reference copy"}))
    mine = viewer.add_labels(np.zeros((6, 40, 36), int), name="mine")
    reference.name = "somebody"
    show(shown, make_case("b"))
    assert copy not in viewer.layers
    assert mine in viewer.layers
    assert reference.name == "reference"
