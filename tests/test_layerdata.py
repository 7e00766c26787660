"""From a case to layers: upright, in millimetres, with the way back to the file."""

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels

from napari_necroseg.core.case import Case, Sequence
from napari_necroseg.core.display import display_range
from napari_necroseg.core.volume import Grid, Origin, Volume
from napari_necroseg.layerdata import (
    METADATA_KEY,
    LayerSource,
    Role,
    case_layers,
    middle_slice,
    placement,
    source_of,
)

UPRIGHT = np.array([[-4.0, 0, 0, 10], [0, 0, -0.8, 20], [0, -0.9, 0, 30], [0, 0, 0, 1]])


def make_case(*, mask: np.ndarray | None) -> Case:
    grid = Grid((4, 5, 6), UPRIGHT)
    image = Volume(np.arange(120, dtype=np.float32).reshape(4, 5, 6), grid)
    return Case(
        name="a",
        sequences=dict.fromkeys(Sequence, image),
        origin=Origin(grid),
        reference=None if mask is None else Volume(mask, grid),
    )


def test_a_case_becomes_layers_from_t2_up_to_the_reference():
    mask = np.ones((4, 5, 6), np.uint8)
    layers = case_layers(make_case(mask=mask))
    assert [(kwargs["name"], kind) for _, kwargs, kind in layers] == [
        ("T2", "image"),
        ("ceT1", "image"),
        ("reference", "labels"),
    ]
    voxels = layers[-1][0]
    assert voxels.dtype == np.uint8
    assert not np.shares_memory(voxels, mask)
    source = source_of(layers[-1][1]["metadata"])
    assert isinstance(source, LayerSource)
    assert (source.case, source.role) == ("a", Role.REFERENCE)
    np.testing.assert_array_equal(source.grid.affine_ras, UPRIGHT)


def test_layers_stand_in_millimetres_along_the_patient():
    place = placement(Grid((4, 5, 6), UPRIGHT))
    assert place["scale"] == pytest.approx((4.0, 0.9, 0.8), rel=1e-7)
    assert place["units"] == ("mm", "mm", "mm")
    # Along left, inferior and posterior: minus the R, S and A of the first voxel.
    assert place["translate"] == pytest.approx((-10.0, -30.0, -20.0))


def test_two_grids_of_one_oblique_examination_lie_on_each_other():
    angle = np.radians(20)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ UPRIGHT[:3, :3]
    affine[:3, 3] = (3, 4, 5)
    grid = Grid((4, 10, 12), affine)
    cut = affine.copy()
    cut[:3, 3] = grid.to_world_mm((1, 2, 3))
    shift = np.subtract(placement(Grid((3, 8, 9), cut))["translate"], placement(grid)["translate"])
    assert shift == pytest.approx((4.0, 1.8, 2.4))


def test_napari_takes_the_layers_and_colours_other_labels_too():
    viewer = ViewerModel()
    for voxels, kwargs, kind in case_layers(make_case(mask=np.ones((4, 5, 6), np.uint8))):
        getattr(viewer, f"add_{kind}")(voxels, **kwargs)
    reference = viewer.layers["reference"]
    assert isinstance(reference, Labels)
    assert reference.get_color(0) is None or reference.get_color(0)[3] == 0
    assert tuple(reference.get_color(1)) != tuple(reference.get_color(2))
    assert reference.get_color(2)[3] == 1


@pytest.mark.parametrize(
    ("voxels", "expected"),
    [
        (np.zeros((2, 2, 2)), (0.0, 1.0)),
        (np.full((2, 2, 2), 7.0), (7.0, 8.0)),
        (np.append(np.zeros(999), 5.0).reshape(10, 10, 10), (0.0, 5.0)),
    ],
)
def test_the_display_range_is_never_empty(voxels, expected):
    assert display_range(voxels) == expected


def test_the_display_range_ignores_a_few_very_bright_voxels():
    voxels = np.linspace(0, 100, 100_000)
    voxels[:10] = 1e6
    low, high = display_range(voxels)
    assert 0 <= low < 3
    assert 99 < high <= 100


def test_the_first_look_is_at_the_largest_slice_of_the_reference():
    mask = np.zeros((4, 5, 6), np.uint8)
    mask[1, 0, 0] = 1
    mask[3, :2] = 1
    assert middle_slice(make_case(mask=mask)) == 3
    assert middle_slice(make_case(mask=None)) == 2
    assert middle_slice(make_case(mask=np.zeros((4, 5, 6), np.uint8))) == 2


def test_foreign_metadata_is_no_source():
    assert source_of({}) is None
    assert source_of({METADATA_KEY: {"case": "a"}}) is None
