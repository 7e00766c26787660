"""Size of a mask: volumes and distances that can be worked out by hand."""

import numpy as np
import pytest
import SimpleITK as sitk
from scipy.spatial.distance import pdist

from napari_necroseg.core.masks.components import Size, measure
from napari_necroseg.core.volume import Grid


def grid(shape, spacing=(4.0, 0.9, 0.8)) -> Grid:
    return Grid(shape, np.diag([*spacing, 1.0]))


def test_nothing_has_no_size() -> None:
    size = measure(np.zeros((3, 4, 5), bool), grid((3, 4, 5)))
    assert size == Size(volume_ml=0.0, longest_diameter_mm=0.0, components=0)
    assert str(size) == "empty"


def test_one_voxel_is_a_brick() -> None:
    mask = np.zeros((3, 4, 5), bool)
    mask[1, 2, 3] = True
    size = measure(mask, grid(mask.shape))
    assert size.volume_ml == pytest.approx(4 * 0.9 * 0.8 / 1000)
    assert size.longest_diameter_mm == pytest.approx(np.sqrt(16 + 0.81 + 0.64))
    assert size.components == 1


def test_the_longest_diameter_is_that_of_all_corners() -> None:
    generator = np.random.default_rng(3)
    mask = generator.random((5, 9, 8)) < 0.1
    corners = np.concatenate(
        [mask.nonzero() + np.array(shift)[:, None] for shift in np.ndindex(2, 2, 2)], axis=1
    ).T
    expected = pdist(corners * [4.0, 0.9, 0.8]).max()
    assert measure(mask, grid(mask.shape)).longest_diameter_mm == pytest.approx(expected)


def test_a_turned_grid_changes_nothing() -> None:
    mask = np.random.default_rng(4).random((4, 6, 7)) < 0.3
    turn = np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))[0]
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([4.0, 0.9, 0.8])
    straight, turned = measure(mask, grid(mask.shape)), measure(mask, Grid(mask.shape, affine))
    assert turned.volume_ml == pytest.approx(straight.volume_ml)
    assert turned.longest_diameter_mm == pytest.approx(straight.longest_diameter_mm)


def test_parts_and_volume_agree_with_simpleitk() -> None:
    mask = np.random.default_rng(6).random((8, 20, 20)) < 0.05
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    image.SetSpacing((0.8, 0.9, 4.0))
    components = sitk.ConnectedComponent(image, True)
    statistics = sitk.LabelShapeStatisticsImageFilter()
    statistics.Execute(components)
    size = measure(mask, grid(mask.shape))
    assert size.components == statistics.GetNumberOfLabels()
    total = sum(statistics.GetPhysicalSize(label) for label in statistics.GetLabels())
    assert size.volume_ml == pytest.approx(total / 1000)
    assert f"{size.components} parts" in str(size)
