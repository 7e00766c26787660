from collections.abc import Callable
from pathlib import Path

import pytest

from napari_necroseg.core.cohort.layouts import entities_of
from napari_necroseg.core.cohort.prepare import prepare
from napari_necroseg.core.events import Finished

Make = Callable[..., Path]
CET1 = "sub-01/anat/sub-01_ce-gadolinium_T1w.nii.gz"
T2 = "sub-01/anat/sub-01_T2w.nii.gz"
MASKS = "derivatives/manual/sub-01/anat"


def rows_and_problems(root: Path) -> tuple[list[str], tuple[str, ...]]:
    *_, last = prepare(root)
    assert isinstance(last, Finished)
    return (root / "cohort.csv").read_text("utf-8").splitlines()[1:], last.result.problems


def test_images_and_masks_of_the_derivatives_are_paired(make_study: Make) -> None:
    necrosis = f"{MASKS}/sub-01_space-T1w_label-necrosis_dseg.nii.gz"
    tumour = f"{MASKS}/sub-01_label-tumor_mask.nii.gz"
    rows, problems = rows_and_problems(make_study(CET1, T2, necrosis, tumour))
    assert rows == [f"sub-01,{CET1},{T2},{necrosis},{tumour},,,,"]
    assert problems == ()


@pytest.mark.parametrize("agent", ["gd", "gadobutrol", "GADOLINIUM", "dotarem"])
def test_any_contrast_agent_makes_cet1(make_study: Make, agent: str) -> None:
    rows, _ = rows_and_problems(make_study(f"sub-01/anat/sub-01_acq-sag_ce-{agent}_T1w.nii.gz", T2))
    assert rows[0].startswith(f"sub-01,sub-01/anat/sub-01_acq-sag_ce-{agent}_T1w.nii.gz,")


@pytest.mark.parametrize("name", ["sub-02_T1w", "sub-02_ce-none_T1w"])
def test_a_t1w_without_contrast_is_not_taken(make_study: Make, name: str) -> None:
    root = make_study(CET1, T2, f"sub-02/anat/{name}.nii.gz", "sub-02/anat/sub-02_T2w.nii.gz")
    rows, problems = rows_and_problems(root)
    assert [row.split(",")[0] for row in rows] == ["sub-01"]
    assert problems[0].startswith("sub-02: no ceT1 image was found, so it was left out")
    assert problems[1].startswith(f"sub-02/anat/{name}.nii.gz looks like a T1 without contrast")


def test_sessions_are_cases_of_one_patient(make_study: Make) -> None:
    names = [
        f"sub-01/ses-{n}/anat/sub-01_ses-{n}_{what}.nii.gz" for n in (1, 2) for what in ("ce-gd_T1w", "T2w")
    ]
    mask = "derivatives/x/sub-01/ses-2/anat/sub-01_ses-2_desc-necrosis_mask.nii.gz"
    rows, problems = rows_and_problems(make_study(*names, mask))
    assert rows == [
        f"sub-01_ses-1,{names[0]},{names[1]},,,sub-01,,,",
        f"sub-01_ses-2,{names[2]},{names[3]},{mask},,sub-01,,,",
    ]
    assert problems == ("No reference mask was found for sub-01_ses-1.",)


def test_several_runs_are_ambiguous(make_study: Make) -> None:
    runs = [f"sub-02/anat/sub-02_ce-gd_run-{n}_T1w.nii.gz" for n in (1, 2)]
    rows, problems = rows_and_problems(make_study(CET1, T2, *runs))
    assert len(rows) == 1
    assert problems[0] == (
        f"sub-02: 2 files could be its ceT1 image ({runs[0]}, {runs[1]}), so the case was left out; keep "
        "one, or name it in the table."
    )


