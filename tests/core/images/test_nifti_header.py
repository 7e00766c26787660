from pathlib import Path

import nibabel
import numpy as np
import pytest

from napari_necroseg.core.errors import GeometryError
from napari_necroseg.core.images.nifti import read_header, read_nifti
from orientations import affine_of

SHAPE = (4, 6, 5)
AFFINE = affine_of(((0, 2, 1), (-1.0, -1.0, -1.0)), turn_deg=(4, -3, 2))


def header_at(affine: np.ndarray = AFFINE) -> nibabel.Nifti1Header:
    """A header whose qform and sform agree, in millimetres."""
    header = nibabel.Nifti1Header()
    header.set_data_shape(SHAPE)
    header.set_data_dtype(np.uint8)
    header.set_qform(affine, code=1)
    header.set_sform(affine, code=1)
    header.set_xyzt_units("mm")
    return header


def written(path: Path, header: nibabel.Nifti1Header) -> Path:
    """Write the header as it is: nibabel would mend what these tests break."""
    header["magic"], header["vox_offset"] = b"n+1", 352
    path.write_bytes(header.binaryblock + bytes(4) + bytes(int(np.prod(SHAPE))))
    return path


def test_a_sound_header_needs_no_note(tmp_path: Path) -> None:
    grid, notes = read_header(written(tmp_path / "a.nii", header_at()))
    assert notes == ()
    assert grid.shape == SHAPE
    np.testing.assert_allclose(grid.affine_ras, AFFINE, atol=1e-5)


@pytest.mark.parametrize(
    ("code", "mm_per_unit", "note"),
    [
        (0, 1.0, ""),
        (1, 1000.0, "a.nii: its lengths are given in metres; they were converted to millimetres."),
        (2, 1.0, ""),
        (3, 0.001, "a.nii: its lengths are given in micrometres; they were converted to millimetres."),
        (7, 1.0, "a.nii: its unit of length is unknown (code 7) and was taken for millimetres."),
        # The same byte holds the unit of time: 8 is seconds.
        (2 + 8, 1.0, ""),
    ],
)
def test_each_unit_of_length(tmp_path: Path, code: int, mm_per_unit: float, note: str) -> None:
    header = header_at(np.diag((1 / mm_per_unit, 1 / mm_per_unit, 1 / mm_per_unit, 1.0)) @ AFFINE)
    header["xyzt_units"] = code
    grid, notes = read_header(written(tmp_path / "a.nii", header))
    assert grid.spacing_mm == pytest.approx((4.0, 0.9, 0.7), rel=1e-5)
    np.testing.assert_allclose(grid.affine_ras, AFFINE, rtol=1e-5, atol=1e-5)
    assert notes == ((note,) if note else ())


def test_an_impossible_qform_beside_a_good_sform_is_told(tmp_path: Path) -> None:
    header = header_at()
    header["quatern_b"] = 7
    grid, notes = read_header(written(tmp_path / "a.nii", header))
    assert notes == ("a.nii: qform and sform place the image differently; the sform was used.",)
    np.testing.assert_allclose(grid.affine_ras, AFFINE, atol=1e-5)


def test_a_voxel_size_that_contradicts_the_affine_is_told(tmp_path: Path) -> None:
    header = header_at()
    header["qform_code"] = 0
    header["pixdim"][1:4] = 1
    grid, notes = read_header(written(tmp_path / "a.nii", header))
    assert notes == (
        "a.nii: its header gives a voxel size of 1 x 1 x 1 mm, its affine one of 4 x 0.9 x 0.7 mm; "
        "the affine was used.",
    )
    assert grid.spacing_mm == pytest.approx((4.0, 0.9, 0.7))


@pytest.mark.parametrize(("shear", "n_notes"), [(0.01, 0), (0.2, 1)])
def test_a_sheared_affine_is_told_beyond_one_degree(tmp_path: Path, shear: float, n_notes: int) -> None:
    slanted = np.diag((4.0, 0.9, 0.7, 1.0))
    slanted[1, 0] = 4.0 * shear
    header = header_at()
    header.set_sform(slanted, code=1)
    header["qform_code"] = 0
    header["pixdim"][1:4] = np.linalg.norm(slanted[:3, :3], axis=0)
    grid, notes = read_header(written(tmp_path / "a.nii", header))
    np.testing.assert_allclose(grid.affine_ras, slanted, atol=1e-6)
    assert len(notes) == n_notes
    # atan(0.2) = 11.3 degrees.
    assert all("its axes are up to 11 degrees off right angles" in note for note in notes)


@pytest.mark.parametrize("value", [np.nan, np.inf, -1e30, 2e5])
def test_a_place_out_of_this_world_is_refused(tmp_path: Path, value: float) -> None:
    header = header_at()
    header["srow_x"][3] = value
    with pytest.raises(GeometryError, match=r"^a\.nii: its header places it .* mm away .* damaged"):
        read_header(written(tmp_path / "a.nii", header))


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
def test_an_affine_that_is_not_finite_is_refused(tmp_path: Path, value: float) -> None:
    header = header_at()
    header["srow_y"][1] = value
    with pytest.raises(GeometryError, match=r"^a\.nii: a voxel spacing of (nan|inf|1e\+30) mm is impossible"):
        read_header(written(tmp_path / "a.nii", header))


def test_millimetres_called_micrometres_are_refused_with_the_unit_as_a_cause(tmp_path: Path) -> None:
    header = header_at()
    header["xyzt_units"] = 3
    with pytest.raises(
        GeometryError, match=r"spacing of 0\.004 mm is impossible .* its unit of length is wrong"
    ):
        read_header(written(tmp_path / "a.nii", header))


def test_the_place_does_not_depend_on_the_voxels(tmp_path: Path) -> None:
    path = written(tmp_path / "a.nii", header_at())
    assert read_nifti(path).volume.grid.matches(read_header(path)[0])
