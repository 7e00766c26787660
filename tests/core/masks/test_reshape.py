"""Growing, shrinking and smoothing in millimetres."""

import itertools

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage
from scipy.optimize import brentq
from scipy.special import erf

from napari_necroseg.core.errors import SettingsError
from napari_necroseg.core.masks.reshape import grow, smooth

SPACING_MM = (4.0, 0.9, 0.8)
masks = arrays(np.bool_, (5, 7, 8), elements=st.sampled_from([False, False, False, True]))


def ball(radius_mm: float, shape=(17, 61, 67), spacing_mm=SPACING_MM) -> np.ndarray:
    z, y, x = ((np.arange(n) - n // 2) * length for n, length in zip(shape, spacing_mm, strict=True))
    inside: np.ndarray = z[:, None, None] ** 2 + y[:, None] ** 2 + x**2 <= radius_mm**2
    return inside


def distances_mm(to: np.ndarray, spacing_mm) -> np.ndarray:
    """Distance of every voxel to each of the voxels `to`, by the definition; the nearest of them."""
    places = np.argwhere(np.ones(to.shape, bool)) * spacing_mm
    targets = np.argwhere(to) * spacing_mm
    if not len(targets):
        return np.full(to.shape, np.inf)
    gaps = np.linalg.norm(places[:, None] - targets[None], axis=-1).min(axis=1)
    return gaps.reshape(to.shape)


@given(mask=masks, mm=st.sampled_from([0.5, 0.8, 1.6, 2.4, 4.0, 4.2]))
def test_grown_is_what_is_no_further_than_that_from_the_mask(mask, mm: float) -> None:
    expected = distances_mm(mask, SPACING_MM) <= mm + 1e-9
    np.testing.assert_array_equal(grow(mask, SPACING_MM, mm=mm), expected)


@given(mask=masks, mm=st.sampled_from([0.5, 0.8, 1.6, 2.4, 4.0, 4.2]))
def test_shrunk_is_what_is_further_than_that_from_the_outside(mask, mm: float) -> None:
    expected = distances_mm(~mask, SPACING_MM) > mm + 1e-9
    np.testing.assert_array_equal(grow(mask, SPACING_MM, mm=-mm), expected & mask)


@given(mask=masks, mm=st.sampled_from([-1.0, 0.9, 2.0, 9.0]))
def test_per_slice_each_slice_is_on_its_own(mask, mm: float) -> None:
    changed = grow(mask, SPACING_MM, mm=mm, per_slice=True)
    for number in range(len(mask)):
        alone = grow(mask[number : number + 1], SPACING_MM, mm=mm)
        np.testing.assert_array_equal(changed[number], alone[0])


@given(mask=masks, mm=st.floats(0.0, 6.0))
def test_to_shrink_what_was_grown_loses_nothing(mask, mm: float) -> None:
    """A closing holds the mask; growing and shrinking leave what they are given as it is."""
    before = mask.copy()
    assert (grow(grow(mask, SPACING_MM, mm=mm), SPACING_MM, mm=-mm) >= mask).all()
    np.testing.assert_array_equal(mask, before)


@pytest.mark.parametrize("mm", [1.7, 3.3, 5.1])
def test_growing_agrees_with_the_distance_map_of_simpleitk(mm: float) -> None:
    mask = ball(9.0)
    mask[8, 20:24, 50] = True
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    image.SetSpacing(SPACING_MM[::-1])
    # Of a mask, Danielsson's map holds the distance between voxel centres, which is ours.
    distance = sitk.DanielssonDistanceMap(
        image, inputIsBinary=True, squaredDistance=False, useImageSpacing=True
    )
    theirs = sitk.GetArrayFromImage(distance) <= mm
    np.testing.assert_array_equal(grow(mask, SPACING_MM, mm=mm), theirs)


def test_a_ball_grows_to_the_larger_ball() -> None:
    spacing_mm = (1.0, 1.0, 1.0)
    shape = (41, 41, 41)
    grown = grow(ball(8.0, shape, spacing_mm), spacing_mm, mm=5.0)
    assert (grown <= ball(13.0, shape, spacing_mm)).all()
    # The small ball is not quite round, so that the outermost voxels may be out of reach by a voxel.
    assert (grown >= ball(12.0, shape, spacing_mm)).all()


def test_less_than_a_voxel_changes_nothing_and_a_zone_cut_off_by_the_image_is_not_shrunk_there() -> None:
    mask = ball(9.0)
    np.testing.assert_array_equal(grow(mask, SPACING_MM, mm=0.79), mask)
    half = mask[:, 30:]
    shrunk = grow(half, SPACING_MM, mm=-2.0)
    assert shrunk[8, 0].any()
    assert not shrunk[8, :, 33 + 11].any()
    assert grow(np.ones((2, 3, 4), bool), SPACING_MM, mm=-40.0).all()
    assert not grow(np.zeros((2, 3, 4), bool), SPACING_MM, mm=40.0).any()


@pytest.mark.parametrize("per_slice", [False, True])
@pytest.mark.parametrize(("radius_mm", "mm"), list(itertools.product([8.0, 15.3, 24.0], [0.5, 1.0, 2.0])))
def test_a_ball_keeps_its_volume_within_one_percent(radius_mm: float, mm: float, per_slice: bool) -> None:
    mask = ball(radius_mm)
    smoothed = smooth(mask, SPACING_MM, mm=mm, per_slice=per_slice)
    assert abs(int(smoothed.sum()) / int(mask.sum()) - 1) <= 0.01
    differ = int((smoothed ^ mask).sum())
    assert differ <= 0.1 * mask.sum()


def blurred_ball(r_mm: float, radius_mm: float, sigma_mm: float) -> float:
    """Value of a Gaussian-blurred ball at a distance from its centre, integrated by hand."""
    less, more = (radius_mm - r_mm) / sigma_mm, (radius_mm + r_mm) / sigma_mm
    inside = (erf(less / np.sqrt(2)) + erf(more / np.sqrt(2))) / 2
    tails = np.exp(-(less**2) / 2) - np.exp(-(more**2) / 2)
    return float(inside - sigma_mm / (r_mm * np.sqrt(2 * np.pi)) * tails)


def test_the_level_of_one_half_would_shrink_a_ball_and_ours_does_not() -> None:
    """What keeping the volume is for: a ball of 12 mm, blurred by 2 mm, loses 8 % otherwise."""
    spacing_mm = (0.5, 0.5, 0.5)
    mask = ball(12.0, (81, 81, 81), spacing_mm)
    plain = ndimage.gaussian_filter(mask.astype(float), 4.0) >= 0.5
    radius_mm = brentq(lambda r_mm: blurred_ball(r_mm, 12.0, 2.0) - 0.5, 6.0, 12.0)
    # The radius of as large a ball is that within a tenth of a voxel: 11.66 mm.
    assert (plain.sum() / mask.sum()) ** (1 / 3) * 12.0 == pytest.approx(radius_mm, abs=0.05)
    assert radius_mm < 11.7
    # In a cube's symmetry 48 voxels have equal values.
    assert abs(int(smooth(mask, spacing_mm, mm=2.0).sum()) - int(mask.sum())) <= 48


def test_equal_values_are_in_or_out_together_whichever_volume_is_nearer() -> None:
    mask = np.zeros((1, 15, 15), bool)
    mask[0, 5:10, 5:10] = True
    mask[0, 7, 7] = False
    for far, beside in itertools.product((5, 9), (6, 8)):
        mask[0, far, beside] = mask[0, beside, far] = False
    assert mask.sum() == 16
    # Blurred, the centre is highest; then come 4, 4 and 4 voxels, and then 8: 13 are nearer to 16 than 21.
    assert smooth(mask, (1.0, 1.0, 1.0), mm=1.0, per_slice=True).sum() == 13


def test_a_zone_that_the_image_cuts_off_stays_cut_there() -> None:
    mask = np.zeros((3, 30, 40), bool)
    mask[:, :15, 5:35] = True
    smoothed = smooth(mask, (1.0, 1.0, 1.0), mm=2.0)
    np.testing.assert_array_equal(smoothed[:, 0, 8:32], mask[:, 0, 8:32])
    np.testing.assert_array_equal(smoothed[0], smoothed[2])
    assert smoothed[:, 0].sum() == mask[:, 0].sum()


def test_single_voxels_and_spikes_go_and_pits_are_filled() -> None:
    mask = ball(12.0)
    rough = mask.copy()
    rough[8, 2, 2] = rough[2, 50, 60] = True
    rough[8, 30, 33 + 16 : 33 + 24] = True
    rough[8, 30, 33] = False
    for per_slice in (False, True):
        smoothed = smooth(rough, SPACING_MM, mm=1.5, per_slice=per_slice)
        assert not smoothed[8, 2, 2]
        assert not smoothed[2, 50, 60]
        assert not smoothed[8, 30, 33 + 18 :].any()
        assert smoothed[8, 30, 33]
    assert not smooth(rough & ~mask, SPACING_MM, mm=1.5).any()


@given(mask=masks, mm=st.floats(0.2, 4.0))
def test_per_slice_nothing_comes_from_another_slice(mask, mm: float) -> None:
    before = mask.copy()
    smoothed = smooth(mask, SPACING_MM, mm=mm, per_slice=True)
    np.testing.assert_array_equal(mask, before)
    for number in range(len(mask)):
        alone = smooth(mask[number : number + 1], SPACING_MM, mm=mm, per_slice=True)
        np.testing.assert_array_equal(smoothed[number], alone[0])


def test_roughness_gets_less() -> None:
    mask = ball(15.0)
    rough = mask ^ (np.random.default_rng(0).random(mask.shape) < 0.03) & ball(18.0)

    def edge(voxels: np.ndarray) -> int:
        return sum(int(np.diff(voxels.astype(np.int8), axis=axis).astype(bool).sum()) for axis in (0, 1, 2))

    smoothed = smooth(rough, SPACING_MM, mm=1.0)
    # Of what the roughness adds to the faces of the ball, most is gone.
    assert edge(smoothed) - edge(mask) < 0.25 * (edge(rough) - edge(mask))
    assert int((smoothed ^ mask).sum()) < int((rough ^ mask).sum())


@pytest.mark.parametrize("mm", [0.0, -1.0, 5.1, float("nan")])
def test_a_smoothing_out_of_bounds_is_said(mm: float) -> None:
    with pytest.raises(SettingsError, match=r"0\.1 to 5 mm"):
        smooth(ball(5.0), SPACING_MM, mm=mm)


@pytest.mark.parametrize("mm", [51.0, -51.0, float("nan")])
def test_a_growth_out_of_bounds_is_said(mm: float) -> None:
    with pytest.raises(SettingsError, match="up to 50 mm"):
        grow(ball(5.0), SPACING_MM, mm=mm)
