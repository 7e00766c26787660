import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from napari_necroseg.core.grids.resample import overlap_share, resample_image, resample_mask
from napari_necroseg.core.volume import Grid, Volume
from orientations import affine_of

LIP = ((0, 2, 1), (-1.0, -1.0, -1.0))
SMALL = st.floats(-8, 8)


def working_affine(
    spacing_mm=(4.0, 0.9, 0.8), turn_deg=(0.0, 0.0, 0.0), place_mm=(20.0, 30.0, 40.0)
) -> np.ndarray:
    return affine_of(LIP, spacing_mm, turn_deg, place_mm)


def to_sitk(volume: Volume) -> sitk.Image:
    """SimpleITK has axes reversed, and its world is LPS+."""
    image = sitk.GetImageFromArray(volume.voxels.astype(np.float64).T)
    lps = np.diag((-1.0, -1.0, 1.0, 1.0)) @ volume.grid.affine_ras
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    image.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
    return image


def resampled_by_sitk(volume: Volume, onto: Grid, interpolator: int, outside: float) -> np.ndarray:
    reference = to_sitk(Volume(np.zeros(onto.shape), onto))
    image = sitk.Resample(to_sitk(volume), reference, sitk.Transform(), interpolator, outside)
    return sitk.GetArrayFromImage(image).T


def smooth_volume(grid: Grid, seed: int = 0) -> Volume:
    noise = np.random.default_rng(seed).normal(size=grid.shape)
    return Volume((300 + 400 * gaussian_filter(noise, 1.0)).astype(np.float32), grid)


@settings(max_examples=15)
@given(st.tuples(SMALL, SMALL, SMALL), st.tuples(SMALL, SMALL, SMALL), st.floats(0.6, 1.4))
def test_images_agree_with_simpleitk_inside(turn_deg, shift_mm, in_plane_mm: float) -> None:
    source = Grid((12, 40, 38), working_affine())
    place_mm = tuple(a + b for a, b in zip((20.0, 30.0, 40.0), shift_mm, strict=True))
    onto = Grid((10, 32, 30), working_affine((3.6, in_plane_mm, 0.9), turn_deg, place_mm))
    volume = smooth_volume(source)

    ours = resample_image(volume, onto).voxels
    theirs = resampled_by_sitk(volume, onto, sitk.sitkBSpline, float(volume.voxels.min()))

    # SimpleITK treats the border of the image otherwise: compare where the spline sees only voxels.
    index = source.to_index(onto.to_world_mm(np.stack(np.indices(onto.shape), axis=-1)))
    inside = ((index >= 2) & (index <= np.asarray(source.shape) - 3)).all(axis=-1)
    # Both are cubic B-splines in exact arithmetic; 1e-3 of the range is the spread of their prefilters.
    np.testing.assert_allclose(ours[inside], theirs[inside], atol=1e-3 * np.ptp(volume.voxels))


def test_outside_the_image_is_its_minimum() -> None:
    volume = smooth_volume(Grid((6, 20, 20), working_affine()))
    onto = Grid((6, 20, 20), working_affine(place_mm=(20.0, 30.0, 500.0)))
    assert (resample_image(volume, onto).voxels == volume.voxels.min()).all()


def test_on_its_own_grid_an_image_keeps_its_values() -> None:
    volume = smooth_volume(Grid((6, 20, 20), working_affine()))
    np.testing.assert_allclose(resample_image(volume, volume.grid).voxels, volume.voxels, atol=1e-2)


def test_a_shift_by_whole_voxels_moves_the_voxels() -> None:
    volume = smooth_volume(Grid((6, 20, 20), working_affine()))
    # Working columns grow towards posterior: 2 columns of 0.8 mm are 1.6 mm to posterior.
    onto = Grid((6, 20, 18), working_affine(place_mm=(20.0, 30.0 - 1.6, 40.0)))
    np.testing.assert_allclose(resample_image(volume, onto).voxels, volume.voxels[:, :, 2:], atol=1e-2)


@settings(max_examples=15)
@given(st.tuples(SMALL, SMALL, SMALL), st.tuples(SMALL, SMALL, SMALL))
def test_masks_agree_with_linear_occupancy_of_simpleitk(turn_deg, shift_mm) -> None:
    source = Grid((12, 40, 38), working_affine())
    mask = Volume((smooth_volume(source).voxels > 300).astype(np.uint8), source)
    place_mm = tuple(a + b for a, b in zip((20.0, 30.0, 40.0), shift_mm, strict=True))
    onto = Grid((10, 32, 30), working_affine((3.9, 0.85, 0.8), turn_deg, place_mm))

    ours = resample_mask(mask, onto).voxels
    occupancy = resampled_by_sitk(mask, onto, sitk.sitkLinear, 0.0)

    index = source.to_index(onto.to_world_mm(np.stack(np.indices(onto.shape), axis=-1)))
    inside = ((index >= 0) & (index <= np.asarray(source.shape) - 1)).all(axis=-1)
    certain = inside & (np.abs(occupancy - 0.5) > 1e-4)
    assert np.array_equal(ours[certain], occupancy[certain] >= 0.5)


def test_a_finer_mask_counts_by_the_share_of_the_voxel_that_it_fills() -> None:
    # Four fine columns to a coarse one; filled are 1, 2 and 3 of the four.
    fine = Grid((1, 1, 12), np.diag((-4.0, -1.0, -0.25, 1.0)))
    coarse_affine = np.diag((-4.0, -1.0, -1.0, 1.0))
    coarse_affine[2, 3] = -0.375
    voxels = np.array([1, 0, 0, 0, 1, 1, 0, 0, 1, 1, 1, 0], np.uint8).reshape(1, 1, 12)
    mask = resample_mask(Volume(voxels, fine), Grid((1, 1, 3), coarse_affine))
    assert mask.voxels.ravel().tolist() == [0, 1, 1]
    assert mask.voxels.dtype == np.uint8


def test_a_mask_at_the_border_is_not_lost_to_half_a_voxel() -> None:
    grid = Grid((2, 4, 4), np.diag((-4.0, -1.0, -1.0, 1.0)))
    moved = np.diag((-4.0, -1.0, -1.0, 1.0))
    moved[2, 3] = 0.4
    mask = resample_mask(Volume(np.ones((2, 4, 4), np.uint8), grid), Grid((2, 4, 4), moved))
    assert mask.voxels.all()


@pytest.mark.parametrize(("shift_mm", "share"), [(0.0, 1.0), (8.0, 0.5), (16.0, 0.0), (100.0, 0.0)])
def test_overlap_is_the_share_of_the_first_volume(shift_mm: float, share: float) -> None:
    a = Grid((4, 16, 16), np.diag((-4.0, -1.0, -1.0, 1.0)))
    moved = a.affine_ras.copy()
    moved[2, 3] += shift_mm
    assert overlap_share(a, Grid(a.shape, moved)) == pytest.approx(share)


def test_a_small_volume_inside_a_large_one_overlaps_fully_one_way_only() -> None:
    large = Grid((10, 100, 100), np.diag((-4.0, -1.0, -1.0, 1.0)))
    affine = large.affine_ras.copy()
    affine[:3, 3] = large.to_world_mm((3, 30, 30))
    small = Grid((4, 40, 40), affine)
    assert overlap_share(small, large) == 1
    assert overlap_share(large, small) == pytest.approx(0.4**3, abs=0.03)
