"""Masks that were drawn in a project take the place of the cohort's if they are signed off."""

import os
from pathlib import Path

import pytest

from napari_necroseg.core.case import CaseFiles, Cohort, DrawnMask, Sequence
from napari_necroseg.core.errors import CohortError
from napari_necroseg.core.project.labels import drawn_cases, marked, masks_in_words, with_corrected


def files(name: str, *, reference: Path | None = None) -> CaseFiles:
    return CaseFiles(name=name, sequences={Sequence.CET1: Path(f"{name}.nii.gz")}, reference=reference)


COHORT = Cohort(cases=(files("a", reference=Path("a-mask.nii.gz")), files("b"), files("c")))


@pytest.fixture
def labels(tmp_path: Path, sign_off) -> Path:
    for name in ("a.nii.gz", "b_tumour.nii.gz", "c.nii.gz.bak", "stranger.nii.gz"):
        (tmp_path / name).write_bytes(b"a mask")
    sign_off(tmp_path, "a")
    return tmp_path


def test_a_signed_mask_takes_the_place_of_the_references(labels) -> None:
    a, b, c = with_corrected(COHORT, labels)
    assert (a.reference, a.tumour) == (labels / "a.nii.gz", None)
    assert a.drawn["reference"] == DrawnMask(whose="signed", reader="AB")
    assert (b.reference, b.tumour) == (None, None)
    assert c == COHORT["c"]
    assert drawn_cases(COHORT, labels) == (("a",), ("b",))
    assert [one.whose("reference") for one in (a, b, c)] == ["signed", "cohort", "cohort"]


def test_all_masks_count_if_asked_for(labels) -> None:
    a, b, c = with_corrected(COHORT, labels, unsigned=True)
    assert (a.reference, b.tumour) == (labels / "a.nii.gz", labels / "b_tumour.nii.gz")
    assert (a.whose("reference"), b.whose("tumour"), c.whose("reference")) == ("signed", "unsigned", "cohort")


@pytest.mark.parametrize("keeps_time", [True, False])
def test_a_mask_that_was_changed_since_is_not_signed(labels, keeps_time) -> None:
    assert drawn_cases(COHORT, labels)[0] == ("a",)
    mask = labels / "a.nii.gz"
    before = mask.stat()
    mask.write_bytes(b"a musk")
    if keeps_time:
        os.utime(mask, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert drawn_cases(COHORT, labels) == ((), ("a", "b"))
    assert marked(COHORT, labels)["a"].reference == COHORT["a"].reference
    with pytest.raises(CohortError, match=r"masks of 2 of the 3 cases \(a, b\), but none .* --unsigned"):
        with_corrected(COHORT, labels)


@pytest.mark.parametrize("text", ["", "{", '{"case": "b"}', '{"case": "a", "status": "in work"}'])
def test_a_review_that_is_none_signs_nothing(labels, text) -> None:
    (labels / "a.review.json").write_text(text)
    assert drawn_cases(COHORT, labels) == ((), ("a", "b"))


def test_a_folder_without_any_mask_of_the_cohort_is_refused(labels) -> None:
    strangers = COHORT.only(("c",))
    assert marked(strangers, labels) == strangers
    with pytest.raises(CohortError, match=r"no mask of any of the 1 cases; .* CASE\.nii\.gz"):
        with_corrected(strangers, labels)
    assert drawn_cases(COHORT, labels / "nowhere") == ((), ())


def test_it_is_said_whose_masks_count(labels, sign_off) -> None:
    (labels / "b.nii.gz").write_bytes(b"another")
    assert masks_in_words(with_corrected(COHORT, labels), "reference") == (
        "Learning from signed-off masks of the labels, not the cohort's masks: a (AB).",
        "The masks in labels of b are not used: nobody has signed them off as they are now, so the masks of "
        "the cohort's table count instead. To use them, add --unsigned (in a dock: tick the masks in work).",
    )
    assert masks_in_words(with_corrected(COHORT, labels, unsigned=True), "reference")[1:] == (
        "Learning from masks of the labels that nobody has signed off, not the cohort's masks: b (the cohort "
        "has none).",
    )
    assert masks_in_words(COHORT, "reference") == ()


def test_of_two_masks_whose_names_differ_in_writing_each_case_gets_its_own(tmp_path: Path) -> None:
    (tmp_path / "B.nii.gz").write_bytes(b"a mask")
    if not (tmp_path / "b.nii.gz").exists():
        (tmp_path / "b.nii.gz").write_bytes(b"another mask")
    for name in ("B", "b"):
        (case,) = with_corrected(Cohort(cases=(files(name),)), tmp_path, unsigned=True)
        assert case.reference is not None
        assert case.reference.samefile(tmp_path / f"{name}.nii.gz")
