"""A record is believed of the mask that it was written for, and of no other."""

import gzip
import json
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest

from napari_necroseg.core.cohort.seen_cases import known_by_record
from napari_necroseg.core.project.case_files import CaseOutput, write_case
from napari_necroseg.core.project.provenance import MaskState, provenance_of, record_path
from napari_necroseg.core.volume import Grid, Origin

AFFINE = np.array([[-4.0, 0, 0, 0], [0, 0, -0.8, 0], [0, -0.9, 0, 0], [0, 0, 0, 1]])
SHAPE = (4, 6, 5)
MADE = {"case": "a", "model": "m", "trained_on": "image"}


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    """A mask as the program writes it."""
    voxels = np.zeros(SHAPE, np.uint8)
    voxels[1:3, 2:4, 2:4] = 1
    path = tmp_path / "a.nii.gz"
    write_case(CaseOutput(path=path, mask=voxels, origin=Origin(Grid(SHAPE, AFFINE)), record=MADE))
    return path


def resave(path: Path, change: tuple[int, int, int] | None = None, *, moved_mm: float = 0.0) -> None:
    """Save it as another program would: other axes, another type of numbers, perhaps one more voxel."""
    image = nibabel.load(path)
    voxels = np.asarray(image.dataobj).astype(np.int16) * 255
    if change is not None:
        voxels[change] = 255
    affine = image.affine.copy()
    affine[0, 3] += moved_mm
    turned = nibabel.Nifti1Image(voxels, affine).as_reoriented(np.array([[2, 1], [0, -1], [1, 1]]))
    nibabel.save(nibabel.Nifti1Image(np.asarray(turned.dataobj), turned.affine), path)


def test_a_mask_is_as_it_was_written(mask) -> None:
    made = provenance_of(mask)
    assert made.state is MaskState.AS_WRITTEN
    assert {name: made.record[name] for name in MADE} == MADE
    assert not made.is_of_a_person


def test_a_mask_that_was_saved_or_zipped_again_without_a_change_is_the_same(mask) -> None:
    mask.write_bytes(gzip.compress(gzip.decompress(mask.read_bytes()), 9))
    assert provenance_of(mask).state is MaskState.AS_WRITTEN
    resave(mask)
    assert provenance_of(mask).state is MaskState.AS_WRITTEN
    assert known_by_record(provenance_of(mask).record) == "image"


@pytest.mark.parametrize("how", ["voxel", "place", "damaged", "labels", "another"])
def test_a_mask_that_was_changed_makes_its_record_stale(mask, how) -> None:
    if how == "voxel":
        resave(mask, (0, 0, 0))
    elif how == "place":
        resave(mask, moved_mm=1.0)
    elif how == "damaged":
        mask.write_bytes(mask.read_bytes()[:-9])
    elif how == "labels":
        voxels = np.zeros(SHAPE, np.uint8)
        voxels[0, 0, :2] = 1, 2
        nibabel.save(nibabel.Nifti1Image(voxels, AFFINE), mask)
    else:
        nibabel.save(nibabel.Nifti1Image(np.ones(SHAPE, np.uint8), AFFINE), mask)
    made = provenance_of(mask)
    assert (made.state, dict(made.record)) == (MaskState.CHANGED, {})
    assert made.is_of_a_person
    assert known_by_record(provenance_of(mask).record) is None


def test_a_record_of_an_earlier_version_is_believed_and_cannot_tell(mask) -> None:
    record_path(mask).write_text(json.dumps(MADE))
    resave(mask, (0, 0, 0))
    made = provenance_of(mask)
    assert (made.state, dict(made.record)) == (MaskState.UNTOLD, MADE)
    assert made.is_of_a_person


@pytest.mark.parametrize("text", [None, "[]", "{", '{"Modality": "MR"}', '{"files": 3}', "[" * 99_999])
def test_what_is_no_record_says_nothing(mask, text) -> None:
    record_path(mask).unlink()
    if text is not None:
        record_path(mask).write_text(text)
    made = provenance_of(mask)
    assert made.state in (MaskState.UNRECORDED, MaskState.UNTOLD)
    assert known_by_record(provenance_of(mask).record) is None


def test_a_corrected_mask_says_so_as_long_as_it_is_the_one(mask, tmp_path) -> None:
    record = json.loads(record_path(mask).read_text()) | {"corrected_by_hand": True}
    record_path(mask).write_text(json.dumps(record))
    assert provenance_of(mask).is_corrected
    shutil.copy(record_path(mask), tmp_path / "b.json")
    nibabel.save(nibabel.Nifti1Image(np.ones(SHAPE, np.uint8), AFFINE), tmp_path / "b.nii.gz")
    assert not provenance_of(tmp_path / "b.nii.gz").is_corrected
