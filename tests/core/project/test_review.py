"""Sign-off of masks: written, read, and no longer true when the mask is another."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_necroseg.core.case import CaseFiles, Cohort, Sequence
from napari_necroseg.core.errors import CohortError, FileError, ResourceError, SettingsError
from napari_necroseg.core.files import file_sha256
from napari_necroseg.core.labels_folder import corrected_path, review_path
from napari_necroseg.core.project.review import (
    Changes,
    Review,
    Status,
    next_case,
    read_review,
    statuses,
    write_review,
)

DATE = datetime(2026, 3, 4, 15, 30, tzinfo=UTC)
CHANGES = Changes(dice=0.875, before_ml=14.5, after_ml=15.25, slices=(3, 4, 9))


def cohort_of(*names: str, status: str = "") -> Cohort:
    cases = (CaseFiles(name=n, sequences={Sequence.CET1: Path(f"{n}.nii")}, status=status) for n in names)
    return Cohort(cases=tuple(cases))


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    return tmp_path / "labels"


def save_mask_file(labels: Path, case: str, content: bytes = b"mask") -> Path:
    labels.mkdir(exist_ok=True)
    path = corrected_path(labels, case)
    path.write_bytes(content)
    return path


def sign_off(labels: Path, case: str) -> Review:
    review = read_review(labels, case).signed_off(
        save_mask_file(labels, case), reader="AB", changes=CHANGES, date=DATE
    )
    write_review(labels, review)
    return review


def test_a_sign_off_comes_back_as_it_was(labels: Path) -> None:
    review = sign_off(labels, "a")
    assert read_review(labels, "a") == review
    assert (review.status, review.reader, review.date) == (Status.REVIEWED, "AB", DATE)
    assert review.mask_sha256 == file_sha256(corrected_path(labels, "a"))
    assert read_review(labels, "a").changes == CHANGES
    content = json.loads(review_path(labels, "a").read_text())
    assert (content["status"], content["date"]) == ("reviewed", "2026-03-04T15:30:00Z")
    assert sorted(path.name for path in labels.iterdir()) == ["a.nii.gz", "a.review.json"]


@given(seconds=st.lists(st.floats(0, 1e6), max_size=5))
def test_time_adds_up_over_sessions(tmp_path_factory, seconds) -> None:
    labels = tmp_path_factory.mktemp("labels")
    for part in seconds:
        write_review(labels, read_review(labels, "a").worked(part))
    assert read_review(labels, "a").seconds == pytest.approx(sum(seconds), rel=1e-12)
    assert read_review(labels, "a").status == (Status.IN_WORK if seconds else Status.UNTOUCHED)


def test_time_is_kept_by_a_sign_off_and_work_after_it_takes_it_back(labels: Path) -> None:
    mask = save_mask_file(labels, "a")
    signed = read_review(labels, "a").worked(60.0).signed_off(mask, reader=" Xy ", changes=CHANGES)
    assert (signed.seconds, signed.reader) == (60.0, "Xy")
    assert signed.date is not None
    assert abs((datetime.now(UTC) - signed.date).total_seconds()) < 60
    again = signed.worked(5.0)
    assert (again.status, again.seconds, again.reader) == (Status.IN_WORK, 65.0, "Xy")
    assert (again.mask_sha256, again.date, again.changes) == (None, None, None)


def test_a_case_is_untouched_then_in_work_then_reviewed_and_in_work_again(labels: Path) -> None:
    cohort = cohort_of("a", "b")
    assert statuses(cohort, labels) == {"a": Status.UNTOUCHED, "b": Status.UNTOUCHED}
    save_mask_file(labels, "a")
    assert statuses(cohort, labels) == {"a": Status.IN_WORK, "b": Status.UNTOUCHED}
    sign_off(labels, "a")
    write_review(labels, Review(case="b"))
    assert statuses(cohort, labels) == {"a": Status.REVIEWED, "b": Status.UNTOUCHED}
    save_mask_file(labels, "a", b"changed on disk")
    write_review(labels, read_review(labels, "b").worked(1.0))
    assert statuses(cohort, labels) == {"a": Status.IN_WORK, "b": Status.IN_WORK}
    save_mask_file(labels, "a")
    assert statuses(cohort, labels)["a"] is Status.REVIEWED
    corrected_path(labels, "a").unlink()
    assert statuses(cohort, labels)["a"] is Status.IN_WORK


def test_the_remark_in_the_table_is_no_status(labels: Path) -> None:
    assert statuses(cohort_of("a", status="reviewed"), labels) == {"a": Status.UNTOUCHED}
    sign_off(labels, "a")
    assert statuses(cohort_of("a", status="untouched"), labels) == {"a": Status.REVIEWED}


def test_a_review_that_cannot_be_read_is_never_a_sign_off(labels: Path) -> None:
    sign_off(labels, "a")
    path = review_path(labels, "a")
    path.write_text(path.read_text()[:-20])
    assert statuses(cohort_of("a"), labels) == {"a": Status.IN_WORK}
    with pytest.raises(FileError, match=r"no JSON\. Move it away"):
        read_review(labels, "a")


def test_a_review_that_was_copied_to_another_case_is_none_of_it(labels: Path) -> None:
    sign_off(labels, "a")
    save_mask_file(labels, "b")
    review_path(labels, "b").write_bytes(review_path(labels, "a").read_bytes())
    with pytest.raises(FileError, match="of the case 'a'"):
        read_review(labels, "b")
    assert statuses(cohort_of("a", "b"), labels)["b"] is Status.IN_WORK


@pytest.mark.parametrize(
    ("entries", "what"),
    [
        ({"cls": 1}, "an unknown entry 'cls'"),
        ({"status": "done"}, "status: "),
        ({"reader": "A1"}, "1 to 8 letters"),
        ({"reader": "ABCDEFGHI"}, "reader: "),
        ({"reader": "../../x"}, "1 to 8 letters"),
        ({"reader": ""}, "needs the reader's initials"),
        ({"mask_sha256": None}, "needs the reader's initials"),
        ({"mask_sha256": "0" * 63}, "mask_sha256: "),
        ({"mask_sha256": "0" * 64 + "\n"}, "mask_sha256: "),
        ({"date": "2026-03-04T15:30:00"}, "date: .*timezone"),
        ({"seconds": -1}, "seconds: "),
        ({"seconds": float("nan")}, "seconds: "),
        ({"seconds": float("inf")}, "seconds: "),
        ({"changes": {"before_ml": 1, "after_ml": -1}}, "after_ml: "),
        ({"changes": {"before_ml": 1, "after_ml": 1, "dice": 1.1}}, "dice: "),
        ({"changes": {"before_ml": 1, "after_ml": 1, "slices": [-1]}}, "slices.0: "),
        ({"changes": {"before_ml": 1, "after_ml": 1, "slices": [1] * 10_001}}, "slices: "),
        ({"version": 2}, "version: "),
        ({"case": ""}, "case: "),
    ],
)
def test_a_forged_review_is_refused_with_what_is_wrong(labels: Path, entries, what: str) -> None:
    sign_off(labels, "a")
    path = review_path(labels, "a")
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))
    with pytest.raises(FileError, match=what):
        read_review(labels, "a")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[1]", "no names"),
        (b"[" * 200_000, "no JSON"),
        (b" " * 1_000_001, "too large"),
    ],
)
def test_what_is_no_review_is_refused(labels: Path, content: bytes, what: str) -> None:
    labels.mkdir()
    review_path(labels, "a").write_bytes(content)
    with pytest.raises(FileError, match=what):
        read_review(labels, "a")


@pytest.mark.parametrize("reader", ["", " ", "A B", "A.B", "R2D2", "ABCDEFGHI"])
def test_initials_are_letters(labels: Path, reader: str) -> None:
    with pytest.raises(SettingsError, match="1 to 8 letters"):
        Review(case="a").signed_off(save_mask_file(labels, "a"), reader=reader)


def test_initials_may_be_of_any_alphabet(labels: Path) -> None:
    review = Review(case="a").signed_off(save_mask_file(labels, "a"), reader="ÄÉЖ")
    write_review(labels, review)
    assert read_review(labels, "a") == review


def test_a_mask_that_was_not_saved_cannot_be_signed_off(labels: Path) -> None:
    with pytest.raises(FileError, match="save it first"):
        Review(case="a").signed_off(corrected_path(labels, "a"), reader="AB")


def test_a_folder_that_cannot_be_written_to_is_said(labels: Path) -> None:
    labels.write_text("a file in the place of the folder")
    with pytest.raises(ResourceError, match="could not be written"):
        write_review(labels, Review(case="a"))


def test_the_next_case_is_looked_for_from_the_end_to_the_beginning_of_the_table() -> None:
    cohort = cohort_of(*"abcd")
    of_case = dict(
        zip("abcd", (Status.UNTOUCHED, Status.REVIEWED, Status.IN_WORK, Status.UNTOUCHED), strict=True)
    )
    assert next_case(cohort, of_case) == "a"
    assert next_case(cohort, of_case, backwards=True) == "d"
    assert [next_case(cohort, of_case, after=name) for name in "abcd"] == [*"bcda"]
    assert [next_case(cohort, of_case, after=name, backwards=True) for name in "abcd"] == [*"dabc"]
    untouched = [next_case(cohort, of_case, after=name, status=Status.UNTOUCHED) for name in "abcd"]
    assert untouched == [*"ddda"]
    assert next_case(cohort, of_case, after="b", status=Status.REVIEWED) is None
    assert next_case(cohort, of_case, after="c", status=Status.REVIEWED) == "b"
    with pytest.raises(CohortError, match="no case 'e'"):
        next_case(cohort, of_case, after="e")
