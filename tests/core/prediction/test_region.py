"""Which part of an image is predicted, by a point or a drawn box in the patient."""

import numpy as np
import pytest

from napari_necroseg.core.errors import SettingsError
from napari_necroseg.core.prediction.region import Region, region_around, region_of_box
from napari_necroseg.core.volume import Grid

GRID = Grid((10, 300, 200), np.array([[-4.0, 0, 0, 20], [0, 0, -0.5, 50], [0, -0.5, 0, 90], [0, 0, 0, 1]]))


def test_a_point_is_in_the_middle_of_its_patch() -> None:
    region = region_around(GRID, GRID.to_world_mm((5, 150, 100)))
    assert region == Region(rows=(86, 214), columns=(36, 164))


@pytest.mark.parametrize(
    ("index", "rows", "columns"), [((0, 0, 0), (0, 128), (0, 128)), ((9, 299, 199), (172, 300), (72, 200))]
)
def test_near_the_border_the_patch_moves_into_the_image(index, rows, columns) -> None:
    assert region_around(GRID, GRID.to_world_mm(index)) == Region(rows=rows, columns=columns)


def test_an_image_smaller_than_the_patch_is_taken_whole() -> None:
    small = Grid((10, 100, 200), GRID.affine_ras)
    assert region_around(small, small.to_world_mm((5, 50, 100))).rows == (0, 100)


def test_a_point_outside_is_refused_with_where_the_image_is() -> None:
    with pytest.raises(
        SettingsError, match=r"\(500, 0, 0\) mm lies outside .* from \(-16, -50, -60\) to \(20, 50, 90\)"
    ):
        region_around(GRID, (500, 0, 0))


def test_a_drawn_box_is_all_that_it_touches() -> None:
    corners = GRID.to_world_mm([(3, 10.2, 20.7), (3, 40.4, 20.7), (3, 40.4, 60.0), (3, 10.2, 60.0)])
    assert region_of_box(GRID, corners) == Region(rows=(10, 41), columns=(21, 61))
    far = GRID.to_world_mm([(3, 400, 20), (3, 450, 30)])
    with pytest.raises(SettingsError, match="outside"):
        region_of_box(GRID, far)


def test_what_surrounds_begins_where_the_network_strides() -> None:
    region = Region(rows=(100, 150), columns=(5, 60))
    outer = region.outer((2, 64, 300, 200))
    # 112 pixels more, from a multiple of 16 on, as far as the image reaches.
    assert outer == (slice(0, 262), slice(0, 172))
    rows, columns = np.arange(300), np.arange(200)
    inner = region.within(outer)
    assert (rows[outer[0]][inner[0]][[0, -1]].tolist(), columns[outer[1]][inner[1]][[0, -1]].tolist()) == (
        [100, 149],
        [5, 59],
    )
