import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_necroseg.core.errors import CohortError, FileError
from napari_necroseg.core.events import CaseFailed, Finished, Warned
from napari_necroseg.core.scoring.files import CaseScored, find_pairs, read_scores, score_files

WriteImage = Callable[..., Path]


def cube(shape: tuple[int, int, int] = (8, 30, 30)) -> np.ndarray:
    mask = np.zeros(shape, np.uint8)
    mask[2:5, 10:20, 10:20] = 1
    return mask


def test_two_files_of_the_same_mask_score_one(tmp_path: Path, write_image: WriteImage) -> None:
    a, b = write_image(tmp_path / "a.nii.gz", cube()), write_image(tmp_path / "b.nii.gz", cube())

    events = list(score_files(find_pairs(a, b)))

    scored = next(event for event in events if isinstance(event, CaseScored))
    assert (scored.case, scored.result.dice, scored.result.state) == ("b", 1.0, "scored")
    assert isinstance(events[-1], Finished)
    assert events[-1].result.mean["dice"] == 1.0


def test_the_axis_order_of_a_file_does_not_matter(tmp_path: Path, write_image: WriteImage) -> None:
    affine = np.diag((-4.0, -0.9, -0.8, 1.0))
    reference = write_image(tmp_path / "a.nii.gz", cube(), affine)
    # The same voxels, stored with the first axis flipped and the affine saying so.
    flipped_affine = affine @ np.array([[-1, 0, 0, 7], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    prediction = write_image(tmp_path / "b.nii.gz", cube()[::-1].copy(), flipped_affine)

    scored = next(e for e in score_files(find_pairs(reference, prediction)) if isinstance(e, CaseScored))

    assert scored.result.dice == 1.0


def test_a_prediction_on_another_grid_is_resampled_and_that_is_said(
    tmp_path: Path, write_image: WriteImage
) -> None:
    reference = write_image(tmp_path / "a.nii.gz", cube())
    finer = np.repeat(cube(), 2, axis=1)
    # Rows of half the height, the first a quarter of a row above the first of the reference.
    affine = np.array([[-4.0, 0, 0, 0], [0, 0, -0.8, 0], [0, -0.45, 0, 0.225], [0, 0, 0, 1]])
    prediction = write_image(tmp_path / "b.nii.gz", finer, affine)

    events = list(score_files(find_pairs(reference, prediction)))

    assert any(isinstance(event, Warned) and "resampled" in event.message for event in events)
    assert next(e for e in events if isinstance(e, CaseScored)).result.dice == 1.0


def test_folders_are_paired_by_name_and_one_bad_file_stops_nothing(
    tmp_path: Path, write_image: WriteImage
) -> None:
    for name in ("one", "two"):
        write_image(tmp_path / "reference" / f"{name}.nii.gz", cube())
        write_image(tmp_path / "prediction" / f"{name}.nii.gz", cube())
    (tmp_path / "prediction" / "one.nii.gz").write_bytes(b"no image")
    table = tmp_path / "scores.csv"

    events = list(score_files(find_pairs(tmp_path / "reference", tmp_path / "prediction"), csv_path=table))

    assert [event.case for event in events if isinstance(event, CaseFailed)] == ["one"]
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["case"], row["dice"], row["state"]) for row in rows] == [("two", "1.0", "scored")]
    assert read_scores(table) == {
        event.case: event.result for event in events if isinstance(event, CaseScored)
    }


def test_a_cohort_is_scored_on_the_grid_of_its_ce_t1(
    tmp_path: Path, write_case: Callable[..., Path], write_image: WriteImage
) -> None:
    write_case(tmp_path / "case-a")
    (tmp_path / "cohort.csv").write_text(
        "case,ceT1,T2,reference\ncase-a,case-a/ceT1.nii.gz,case-a/T2.nii.gz,case-a/necrosis.nii.gz\n"
    )
    write_image(tmp_path / "out" / "case-a.nii.gz", np.zeros((6, 40, 36), np.uint8))

    pairs = find_pairs(tmp_path / "cohort.csv", tmp_path / "out")
    assert pairs == find_pairs(tmp_path, tmp_path / "out")
    events = list(score_files(pairs))

    scored = next(event for event in events if isinstance(event, CaseScored))
    assert (scored.result.dice, scored.result.state) == (0.0, "missed")


def test_what_does_not_fit_together_is_said(tmp_path: Path, write_image: WriteImage) -> None:
    mask = write_image(tmp_path / "a" / "one.nii.gz", cube())
    with pytest.raises(FileError, match="There is no file or folder"):
        find_pairs(mask, tmp_path / "absent.nii.gz")
    with pytest.raises(FileError, match="not a file and a folder"):
        find_pairs(mask, tmp_path)
    write_image(tmp_path / "b" / "two.nii.gz", cube())
    with pytest.raises(FileError, match="has the name of one in"):
        find_pairs(tmp_path / "a", tmp_path / "b")


def test_a_cohort_without_a_prediction_is_said(tmp_path: Path, write_case: Callable[..., Path]) -> None:
    write_case(tmp_path / "case-a")
    (tmp_path / "cohort.csv").write_text(
        "case,ceT1,reference\ncase-a,case-a/ceT1.nii.gz,case-a/necrosis.nii.gz\n"
    )
    with pytest.raises(CohortError, match="no prediction for any of the 1 cases"):
        find_pairs(tmp_path / "cohort.csv", tmp_path / "case-a")


def test_an_undefined_score_comes_back_undefined(tmp_path: Path, write_image: WriteImage) -> None:
    empty = write_image(tmp_path / "a.nii.gz", np.zeros_like(cube()))
    prediction = write_image(tmp_path / "b.nii.gz", cube())
    list(score_files(find_pairs(empty, prediction), csv_path=tmp_path / "scores.csv"))
    read = read_scores(tmp_path / "scores.csv")["b"]
    assert read.state == "false_alarm"
    assert np.isnan([read.dice, read.sensitivity, read.specificity_box]).tolist() == [False, True, True]
    assert read.reference_ml == 0
    assert read.prediction_ml > 0
