"""What is written on the panes: directions, side and number of the slice, in each plane."""

import dataclasses

import numpy as np
import pytest

from napari_necroseg.core.grids.orient import working_grid
from napari_necroseg.core.language import set_language
from napari_necroseg.core.volume import WORKING_AXIS_CODES, Grid, Position
from napari_necroseg.layerdata import case_layers
from napari_necroseg.widgets.shared.workspace import Workspace
from napari_necroseg.widgets.view.captions import caption_of
from napari_necroseg.widgets.view.contrast import Contrast, dragged, straightened
from napari_necroseg.widgets.view.geometry import pane_at, panes_of, to_screen, to_world
from napari_necroseg.widgets.view.slices import go_to_end, step_slices

# 15 slices of 4 mm, rows of 0.9 mm, columns of 0.8 mm.
SHAPE = (15, 40, 36)


@pytest.fixture
def shown(viewer, make_case):
    case = make_case(shape=SHAPE)
    workspace = Workspace.of(viewer)
    list(workspace.layers.show(case_layers(case), first_slice=7))
    workspace.set_case(case, None)
    viewer.dims.set_current_step(0, 7)
    return workspace


def turn_to(viewer, axis):
    """Show the plane across an axis, as the buttons of the planes do."""
    viewer.dims.order = {0: (0, 1, 2), 1: (1, 2, 0), 2: (2, 1, 0)}[axis]


def to_3d(viewer):
    """Show the images in 3D; napari draws no contours there, and says so."""
    for layer in list(viewer.layers):
        if layer.name.startswith("reference"):
            viewer.layers.remove(layer)
    viewer.dims.ndisplay = 3


def ce_t1(viewer):
    return next(layer for layer in viewer.layers if layer.name == "ceT1")


# The edges left, above, right and below.
@pytest.mark.parametrize(
    ("axis", "slices", "edges"),
    [(0, 15, "A H P F"), (1, 40, "R A L P"), (2, 36, "R H L F")],
    ids=["sagittal", "axial", "coronal"],
)
def test_each_plane_has_its_letters_and_its_first_and_last_slice(shown, viewer, *, axis, slices, edges):
    turn_to(viewer, axis)
    for last, number in ((False, 1), (True, slices)):
        go_to_end(viewer, last=last)
        caption = caption_of(viewer, ce_t1(viewer))
        assert caption.place.startswith(f"slice {number} of {slices}")
        assert " ".join(caption.edges) == edges


@pytest.mark.parametrize(
    ("number", "side"), [(0, "R 28 mm"), (6, "R 4 mm"), (7, "middle"), (8, "L 4 mm"), (14, "L 28 mm")]
)
def test_the_side_is_told_from_the_middle_of_the_image(shown, viewer, number, side):
    viewer.dims.set_current_step(0, number)
    assert caption_of(viewer, ce_t1(viewer)).place == f"slice {number + 1} of 15  ·  {side}"


def test_other_planes_count_towards_head_and_front(shown, viewer):
    turn_to(viewer, 1)
    go_to_end(viewer, last=False)
    assert caption_of(viewer, ce_t1(viewer)).place == "slice 1 of 40  ·  H 18 mm"
    turn_to(viewer, 2)
    go_to_end(viewer, last=True)
    assert caption_of(viewer, ce_t1(viewer)).place == "slice 36 of 36  ·  P 14 mm"


def test_an_oblique_grid_gets_its_nearest_letters():
    turned = np.deg2rad(25)
    affine = np.diag([0.9, 0.8, 4.0, 1.0])
    affine[:2, :2] = [
        [0.9 * np.cos(turned), -0.8 * np.sin(turned)],
        [0.9 * np.sin(turned), 0.8 * np.cos(turned)],
    ]
    oblique = working_grid(Grid((40, 36, 15), affine))
    assert oblique.obliquity_deg == pytest.approx(25)
    assert oblique.axis_codes == WORKING_AXIS_CODES


def test_letters_that_no_file_states_have_a_question_mark(shown, viewer):
    image = ce_t1(viewer)
    source = image.metadata["necroseg"]
    grid = Grid(source.grid.shape, source.grid.affine_ras, position=Position.UPRIGHT)
    image.metadata = {"necroseg": dataclasses.replace(source, grid=grid)}
    caption = caption_of(viewer, image)
    assert caption.edges == ("A?", "H?", "P?", "F?")
    assert caption.place == "slice 8 of 15  ·  side not stated"


def test_in_3d_there_are_no_directions(shown, viewer):
    to_3d(viewer)
    caption = caption_of(viewer, ce_t1(viewer))
    assert (caption.sequence, caption.place, caption.edges) == ("ceT1", "", ())


def test_window_and_level_have_the_decimal_sign_of_the_language(shown, viewer):
    image = ce_t1(viewer)
    image.contrast_limits = (0.1, 0.6)
    assert caption_of(viewer, image).window == "W 0.50  L 0.35"
    set_language("de")
    try:
        assert "0,50" in caption_of(viewer, image).window
    finally:
        set_language("en")


def test_a_drag_to_the_right_widens_the_window_and_one_downwards_raises_the_level(shown, viewer):
    assert dragged((100.0, 300.0), right_px=0, down_px=0) == pytest.approx((100, 300))
    low, high = dragged((100.0, 300.0), right_px=100, down_px=0)
    assert (low + high) / 2 == pytest.approx(200)
    assert high - low > 200
    low, high = dragged((100.0, 300.0), right_px=0, down_px=30)
    assert (low, high) == pytest.approx((120, 320))
    image, contrast = ce_t1(viewer), Contrast(shown)
    lowest, highest = image.contrast_limits_range
    for far in (-100_000, 100_000):
        contrast.drag(image, (0.2, 0.5), right_px=-far, down_px=far)
        low, high = image.contrast_limits
        assert low < high
        assert lowest <= (low + high) / 2 <= highest


def test_a_straight_drag_changes_either_window_or_level(shown, viewer):
    image, contrast = ce_t1(viewer), Contrast(shown)
    lowest, highest = image.contrast_limits_range
    wide = (lowest, highest)
    # Also where the window reaches beyond all intensities.
    contrast.drag(image, wide, right_px=200, down_px=20)
    low, high = image.contrast_limits
    assert (low + high) / 2 == pytest.approx((lowest + highest) / 2)
    assert high - low > 1.5 * (highest - lowest)
    contrast.drag(image, wide, right_px=-10, down_px=60)
    low, high = image.contrast_limits
    assert high - low == pytest.approx(highest - lowest)
    assert low > lowest
    assert straightened(50, 40) == (50, 40)
    contrast.use_preset(image, "all")
    assert list(image.contrast_limits) == pytest.approx(list(wide))


def test_both_panes_show_the_same_place_side_by_side(shown, viewer):
    viewer.canvas.size = (400, 900)
    left, right = panes_of(viewer)
    assert (left.sequence.name, right.sequence.name) == ("ceT1", "T2")
    point = to_world(viewer, left, x=100.0, y=120.0)
    x, y = to_screen(viewer, right, point=point)
    assert (x, y) == pytest.approx((100 + right.left, 120))
    assert pane_at(viewer, x=100, y=120) == left
    assert pane_at(viewer, x=x, y=y) == right
    assert pane_at(viewer, x=-1, y=10) is None


def test_steps_stop_at_the_ends(shown, viewer):
    step_slices(viewer, 100)
    assert viewer.dims.current_step[0] == 14
    step_slices(viewer, -3)
    assert viewer.dims.current_step[0] == 11
    to_3d(viewer)
    step_slices(viewer, -3)
    assert viewer.dims.current_step[0] == 11
