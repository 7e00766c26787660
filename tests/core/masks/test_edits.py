"""What an operation changed, done and undone."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from napari.layers import Labels

from napari_necroseg.core.masks.edits import changed_box, edit_between

labels = arrays(np.uint8, (3, 4, 5), elements=st.integers(0, 2))


@given(before=labels, after=labels)
def test_an_edit_is_done_and_undone_to_the_bit(before, after) -> None:
    edit = edit_between(before, after)
    if edit is None:
        np.testing.assert_array_equal(before, after)
        return
    voxels = before.copy()
    voxels[edit.indices()] = edit.values()
    np.testing.assert_array_equal(voxels, after)
    voxels[edit.indices()] = edit.before[edit.changed]
    np.testing.assert_array_equal(voxels, before)


@given(before=labels, after=labels)
def test_the_box_holds_every_difference_and_is_the_smallest(before, after) -> None:
    box = changed_box(before, after)
    differs = before != after
    if box is None:
        assert not differs.any()
        return
    assert differs[box].sum() == differs.sum()
    for axis in range(3):
        along = differs[box].any(axis=tuple({0, 1, 2} - {axis}))
        assert along[0]
        assert along[-1]


def test_an_edit_says_how_the_volume_changed_and_holds_copies() -> None:
    before = np.zeros((3, 4, 5), np.uint8)
    before[1, 1, 1] = 1
    after = before.astype(bool)
    after[1, 1, 1] = False
    after[2, 2, 2:5] = True
    edit = edit_between(before, after)
    assert edit is not None
    assert edit.box == (slice(1, 3), slice(1, 3), slice(1, 5))
    assert edit.after.dtype == np.uint8
    assert edit.added_ml(0.5) == 1.0
    assert [found.tolist() for found in edit.indices()] == [[1, 2, 2, 2], [1, 2, 2, 2], [1, 2, 3, 4]]
    assert edit.values().tolist() == [0, 1, 1, 1]
    assert edit.before[edit.changed].tolist() == [1, 0, 0, 0]
    before[...] = 7
    assert edit.before.max() == 1


@given(before=labels, after=labels)
def test_napari_takes_it_and_undoes_it(before, after) -> None:
    layer = Labels(before.copy())
    edit = edit_between(before, after)
    if edit is None:
        return
    layer.data_setitem(edit.indices(), edit.values())
    np.testing.assert_array_equal(layer.data, after)
    layer.undo()
    np.testing.assert_array_equal(layer.data, before)
    layer.redo()
    np.testing.assert_array_equal(layer.data, after)
