"""Bringing masks and images onto the ceT1 image, where their files do and do not say where they lie."""

from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
import tifffile

from napari_necroseg.core.case import CaseFiles, Sequence
from napari_necroseg.core.cohort.load import load_case
from napari_necroseg.core.cohort.prepare import check_case
from napari_necroseg.core.errors import FileError, GeometryError
from napari_necroseg.core.grids.orient import to_working, working_grid
from napari_necroseg.core.images.read import read_image, read_mask_on
from napari_necroseg.core.images.save import save_mask
from orientations import ORIENTATIONS, affine_of

SPACING = (4.0, 0.9, 0.8)
SHAPE = (6, 12, 10)
IMAGE = np.random.default_rng(0).integers(1, 1000, SHAPE).astype(np.int16)
MASK = np.zeros(SHAPE, np.uint8)
MASK[1:3, 2:9, 4:6] = 1
VOXEL_FOR_VOXEL = "is taken voxel for voxel: "


def write(path: Path, voxels: np.ndarray, affine: np.ndarray | None = None, *, spacing=SPACING) -> Path:
    """A NIfTI file at a place, or with its voxel size only: both codes 0."""
    image = nibabel.Nifti1Image(voxels, affine)
    if affine is None:
        image.header.set_zooms(spacing)
        image = nibabel.Nifti1Image(voxels, None, image.header)
    nibabel.save(image, path)
    return path


def by_itk(source: Path, path: Path, voxels: np.ndarray = MASK) -> Path:
    """The mask that a program like ITK-SNAP or 3D Slicer makes of an image: on the grid that ITK sees."""
    mask = sitk.GetImageFromArray(voxels.transpose(2, 1, 0))
    mask.CopyInformation(sitk.ReadImage(str(source)))
    sitk.WriteImage(mask, str(path))
    return path


def case_of(folder: Path, cet1: Path, *, t2: Path | None = None, reference: Path | None = None) -> CaseFiles:
    sequences = {Sequence.CET1: cet1} | ({Sequence.T2: t2} if t2 else {})
    return CaseFiles(name="a", sequences=sequences, reference=reference, spacing_mm=SPACING)


def in_file_order(path: Path, voxels: np.ndarray) -> np.ndarray:
    """What the same voxels are in working order, if they lie as the file's."""
    image = read_image(path, spacing_mm=SPACING)
    return to_working(type(image.volume)(voxels, image.volume.grid)).voxels


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".hdr"])
def test_a_mask_by_itk_of_an_image_without_a_place_lies_on_its_voxels(tmp_path: Path, suffix: str) -> None:
    cet1 = write(tmp_path / f"ceT1{suffix}", IMAGE)
    mask = by_itk(cet1, tmp_path / f"zone{suffix}")
    assert int(nibabel.load(mask).header["qform_code"]) > 0
    case = load_case(case_of(tmp_path, cet1, reference=mask))
    assert case.reference is not None
    assert np.array_equal(case.reference.voxels, in_file_order(cet1, MASK))
    (told,) = [note for note in case.notes if VOXEL_FOR_VOXEL in note]
    assert told.startswith("The reference mask is taken voxel for voxel: the file of the ceT1 image does not")
    assert not any("resampled" in note or "Check" in note for note in case.notes)


@pytest.mark.parametrize("orientation", ORIENTATIONS[::7])
def test_a_mask_without_a_place_lies_on_the_voxels_of_the_image(tmp_path: Path, orientation: tuple) -> None:
    cet1 = write(tmp_path / "ceT1.nii.gz", IMAGE, affine_of(orientation, SPACING, (4, 2, 1)))
    mask = write(tmp_path / "zone.nii.gz", MASK)
    case = load_case(case_of(tmp_path, cet1, reference=mask))
    assert case.reference is not None
    assert np.array_equal(case.reference.voxels, in_file_order(cet1, MASK))
    assert any("the file of the reference mask does not say where it lies" in note for note in case.notes)


