import re
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_necroseg.core.errors import FileError, GeometryError
from napari_necroseg.core.grids.orient import to_working
from napari_necroseg.core.images.nifti import read_nifti
from napari_necroseg.core.images.read import read_image, read_mask
from napari_necroseg.core.images.save import save_mask, write_nifti
from napari_necroseg.core.volume import Grid, Origin, Volume
from orientations import ORIENTATIONS, affine_of

SHAPE = (4, 6, 5)
VOXELS = np.random.default_rng(0).integers(-500, 1500, SHAPE).astype(np.int16)
AFFINE = affine_of(((0, 2, 1), (-1.0, -1.0, -1.0)), turn_deg=(4, -3, 2))
PLACE = ("pixdim", "qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d", "xyzt_units")
PLACE += ("qoffset_x", "qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z")


KINDS = [nibabel.Nifti1Image, nibabel.Nifti2Image, nibabel.Nifti1Pair, nibabel.Nifti2Pair]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(
    st.builds(
        affine_of,
        st.sampled_from(ORIENTATIONS),
        st.tuples(*[st.floats(0.3, 6)] * 3),
        st.tuples(*[st.floats(-40, 40)] * 3),
        st.tuples(*[st.floats(-300, 300)] * 3),
    ),
    st.sampled_from(KINDS),
    st.sampled_from("<>"),
    st.sampled_from([(1, 1), (0, 2), (3, 0), (0, 0)]),
)
def test_read_reorder_save_and_read_again_is_exact_to_the_bit(
    tmp_path: Path, affine: np.ndarray, version: type, order: str, codes: tuple[int, int]
) -> None:
    image = version(VOXELS, affine, version.header_class(endianness=order))
    image.set_qform(affine, code=codes[0])
    image.set_sform(affine, code=codes[1])
    source = tmp_path / ("ceT1.nii" if "Image" in version.__name__ else "ceT1.hdr")
    nibabel.save(image, source)
    read = read_nifti(source)
    working = to_working(read.volume)

    mask = (working.voxels > 500).astype(np.uint8)
    save_mask(tmp_path / "mask.nii.gz", mask, read.origin)

    original, saved = (nibabel.load(path).header for path in (source, tmp_path / "mask.nii.gz"))
    assert saved.endianness == original.endianness
    assert type(saved).sizeof_hdr == type(original).sizeof_hdr
    for field in PLACE:
        assert np.array_equal(np.ravel(saved[field])[:4], np.ravel(original[field])[:4]), field
    assert np.array_equal(nibabel.load(tmp_path / "mask.nii.gz").get_fdata(), VOXELS > 500)
    again = read_mask(tmp_path / "mask.nii.gz")
    assert np.array_equal(again.volume.grid.affine_ras, read.volume.grid.affine_ras)
    assert np.array_equal(to_working(again.volume).voxels, mask)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_simpleitk_finds_the_mask_where_the_image_is(tmp_path: Path, orientation) -> None:
    nibabel.save(nibabel.Nifti1Image(VOXELS, affine_of(orientation, turn_deg=(9, -7, 5))), tmp_path / "a.nii")
    read = read_nifti(tmp_path / "a.nii")
    save_mask(tmp_path / "m.nii", to_working(read.volume).voxels > 500, read.origin)
    image, mask = sitk.ReadImage(str(tmp_path / "a.nii")), sitk.ReadImage(str(tmp_path / "m.nii"))
    for property_ in ("Size", "Origin", "Spacing", "Direction"):
        assert getattr(mask, f"Get{property_}")() == getattr(image, f"Get{property_}")()
    assert np.array_equal(sitk.GetArrayFromImage(mask), sitk.GetArrayFromImage(image) > 500)


def test_nothing_but_the_place_is_handed_on(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(VOXELS, AFFINE)
    texts = ("descrip", "db_name", "aux_file", "intent_name", "data_type")
    for field in texts:
        image.header[field] = b"Doe^Jane"
    image.header["cal_max"], image.header["intent_code"] = 900, 5
    image.header.set_slope_inter(2, 0)
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"Doe^Jane" * 100))
    nibabel.save(image, tmp_path / "a.nii")
    write_nifti(
        tmp_path / "m.nii", (VOXELS > 0).astype(np.uint8), origin=read_image(tmp_path / "a.nii").origin
    )
    content = (tmp_path / "m.nii").read_bytes()
    assert b"Doe" not in content
    # A header, the four bytes that say "no extension", the voxels, and nothing more.
    assert len(content) == 348 + 4 + VOXELS.size
    saved = nibabel.load(tmp_path / "m.nii").header
    assert (saved["cal_max"], saved["intent_code"]) == (0, 0)
    assert nibabel.load(tmp_path / "m.nii").dataobj.slope == 1


def test_the_one_volume_of_a_four_dimensional_file_gets_a_mask_of_three(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(VOXELS[..., None], AFFINE)
    image.header["pixdim"][4] = 2.5
    nibabel.save(image, tmp_path / "a.nii")
    read = read_image(tmp_path / "a.nii")
    save_mask(tmp_path / "m.nii", to_working(read.volume).voxels > 0, read.origin)
    assert nibabel.load(tmp_path / "m.nii").shape == SHAPE
    assert np.array_equal(nibabel.load(tmp_path / "m.nii").affine, nibabel.load(tmp_path / "a.nii").affine)


# Files cannot grow beyond a kilobyte, as on a disk that is nearly full. In a process of its own: the limit
# would hold for the log of the tests, too.
WRITE_ON_A_SMALL_DISK = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from napari_necroseg.core.errors import ResourceError
from napari_necroseg.core.images.save import write_nifti
from napari_necroseg.core.volume import Grid, Origin

noise = np.random.default_rng(0).random((10, 30, 30), dtype=np.float32)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))
try:
    write_nifti(Path(sys.argv[1]), noise, origin=Origin(Grid(noise.shape, np.diag((-4.0, -1.0, -1.0, 1.0)))))
except ResourceError as error:
    print(error, end="")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="file sizes can be limited on Unix only")
@pytest.mark.parametrize("name", ["m.nii", "m.nii.gz"])
def test_a_disk_that_is_full_keeps_the_earlier_mask(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"the earlier mask")
    command = [sys.executable, "-c", WRITE_ON_A_SMALL_DISK, str(tmp_path / name)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert re.fullmatch(rf".*{name} could not be written: File too large.*choose another folder.*", said)
    assert (tmp_path / name).read_bytes() == b"the earlier mask"
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_mask_goes_to_nifti_on_its_own_grid_only(tmp_path: Path) -> None:
    origin = Origin(Grid(SHAPE, AFFINE))
    mask = np.ones(to_working(Volume(VOXELS, Grid(SHAPE, AFFINE))).voxels.shape, np.uint8)
    with pytest.raises(FileError, match=r"m\.png: a mask is saved as NIfTI"):
        save_mask(tmp_path / "m.png", mask, origin)
    with pytest.raises(GeometryError, match="cannot be saved on the grid of an image of"):
        save_mask(tmp_path / "m.nii", mask[1:], origin)
    assert not list(tmp_path.iterdir())