@pytest.mark.parametrize(
    ("mask", "reason"),
    [
        ("sub-01_desc-brain_mask", "looks like a mask, but nothing says that 'brain' is the necrosis zone"),
        ("sub-01_label-necrosis_desc-predicted_mask", "looks like a prediction"),
    ],
)
def test_masks_that_do_not_say_necrosis_are_not_taken(make_study: Make, mask: str, reason: str) -> None:
    rows, problems = rows_and_problems(make_study(CET1, T2, f"{MASKS}/{mask}.nii.gz"))
    assert rows == [f"sub-01,{CET1},{T2},,,,,,"]
    assert problems[0].startswith(f"{MASKS}/{mask}.nii.gz {reason}")


@pytest.mark.parametrize(
    ("folder", "column"),
    [
        ("necrosis/", 3),
        ("manual_masks/", 3),
        ("", 3),
        ("tumour/", 4),
        ("fmriprep/", None),
        ("predictions/", None),
    ],
)
def test_a_mask_without_a_label_is_what_its_folder_says(
    make_study: Make, folder: str, column: int | None
) -> None:
    mask = f"derivatives/{folder}sub-01/anat/sub-01_dseg.nii.gz"
    rows, problems = rows_and_problems(make_study(CET1, T2, mask))
    cells = rows[0].split(",")
    assert [n for n in (3, 4) if cells[n] == mask] == ([column] if column else [])
    assert any(problem.startswith(mask) for problem in problems) is (column is None)


def test_a_prediction_is_no_reference_whatever_its_label(make_study: Make) -> None:
    mask = "derivatives/nnunet-predictions/sub-01/anat/sub-01_label-necrosis_dseg.nii.gz"
    rows, _ = rows_and_problems(make_study(CET1, T2, mask))
    assert rows == [f"sub-01,{CET1},{T2},,,,,,"]


def test_a_mask_beside_the_images_is_judged_alike(make_study: Make) -> None:
    brain, necrosis = (f"sub-01/anat/sub-01_label-{what}_mask.nii.gz" for what in ("brain", "necrosis"))
    assert rows_and_problems(make_study(CET1, T2, brain, at="one"))[0] == [f"sub-01,{CET1},{T2},,,,,,"]
    assert rows_and_problems(make_study(CET1, T2, necrosis))[0] == [f"sub-01,{CET1},{T2},{necrosis},,,,,"]


def test_files_with_other_names_are_mentioned(make_study: Make) -> None:
    odd = f"{MASKS}/necrosis of sub-01.nii.gz"
    _, problems = rows_and_problems(make_study(CET1, T2, odd))
    assert problems[-1] == f"1 image was not needed, or not named like one that is: {odd}."


def test_images_among_the_derivatives_are_not_taken(make_study: Make) -> None:
    rows, problems = rows_and_problems(make_study(CET1, T2, f"{MASKS}/sub-01_ce-gd_desc-preproc_T1w.nii.gz"))
    assert rows == [f"sub-01,{CET1},{T2},,,,,,"]
    assert problems == ("No reference mask was found for sub-01.",)


def test_a_mask_without_its_images_is_named(make_study: Make) -> None:
    mask = "derivatives/x/sub-09/anat/sub-09_label-necrosis_mask.nii.gz"
    _, problems = rows_and_problems(make_study(CET1, T2, mask))
    assert f"{mask}: there are no images of its subject and session." in problems


def test_subject_folders_with_other_names_are_ordinary_cases(make_study: Make) -> None:
    rows, _ = rows_and_problems(make_study("sub-01/ceT1.nii.gz", "sub-01/T2.nii.gz"))
    assert rows == ["sub-01,sub-01/ceT1.nii.gz,sub-01/T2.nii.gz,,,,,,"]


def test_names_are_taken_apart() -> None:
    assert entities_of(Path("sub-01_ses-2_ce-gd_T1w.nii.gz")) == {
        "sub": "01",
        "ses": "2",
        "ce": "gd",
        "suffix": "T1w",
    }
    assert entities_of(Path("sub-01.nii.gz")) == {}
    assert entities_of(Path("T1w.nii.gz")) == {}
