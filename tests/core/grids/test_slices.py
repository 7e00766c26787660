import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from scipy.ndimage import gaussian_filter1d

from napari_necroseg.core.grids.slices import (
    mask_to_slices,
    probability_from_slices,
    slices_grid,
    to_slices,
)
from napari_necroseg.core.volume import Grid


@pytest.mark.parametrize("n_slices", [2, 3, 4, 15, 20, 25, 63, 64, 65, 100])
def test_images_agree_with_scipy_zoom(n_slices: int) -> None:
    voxels = np.random.default_rng(n_slices).normal(300, 80, (n_slices, 5, 6)).astype(np.float32)
    expected = ndimage.zoom(
        voxels.astype(np.float64), (64 / n_slices, 1, 1), order=3, mode="mirror", grid_mode=False
    )
    np.testing.assert_allclose(to_slices(voxels), expected, atol=1e-5 * voxels.std())


@pytest.mark.parametrize("n_slices", [2, 3, 20, 64, 100])
def test_probabilities_come_back_as_scipy_zoom_would_bring_them(n_slices: int) -> None:
    probability = np.random.default_rng(0).random((64, 4, 3), dtype=np.float32)
    expected = ndimage.zoom(probability, (n_slices / 64, 1, 1), order=1, mode="mirror", grid_mode=False)
    np.testing.assert_allclose(probability_from_slices(probability, n_slices), expected, atol=1e-6)


@pytest.mark.parametrize("n_slices", [1, 15, 64])
def test_probabilities_are_smoothed_along_the_acquired_slices(n_slices: int) -> None:
    probability = np.random.default_rng(0).random((64, 5, 4), np.float32)
    plain = probability_from_slices(probability, n_slices)
    smoothed = probability_from_slices(probability, n_slices, smoothing_slices=0.7)
    expected = gaussian_filter1d(plain, 0.7, axis=0, mode="nearest")
    np.testing.assert_allclose(smoothed, expected, atol=1e-6)


def test_sixty_four_slices_stay_as_they_are_to_the_bit() -> None:
    voxels = np.random.default_rng(0).normal(size=(64, 3, 3)).astype(np.float32)
    assert np.array_equal(to_slices(voxels), voxels)
    assert np.array_equal(probability_from_slices(voxels, 64), voxels)


def test_a_single_slice_is_repeated() -> None:
    voxels = np.array([[[1.0, 2.0]]])
    assert np.array_equal(to_slices(voxels), np.repeat(voxels, 64, axis=0))
    assert np.array_equal(mask_to_slices(voxels > 1), np.repeat(voxels > 1, 64, axis=0))


def test_first_and_last_slice_keep_their_values() -> None:
    voxels = np.random.default_rng(1).normal(size=(20, 4, 4)).astype(np.float32)
    resampled = to_slices(voxels)
    np.testing.assert_allclose(resampled[[0, -1]], voxels[[0, -1]], atol=1e-5)


def test_a_mask_is_cut_where_half_is_occupied() -> None:
    mask = np.zeros((3, 1, 1), np.uint8)
    mask[1] = 1
    # Three slices at 0, 1, 2 become five at 0, 0.5, 1, 1.5, 2: halfway is inside.
    assert mask_to_slices(mask, 5)[:, 0, 0].tolist() == [0, 1, 1, 1, 0]
    assert mask_to_slices(mask, 9)[:, 0, 0].tolist() == [0, 0, 1, 1, 1, 1, 1, 0, 0]


@given(st.integers(2, 40), st.integers(0, 2**16))
def test_a_mask_survives_the_way_there_and_back(n_slices: int, seed: int) -> None:
    # A structure at least two slices thick is not lost between 64 slices and back.
    mask = np.zeros((n_slices, 2, 2), np.uint8)
    start = seed % (n_slices - 1)
    mask[start : start + 2] = 1
    back = probability_from_slices(mask_to_slices(mask), n_slices) >= 0.5
    assert np.array_equal(back, mask.astype(bool))


@given(st.integers(2, 40), st.floats(0.45, 6))
def test_the_grid_keeps_the_first_and_the_last_slice_centre(n_slices: int, spacing_mm: float) -> None:
    grid = Grid((n_slices, 5, 6), np.diag((-spacing_mm, -0.9, -0.8, 1.0)))
    resampled = slices_grid(grid)
    assert resampled.shape == (64, 5, 6)
    np.testing.assert_allclose(resampled.corners_mm(), grid.corners_mm(), atol=1e-9)


def test_sixty_four_slices_of_a_linear_ramp_are_that_ramp() -> None:
    ramp = np.linspace(0, 1, 20, dtype=np.float32)[:, None, None]
    expected = np.linspace(0, 1, 64)[:, None, None]
    np.testing.assert_allclose(probability_from_slices(ramp, 64), expected, atol=1e-6)