@pytest.mark.parametrize("lost", ["ceT1", "T2"])
def test_a_t2_image_is_taken_voxel_for_voxel_if_one_of_both_lacks_its_place(
    tmp_path: Path, lost: str
) -> None:
    affine = affine_of(ORIENTATIONS[9], SPACING)
    paths = {
        name: write(tmp_path / f"{name}.nii.gz", voxels, None if name == lost else affine)
        for name, voxels in (("ceT1", IMAGE), ("T2", IMAGE[::-1].copy()))
    }
    case = load_case(case_of(tmp_path, paths["ceT1"], t2=paths["T2"]))
    expected = in_file_order(paths["ceT1"], IMAGE[::-1])
    assert np.array_equal(case.sequences[Sequence.T2].voxels, expected)
    assert any(note.startswith("The T2 image is taken voxel for voxel") for note in case.notes)
    assert not any("Check this pair" in note for note in case.notes)


@pytest.mark.parametrize("lost", ["image", "mask", "both"])
@pytest.mark.parametrize("differs", ["shape", "spacing"])
def test_without_a_place_other_voxels_are_refused_and_both_are_named(
    tmp_path: Path, lost: str, differs: str
) -> None:
    voxels = MASK if differs == "spacing" else MASK[:, :11]
    spacing = SPACING if differs == "shape" else (4.0, 0.9, 1.0)
    image_affine = None if lost in ("image", "both") else np.diag((*SPACING, 1.0))
    mask_affine = None if lost in ("mask", "both") else np.diag((*spacing, 1.0))
    cet1 = write(tmp_path / "ceT1.nii.gz", IMAGE, image_affine)
    mask = write(tmp_path / "zone.nii.gz", voxels, mask_affine, spacing=spacing)
    with pytest.raises(GeometryError) as refused:
        load_case(case_of(tmp_path, cet1, reference=mask))
    assert "(6 x 12 x 10 voxels of 4 x 0.9 x 0.8 mm)" in str(refused.value)
    shape = "6 x 12 x 10" if differs == "spacing" else "6 x 11 x 10"
    assert f"({shape} voxels of {' x '.join(f'{n:g}' for n in spacing)} mm)" in str(refused.value)
    _, problems = check_case(case_of(tmp_path, cet1, reference=mask), root=tmp_path)
    assert any("cannot be brought onto the ceT1 image" in problem for problem in problems)


def test_a_mask_of_ours_on_an_image_without_a_place_has_none_either(tmp_path: Path) -> None:
    cet1 = write(tmp_path / "ceT1.nii.gz", IMAGE)
    case = load_case(case_of(tmp_path, cet1))
    drawn = in_file_order(cet1, MASK)
    save_mask(tmp_path / "drawn.nii.gz", drawn, case.origin)
    saved = nibabel.load(tmp_path / "drawn.nii.gz")
    assert (int(saved.header["qform_code"]), int(saved.header["sform_code"])) == (0, 0)
    assert np.array_equal(np.asarray(saved.dataobj), MASK)
    placed = read_mask_on(tmp_path / "drawn.nii.gz", case.grid)
    assert np.array_equal(placed.volume.voxels, drawn)
    assert not placed.was_resampled


def test_a_mask_in_a_tiff_lies_upright_on_the_image(tmp_path: Path) -> None:
    affine = affine_of(ORIENTATIONS[13], (0.9, 0.8, 4.0), (5, 0, 3))
    cet1 = write(tmp_path / "ceT1.nii.gz", np.ascontiguousarray(IMAGE.transpose(1, 2, 0)), affine)
    grid = working_grid(read_image(cet1).volume.grid)
    drawn = np.zeros(grid.shape, np.uint8)
    drawn[1:3, 2:5, 3:6] = 1
    tifffile.imwrite(tmp_path / "zone.tif", drawn)
    files = CaseFiles(
        name="a",
        sequences={Sequence.CET1: cet1},
        reference=tmp_path / "zone.tif",
        spacing_mm=grid.spacing_mm,
    )
    case = load_case(files)
    assert case.reference is not None
    assert np.array_equal(case.reference.voxels, drawn)
    assert any(VOXEL_FOR_VOXEL in note for note in case.notes)


