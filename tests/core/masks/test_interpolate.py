"""Contoured slices, and what is filled in between."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_necroseg.core.masks.reshape import interpolate

SPACING_MM = (4.0, 0.9, 0.8)
masks = arrays(np.bool_, (6, 7, 8), elements=st.sampled_from([False, False, False, True]))


def disc(radius_mm: float, *, row: int = 30, column: int = 30, size: int = 61) -> np.ndarray:
    y, x = np.ogrid[:size, :size]
    inside: np.ndarray = ((y - row) * SPACING_MM[1]) ** 2 + (
        (x - column) * SPACING_MM[2]
    ) ** 2 <= radius_mm**2
    return inside


def stack(slices: int, contours: dict[int, np.ndarray]) -> np.ndarray:
    mask = np.zeros((slices, *next(iter(contours.values())).shape), bool)
    for number, contour in contours.items():
        mask[number] = contour
    return mask


@given(mask=masks, emptied=st.sets(st.integers(0, 5)))
def test_contoured_slices_stay_and_none_between_them_is_empty(mask, emptied) -> None:
    mask[sorted(emptied)] = False
    before = mask.copy()
    filled = interpolate(mask, SPACING_MM)
    np.testing.assert_array_equal(mask, before)
    contoured = np.flatnonzero(mask.any(axis=(1, 2)))
    np.testing.assert_array_equal(filled[contoured], mask[contoured])
    has_voxels = np.flatnonzero(filled.any(axis=(1, 2)))
    expected = np.arange(contoured[0], contoured[-1] + 1) if len(contoured) else contoured
    np.testing.assert_array_equal(has_voxels, expected)


@given(radius_mm=st.floats(1.0, 20.0), gap=st.integers(2, 5))
def test_between_two_equal_discs_lies_the_same_disc(radius_mm: float, gap: int) -> None:
    ends = disc(radius_mm)
    filled = interpolate(stack(gap + 1, {0: ends, gap: ends}), SPACING_MM)
    for number in range(gap + 1):
        np.testing.assert_array_equal(filled[number], ends)


@given(radii_mm=st.tuples(st.floats(3.0, 20.0), st.floats(3.0, 20.0)))
def test_halfway_up_a_cone_the_radius_is_the_mean_within_a_voxel(radii_mm) -> None:
    filled = interpolate(stack(3, {0: disc(radii_mm[0]), 2: disc(radii_mm[1])}), SPACING_MM)
    mean_mm, voxel_mm = sum(radii_mm) / 2, max(SPACING_MM[1:])
    assert (filled[1] <= disc(mean_mm + voxel_mm)).all()
    assert (filled[1] >= disc(mean_mm - voxel_mm)).all()


def test_nearer_to_a_slice_the_outline_is_nearer_to_its() -> None:
    filled = interpolate(stack(5, {0: disc(16.0), 4: disc(8.0)}), SPACING_MM)
    for number, radius_mm in ((1, 14.0), (2, 12.0), (3, 10.0)):
        assert (filled[number] <= disc(radius_mm + 0.9)).all()
        assert (filled[number] >= disc(radius_mm - 0.9)).all()


def test_what_lies_in_both_outlines_lies_between_them_and_nothing_beyond_either() -> None:
    below, above = disc(10.0, column=24), disc(12.0, column=36)
    middle = interpolate(stack(3, {0: below, 2: above}), SPACING_MM)[1]
    assert (middle >= (below & above)).all()
    assert (middle <= (below | above)).all()


def test_outlines_that_do_not_overlap_move_from_one_to_the_other() -> None:
    filled = interpolate(stack(5, {0: disc(4.0, column=10), 4: disc(4.0, column=50)}), SPACING_MM)
    for number, column in ((1, 20), (2, 30), (3, 40)):
        np.testing.assert_array_equal(filled[number], disc(4.0, column=column))


def test_a_slice_that_is_full_ends_at_the_border_of_the_image() -> None:
    full, size = np.ones((61, 61), bool), 61
    np.testing.assert_array_equal(interpolate(stack(3, {0: full, 2: full}), SPACING_MM)[1], full)
    middle = interpolate(stack(3, {0: full, 2: disc(5.0)}), SPACING_MM)[1]
    # Along the middle row the border is 31 voxels from the centre, the disc's edge 6 or 7: half-way is 19.
    inside = np.flatnonzero(middle[size // 2])
    assert (inside[0], inside[-1]) == (30 - 18, 30 + 18)


def test_nothing_comes_from_nothing() -> None:
    empty = np.zeros((4, 5, 6), bool)
    assert not interpolate(empty, SPACING_MM).any()
    one = stack(3, {1: disc(5.0)})
    np.testing.assert_array_equal(interpolate(one, SPACING_MM), one)
