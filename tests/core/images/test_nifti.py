import gzip
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_necroseg.core.errors import FileError, GeometryError, NecrosegError
from napari_necroseg.core.grids.orient import to_working
from napari_necroseg.core.images.nifti import read_nifti
from napari_necroseg.core.images.read import read_image, read_mask
from napari_necroseg.core.images.save import probability_bytes, save_mask, write_nifti
from napari_necroseg.core.volume import Grid, Origin
from orientations import ORIENTATIONS, affine_of

AFFINE = affine_of(((0, 2, 1), (-1.0, -1.0, -1.0)), turn_deg=(4, -3, 2))
VOXELS = np.random.default_rng(0).integers(-500, 1500, (4, 6, 5)).astype(np.int16)
ANGLES = st.floats(-30, 30)


def saved(path: Path, image: nibabel.Nifti1Pair) -> Path:
    nibabel.save(image, path)
    return path


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.hdr", "a.img"])
@pytest.mark.parametrize("version", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_every_container_gives_the_same_voxels_and_place(tmp_path: Path, name: str, version: type) -> None:
    if name.startswith("a.n"):
        path = saved(tmp_path / name, version(VOXELS, AFFINE))
    else:
        of_pair = nibabel.Nifti1Pair if version is nibabel.Nifti1Image else nibabel.Nifti2Pair
        saved(tmp_path / "a.img", of_pair(VOXELS, AFFINE))
        path = tmp_path / name
    image = read_image(path)
    assert np.array_equal(image.volume.voxels, VOXELS)
    assert image.volume.voxels.dtype == np.float32
    np.testing.assert_allclose(image.volume.grid.affine_ras, AFFINE, atol=1e-5)
    assert image.notes == ()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"])
def test_every_real_dtype_in_either_byte_order(tmp_path: Path, order: str, dtype: str) -> None:
    voxels = (np.abs(VOXELS) % 100).astype(dtype)
    header = nibabel.Nifti1Header(endianness=order)
    header.set_data_dtype(np.dtype(dtype))
    path = saved(tmp_path / "a.nii", nibabel.Nifti1Image(voxels, AFFINE, header, dtype=np.dtype(dtype)))
    assert nibabel.load(path).header.endianness == order
    assert np.array_equal(read_nifti(path).volume.voxels, voxels.astype(np.float32))


def test_slope_and_intercept_are_applied(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(VOXELS, AFFINE)
    image.header.set_slope_inter(0.5, -10)
    # nibabel rescales what it is given; the raw numbers must be written as they are.
    path = tmp_path / "a.nii"
    with path.open("wb") as file:
        header = image.header.copy()
        header["vox_offset"] = 352
        header["magic"] = b"n+1"
        file.write(header.binaryblock + b"\0\0\0\0" + VOXELS.tobytes(order="F"))
    np.testing.assert_allclose(read_nifti(path).volume.voxels, VOXELS * 0.5 - 10)


def test_a_header_with_a_qform_only(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(VOXELS, None)
    image.set_qform(AFFINE, code=1)
    image.set_sform(None, code=0)
    read = read_nifti(saved(tmp_path / "a.nii.gz", image))
    np.testing.assert_allclose(read.volume.grid.affine_ras, AFFINE, atol=1e-5)


def test_a_header_without_a_place_says_so(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(VOXELS, None)
    image.set_qform(None, code=0)
    image.set_sform(None, code=0)
    notes = read_nifti(saved(tmp_path / "a.nii", image)).notes
    assert len(notes) == 1
    assert "does not say where it lies" in notes[0]


def test_two_places_in_one_header_are_told(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(VOXELS, AFFINE)
    moved = AFFINE.copy()
    moved[0, 3] += 7
    image.set_qform(moved, code=1)
    image.set_sform(AFFINE, code=2)
    read = read_nifti(saved(tmp_path / "a.nii", image))
    assert "qform and sform place the image differently" in read.notes[0]
    np.testing.assert_allclose(read.volume.grid.affine_ras, AFFINE, atol=1e-5)


def test_four_dimensions_with_one_volume_are_three(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.nii", nibabel.Nifti1Image(VOXELS[..., None, None], AFFINE))
    assert np.array_equal(read_nifti(path).volume.voxels, VOXELS)


def test_what_is_not_finite_becomes_zero_and_is_counted(tmp_path: Path) -> None:
    voxels = VOXELS.astype(np.float32)
    voxels[0, 0, :3] = np.nan, np.inf, -np.inf
    image = read_nifti(saved(tmp_path / "a.nii", nibabel.Nifti1Image(voxels, AFFINE)))
    assert (image.volume.voxels[0, 0, :3] == 0).all()
    assert "3 voxels were not a finite number" in image.notes[0]


def test_metres_become_millimetres(tmp_path: Path) -> None:
    in_metres = np.diag((0.001, 0.001, 0.001, 1)) @ AFFINE
    image = nibabel.Nifti1Image(VOXELS, in_metres)
    image.header.set_xyzt_units("meter")
    read = read_nifti(saved(tmp_path / "a.nii", image))
    np.testing.assert_allclose(read.volume.grid.affine_ras, AFFINE, atol=1e-4)
    assert "converted to millimetres" in read.notes[0]


RGB = np.zeros((3, 4, 5), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])


@pytest.mark.parametrize(
    ("voxels", "affine", "reason"),
    [
        (np.zeros((5, 6), np.uint8), AFFINE, "is 2-D"),
        (np.zeros((4, 5, 6, 2), np.uint8), AFFINE, "is 4-D .4 x 5 x 6 x 2 voxels., several volumes"),
        (np.zeros((4, 5, 6, 1, 3), np.uint8), AFFINE, "is 5-D"),
        (np.zeros((3, 4, 5), np.complex64), AFFINE, "complex"),
        (RGB, AFFINE, "colour"),
        (VOXELS, np.diag((0.001, 1, 1, 1.0)), "spacing of 0.001 mm is impossible"),
        (VOXELS, np.diag((4, 1, 1000, 1.0)), "spacing of 1000 mm is impossible"),
        (VOXELS, np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 4, 0], [0, 0, 0, 1.0]]), "singular"),
    ],
)
def test_what_is_no_real_stack_is_refused_in_a_sentence(
    tmp_path: Path, voxels: np.ndarray, affine: np.ndarray, reason: str
) -> None:
    image = nibabel.Nifti1Image(voxels, None)
    image.set_sform(affine, code=1)
    image.set_qform(None, code=0)
    with pytest.raises((FileError, GeometryError), match=reason) as error:
        read_nifti(saved(tmp_path / "a.nii", image))
    assert "\n" not in str(error.value)


def test_a_spacing_of_zero_is_refused(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(VOXELS, None)
    image.set_sform(np.diag((0.0, 1, 1, 1)), code=1)
    with pytest.raises(GeometryError, match="spacing of 0 mm is impossible"):
        read_nifti(saved(tmp_path / "a.nii", image))


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.hdr"])
def test_a_foreign_file_is_refused(tmp_path: Path, name: str) -> None:
    for each in (name, "a.img"):
        (tmp_path / each).write_bytes(b"This is a letter, not an image." * 40)
    with pytest.raises(FileError, match=r"a\.\S+ is not a NIfTI file"):
        read_image(tmp_path / name)


def test_a_missing_file_a_folder_and_another_kind_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="There is no file"):
        read_image(tmp_path / "absent.nii")
    (tmp_path / "folder.nii").mkdir()
    with pytest.raises(FileError, match="is a folder"):
        read_image(tmp_path / "folder.nii")
    (tmp_path / "image.png").write_bytes(b"")
    with pytest.raises(FileError, match="not named like an image"):
        read_image(tmp_path / "image.png")


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_a_truncated_file_is_refused(tmp_path: Path, name: str) -> None:
    voxels = np.random.default_rng(0).integers(0, 3000, (20, 30, 30)).astype(np.int16)
    path = saved(tmp_path / name, nibabel.Nifti1Image(voxels, AFFINE))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(FileError, match="truncated"):
        read_nifti(path)


def test_a_gzip_file_damaged_in_the_middle_is_refused(tmp_path: Path) -> None:
    voxels = np.random.default_rng(0).integers(0, 3000, (20, 30, 30)).astype(np.int16)
    path = saved(tmp_path / "a.nii.gz", nibabel.Nifti1Image(voxels, AFFINE))
    damaged = bytearray(path.read_bytes())
    middle = len(damaged) // 2
    damaged[middle : middle + 200] = bytes(200)
    path.write_bytes(bytes(damaged))
    with pytest.raises(FileError):
        read_nifti(path)


def test_a_header_that_asks_for_terabytes_allocates_nothing(tmp_path: Path) -> None:
    header = nibabel.Nifti1Header()
    header.set_data_shape((30000, 30000, 30000))
    header.set_data_dtype(np.float64)
    header["vox_offset"] = 352
    header["magic"] = b"n+1"
    header.set_sform(AFFINE, code=1)
    content = header.binaryblock + bytes(4) + bytes(1000)
    (tmp_path / "a.nii").write_bytes(content)
    (tmp_path / "b.nii.gz").write_bytes(gzip.compress(content))
    for name in ("a.nii", "b.nii.gz"):
        with pytest.raises(FileError, match="too short"):
            read_nifti(tmp_path / name)


@pytest.mark.parametrize("value", [1, 255])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
def test_a_mask_becomes_zeros_and_ones(tmp_path: Path, value: int, dtype: type) -> None:
    voxels = np.zeros((3, 4, 5), dtype)
    voxels[1, 2, 3] = value
    mask = read_mask(saved(tmp_path / "a.nii.gz", nibabel.Nifti1Image(voxels, AFFINE)))
    assert mask.volume.voxels.dtype == np.uint8
    assert np.array_equal(mask.volume.voxels, (voxels != 0).astype(np.uint8))
    assert mask.notes == ()


def test_a_mask_with_another_single_label_is_taken_and_said(tmp_path: Path) -> None:
    voxels = np.zeros((3, 4, 5), np.uint8)
    voxels[1] = 4
    mask = read_mask(saved(tmp_path / "a.nii.gz", nibabel.Nifti1Image(voxels, AFFINE)))
    assert mask.volume.voxels.sum() == 20
    assert "its only label is 4" in mask.notes[0]


@pytest.mark.parametrize(
    ("values", "reason"),
    [((0.0, 0.5), "fractional values"), ((0, 1, 2), r"has 2 labels \(1, 2\)"), ((0, 0.25, 1), "fractional")],
)
def test_what_is_no_mask_is_refused(tmp_path: Path, values: tuple[float, ...], reason: str) -> None:
    voxels = np.resize(np.array(values, np.float32), (3, 4, 5))
    with pytest.raises(FileError, match=reason):
        read_mask(saved(tmp_path / "a.nii.gz", nibabel.Nifti1Image(voxels, AFFINE)))


def test_an_empty_mask_is_a_mask(tmp_path: Path) -> None:
    mask = read_mask(saved(tmp_path / "a.nii", nibabel.Nifti1Image(np.zeros((3, 4, 5), np.uint8), AFFINE)))
    assert not mask.volume.voxels.any()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    st.sampled_from(ORIENTATIONS),
    st.tuples(ANGLES, ANGLES, ANGLES),
    st.sampled_from([nibabel.Nifti1Image, nibabel.Nifti2Image]),
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
)
def test_a_saved_mask_lies_exactly_on_the_file_that_it_belongs_to(
    tmp_path: Path, orientation, turn_deg, version: type, codes: tuple[int, int]
) -> None:
    affine = affine_of(orientation, turn_deg=turn_deg)
    image = version(VOXELS, affine)
    image.set_qform(affine, code=codes[0])
    image.set_sform(affine, code=codes[1])
    read = read_nifti(saved(tmp_path / "ceT1.nii", image))
    working = to_working(read.volume)
    mask = (working.voxels > 500).astype(np.uint8)

    save_mask(tmp_path / "mask.nii.gz", mask, read.origin)

    source, written = nibabel.load(tmp_path / "ceT1.nii"), nibabel.load(tmp_path / "mask.nii.gz")
    assert written.shape == source.shape
    assert written.get_data_dtype() == np.uint8
    assert np.array_equal(written.affine, source.affine)
    # Field by field: of some half turns in NIfTI-2, nibabel cannot read back the qform that it wrote.
    quaternion = [f"quatern_{axis}" for axis in "bcd"] + [f"qoffset_{axis}" for axis in "xyz"]
    for field in ("qform_code", "sform_code", *quaternion):
        assert written.header[field] == source.header[field]
    assert np.array_equal(written.header["pixdim"][:4], source.header["pixdim"][:4])
    assert np.array_equal(written.header.get_sform(), source.header.get_sform())
    assert np.array_equal(np.asarray(written.dataobj), VOXELS > 500)
    again = to_working(read_mask(tmp_path / "mask.nii.gz").volume)
    assert again.grid.matches(working.grid)
    assert np.array_equal(again.voxels, mask)


def test_a_saved_mask_lies_where_simpleitk_sees_the_image(tmp_path: Path) -> None:
    source = saved(tmp_path / "ceT1.nii.gz", nibabel.Nifti1Image(VOXELS, AFFINE))
    read = read_nifti(source)
    save_mask(tmp_path / "mask.nii.gz", (to_working(read.volume).voxels > 500), read.origin)
    image, mask = sitk.ReadImage(str(source)), sitk.ReadImage(str(tmp_path / "mask.nii.gz"))
    assert mask.GetSize() == image.GetSize()
    np.testing.assert_allclose(mask.GetOrigin(), image.GetOrigin(), atol=1e-6)
    np.testing.assert_allclose(mask.GetSpacing(), image.GetSpacing(), atol=1e-6)
    np.testing.assert_allclose(mask.GetDirection(), image.GetDirection(), atol=1e-6)
    assert np.array_equal(sitk.GetArrayFromImage(mask) > 0, sitk.GetArrayFromImage(image) > 500)


def test_a_probability_is_saved_as_float32_without_scaling(tmp_path: Path) -> None:
    header = nibabel.Nifti1Header(endianness=">")
    image = nibabel.Nifti1Image(VOXELS, AFFINE, header)
    read = read_nifti(saved(tmp_path / "a.nii", image))
    probability = np.random.default_rng(0).random(to_working(read.volume).voxels.shape, dtype=np.float32)
    path = tmp_path / "p.nii.gz"
    path.write_bytes(probability_bytes(path, probability, origin=read.origin))
    written = nibabel.load(tmp_path / "p.nii.gz")
    assert written.get_data_dtype().newbyteorder("=") == np.float32
    assert np.array_equal(to_working(read_nifti(tmp_path / "p.nii.gz").volume).voxels, probability)


def test_a_name_in_the_header_is_not_handed_on(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(VOXELS, AFFINE)
    image.header["descrip"] = b"Doe^Jane 1950"
    image.header["db_name"] = b"Doe^Jane"
    image.header["aux_file"] = b"Doe^Jane.txt"
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"Doe^Jane"))
    read = read_nifti(saved(tmp_path / "a.nii", image))
    write_nifti(tmp_path / "mask.nii", (VOXELS > 0).astype(np.uint8), origin=read.origin)
    assert b"Doe" in (tmp_path / "a.nii").read_bytes()
    assert b"Doe" not in (tmp_path / "mask.nii").read_bytes()