def test_a_mask_by_itk_of_a_tiff_stack_lies_on_its_voxels(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "ceT1.tif", IMAGE.astype(np.uint16))
    mask = sitk.GetImageFromArray(MASK)
    mask.SetSpacing(SPACING[::-1])
    sitk.WriteImage(mask, str(tmp_path / "zone.nii.gz"))
    case = load_case(case_of(tmp_path, tmp_path / "ceT1.tif", reference=tmp_path / "zone.nii.gz"))
    assert case.reference is not None
    assert np.array_equal(case.reference.voxels, MASK)
    assert any(VOXEL_FOR_VOXEL in note for note in case.notes)


def test_what_the_image_does_not_cover_is_told_in_ml(tmp_path: Path) -> None:
    affine = affine_of(ORIENTATIONS[5], SPACING)
    cet1 = write(tmp_path / "ceT1.nii.gz", IMAGE[:, :5].copy(), affine)
    t2 = write(tmp_path / "T2.nii.gz", IMAGE[:4].copy(), affine)
    mask = write(tmp_path / "zone.nii.gz", MASK, affine)
    notes = load_case(case_of(tmp_path, cet1, t2=t2, reference=mask)).notes
    # 4 of its 7 rows of 4 voxels of 2.88 mm3 lie beyond.
    told = "0.05 mL of the 0.08 mL of {} lie outside of the ceT1 image and are left out."
    assert told.format("the reference mask") in notes
    assert "The T2 image covers 67% of the ceT1 image; the rest is filled with its lowest value." in notes
    _, problems = check_case(case_of(tmp_path, cet1, t2=t2, reference=mask), root=tmp_path)
    assert any(told.format("zone.nii.gz") in problem for problem in problems)


def test_a_small_crop_of_a_large_image_is_found(tmp_path: Path) -> None:
    cet1 = write(tmp_path / "ceT1.nii.gz", np.ones((4, 200, 200), np.int16), np.eye(4))
    corner = np.eye(4)
    corner[:3, 3] = (1, 100, 101)
    mask = write(tmp_path / "zone.nii.gz", np.ones((2, 3, 3), np.uint8), corner)
    case = load_case(case_of(tmp_path, cet1, reference=mask))
    assert case.reference is not None
    assert case.reference.voxels.sum() == 18


def test_both_channels_of_a_tiff_are_told_apart_when_one_is_needed(tmp_path: Path) -> None:
    both = np.stack([IMAGE, IMAGE[::-1]], axis=1).astype(np.uint16)
    tifffile.imwrite(tmp_path / "both.tif", both, imagej=True, metadata={"axes": "ZCYX"})
    files = case_of(tmp_path, tmp_path / "both.tif", t2=tmp_path / "both.tif")
    case = load_case(files.only_sequences((Sequence.CET1,)))
    assert np.array_equal(case.sequences[Sequence.CET1].voxels, IMAGE)


def test_of_masks_of_ours_whatever_is_not_0_is_inside(
    tmp_path: Path, write_image: Callable[..., Path]
) -> None:
    labels = MASK.copy()
    labels[1] *= 2
    cet1 = write_image(tmp_path / "ceT1.nii.gz", IMAGE, np.diag((*SPACING, 1.0)))
    mask = write_image(tmp_path / "labels" / "a.nii.gz", labels, np.diag((*SPACING, 1.0)))
    grid = read_image(cet1).volume.grid
    assert read_mask_on(mask, grid, is_own=True).volume.voxels.sum() == MASK.sum()
    with pytest.raises(FileError, match=r"2 labels \(1, 2\)"):
        read_mask_on(mask, grid)
    # The project's own folder is told by what stands beside the mask.
    (tmp_path / "labels" / "a.review.json").write_text("{}")
    assert read_mask_on(mask, grid).volume.voxels.sum() == MASK.sum()
