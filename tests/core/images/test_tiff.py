from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_necroseg.core.errors import FileError, GeometryError, NecrosegError, SettingsError
from napari_necroseg.core.images.read import read_image, read_mask

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
    ("unit", "factor"),
    [
        ("mm", 1.0),
        ("millimeters", 1.0),
        ("cm", 0.1),
        ("m", 0.001),
        ("um", 1000.0),
        ("\\u00B5m", 1000.0),
        ("microns", 1000.0),
        ("inch", 1 / 25.4),
        ("inches", 1 / 25.4),
    ],
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


@pytest.mark.parametrize(
    "metadata",
    [{"spacing": 4.0, "unit": "pixel"}, {"spacing": 4.0}, {"unit": "mm"}, {"spacing": 4, "unit": "?"}],
)
def test_a_spacing_that_is_stated_by_halves_must_be_given(
    tmp_path: Path, metadata: dict[str, object]
) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, STACK, imagej=True, resolution=(2, 1.25), metadata={"axes": "ZYX", **metadata})
    with pytest.raises(GeometryError, match="give the slice, row and column spacing in mm"):
        read_image(path)


def test_a_stack_turned_round_in_imagej_has_a_positive_spacing(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    metadata = {"spacing": -4.0, "unit": "mm", "axes": "ZYX"}
    tifffile.imwrite(path, STACK, imagej=True, resolution=(2, 1.25), metadata=metadata)
    assert read_image(path).volume.grid.spacing_mm == pytest.approx((4.0, 0.8, 0.5))


def test_an_impossible_spacing_in_the_file_must_be_given_anew(tmp_path: Path) -> None:
    path = imagej(tmp_path / "a.tif", unit="um")
    with pytest.raises(GeometryError, match=r"states a spacing of 0\.004 x 0\.0008 x 0\.0005 mm"):
        read_image(path)
    assert read_image(path, spacing_mm=(4.0, 0.8, 0.5)).volume.grid.spacing_mm == (4.0, 0.8, 0.5)


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
    with pytest.raises(FileError, match="has 2 channels, so there is no channel number 3"):
        read_image(path, channel=2)


def test_a_file_with_one_channel_is_not_taken_for_two(tmp_path: Path) -> None:
    path = imagej(tmp_path / "a.tif")
    assert np.array_equal(read_image(path, channel=0).volume.voxels, STACK)
    with pytest.raises(FileError, match="has 1 channel, so there is no channel number 2"):
        read_image(path, channel=1)


def test_pages_written_one_by_one_are_a_stack(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        for page in STACK:
            writer.write(page, photometric="minisblack")
    assert np.array_equal(read_image(path, spacing_mm=(4.0, 0.8, 0.5)).volume.voxels, STACK)


def test_several_images_in_one_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(STACK, photometric="minisblack")
        writer.write(STACK[:, :4], photometric="minisblack")
    with pytest.raises(FileError, match="holds 2 images of their own"):
        read_image(path, spacing_mm=(4.0, 0.8, 0.5))


@pytest.mark.parametrize("compression", ["zlib", "lzma"])
def test_compression_that_needs_nothing_more_is_read(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, STACK, photometric="minisblack", compression=compression)
    assert np.array_equal(read_image(path, spacing_mm=(4.0, 0.8, 0.5)).volume.voxels, STACK)


def test_other_compression_is_refused_with_a_way_out(tmp_path: Path) -> None:
    if find_spec("imagecodecs"):
        pytest.skip("with imagecodecs installed every compression can be read")
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, STACK, photometric="minisblack", metadata=None)
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        for page in tiff.pages:
            page.tags["Compression"].overwrite(tifffile.COMPRESSION.LZW)
    with pytest.raises(FileError, match=r"compressed in a way that cannot be read here; .* Deflate"):
        read_image(path, spacing_mm=(4.0, 0.8, 0.5))


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


def test_complex_and_inverted_values_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "complex.tif", STACK.astype(np.complex64), photometric="minisblack")
    with pytest.raises(FileError, match="holds complex64 values"):
        read_image(tmp_path / "complex.tif", spacing_mm=(4, 1, 1))
    tifffile.imwrite(tmp_path / "inverted.tif", STACK, photometric="miniswhite")
    with pytest.raises(FileError, match="inverted grey values"):
        read_image(tmp_path / "inverted.tif", spacing_mm=(4, 1, 1))


def test_a_tile_far_larger_than_the_file_allocates_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, STACK, photometric="minisblack", tile=(16, 16), metadata=None)
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        for page in tiff.pages:
            page.tags["TileWidth"].overwrite(65520)
            page.tags["TileLength"].overwrite(65520)
    with pytest.raises(FileError, match=r"announces 8585740800 bytes of voxels"):
        read_image(path, spacing_mm=(4.0, 0.8, 0.5))


def kinds_of_files(folder: Path) -> list[bytes]:
    """The content of an ImageJ, a compressed, a tiled and an OME file."""
    path = imagej(folder / "kind.tif")
    contents = [path.read_bytes()]
    for options in ({"compression": "zlib"}, {"tile": (16, 16), "bigtiff": True}, {"ome": True}):
        tifffile.imwrite(path, STACK, photometric="minisblack", **options)
        contents.append(path.read_bytes())
    path.unlink()
    return contents


def test_a_damaged_tiff_is_read_or_refused_in_a_sentence_but_never_crashes(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    contents = kinds_of_files(tmp_path)
    n_sound = 0
    for turn in range(200):
        damaged = bytearray(contents[turn % len(contents)])
        for place in generator.integers(0, min(len(damaged), 1200), 3):
            damaged[place] = generator.choice([0, 1, 5, 128, 255])
        path = tmp_path / "a.tif"
        path.write_bytes(damaged)
        try:
            image = read_image(path, spacing_mm=(4.0, 0.8, 0.5))
        except NecrosegError as error:
            n_sound += path.name in str(error) and "\n" not in str(error)
        else:
            n_sound += image.volume.voxels.shape == image.volume.grid.shape
    assert n_sound == 200


def test_a_truncated_tiff_is_refused(tmp_path: Path) -> None:
    path = imagej(tmp_path / "a.tif")
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(FileError):
        read_image(path, spacing_mm=(4.0, 0.8, 0.5))
