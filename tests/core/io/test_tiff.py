from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_necroseg.core.errors import FileError, GeometryError, SettingsError
from napari_necroseg.core.io.image import read_image, read_mask

STACK = np.random.default_rng(0).integers(0, 4000, (5, 8, 7)).astype(np.uint16)


def imagej(
    path: Path, voxels: np.ndarray = STACK, unit: str = "mm", factor: float = 1.0, axes: str = "ZYX"
) -> Path:
    """4 mm slices, rows 0.8 and columns 0.5 mm apart, in some unit."""
    tifffile.imwrite(
        path,
        voxels,
        imagej=True,
        resolution=(1 / (0.5 * factor), 1 / (0.8 * factor)),
        metadata={"spacing": 4.0 * factor, "unit": unit, "axes": axes},
    )
    return path


@pytest.mark.parametrize(
    ("unit", "factor"), [("mm", 1.0), ("cm", 0.1), ("um", 1000.0), ("micron", 1000.0), ("inch", 1 / 25.4)]
)
def test_imagej_states_its_spacing(tmp_path: Path, unit: str, factor: float) -> None:
    image = read_image(imagej(tmp_path / "a.tif", unit=unit, factor=factor))
    assert np.array_equal(image.volume.voxels, STACK)
    assert image.volume.grid.spacing_mm == pytest.approx((4.0, 0.8, 0.5), rel=1e-4)
    assert image.volume.grid.axis_codes == ("L", "I", "P")
    assert any("does not say where it lies" in note for note in image.notes)


@pytest.mark.parametrize(("unit", "factor"), [("mm", 1.0), ("µm", 1000.0)])
def test_ome_states_its_spacing(tmp_path: Path, unit: str, factor: float) -> None:
    metadata = {"axes": "ZYX"}
    for axis, size in zip("ZYX", (4.0, 0.8, 0.5), strict=True):
        metadata |= {f"PhysicalSize{axis}": size * factor, f"PhysicalSize{axis}Unit": unit}
    tifffile.imwrite(tmp_path / "a.ome.tif", STACK, ome=True, metadata=metadata)
    image = read_image(tmp_path / "a.ome.tif")
    assert np.array_equal(image.volume.voxels, STACK)
    assert image.volume.grid.spacing_mm == pytest.approx((4.0, 0.8, 0.5))


def test_without_a_spacing_the_user_must_give_it(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, STACK, photometric="minisblack")
    with pytest.raises(GeometryError, match="give the slice, row and column spacing in mm"):
        read_image(path)
    assert read_image(path, spacing_mm=(4.0, 0.8, 0.5)).volume.grid.spacing_mm == (4.0, 0.8, 0.5)


def test_a_printing_resolution_is_no_voxel_spacing(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, STACK, photometric="minisblack", resolution=(72, 72), resolutionunit="INCH")
    with pytest.raises(GeometryError):
        read_image(path)


def test_an_impossible_spacing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="impossible"):
        read_image(imagej(tmp_path / "a.tif"), spacing_mm=(0.0, 1.0, 1.0))


def test_one_file_may_hold_both_channels(tmp_path: Path) -> None:
    both = np.stack([STACK, STACK[::-1]], axis=1)
    path = imagej(tmp_path / "a.tif", both, axes="ZCYX")
    assert np.array_equal(read_image(path, channel=0).volume.voxels, STACK)
    assert np.array_equal(read_image(path, channel=1).volume.voxels, STACK[::-1])
    with pytest.raises(FileError, match="has 2 channels"):
        read_image(path)
    with pytest.raises(FileError, match="no channel number 3"):
        read_image(path, channel=2)


def test_a_mask_in_a_tiff(tmp_path: Path) -> None:
    mask = read_mask(imagej(tmp_path / "a.tif", (STACK > 2000).astype(np.uint8) * 255))
    assert np.array_equal(mask.volume.voxels, (STACK > 2000).astype(np.uint8))


def test_colour_single_pages_and_foreign_files_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "rgb.tif", np.zeros((4, 8, 8, 3), np.uint8), photometric="rgb")
    with pytest.raises(FileError, match="colour"):
        read_image(tmp_path / "rgb.tif", spacing_mm=(4, 1, 1))
    tifffile.imwrite(tmp_path / "page.tif", STACK[0])
    with pytest.raises(FileError, match="not one stack of slices"):
        read_image(tmp_path / "page.tif", spacing_mm=(4, 1, 1))
    (tmp_path / "foreign.tif").write_bytes(b"a letter" * 50)
    with pytest.raises(FileError, match="not a TIFF stack"):
        read_image(tmp_path / "foreign.tif", spacing_mm=(4, 1, 1))


def test_a_truncated_tiff_is_refused(tmp_path: Path) -> None:
    path = imagej(tmp_path / "a.tif")
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(FileError):
        read_image(path, spacing_mm=(4.0, 0.8, 0.5))
