import json
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
import tifffile

from napari_necroseg.core.case import Sequence
from napari_necroseg.core.cohort.prepare import Prepared, prepare
from napari_necroseg.core.cohort.table import read_cohort
from napari_necroseg.core.errors import CohortError, FileError
from napari_necroseg.core.events import Event, Finished, Progress, Warned, to_record

Make = Callable[..., Path]
AFFINE = np.diag((-4.0, -0.9, -0.8, 1.0))
REAL_DATA = Path(__file__).parents[4] / "shared" / "data"
needs_real_data = pytest.mark.skipif(not REAL_DATA.is_dir(), reason="the real images are not on this machine")


def result_of(root: Path, out: Path | None = None) -> Prepared:
    *_, last = prepare(root, out=out)
    assert isinstance(last, Finished)
    return last.result


def write(path: Path, voxels: np.ndarray, affine: np.ndarray = AFFINE) -> None:
    nibabel.save(nibabel.Nifti1Image(voxels, affine), path)


@pytest.fixture
def study(make_study: Make) -> Path:
    return make_study(
        "a/ceT1.nii.gz", "a/T2.nii.gz", "a/necrosis.nii.gz", "a/tumour.nii.gz",
        "b/ceT1.nii.gz", "b/T2.nii.gz", "b/necrosis.nii.gz",
    )  # fmt: skip


