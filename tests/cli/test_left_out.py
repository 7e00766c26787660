"""A case that is left out, and is known to the model all the same, is named by every command."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest

from napari_necroseg.cli import main

FEW = ["--steps", "1", "--batch-size", "1", "--threads", "1", "--sequences", "ceT1"]
HEADER = "case,ceT1,T2,reference,tumour,patient,days_since_rfa,fold,status"


def rescale(source: Path, target: Path) -> None:
    """Save the images of a case anew, in other intensities and another order of axes."""
    target.mkdir()
    shutil.copy(source / "necrosis.nii.gz", target)
    for name in ("ceT1", "T2"):
        image = nibabel.load(source / f"{name}.nii.gz")
        voxels = np.round(np.asarray(image.dataobj) * 1.7 + 35).astype(np.uint16)
        turned = nibabel.as_closest_canonical(nibabel.Nifti1Image(voxels, image.affine))
        nibabel.save(turned, target / f"{name}.nii.gz")


@pytest.fixture
def cohort(tmp_path: Path, write_case: Callable[..., Path]) -> Path:
    """b and a are of patient P1; d is another export of c; e is nobody's twin."""
    for seed, name in enumerate("abce"):
        write_case(tmp_path / name, seed=seed)
    rescale(tmp_path / "c", tmp_path / "d")
    patients = {"a": "P1", "b": "p1"}
    folds = {"a": 1, "b": 1, "c": 2, "d": 3, "e": 3}
    rows = [
        f"{n},{n}/ceT1.nii.gz,{n}/T2.nii.gz,{n}/necrosis.nii.gz,,{patients.get(n, '')},,{fold},"
        for n, fold in folds.items()
    ]
    (tmp_path / "cohort.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    return tmp_path


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def run(*words: object) -> str:
        assert main([*map(str, words)]) == 0
        return " ".join(capsys.readouterr().err.split())

    return run


BY_PATIENT = "of the same patient as a case that is trained on: a (as b)."
BY_IMAGE = "or with a copy in other intensities: d (as c)."


def test_the_whole_way_from_leaving_out_to_scores(
    cohort: Path, said: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    run, out = cohort / "run", cohort / "out"
    text = said("train", cohort, "--out", run, "--exclude", "a,d,e", *FEW)
    assert BY_PATIENT in text
    assert BY_IMAGE in text
    assert " e" not in text.partition("Left out")[2].partition("loss")[0]
    record = (run / "run.json").read_text()
    assert "P1" not in record
    assert len(json.loads(record)["patients_sha256"]) == 2

    text = said("predict", run, cohort, "--out", out, "--threads", "1")
    assert "1 of the 5 cases (a) is of a patient whom the model was trained on" in text
    known = {name: json.loads((out / f"{name}.json").read_text())["trained_on"] for name in "abcde"}
    assert known == {"a": "patient", "b": "image", "c": "image", "d": "image", "e": "no"}
    text = said("score", cohort, out)
    assert "(a) is of a patient whom the model was trained on: scores there are too good" in text
    assert "3 of the 5 cases (b, c, d) are among those that the model was trained on" in text

    # What it knew counts on in whatever goes on from it.
    tuned = cohort / "tuned"
    # Some of its own are scored meanwhile, which shows what it forgets, and are no news.
    text = said("train", cohort, "--out", tuned, "--from", run, "--cases", "e", *FEW)
    assert "known to the model that this goes on from: a." in text
    assert "known to the model that this goes on from: d." in text
    said("predict", tuned, cohort, "--out", cohort / "out-2", "--threads", "1")
    known = {n: json.loads((cohort / "out-2" / f"{n}.json").read_text())["trained_on"] for n in "abcde"}
    assert known == {"a": "patient", "b": "image", "c": "image", "d": "image", "e": "image"}

    # A study must not be scored on whom the model knows that it starts from.
    study = ("study", cohort, "--cases", "a,e", "--from", run, "--out", cohort / "s", "--folds", 2)
    choices = ("--configurations", "2d:ceT1", "--steps-per-run", 1, "--threads", 1, "--workers", 1)
    (cohort / "cohort.csv").write_text((cohort / "cohort.csv").read_text().replace(",3,", ",2,"))
    assert main([*map(str, (*study, *choices))]) == 2
    assert "a cannot test this network: it, or a model that it goes on from" in " ".join(
        capsys.readouterr().err.split()
    )


@pytest.mark.parametrize(
    "choice",
    [["--cases", "b,c"], ["--validate", "d", "--exclude", "a,e"]],
    ids=["cases", "validate"],
)
def test_a_plan_names_them_too(cohort: Path, said: Callable[..., str], choice: list[str]) -> None:
    text = said("plan", cohort, *choice, *FEW)
    assert BY_PATIENT in text
    assert BY_IMAGE in text


def test_the_fold_that_is_left_out_is_looked_at(cohort: Path, said: Callable[..., str]) -> None:
    text = said("train", cohort, "--out", cohort / "run", "--fold", "3/3", *FEW)
    assert BY_IMAGE in text
    assert "same patient" not in text


def test_a_study_refuses_a_copy_in_other_intensities(
    cohort: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = ["study", str(cohort), "--out", str(cohort / "s"), "--configurations", "2d:ceT1", "--dry-run"]
    assert main([*study, "--steps-per-run", "1"]) == 2
    assert "c and d hold the same image in other intensities" in capsys.readouterr().err


def test_nothing_is_said_of_a_clean_split(cohort: Path, said: Callable[..., str]) -> None:
    text = said("train", cohort, "--out", cohort / "run", "--exclude", "a,b,e", *FEW)
    assert "Left out" not in text
