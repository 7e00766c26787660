"""Rectangles that reach beyond a volume, against padding the volume first."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_necroseg.core.prediction.inference import padded_crop, span

sides = st.tuples(st.integers(1, 7), st.integers(1, 7), st.integers(1, 7))
corners = st.tuples(st.integers(-12, 12), st.integers(-12, 12), st.integers(-12, 12))


@given(shape=sides, corner=corners, cut=sides)
def test_a_window_is_a_slice_of_the_padded_volume(shape, corner, cut) -> None:
    voxels = np.arange(2 * np.prod(shape), dtype=np.float32).reshape(2, *shape)
    outside = np.array([-1, -2], np.float32)
    padded = np.stack(
        [np.pad(one, 20, constant_values=value) for one, value in zip(voxels, outside, strict=True)]
    )
    z, y, x = (slice(20 + first, 20 + first + n) for first, n in zip(corner, cut, strict=True))
    found = padded_crop(voxels, corner, cut, outside=outside)
    np.testing.assert_array_equal(found, padded[:, z, y, x])


def test_a_window_is_a_copy() -> None:
    voxels = np.zeros((1, 2, 2, 2), np.float32)
    padded_crop(voxels, (0, 0, 0), (2, 2, 2), outside=np.zeros(1))[:] = 1
    assert not voxels.any()


def test_where_a_window_that_hangs_over_both_ends_lies() -> None:
    assert span(-2, 8, 5) == (slice(2, 7), slice(0, 5))