def edit(study: Path, *changes: tuple[str, str]) -> str:
    """Replace text in the table, as a person would; return the new text."""
    text = (study / "cohort.csv").read_text("utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (study / "cohort.csv").write_text(text, encoding="utf-8")
    return text


def test_the_table_is_written_and_described(study: Path) -> None:
    events = list(prepare(study))
    assert isinstance(events[-1], Finished)
    prepared = events[-1].result
    assert (prepared.cohort, prepared.cases, prepared.problems) == (study / "cohort.csv", 2, ())
    assert (study / "cohort.csv").read_text("utf-8").splitlines() == [
        "case,ceT1,T2,reference,tumour,patient,days_since_rfa,fold,status",
        "a,a/ceT1.nii.gz,a/T2.nii.gz,a/necrosis.nii.gz,a/tumour.nii.gz,,,,",
        "b,b/ceT1.nii.gz,b/T2.nii.gz,b/necrosis.nii.gz,,,,,",
    ]
    assert str(prepared).splitlines()[:3] == [
        "case  ceT1  T2   reference  tumour",
        "a     yes   yes  yes        yes",
        "b     yes   yes  yes        -",
    ]
    assert [event.message for event in events if isinstance(event, Progress)][-2:] == [
        "checking a",
        "checking b",
    ]
    record = to_record(events[-1])
    assert json.loads(json.dumps(record))["cases"] == 2


def test_problems_are_warned_of_and_listed(study: Path) -> None:
    (study / "b/T2.nii.gz").unlink()
    events: list[Event] = list(prepare(study))
    warned = tuple(event.message for event in events if isinstance(event, Warned))
    assert warned == ("No T2 image was found for b.",)
    assert isinstance(events[-1], Finished)
    assert events[-1].result.problems == warned


def test_paths_are_relative_to_a_table_elsewhere(study: Path, tmp_path: Path) -> None:
    prepared = result_of(study, tmp_path / "tables" / "mine.csv")
    assert "a,../study/a/ceT1.nii.gz,../study/a/T2.nii.gz" in prepared.cohort.read_text("utf-8")
    assert read_cohort(prepared.cohort)["a"].sequences[Sequence.T2].samefile(study / "a/T2.nii.gz")
    assert not (study / "cohort.csv").exists()


def test_a_folder_as_out_gets_the_table(study: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert result_of(study, tmp_path / "out").cohort == tmp_path / "out" / "cohort.csv"


def test_no_case_writes_nothing_and_says_what_is_understood(make_study: Make) -> None:
    root = make_study("T1.nii.gz", "T2.nii.gz", "vertebrae.nii.gz")
    events: list[Event] = []
    with pytest.raises(
        CohortError, match=r"no table was written\. .*T1\.nii\.gz looks like .* This program understands"
    ):
        events.extend(prepare(root))
    assert not (root / "cohort.csv").exists()


def test_closing_before_the_end_writes_nothing(study: Path) -> None:
    job = prepare(study)
    for event in job:
        if isinstance(event, Progress) and event.message == "checking b":
            job.close()
    assert not (study / "cohort.csv").exists()


# What is checked of the files


def test_a_damaged_cet1_leaves_the_case_out(study: Path) -> None:
    (study / "a/ceT1.nii.gz").write_bytes(b"not an image")
    prepared = result_of(study)
    assert read_cohort(study).names == ("b",)
    assert prepared.problems[0].startswith("a: ceT1.nii.gz is not a NIfTI file")
    assert prepared.problems[0].endswith("The case was left out.")


def test_a_damaged_t2_is_left_out_of_the_case(study: Path) -> None:
    write(study / "a/T2.nii.gz", np.zeros((3, 4, 5, 2), np.uint8))
    prepared = result_of(study)
    assert set(read_cohort(study)["a"].sequences) == {Sequence.CET1}
    assert prepared.problems[0].startswith("a: T2.nii.gz is 4-D")
    assert prepared.problems[0].endswith("It was left out of the case.")


def test_a_mask_with_several_labels_is_left_out_of_the_case(study: Path) -> None:
    write(study / "a/necrosis.nii.gz", np.arange(60, dtype=np.uint8).reshape(3, 4, 5) % 3)
    prepared = result_of(study)
    assert read_cohort(study)["a"].reference is None
    assert prepared.problems[0].startswith("a: necrosis.nii.gz has 2 labels (1, 2)")


def test_an_empty_mask_is_kept_and_named(study: Path) -> None:
    write(study / "a/necrosis.nii.gz", np.zeros((3, 4, 5), np.uint8))
    assert result_of(study).problems == ("a: necrosis.nii.gz: the mask is empty.",)
    assert read_cohort(study)["a"].reference is not None


def test_a_mask_on_another_grid_will_be_resampled(study: Path) -> None:
    mask = np.ones((3, 4, 5), np.uint8)
    moved = AFFINE.copy()
    moved[1, 3] = 0.45
    write(study / "a/necrosis.nii.gz", mask, moved)
    assert result_of(study).problems == (
        "a: a/necrosis.nii.gz is not on the grid of the ceT1 image and will be resampled onto it.",
    )


def test_the_same_grid_in_another_axis_order_needs_no_word(study: Path) -> None:
    voxels = np.ones((3, 4, 5), np.uint8)
    flipped = nibabel.Nifti1Image(voxels, AFFINE).as_reoriented([[2, 1], [0, -1], [1, 1]])
    nibabel.save(flipped, study / "a/necrosis.nii.gz")
    assert result_of(study).problems == ()


@pytest.mark.parametrize(
    ("shift_mm", "problem"),
    [
        (0.0, None),
        # Three slices of 4 mm: none, one, two, then all of them are uncovered.
        (4.0, None),
        (8.0, "a/T2.nii.gz covers only 33% of the ceT1 image"),
        (100.0, "a/T2.nii.gz does not overlap with the ceT1 image at all"),
    ],
)
def test_t2_must_overlap(study: Path, shift_mm: float, problem: str | None) -> None:
    moved = AFFINE.copy()
    moved[0, 3] = shift_mm
    write(study / "a/T2.nii.gz", np.ones((3, 4, 5), np.uint8), moved)
    problems = result_of(study).problems
    assert problems == () if problem is None else problems[0].startswith(f"a: {problem}")


def test_a_mask_that_cannot_be_brought_onto_the_image_has_no_part_outside_of_it(study: Path) -> None:
    placeless = nibabel.Nifti1Image(np.ones((3, 4, 5), np.uint8), None)
    nibabel.save(placeless, study / "a/necrosis.nii.gz")
    told = [one for one in result_of(study).problems if "necrosis" in one]
    assert any("cannot be brought onto the ceT1 image" in one for one in told)
    assert not any("lie outside" in one for one in told)


def test_a_tiff_pair_without_spacing_is_kept_with_advice(study: Path) -> None:
    (study / "c").mkdir()
    for name in ("ceT1.tif", "T2.tif"):
        tifffile.imwrite(study / "c" / name, np.ones((3, 4, 5), np.uint8), photometric="minisblack")
    prepared = result_of(study)
    assert read_cohort(study)["c"].sequences[Sequence.T2] == study / "c/T2.tif"
    assert any("Add a column spacing_mm to the table" in one for one in prepared.problems)


# Preparing again


def test_preparing_again_changes_nothing(study: Path) -> None:
    result_of(study)
    before = (study / "cohort.csv").stat().st_mtime_ns
    assert result_of(study).earlier is None
    assert (study / "cohort.csv").stat().st_mtime_ns == before
    assert [path.name for path in study.iterdir() if path.is_file()] == ["cohort.csv"]


def test_a_table_in_another_spelling_is_left_as_a_person_saved_it(study: Path) -> None:
    result_of(study)
    text = (study / "cohort.csv").read_text("utf-8").replace(",", ";").replace("\n", "\r\n")
    (study / "cohort.csv").write_text("\ufeff" + text, encoding="utf-8", newline="")
    before = (study / "cohort.csv").read_bytes()
    result_of(study)
    assert (study / "cohort.csv").read_bytes() == before


def test_what_a_person_wrote_stays_when_cases_are_added(study: Path, make_study: Make) -> None:
    result_of(study)
    edited = edit(
        study,
        ("fold,status\n", "fold,status,comment\n"),
        ("a/tumour.nii.gz,,,,", "a/tumour.nii.gz,P7,2,1,reviewed,nice"),
        ("b,b/ceT1", "Miller,b/ceT1"),
    )
    make_study("c/ceT1.nii.gz")
    prepared = result_of(study)
    assert (study / "cohort.csv").read_text("utf-8").splitlines() == [
        "case,ceT1,T2,reference,tumour,patient,days_since_rfa,fold,status,comment",
        "a,a/ceT1.nii.gz,a/T2.nii.gz,a/necrosis.nii.gz,a/tumour.nii.gz,P7,2,1,reviewed,nice",
        "Miller,b/ceT1.nii.gz,b/T2.nii.gz,b/necrosis.nii.gz,,,,,,",
        "c,c/ceT1.nii.gz,,,,,,,,",
    ]
    assert prepared.earlier == study / "cohort.csv.bak-1"
    assert prepared.earlier.read_text("utf-8") == edited
    make_study("d/ceT1.nii.gz")
    assert result_of(study).earlier == study / "cohort.csv.bak-2"


def test_semicolons_stay_semicolons_when_cases_are_added(study: Path, make_study: Make) -> None:
    result_of(study)
    edit(study, (",", ";"))
    make_study("c/ceT1.nii.gz")
    result_of(study)
    assert (study / "cohort.csv").read_text("utf-8").splitlines()[-1] == "c;c/ceT1.nii.gz;;;;;;;"


def test_rows_that_a_person_added_or_pointed_elsewhere_stay(study: Path, make_study: Make) -> None:
    result_of(study)
    elsewhere = make_study("x/scan.nii.gz", "x/other.nii.gz", at="elsewhere")
    with (study / "cohort.csv").open("a", encoding="utf-8") as table:
        table.write("X,../elsewhere/x/scan.nii.gz,,,,,,,\n")
    edit(study, ("b,b/ceT1.nii.gz,", "b,../elsewhere/x/other.nii.gz,"))
    prepared = result_of(study)
    cohort = read_cohort(study)
    assert cohort.names == ("a", "b", "X")
    assert cohort["b"].sequences[Sequence.CET1].samefile(elsewhere / "x/other.nii.gz")
    assert prepared.problems == (
        "b: another ceT1 image was found than the table names; the row was left as it is.",
    )


def test_an_empty_cell_is_filled_with_a_word(study: Path) -> None:
    result_of(study)
    edit(study, ("b/T2.nii.gz", ""))
    assert result_of(study).problems == (
        "b: T2 was empty in the table and is now T2.nii.gz; empty it again if that was on purpose.",
    )
    assert Sequence.T2 in read_cohort(study)["b"].sequences


def test_a_choice_between_two_files_stays(study: Path, make_study: Make) -> None:
    make_study("a/roi.nii.gz")
    assert any("2 files could be its reference mask" in one for one in result_of(study).problems)
    edit(study, ("a/T2.nii.gz,,", "a/T2.nii.gz,a/roi.nii.gz,"))
    result_of(study)
    assert read_cohort(study)["a"].reference == study / "a/roi.nii.gz"


def test_a_new_session_of_a_known_patient_gets_its_fold(make_study: Make) -> None:
    name = "sub-01/ses-{0}/anat/sub-01_ses-{0}_ce-gd_T1w.nii.gz"
    root = make_study(name.format(1))
    result_of(root)
    edit(root, ("sub-01,,,", "sub-01,,3,"))
    make_study(name.format(2))
    result_of(root)
    assert {case.name: case.fold for case in read_cohort(root)} == {"sub-01_ses-1": 3, "sub-01_ses-2": 3}


def test_a_table_with_a_mistake_is_not_touched(study: Path, make_study: Make) -> None:
    result_of(study)
    edited = edit(study, ("b/necrosis.nii.gz,,,,,", "b/necrosis.nii.gz,,,,x,"))
    make_study("c/ceT1.nii.gz")
    with pytest.raises(
        CohortError, match=r"cannot be added to\. cohort\.csv, row 3 \(b\): fold is 'x'.*--out"
    ):
        result_of(study)
    assert (study / "cohort.csv").read_text("utf-8") == edited


def test_a_table_that_cannot_be_written_leaves_nothing(study: Path) -> None:
    (study / "file").write_text("", encoding="utf-8")
    with pytest.raises(FileError, match="is a file; choose a folder"):
        result_of(study, study / "file" / "cohort.csv")


# Real images


@needs_real_data
def test_the_sixteen_real_patients_are_paired(tmp_path: Path) -> None:
    prepared = result_of(REAL_DATA / "brain-necrosis", tmp_path / "cohort.csv")
    assert (prepared.cases, prepared.problems) == (16, ())
    assert all(one.has_t2 and one.has_reference and one.has_tumour for one in prepared.listing)
    cohort = read_cohort(prepared.cohort)
    assert cohort["case-07"].reference is not None
    assert cohort["case-07"].reference.samefile(REAL_DATA / "brain-necrosis/case-07/necrosis.nii.gz")


@needs_real_data
def test_the_real_spine_without_contrast_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match=r"T1\.nii\.gz looks like a T1 without contrast"):
        result_of(REAL_DATA / "lumbar-pair", tmp_path / "cohort.csv")
    assert not list(tmp_path.iterdir())
