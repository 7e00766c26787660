"""What is a mask: one label, whole numbers as far as files keep them."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
import tifffile

from napari_necroseg.core.errors import FileError
from napari_necroseg.core.images.file_image import one_label
from napari_necroseg.core.images.read import read_mask

SHAPE = (3, 4, 5)


def mask_of(*values: float, dtype: type = np.float32) -> np.ndarray:
    voxels = np.zeros(SHAPE, dtype)
    voxels.flat[: len(values)] = values
    return voxels


@pytest.mark.parametrize(
    "values",
    [(1.0, 0.99999994), (0.9995, 1.0004), (1.99997, 2.0), (254.99, 255.0), (1.0, 1e-7), (1.0, -4e-4)],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_nearly_whole_is_whole(values: tuple[float, ...], dtype: type) -> None:
    mask, notes = one_label(mask_of(*values, dtype=dtype), "m")
    assert mask.sum() == sum(abs(value) > 0.5 for value in values)
    assert all("its only label" in note for note in notes)


@pytest.mark.parametrize(
    "values", [(0.5,), (1.0, 0.998), (1.0, 1.5), (1.0, 0.01), (254.5,), (10.2,), (1000.4,)]
)
def test_fractions_are_refused_and_shown_alone(values: tuple[float, ...]) -> None:
    with pytest.raises(FileError, match=rf"fractional values \({values[-1]:g}\)"):
        one_label(mask_of(*values), "m")


def test_several_labels_are_refused_and_named() -> None:
    with pytest.raises(FileError, match=r"m has 3 labels \(1, 2, 7\)"):
        one_label(mask_of(1, 2, 7.0001), "m")
    with pytest.raises(FileError, match=r"m has 2 labels \(1, 3\)"):
        one_label(mask_of(1, 3, dtype=np.uint8), "m")


def test_any_label_of_ours_is_inside() -> None:
    mask, notes = one_label(mask_of(1, 2, 0, 5, dtype=np.uint8), "m", is_own=True)
    assert mask.flat[:4].tolist() == [1, 1, 0, 1]
    assert notes == ()


def test_a_slope_of_nifti_and_a_float_tiff_are_nearly_whole(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(mask_of(32767, dtype=np.int16), np.eye(4))
    image.header.set_slope_inter(2 / 32767.5, 0)
    nibabel.save(image, tmp_path / "a.nii.gz")
    tifffile.imwrite(tmp_path / "a.tif", mask_of(0.99999994, 1.0), photometric="minisblack")
    assert read_mask(tmp_path / "a.nii.gz").volume.voxels.sum() == 1
    assert read_mask(tmp_path / "a.tif", spacing_mm=(4, 1, 1)).volume.voxels.sum() == 2
