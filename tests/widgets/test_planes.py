"""Sagittal, coronal, axial: upright as readers expect it, through the cross-hair, every slice reachable."""

import nibabel
import numpy as np
import pytest
from napari.layers import Labels

from napari_necroseg.core.case import Case, Sequence
from napari_necroseg.core.grids.orient import to_working
from napari_necroseg.core.volume import Grid, Origin, Volume
from napari_necroseg.layerdata import case_layers
from napari_necroseg.widgets.shared.plane import Plane, go_to_slice, shown_plane
from napari_necroseg.widgets.shared.workspace import Workspace
from napari_necroseg.widgets.view.plane_picture import picture_of, turned_slice
from napari_necroseg.widgets.view.turn import ORDERS, edge_letters, turn_to

# Where a plane shows the directions of RAS+ coordinates: (axis of the patient, sign) at the left and the top.
EXPECTED = {
    0: ((1, 1), (2, 1)),  # Sagittal: front (A) left, head up.
    1: ((0, 1), (1, 1)),  # Axial: right (R) left, front up.
    2: ((0, 1), (2, 1)),  # Coronal: right (R) left, head up.
}
LETTERS = {0: "APHF", 1: "RLAP", 2: "RLHF"}
# As scanners store them: sagittal, axial and coronal acquisitions, some turned over.
STORED = ["PIL", "ASR", "RAS", "LPS", "LSA", "IPR"]


def ras_case(codes: str, spacing_mm=(4.0, 0.9, 0.7)) -> Case:
    """A case whose file runs in the directions of `codes`, with a bright voxel far right, front and head."""
    shape = (6, 9, 12)
    orientation = nibabel.orientations.axcodes2ornt(codes)
    affine = np.zeros((4, 4))
    affine[3, 3] = 1
    for axis, (world, sign) in enumerate(orientation):
        affine[int(world), axis] = sign * spacing_mm[axis]
    affine[:3, 3] = (3.0, -20.0, 7.0)
    voxels = np.zeros(shape, np.float32)
    at = tuple(n - 1 if sign > 0 else 0 for n, (_, sign) in zip(shape, orientation, strict=True))
    voxels[at] = 100
    grid = Grid(shape, affine)
    image = to_working(Volume(voxels, grid))
    return Case(name=codes, sequences={Sequence.CET1: image}, origin=Origin(grid))


def opened(viewer, case) -> Workspace:
    workspace = Workspace.of(viewer)
    list(workspace.layers.show(case_layers(case), first_slice=0))
    workspace.set_case(case, None)
    return workspace


@pytest.fixture
def shown(viewer, make_case):
    return opened(viewer, make_case())


@pytest.mark.parametrize("codes", STORED)
@pytest.mark.parametrize("axis", ORDERS)
def test_right_front_and_head_are_where_a_reader_expects_them(viewer, codes, axis):
    """The marked voxel is the rightmost, foremost and uppermost by nibabel; look in which corner it is."""
    case = ras_case(codes)
    workspace = opened(viewer, case)
    voxels = case.sequences[Sequence.CET1].voxels
    marked = np.unravel_index(voxels.argmax(), voxels.shape)
    workspace.cross_hair.place(marked)
    turn_to(workspace, axis)
    # In what napari shows, rows run down and columns to the right.
    pixels = viewer.layers["ceT1"]._slice.image.view
    assert np.unravel_index(pixels.argmax(), pixels.shape) == (0, 0)
    picture = picture_of(workspace.layers, viewer.layers["ceT1"], axis=axis, number=marked[axis])
    np.testing.assert_array_equal(np.argwhere(picture.grey == 255), [[0, 0]])
    world = [case.grid.affine_ras[:3, :3][:, one] for one in ORDERS[axis]]
    for direction, (patient_axis, sign) in zip((world[2], world[1]), EXPECTED[axis], strict=True):
        # Columns and rows lead away from the left and the top.
        assert np.abs(direction).argmax() == patient_axis
        assert np.sign(direction[patient_axis]) == -sign
    assert "".join(edge_letters(axis)) == LETTERS[axis]


