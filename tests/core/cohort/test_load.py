from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
import tifffile

from napari_necroseg.core.case import CaseFiles, Sequence
from napari_necroseg.core.cohort.load import load_case
from napari_necroseg.core.errors import FileError, GeometryError
from orientations import affine_of

LIP = ((0, 2, 1), (-1.0, -1.0, -1.0))
SHAPE = (8, 30, 28)
AFFINE = affine_of(LIP, (4.0, 0.9, 0.8))
IMAGE = np.random.default_rng(0).integers(0, 1000, SHAPE).astype(np.int16)
MASK = np.zeros(SHAPE, np.uint8)
MASK[3:5, 10:20, 8:18] = 1

WriteImage = Callable[..., Path]


def case_files(folder: Path, **paths: Path) -> CaseFiles:
    sequences = {Sequence.CET1: folder / "ceT1.nii.gz", Sequence.T2: folder / "T2.nii.gz"}
    return CaseFiles(name="a", sequences=sequences, **paths)


def test_on_one_grid_everything_stays_to_the_bit(tmp_path: Path, write_image: WriteImage) -> None:
    write_image(tmp_path / "ceT1.nii.gz", IMAGE, AFFINE)
    write_image(tmp_path / "T2.nii.gz", IMAGE[::-1].copy(), AFFINE)
    reference = write_image(tmp_path / "n.nii.gz", MASK, AFFINE)
    case = load_case(case_files(tmp_path, reference=reference))
    assert np.array_equal(case.sequences[Sequence.CET1].voxels, IMAGE)
    assert np.array_equal(case.sequences[Sequence.T2].voxels, IMAGE[::-1])
    assert case.reference is not None
    assert np.array_equal(case.reference.voxels, MASK)
    assert case.sequences[Sequence.T2].voxels.dtype == np.float32
    assert case.notes == ()


def test_another_axis_order_is_no_other_grid(tmp_path: Path, write_image: WriteImage) -> None:
    write_image(tmp_path / "ceT1.nii.gz", IMAGE, AFFINE)
    reordered = nibabel.Nifti1Image(IMAGE, AFFINE).as_reoriented(
        nibabel.orientations.ornt_transform(
            nibabel.io_orientation(AFFINE), nibabel.orientations.axcodes2ornt("RAS")
        )
    )
    nibabel.save(reordered, tmp_path / "T2.nii.gz")
    case = load_case(case_files(tmp_path))
    assert np.array_equal(case.sequences[Sequence.T2].voxels, IMAGE)
    assert not any("resampled" in note for note in case.notes)


def test_a_t2_on_another_grid_is_brought_over_and_that_is_said(
    tmp_path: Path, write_image: WriteImage
) -> None:
    write_image(tmp_path / "ceT1.nii.gz", IMAGE, AFFINE)
    # A linear ramp along z in the world: its value tells where a voxel lies.
    grid_affine = affine_of(LIP, (4.0, 0.7, 0.7), (3, 2, 1), (12.0, -15.0, 34.0))
    indices = np.stack([*np.indices((9, 50, 48)), np.ones((9, 50, 48))], axis=-1)
    ramp = (indices @ grid_affine.T)[..., 2].astype(np.float32)
    write_image(tmp_path / "T2.nii.gz", ramp, grid_affine)

    case = load_case(case_files(tmp_path))

    assert "The T2 image was resampled onto the grid of the ceT1 image." in case.notes
    t2 = case.sequences[Sequence.T2]
    heights_mm = case.grid.to_world_mm(np.stack(np.indices(SHAPE), axis=-1))[..., 2]
    middle = (slice(2, 6), slice(8, 22), slice(8, 20))
    np.testing.assert_allclose(t2.voxels[middle], heights_mm[middle], atol=0.05)


def test_a_mask_on_another_grid_keeps_its_volume(tmp_path: Path, write_image: WriteImage) -> None:
    write_image(tmp_path / "ceT1.nii.gz", IMAGE, AFFINE)
    write_image(tmp_path / "T2.nii.gz", IMAGE[::-1].copy(), AFFINE)
    finer = AFFINE @ np.diag((1.0, 0.5, 0.5, 1.0))
    finer[:3, 3] -= AFFINE[:3, 1] * 0.25 + AFFINE[:3, 2] * 0.25
    mask = np.repeat(np.repeat(MASK, 2, axis=1), 2, axis=2)
    case = load_case(case_files(tmp_path, reference=write_image(tmp_path / "n.nii.gz", mask, finer)))
    assert case.reference is not None
    assert np.array_equal(case.reference.voxels, MASK)
    assert any("reference mask was resampled" in note for note in case.notes)


def test_images_of_different_places_are_refused(tmp_path: Path, write_image: WriteImage) -> None:
    write_image(tmp_path / "ceT1.nii.gz", IMAGE, AFFINE)
    write_image(tmp_path / "T2.nii.gz", IMAGE, affine_of(LIP, (4.0, 0.9, 0.8), place_mm=(500, 0, 0)))
    with pytest.raises(GeometryError, match="T2 image and the ceT1 image lie in different places"):
        load_case(case_files(tmp_path))


