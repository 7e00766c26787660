"""Parts of a mask that stay or go; slices and boxes of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

from napari_necroseg.core.errors import SettingsError
from napari_necroseg.core.masks.components import clean, remove_island
from napari_necroseg.core.masks.edits import copy_slice, erase_box, swap_box

BOX = (slice(1, 3), slice(0, 4), slice(2, 6))


def n(mask: np.ndarray) -> int:
    return int(np.count_nonzero(mask))


@pytest.mark.parametrize(("index", "size"), [((1, 2, 2), 8), ((5, 11, 11), 2), ((3, 15, 15), 27)])
def test_the_part_at_a_voxel_goes(mask, index, size: int) -> None:
    before = mask.copy()
    left = remove_island(mask, index)
    assert n(left) == 37 - size
    assert not left[index]
    assert (left <= mask).all()
    np.testing.assert_array_equal(mask, before)


@pytest.mark.parametrize("index", [(1, 3, 3), (0, 0, 0), (6, 0, 0), (-1, 11, 11)])
def test_where_nothing_is_there_is_no_part(mask, index) -> None:
    with pytest.raises(SettingsError, match="no part of the mask at voxel"):
        remove_island(mask, index)


def test_the_largest_stays_and_holes_are_filled_on_a_copy(mask) -> None:
    before = mask.copy()
    assert n(clean(mask, largest=True)) == 27
    filled = clean(mask, fill_holes=True)
    assert n(filled) == 38
    assert filled[1, 3, 3]
    for choice in ({"largest": True}, {"fill_holes": True}):
        clean(mask, **choice)[...] = True
        empty = np.zeros_like(mask)
        clean(empty, **choice)[...] = True
        assert not empty.any()
    np.testing.assert_array_equal(mask, before)


def test_a_contour_is_copied_to_another_slice(mask) -> None:
    copied = copy_slice(mask, source=1, target=2)
    np.testing.assert_array_equal(copied[2], mask[1])
    others = [0, 1, 3, 4, 5]
    np.testing.assert_array_equal(copied[others], mask[others])
    assert mask[2, 15, 15]


@pytest.mark.parametrize(
    ("source", "target", "what"),
    [(0, 1, "no contour"), (1, 6, "no slice 6; .* 0 to 5"), (-1, 1, "no slice -1")],
)
def test_a_slice_that_cannot_be_copied_is_said(mask, source: int, target: int, what: str) -> None:
    with pytest.raises(SettingsError, match=what):
        copy_slice(mask, source=source, target=target)


@given(mask=arrays(np.bool_, (4, 5, 6)))
def test_in_a_box_voxels_are_erased_or_change_sides_and_beside_it_they_stay(mask) -> None:
    before = mask.copy()
    erased, swapped = erase_box(mask, BOX), swap_box(mask, BOX)
    assert not erased[BOX].any()
    np.testing.assert_array_equal(swapped[BOX], ~mask[BOX])
    np.testing.assert_array_equal(swap_box(swapped, BOX), mask)
    beside = np.ones_like(mask)
    beside[BOX] = False
    np.testing.assert_array_equal(erased[beside], mask[beside])
    np.testing.assert_array_equal(swapped[beside], mask[beside])
    np.testing.assert_array_equal(mask, before)
