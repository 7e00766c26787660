"""The spacing of a TIFF stack: each axis in its own unit, or refused with the reason."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_necroseg.core.errors import FileError, GeometryError
from napari_necroseg.core.images.read import read_image

STACK = np.random.default_rng(0).integers(0, 4000, (5, 8, 7)).astype(np.uint16)
MM = {"mm": 1.0, "cm": 10.0, "um": 1e-3, "micron": 1e-3, "\\u00B5m": 1e-3, "inch": 25.4, "m": 1e3, "nm": 1e-6}


def imagej(path: Path, units: dict[str, str], **more: object) -> Path:
    """Slices 4 mm, rows 0.8 mm and columns 0.5 mm apart, each in its own unit."""
    z, y, x = (MM.get(unit, 1.0) for unit in in_order(units))
    metadata = {"axes": "ZYX", "spacing": 4.0 / z} | units
    tifffile.imwrite(path, STACK, imagej=True, resolution=(x / 0.5, y / 0.8), metadata=metadata, **more)
    return path


def in_order(units: dict[str, str]) -> tuple[str, str, str]:
    z, y, x = (units.get(f"{axis}unit", units["unit"]) for axis in "zyx")
    return z, y, x


@pytest.mark.parametrize(
    "units",
    [
        {"unit": "mm", "zunit": "cm"},
        {"unit": "mm", "yunit": "cm"},
        {"unit": "mm", "yunit": "micron", "zunit": "\\u00B5m"},
        {"unit": "inch", "zunit": "mm"},
        {"unit": "um", "yunit": "mm", "zunit": "m"},
        {"unit": "MM", "zunit": "CM"},
        {"unit": "cm", "zunit": "nm"},
        {"unit": "mm", "xunit": "cm"},
    ],
)
def test_each_axis_of_imagej_has_its_own_unit(tmp_path: Path, units: dict[str, str]) -> None:
    known = {key: unit.lower() if unit.isupper() else unit for key, unit in units.items()}
    path = imagej(tmp_path / "a.tif", known)
    with tifffile.TiffFile(path) as written:
        assert written.imagej_metadata.get("unit") == known["unit"].replace("\\u00B5", "µ")
    if known != units:
        tifffile.tiffcomment(path, tifffile.tiffcomment(path).replace("=mm", "=MM").replace("=cm", "=CM"))
    assert read_image(path).volume.grid.spacing_mm == pytest.approx((4.0, 0.8, 0.5), rel=1e-3)


@pytest.mark.parametrize(
    ("units", "reason"),
    [
        ({"unit": "mm", "zunit": "pixel"}, "gives its slice spacing in 'pixel', which is no known unit"),
        ({"unit": "mm", "yunit": "furlong"}, "gives its row spacing in 'furlong'"),
        ({"unit": "pixel"}, "gives its slice spacing in 'pixel'"),
    ],
)
def test_an_unknown_unit_of_one_axis_is_named(tmp_path: Path, units: dict[str, str], reason: str) -> None:
    with pytest.raises(GeometryError, match=reason):
        read_image(imagej(tmp_path / "a.tif", units))
    given = read_image(tmp_path / "a.tif", spacing_mm=(4.0, 0.8, 0.5))
    assert given.volume.grid.spacing_mm == pytest.approx((4.0, 0.8, 0.5))


@pytest.mark.parametrize(
    ("unit", "resolution_unit", "agrees"),
    [
        ("mm", 1, True),
        ("cm", 3, True),
        ("inch", 2, True),
        ("mm", 3, False),
        ("mm", 2, False),
        ("cm", 2, False),
    ],
)
def test_a_resolution_in_another_unit_is_no_spacing(
    tmp_path: Path, unit: str, resolution_unit: int, agrees: bool
) -> None:
    path = imagej(tmp_path / "a.tif", {"unit": unit}, resolutionunit=resolution_unit)
    if agrees:
        assert read_image(path).volume.grid.spacing_mm == pytest.approx((4.0, 0.8, 0.5), rel=1e-3)
        return
    with pytest.raises(GeometryError, match=f"gives its resolution in .*, but its lengths in '{unit}'"):
        read_image(path)


@pytest.mark.parametrize(("z", "y", "x"), [("mm", "mm", "mm"), ("cm", "µm", "mm"), ("m", "nm", "in")])
def test_each_axis_of_ome_has_its_own_unit(tmp_path: Path, z: str, y: str, x: str) -> None:
    mm = MM | {"µm": 1e-3, "in": 25.4}
    metadata: dict[str, object] = {"axes": "ZYX"}
    for axis, unit, length in zip("ZYX", (z, y, x), (4.0, 0.8, 0.5), strict=True):
        metadata |= {f"PhysicalSize{axis}": length / mm[unit], f"PhysicalSize{axis}Unit": unit}
    tifffile.imwrite(tmp_path / "a.ome.tif", STACK, ome=True, metadata=metadata)
    assert read_image(tmp_path / "a.ome.tif").volume.grid.spacing_mm == pytest.approx((4.0, 0.8, 0.5))


def test_an_unknown_unit_of_ome_is_named(tmp_path: Path) -> None:
    metadata = {"axes": "ZYX"} | {f"PhysicalSize{axis}": 1.0 for axis in "ZYX"}
    metadata |= {f"PhysicalSize{axis}Unit": "mm" for axis in "ZX"} | {"PhysicalSizeYUnit": "reference frame"}
    tifffile.imwrite(tmp_path / "a.ome.tif", STACK, ome=True, metadata=metadata)
    with pytest.raises(GeometryError, match="gives its row spacing in 'reference frame'"):
        read_image(tmp_path / "a.ome.tif")


@pytest.mark.parametrize("number", ["nan", "inf", "four"])
def test_a_slice_distance_that_is_no_number_is_not_stated(tmp_path: Path, number: str) -> None:
    path = imagej(tmp_path / "a.tif", {"unit": "mm"})
    tifffile.tiffcomment(path, tifffile.tiffcomment(path).replace("spacing=4.0", f"spacing={number}"))
    with pytest.raises((GeometryError, FileError), match=r"a\.tif"):
        read_image(path)
