"""Masks that were drawn in a project take the place of the cohort's, and of nothing else."""

from pathlib import Path

import pytest

from napari_necroseg.core.case import CaseFiles, Cohort, Sequence
from napari_necroseg.core.errors import CohortError
from napari_necroseg.core.io.corrected import corrected_cases, with_corrected


def files(name: str, *, reference: Path | None = None) -> CaseFiles:
    return CaseFiles(name=name, sequences={Sequence.CET1: Path(f"{name}.nii.gz")}, reference=reference)


COHORT = Cohort(cases=(files("a", reference=Path("a-mask.nii.gz")), files("b"), files("c")))


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    for name in ("a.nii.gz", "b_tumour.nii.gz", "c.nii.gz.bak", "stranger.nii.gz"):
        (tmp_path / name).touch()
    return tmp_path


def test_a_corrected_mask_takes_the_place_of_the_references(labels) -> None:
    a, b, c = with_corrected(COHORT, labels)
    assert (a.reference, a.tumour) == (labels / "a.nii.gz", None)
    assert (b.reference, b.tumour) == (None, labels / "b_tumour.nii.gz")
    assert c == COHORT["c"]
    assert corrected_cases(COHORT, labels) == ("a", "b")


def test_a_folder_without_any_mask_of_the_cohort_is_refused(labels) -> None:
    strangers = COHORT.only(("c",))
    assert corrected_cases(strangers, labels) == ()
    with pytest.raises(CohortError, match=r"no mask of any of the 1 cases; .* CASE\.nii\.gz"):
        with_corrected(strangers, labels)
    assert corrected_cases(COHORT, labels / "nowhere") == ()
