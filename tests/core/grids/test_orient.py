import nibabel
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_necroseg.core.grids.orient import from_working, method_warnings, to_working, working_grid
from napari_necroseg.core.volume import Grid, Volume
from orientations import ORIENTATIONS, affine_of

VOXELS = np.arange(2 * 3 * 4, dtype=np.int16).reshape(2, 3, 4)
ANGLES = st.floats(-30, 30)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_every_orientation_becomes_upright_and_comes_back_exactly(orientation) -> None:
    grid = Grid(VOXELS.shape, affine_of(orientation))
    working = to_working(Volume(VOXELS, grid))
    assert working.grid.axis_codes == ("L", "I", "P")
    assert working.grid.shape == working.voxels.shape
    assert np.array_equal(from_working(working.voxels, grid), VOXELS)


@given(st.sampled_from(ORIENTATIONS), st.tuples(ANGLES, ANGLES, ANGLES), st.integers(0, 23))
def test_every_voxel_keeps_its_place_in_the_patient(orientation, turn_deg, voxel: int) -> None:
    grid = Grid(VOXELS.shape, affine_of(orientation, turn_deg=turn_deg))
    working = to_working(Volume(VOXELS, grid))
    in_file, in_working = np.argwhere(voxel == VOXELS)[0], np.argwhere(working.voxels == voxel)[0]
    np.testing.assert_allclose(working.grid.to_world_mm(in_working), grid.to_world_mm(in_file), atol=1e-9)
    assert np.array_equal(from_working(working.voxels, grid), VOXELS)


@given(st.sampled_from(ORIENTATIONS), st.tuples(ANGLES, ANGLES, ANGLES))
def test_the_working_affine_is_that_of_nibabel(orientation, turn_deg) -> None:
    affine = affine_of(orientation, turn_deg=turn_deg)
    target = nibabel.orientations.axcodes2ornt(("L", "I", "P"))
    image = nibabel.Nifti1Image(VOXELS, affine)
    reordered = image.as_reoriented(
        nibabel.orientations.ornt_transform(nibabel.io_orientation(affine), target)
    )
    grid = working_grid(Grid(VOXELS.shape, affine))
    np.testing.assert_allclose(grid.affine_ras, reordered.affine, atol=1e-9)
    assert np.array_equal(
        np.asarray(reordered.dataobj), to_working(Volume(VOXELS, Grid(VOXELS.shape, affine))).voxels
    )


def test_reordering_copies_nothing() -> None:
    volume = to_working(Volume(VOXELS, Grid(VOXELS.shape, affine_of(((2, 0, 1), (1.0, -1.0, 1.0))))))
    assert np.shares_memory(volume.voxels, VOXELS)


def grid_with_spacing(spacing_mm: tuple[float, float, float], turn_deg: float = 0) -> Grid:
    affine = affine_of(((0, 2, 1), (-1.0, -1.0, -1.0)), spacing_mm, (turn_deg, 0, 0))
    return Grid((15, 30, 30), affine)


def test_a_stack_as_the_method_wants_it_needs_no_warning() -> None:
    assert method_warnings(grid_with_spacing((4.0, 0.8, 0.8))) == ()


@pytest.mark.parametrize(
    ("spacing_mm", "turn_deg", "said"),
    [
        ((0.8, 4.0, 0.8), 0, "axial stack"),
        ((0.8, 0.8, 4.0), 0, "coronal stack"),
        ((1.0, 1.0, 1.0), 0, "not thicker than the in-plane spacing"),
        ((4.0, 0.8, 0.8), 25, "turned by 25 degrees"),
    ],
)
def test_what_the_method_was_not_made_for_is_said(spacing_mm, turn_deg: float, said: str) -> None:
    warnings = method_warnings(grid_with_spacing(spacing_mm, turn_deg))
    assert len(warnings) == 1
    assert said in warnings[0]
