"""Files of a case are found whichever system wrote its name."""

import unicodedata
from pathlib import Path

import numpy as np
import pytest

from napari_necroseg.core.case import CaseFiles, Cohort, Sequence
from napari_necroseg.core.labels_folder import corrected_path, draft_path, journal_path, review_path
from napari_necroseg.core.project.journal import Journal, recover
from napari_necroseg.core.project.review import Review, Status, read_review, statuses, write_review

NAMES = ("M\u00fcller", "Mu\u0308ller")


@pytest.mark.parametrize(("written", "asked"), [NAMES, NAMES[::-1], ("Case-01", "case-01")])
def test_masks_drafts_reviews_and_journals_are_found(tmp_path: Path, written: str, asked: str) -> None:
    mask = tmp_path / f"{written}.nii.gz"
    mask.write_bytes(b"mask")
    (tmp_path / f"{written}_tumour.nii.gz").touch()
    (tmp_path / "drafts").mkdir()
    (tmp_path / "drafts" / f"{written}.nii.gz").touch()
    write_review(tmp_path, Review(case=written).signed_off(mask, reader="AB"))
    assert corrected_path(tmp_path, asked).exists()
    assert corrected_path(tmp_path, asked, is_tumour=True).exists()
    assert draft_path(tmp_path, asked).exists()
    assert review_path(tmp_path, asked).exists()
    assert read_review(tmp_path, asked).status is Status.REVIEWED
    cohort = Cohort(cases=(CaseFiles(name=asked, sequences={Sequence.CET1: Path("a.nii")}),))
    assert statuses(cohort, tmp_path) == {asked: Status.REVIEWED}


@pytest.mark.parametrize(("written", "asked"), [NAMES, NAMES[::-1]])
def test_strokes_are_taken_back_under_the_other_form_of_a_name(
    tmp_path: Path, written: str, asked: str
) -> None:
    base = np.zeros((2, 3, 4), np.uint8)
    journal = Journal.begin(journal_path(tmp_path, written), base, case=written)
    journal.append((slice(0, 1), slice(0, 1), slice(0, 1)), np.ones((1, 1, 1), np.uint8))
    journal.close()
    path = journal_path(tmp_path, asked)
    assert unicodedata.normalize("NFC", path.name) == f"{NAMES[0]}.journal"
    assert recover(path, base, case=asked).voxels.sum() == 1