@pytest.mark.parametrize(
    ("affine", "alarm"),
    [
        (affine_of(LIP, (4.0, 0.9, 0.8), place_mm=(10, -20, 12)), "only .* of the ceT1 image is covered"),
        (affine_of(LIP, (0.9, 4.0, 0.8), place_mm=(0, -20, 80)), "ceT1 is a sagittal stack, T2 a axial one"),
        (affine_of(LIP, (4.0, 0.9, 0.8), turn_deg=(0, 0, 30)), "turned against each other by 30 degrees"),
    ],
)
def test_what_speaks_against_a_pair_is_said(
    tmp_path: Path, write_image: WriteImage, affine: np.ndarray, alarm: str
) -> None:
    write_image(tmp_path / "ceT1.nii.gz", IMAGE, AFFINE)
    write_image(tmp_path / "T2.nii.gz", np.flip(IMAGE).copy(), affine)
    notes = load_case(case_files(tmp_path)).notes
    import re

    assert any(note.startswith("Check this pair: ") and re.search(alarm, note) for note in notes), notes


def test_names_of_different_patients_raise_an_alarm_without_being_told(tmp_path: Path) -> None:
    for name, patient in (("ceT1", b"Doe^Jane"), ("T2", b"Roe^Rick")):
        image = nibabel.Nifti1Image(IMAGE if name == "T2" else np.flip(IMAGE), AFFINE)
        image.header["db_name"] = patient
        nibabel.save(image, tmp_path / f"{name}.nii.gz")
    notes = load_case(case_files(tmp_path)).notes
    assert "Check this pair: the files name different patients." in notes
    assert "Doe" not in "".join(notes)


def test_the_same_image_twice_raises_an_alarm(tmp_path: Path, write_image: WriteImage) -> None:
    for name in ("ceT1", "T2"):
        write_image(tmp_path / f"{name}.nii.gz", IMAGE, AFFINE)
    assert "Check this pair: both files hold the very same image." in load_case(case_files(tmp_path)).notes


def test_a_missing_file_is_named_with_its_role(tmp_path: Path, write_image: WriteImage) -> None:
    write_image(tmp_path / "ceT1.nii.gz", IMAGE, AFFINE)
    with pytest.raises(FileError, match="Case 'a': its T2 file"):
        load_case(case_files(tmp_path))


def test_a_case_without_ce_t1_or_with_one_nifti_twice_is_refused(
    tmp_path: Path, write_image: WriteImage
) -> None:
    path = write_image(tmp_path / "T2.nii.gz", IMAGE, AFFINE)
    with pytest.raises(FileError, match="has no ceT1 image"):
        load_case(CaseFiles(name="a", sequences={Sequence.T2: path}))
    with pytest.raises(FileError, match="same file for ceT1 and T2"):
        load_case(CaseFiles(name="a", sequences={Sequence.CET1: path, Sequence.T2: path}))


def test_one_tiff_with_two_channels_is_a_pair(tmp_path: Path) -> None:
    path = tmp_path / "both.tif"
    both = np.stack([IMAGE, IMAGE[::-1]], axis=1).astype(np.uint16)
    tifffile.imwrite(path, both, imagej=True, metadata={"axes": "ZCYX"})
    files = CaseFiles(
        name="a", sequences={Sequence.CET1: path, Sequence.T2: path}, spacing_mm=(4.0, 0.9, 0.8)
    )
    case = load_case(files)
    assert np.array_equal(case.sequences[Sequence.CET1].voxels, IMAGE)
    assert np.array_equal(case.sequences[Sequence.T2].voxels, IMAGE[::-1])
    assert case.grid.spacing_mm == (4.0, 0.9, 0.8)


@pytest.mark.parametrize("wild", [32767, -32768, -1000])
def test_what_is_no_signal_does_not_spread_when_t2_is_resampled(
    tmp_path: Path, write_image: WriteImage, wild: int
) -> None:
    body = np.zeros(SHAPE, np.int16)
    body[:, 5:-5, 5:-5] = 300 + IMAGE[:, 5:-5, 5:-5] // 5
    moved = affine_of(LIP, (4.0, 0.9, 0.8), place_mm=(10.5, -19.6, 29.6))
    write_image(tmp_path / "ceT1.nii.gz", body, AFFINE)
    write_image(tmp_path / "T2.nii.gz", body, moved)
    plain = load_case(case_files(tmp_path))
    if wild == -1000:
        body[body == 0] = wild
    else:
        body[3, 12, 12] = wild
    write_image(tmp_path / "T2.nii.gz", body, moved)
    case = load_case(case_files(tmp_path))
    change = np.abs(case.sequences[Sequence.T2].voxels - plain.sequences[Sequence.T2].voxels)
    assert (change > 20).sum() < 60
    assert change.max() < 600
    assert not any("mended" in note for note in plain.notes)
    (note,) = [note for note in case.notes if note.startswith("The T2 image was mended before")]
    assert str(wild) in note


def test_a_mask_that_vanishes_in_resampling_raises_an_alarm(tmp_path: Path, write_image: WriteImage) -> None:
    write_image(tmp_path / "ceT1.nii.gz", IMAGE, AFFINE)
    write_image(tmp_path / "T2.nii.gz", IMAGE[::-1].copy(), AFFINE)
    finer = AFFINE @ np.diag((1.0, 0.25, 0.25, 1.0))
    mask = np.zeros((8, 120, 112), np.uint8)
    mask[4, 60, 60] = 1
    case = load_case(case_files(tmp_path, reference=write_image(tmp_path / "n.nii.gz", mask, finer)))
    assert "Check this case: the reference mask became empty on the grid of the ceT1 image." in case.notes
