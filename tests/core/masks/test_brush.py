"""A brush that is round in millimetres, and where it may paint."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_necroseg.core.masks.edits import disk_mm, within_range

SHAPE = (6, 12, 14)
spacings = st.sampled_from([(4.0, 0.9, 0.8), (1.0, 1.0, 1.0), (0.5, 2.0, 3.3)])
points = st.tuples(*(st.floats(-4.0, n + 4.0) for n in SHAPE))
voxels = st.tuples(*(st.integers(0, n - 1) for n in SHAPE))
radii = st.sampled_from([0.0, 0.4, 0.8, 1.6, 2.0, 3.7, 9.0])


def painted(box, brush) -> np.ndarray:
    image = np.zeros(SHAPE, bool)
    assert image[box].shape == brush.shape
    image[box] = brush
    return image


def distances_mm(spacing_mm, point) -> np.ndarray:
    places = np.moveaxis(np.indices(SHAPE), 0, -1)
    return np.linalg.norm((places - point) * spacing_mm, axis=-1)


@given(spacing_mm=spacings, centre=points, radius_mm=radii)
def test_a_ball_is_every_voxel_within_the_radius_and_no_other(spacing_mm, centre, radius_mm) -> None:
    ball = painted(*disk_mm(spacing_mm, centre, radius_mm=radius_mm, shape=SHAPE, in_3d=True))
    distance = distances_mm(spacing_mm, centre)
    assert ball[distance <= radius_mm].all()
    assert not ball[distance > radius_mm + 2e-6].any()


@given(spacing_mm=spacings, centre=points, radius_mm=radii)
def test_a_disk_is_that_in_its_slice_alone(spacing_mm, centre, radius_mm) -> None:
    disk = painted(*disk_mm(spacing_mm, centre, radius_mm=radius_mm, shape=SHAPE))
    nearest = int(np.floor(centre[0] + 0.5))
    distance = distances_mm(spacing_mm, (nearest, *centre[1:]))
    distance[np.arange(SHAPE[0]) != nearest] = np.inf
    assert disk[distance <= radius_mm].all()
    assert not disk[distance > radius_mm + 2e-6].any()


@given(spacing_mm=spacings, centre=voxels, radius_mm=radii, in_3d=st.booleans())
def test_at_a_voxel_the_brush_paints_at_least_that_one_and_its_box_is_no_larger_than_it(
    spacing_mm, centre, radius_mm, in_3d
) -> None:
    box, brush = disk_mm(spacing_mm, centre, radius_mm=radius_mm, shape=SHAPE, in_3d=in_3d)
    assert painted(box, brush)[centre]
    for axis in range(3):
        assert brush.any(axis=tuple({0, 1, 2} - {axis})).all()


def test_two_millimetres_are_five_rows_and_six_columns_wide() -> None:
    _, brush = disk_mm((4.0, 0.9, 0.8), (2, 6, 6), radius_mm=2.0, shape=SHAPE)
    # Rows 0.9 mm apart reach 1.8 mm, columns 0.8 mm apart reach 1.6 mm; sqrt(1.8^2 + 0.8^2) < 2 mm.
    assert brush[0].astype(int).tolist() == [
        [0, 1, 1, 1, 0],
        [1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1],
        [0, 1, 1, 1, 0],
    ]


def test_beside_the_image_nothing_is_painted() -> None:
    for centre in ((9, 3, 3), (2, -5, 3), (2, 3, 40)):
        box, brush = disk_mm((1.0, 1.0, 1.0), centre, radius_mm=2.0, shape=SHAPE, in_3d=True)
        assert brush.size == 0
        assert np.zeros(SHAPE)[box].shape == brush.shape


def test_a_range_of_values_holds_both_its_ends_and_no_unknown_value() -> None:
    image = np.array([[[411, 412, 426, 427, np.nan]]], np.float32)
    assert within_range(image, low=412, high=426).tolist() == [[[False, True, True, False, False]]]
