"""What a correction changed against the prediction."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

from napari_necroseg.core.errors import GeometryError
from napari_necroseg.core.scoring.corrections import what_changed

masks = arrays(np.bool_, (4, 5, 6))


def test_a_correction_is_measured_against_the_prediction() -> None:
    before, after = np.zeros((2, 6, 8, 8), bool)
    before[1:4, 2:4, 2:4] = True
    after[2:5, 2:4, 2:4] = True
    after[3, 2, 2] = False
    # 12 and 11 voxels, 7 in common; slices 1, 3 and 4 differ.
    changes = what_changed(before, after, voxel_ml=0.5)
    assert changes.dice == 14 / 23
    assert (changes.before_ml, changes.after_ml, changes.slices) == (6.0, 5.5, (1, 3, 4))


def test_nothing_to_find_and_nothing_found_has_no_dice() -> None:
    empty = np.zeros((2, 3, 4), bool)
    assert what_changed(empty, empty, voxel_ml=1.0).dice is None
    assert what_changed(empty, ~empty, voxel_ml=1.0).dice == 0.0


@given(before=masks, after=masks)
def test_both_ways_the_same_slices_differ_and_the_volumes_change_places(before, after) -> None:
    there, back = (what_changed(*pair, voxel_ml=0.25) for pair in ((before, after), (after, before)))
    assert (there.dice, there.before_ml, there.slices) == (back.dice, back.after_ml, back.slices)
    assert there.slices == tuple(i for i in range(4) if not np.array_equal(before[i], after[i]))


def test_masks_on_two_grids_are_not_compared() -> None:
    with pytest.raises(GeometryError, match=r"\(2, 3, 4\).*\(3, 3, 4\)"):
        what_changed(np.ones((2, 3, 4), bool), np.ones((3, 3, 4), bool), voxel_ml=1.0)