@pytest.mark.parametrize("axis", ORDERS)
def test_turning_shows_the_slice_through_the_lesion(viewer, shown, axis):
    """The necrosis is a cube in slices 2 to 3, rows 14 to 23, columns 12 to 21."""
    turn_to(shown, axis)
    inside = ((2, 3), (14, 23), (12, 21))[axis]
    plane = shown_plane(viewer)
    assert plane.axis == axis
    assert inside[0] <= plane.number <= inside[1]


def test_turning_keeps_the_place_that_a_person_chose(viewer, shown):
    shown.cross_hair.place((5, 30, 7))
    for axis, number in ((1, 30), (2, 7), (0, 5)):
        turn_to(shown, axis)
        assert shown_plane(viewer) == Plane(axis=axis, number=number)
    go_to_slice(viewer, Plane(axis=0, number=1))
    assert shown.cross_hair.index == (1, 30, 7)


def test_the_cross_hair_stays_in_the_image_and_moves_by_voxels(shown):
    shown.cross_hair.place((-5, 1000, 3))
    assert shown.cross_hair.index == (0, 39, 3)
    shown.cross_hair.move(2, 4)
    shown.cross_hair.move(0, -1)
    assert shown.cross_hair.index == (0, 39, 7)


def test_another_case_begins_at_its_own_lesion(viewer, shown, make_case):
    shown.cross_hair.place((5, 30, 7))
    turn_to(shown, 1)
    opened(viewer, make_case("b"))
    z, y, x = shown.cross_hair.index
    assert viewer.layers["reference"].data[z, y, x] == 1
    assert shown_plane(viewer) == Plane(axis=1, number=y)


def test_without_a_case_nothing_is_moved(viewer):
    workspace = Workspace.of(viewer)
    assert workspace.cross_hair.index is None
    workspace.cross_hair.place((1, 1, 1))
    turn_to(workspace, 1)
    assert workspace.cross_hair.index is None


@pytest.mark.parametrize("axis", ORDERS)
def test_every_slice_of_a_plane_is_reached(viewer, shown, axis):
    turn_to(shown, axis)
    n = viewer.layers["ceT1"].data.shape[axis]
    assert viewer.dims.nsteps[axis] == n
    for number in (0, n - 1):
        viewer.dims.set_current_step(axis, number)
        assert shown_plane(viewer) == Plane(axis=axis, number=number)
    viewer.dims.set_current_step(axis, n + 3)
    assert shown_plane(viewer).number == n - 1


@pytest.mark.parametrize("axis", ORDERS)
def test_a_slice_is_shown_as_napari_shows_it(viewer, shown, axis):
    turn_to(shown, axis)
    layer = viewer.layers["ceT1"]
    number = shown_plane(viewer).number
    np.testing.assert_array_equal(turned_slice(layer.data, axis=axis, number=number), layer._slice.image.raw)


def test_two_predictions_have_two_colours(shown, make_case):
    from napari_necroseg.layerdata import Role, case_source, mask_layer

    case = shown.case
    drawn = [
        shown.layers.add(
            mask_layer(case.reference, case_source(case, Role.PREDICTION, run=run), name=run), is_saved=True
        )
        for run in ("one", "two", "three")
    ]
    assert all(isinstance(layer, Labels) for layer in drawn)
    assert len({tuple(layer.get_color(1)) for layer in drawn}) == 3


def test_the_slice_that_a_person_scrolled_to_is_still_there_after_other_planes(viewer, shown):
    """Slice 5 is beside the lesion: the other planes show the lesion, and going back shows slice 5."""
    viewer.dims.set_current_step(0, 5)
    for axis, inside in ((1, (14, 23)), (2, (12, 21))):
        turn_to(shown, axis)
        assert inside[0] <= shown_plane(viewer).number <= inside[1]
    turn_to(shown, 0)
    assert shown_plane(viewer) == Plane(axis=0, number=5)


def test_a_mask_that_was_drawn_since_is_found(viewer, shown):
    viewer.layers["reference"].data = np.zeros_like(viewer.layers["reference"].data)
    mine = shown.layers.new_mask(shown.case)
    mine.data[2, 33:36, 4:7] = 1
    turn_to(shown, 1)
    assert 33 <= shown_plane(viewer).number <= 35