def test_voxels_that_were_never_in_a_file_get_a_header_of_their_own(tmp_path: Path) -> None:
    grid = Grid(VOXELS.shape, AFFINE)
    write_nifti(tmp_path / "a.nii.gz", VOXELS, origin=Origin(grid))
    written = nibabel.load(tmp_path / "a.nii.gz")
    assert np.array_equal(np.asarray(written.dataobj), VOXELS)
    np.testing.assert_allclose(written.get_qform(), AFFINE, atol=1e-5)
    np.testing.assert_allclose(written.get_sform(), AFFINE, atol=1e-5)
    assert written.header.get_xyzt_units()[0] == "mm"


def test_the_same_voxels_give_the_same_bytes(tmp_path: Path) -> None:
    origin = Origin(Grid(VOXELS.shape, AFFINE))
    for name in ("one.nii.gz", "two.nii.gz"):
        write_nifti(tmp_path / name, VOXELS, origin=origin)
    one, two = ((tmp_path / name).read_bytes() for name in ("one.nii.gz", "two.nii.gz"))
    assert one == two


def test_awkward_files_are_opened_or_refused_never_crash(awkward_files: list[Path]) -> None:
    opened, refused = {}, {}
    for path in awkward_files:
        try:
            opened[path.name] = read_image(path).volume
        except NecrosegError as error:
            refused[path.name] = str(error)
    assert all(volume.voxels.shape == volume.grid.shape for volume in opened.values())
    assert all(name in sentence for name, sentence in refused.items())
    assert sorted(refused) == [
        "5D_small.nii",
        "complex_complex64.nii",
        "example_nifti2.nii.gz",
        "minimal_extended_hdr.nii",
        "not-nifti.nii",
        "rgb_3D.nii",
    ]


@pytest.fixture
def awkward_files() -> list[Path]:
    folder = Path(__file__).parents[4] / "shared" / "data" / "nifti-awkward"
    if not folder.is_dir():
        pytest.skip("the awkward NIfTI files are not beside this checkout")
    return [path for path in sorted(folder.iterdir()) if path.suffix != ".txt"]


def test_reading_and_writing_leave_the_source_alone(tmp_path: Path, write_image: Callable[..., Path]) -> None:
    path = write_image(tmp_path / "a.nii.gz", VOXELS)
    before = path.read_bytes()
    read = read_nifti(path)
    save_mask(tmp_path / "b.nii.gz", to_working(read.volume).voxels > 0, read.origin)
    assert path.read_bytes() == before
