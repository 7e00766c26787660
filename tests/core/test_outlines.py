"""Outlines of a mask: closed lines along the edges of its pixels."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_necroseg.core.masks.outlines import outlines


def area(line):
    """The area within a closed line of rows and columns; negative for a hole."""
    rows, columns = line.T
    return 0.5 * float(np.sum(columns * np.roll(rows, -1) - np.roll(columns, -1) * rows))


def test_one_pixel_is_outlined_by_its_four_corners():
    mask = np.zeros((4, 5))
    mask[1, 2] = 1
    (line,) = outlines(mask)
    assert {tuple(corner) for corner in line} == {(1, 2), (1, 3), (2, 3), (2, 2)}


def test_a_hole_has_an_outline_of_its_own():
    mask = np.ones((3, 3))
    mask[1, 1] = 0
    assert sorted(map(area, outlines(mask))) == [-1, 9]


def test_pixels_that_touch_at_a_corner_are_outlined_each():
    assert [area(line) for line in outlines(np.eye(2))] == [1, 1]


def test_an_empty_slice_has_no_outline():
    assert outlines(np.zeros((3, 3))) == []


@given(arrays(bool, st.tuples(st.integers(1, 8), st.integers(1, 8))))
def test_the_outlines_enclose_exactly_the_mask(mask):
    assert sum(map(area, outlines(mask))) == mask.sum()
