import csv
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_necroseg.core.errors import CohortError, FileError
from napari_necroseg.core.events import CaseFailed, Finished, Warned
from napari_necroseg.core.grids.orient import to_working
from napari_necroseg.core.images.read import read_mask
from napari_necroseg.core.project.case_files import CaseOutput, write_case
from napari_necroseg.core.scoring.files import (
    CaseScored,
    ScoringOptions,
    other_pairs,
    score_files,
    score_pairs,
)
from napari_necroseg.core.scoring.pairs import find_pairs
from napari_necroseg.core.scoring.scores import SCORE_NAMES
from napari_necroseg.core.scoring.tables import read_scores
from napari_necroseg.core.volume import Volume

WriteImage = Callable[..., Path]


def cube(shape: tuple[int, int, int] = (8, 30, 30)) -> np.ndarray:
    mask = np.zeros(shape, np.uint8)
    mask[2:5, 10:20, 10:20] = 1
    return mask


def test_two_files_of_the_same_mask_score_one(tmp_path: Path, write_image: WriteImage) -> None:
    a, b = write_image(tmp_path / "a.nii.gz", cube()), write_image(tmp_path / "b.nii.gz", cube())

    events = list(score_files(a, b))

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

    scored = next(e for e in score_files(reference, prediction) if isinstance(e, CaseScored))

    assert scored.result.dice == 1.0


def test_a_prediction_on_another_grid_is_resampled_and_that_is_said(
    tmp_path: Path, write_image: WriteImage
) -> None:
    reference = write_image(tmp_path / "a.nii.gz", cube())
    finer = np.repeat(cube(), 2, axis=1)
    # Rows of half the height, the first a quarter of a row above the first of the reference.
    affine = np.array([[-4.0, 0, 0, 0], [0, 0, -0.8, 0], [0, -0.45, 0, 0.225], [0, 0, 0, 1]])
    prediction = write_image(tmp_path / "b.nii.gz", finer, affine)

    events = list(score_files(reference, prediction))

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

    events = list(score_files(tmp_path / "reference", tmp_path / "prediction", csv=table))

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
    events = list(score_pairs(pairs))

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
    list(score_files(empty, prediction, csv=tmp_path / "scores.csv"))
    read = read_scores(tmp_path / "scores.csv")["b"]
    assert read.state == "false_alarm"
    assert np.isnan([read.dice, read.sensitivity, read.specificity_box]).tolist() == [False, True, True]
    assert read.reference_ml == 0
    assert read.prediction_ml > 0


@pytest.fixture
def readers(tmp_path: Path, write_image: WriteImage) -> dict[str, Path]:
    """Folders of three cases: a reference, predictions of two runs, and a second reader."""
    shifts = {"reference": (0, 0, 0), "run-1": (4, 3, 2), "run-2": (1, 1, 1), "reader": (0, 1, 1)}
    for folder, of_case in shifts.items():
        for number, shift in enumerate(of_case):
            mask = np.roll(cube(), shift, axis=2)
            write_image(tmp_path / folder / f"case-{number}.nii.gz", mask)
    return {name: tmp_path / name for name in shifts}


def test_another_run_is_compared_on_the_same_references(readers: dict[str, Path]) -> None:
    pairs = find_pairs(readers["reference"], readers["run-1"])
    against = {"run-2": other_pairs(pairs, readers["reference"], other=readers["run-2"])}
    *_, last = score_pairs(pairs, ScoringOptions(against=against))
    (comparison,) = last.result.comparisons
    dice = comparison.changes[0]
    # Overlaps of 6, 7 and 8 columns of 10 against 9 each.
    assert (comparison.cases, dice.better, dice.worse) == (3, 3, 0)
    assert dice.median_difference == pytest.approx(0.2)
    assert [change.case for change in comparison.most_changed] == ["case-0", "case-1", "case-2"]
    assert "run-2 against the first, 3 cases" in str(last.result)
    assert last.result.against_second_reader is None


def test_a_second_reader_is_compared_and_judges_the_predictions(readers: dict[str, Path]) -> None:
    pairs = find_pairs(readers["reference"], readers["run-1"])
    reader = other_pairs(pairs, readers["reference"], other=readers["reader"])
    *_, last = score_pairs(pairs, ScoringOptions(second_reader=reader))
    (comparison,) = last.result.comparisons
    assert comparison.other == "second reader"
    # The second reader agrees with the first on 10, 9 and 9 columns, the predictions with her on 6, 8 and 9.
    assert comparison.changes[0].median_difference == pytest.approx(0.2)
    assert last.result.against_second_reader.mean["dice"] == pytest.approx((0.6 + 0.8 + 0.9) / 3)
    assert last.result.mean["dice"] == pytest.approx((0.6 + 0.7 + 0.8) / 3)


def test_a_file_of_another_set_that_cannot_be_read_is_left_out_and_said(readers: dict[str, Path]) -> None:
    (readers["run-2"] / "case-1.nii.gz").write_bytes(b"no image")
    pairs = find_pairs(readers["reference"], readers["run-1"])
    against = {"run-2": other_pairs(pairs, readers["reference"], other=readers["run-2"])}
    events = list(score_pairs(pairs, ScoringOptions(against=against)))
    assert events[-1].result.comparisons[0].cases == 2
    assert any(isinstance(event, Warned) and "run-2, case-1" in event.message for event in events)


def test_a_second_file_is_the_same_case_whatever_its_name(readers: dict[str, Path]) -> None:
    files = {name: folder / "case-0.nii.gz" for name, folder in readers.items()}
    renamed = files["reader"].rename(files["reader"].with_name("hers.nii.gz"))
    pairs = find_pairs(files["reference"], files["run-1"])
    reader = other_pairs(pairs, files["reference"], other=renamed)
    *_, last = score_pairs(pairs, ScoringOptions(second_reader=reader))
    assert last.result.comparisons[0].cases == 1
    assert last.result.against_second_reader.mean["dice"] == pytest.approx(0.6)


def test_the_export_says_how_it_was_made(readers: dict[str, Path], tmp_path: Path) -> None:
    pairs = find_pairs(readers["reference"], readers["run-1"])
    out = tmp_path / "export"
    *_, last = score_pairs(pairs, ScoringOptions(export=out, tolerance_mm=1.5))
    made = json.loads((out / "scores.json").read_text())
    case = made["cases"][0]
    assert made["nsd_tolerance_mm"] == 1.5
    assert case["prediction"]["sha256"] == hashlib.sha256(pairs[0].prediction.read_bytes()).hexdigest()
    assert (case["shape"], case["scores"]["dice"]) == ([8, 30, 30], pytest.approx(0.6))
    assert case["spacing_mm"] == pytest.approx([4.0, 0.9, 0.8])
    assert made["summary"]["mean"]["dice"] == pytest.approx(last.result.mean["dice"])
    assert set(made["versions"]) == {"napari-necroseg", "numpy", "scipy", "python"}
    with (out / "scores.csv").open(newline="") as file:
        rows = {(row["case"], row["metric"], row["region"]): row["value"] for row in csv.DictReader(file)}
    assert float(rows["case-1", "dice", "native"]) == pytest.approx(0.7)
    assert {region for case, metric, region in rows if metric == "specificity"} == {"native", "box", "patch"}
    assert len(rows) == 3 * len(SCORE_NAMES)
    assert read_scores(out / "cases.csv").keys() == {"case-0", "case-1", "case-2"}
    table = (out / "scores.md").read_text()
    assert "| Dice | 0.700 (0.600 to 0.800) | 0.700 | 0.100 | 0.650 to 0.750 |" in table
    assert "3 scored, 0 missed" in table


def test_infinite_and_undefined_scores_are_written_as_such(tmp_path: Path, write_image: WriteImage) -> None:
    write_image(tmp_path / "r" / "a.nii.gz", cube())
    write_image(tmp_path / "p" / "a.nii.gz", np.zeros_like(cube()))
    list(score_files(tmp_path / "r", tmp_path / "p", export=tmp_path / "out"))
    assert "a,hd95_mm,native,inf\n" in (tmp_path / "out" / "scores.csv").read_text()
    assert "| HD95, mm | ∞ | ∞ | - | ∞ to ∞ |" in (tmp_path / "out" / "scores.md").read_text()
    json.loads((tmp_path / "out" / "scores.json").read_text(), parse_constant=pytest.fail)


def test_cases_that_the_model_has_learned_from_are_named(tmp_path: Path, write_image: WriteImage) -> None:
    records = {
        "a": {"trained_on": "image"},
        "b": {"trained_on": "name"},
        "c": {"trained_on": "no", "case": "c", "model_cases": ["c"]},
        # As earlier versions wrote them.
        "d": {"case": "d", "model_cases": ["d", "x"]},
        "e": {"case": "e", "model_cases": ["x"]},
        "f": {"trained_on": ["image"]},
    }
    for name in (*records, "g", "h"):
        write_image(tmp_path / "reference" / f"{name}.nii.gz", cube())
        write_image(tmp_path / "prediction" / f"{name}.nii.gz", cube())
    for name, made in records.items():
        (tmp_path / "prediction" / f"{name}.json").write_text(json.dumps(made))
    (tmp_path / "prediction" / "g.json").write_text("[" * 100_000)
    pairs = find_pairs(tmp_path / "reference", tmp_path / "prediction")
    events = list(score_pairs(pairs, ScoringOptions(export=tmp_path / "out", against={"other": pairs})))
    assert isinstance(events[-1], Finished)
    said = (
        "1 of the 8 cases (a) is among those that the model was trained on: scores there are too good. "
        "2 of the 8 cases (b, d) have the name of a case that the model was trained on: if that is the same, "
        "scores there are too good."
    )
    assert said in str(events[-1].result)
    assert said in (tmp_path / "out" / "scores.md").read_text()
    assert [event.message for event in events if isinstance(event, Warned)] == [f"other: {said}"]
    made = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert [case["trained_on"] for case in made["cases"]] == [
        *("image", "name", "no", "name", "no"),
        *(None, None, None),
    ]


def test_a_mean_never_rises_because_a_case_has_no_prediction_without_that_being_said(
    readers: dict[str, Path], tmp_path: Path
) -> None:
    (readers["run-1"] / "case-0.nii.gz").unlink()
    (readers["run-1"] / "case-1.nii.gz").write_bytes(b"no image")
    pairs = find_pairs(readers["reference"], readers["run-1"])
    *_, last = score_pairs(pairs, ScoringOptions(export=tmp_path / "out"))
    said = (
        "2 of the 3 cases with a reference have a prediction; without one: case-0.",
        "1 of the 3 cases with a reference could not be scored: case-1.",
        "So the means are over 1 of the 3 cases.",
    )
    text, table = str(last.result), (tmp_path / "out" / "scores.md").read_text()
    assert all(words in text and words in table for words in said)
    summary = json.loads((tmp_path / "out" / "scores.json").read_text())["summary"]
    assert (summary["without_prediction"], summary["without_reference"]) == (["case-0"], [])
    assert (summary["with_reference"], list(summary["failed"])) == (3, ["case-1"])


def test_another_set_and_a_second_reader_tell_what_they_lack(readers: dict[str, Path]) -> None:
    (readers["run-2"] / "case-2.nii.gz").rename(readers["run-2"] / "x.nii.gz")
    (readers["reader"] / "case-0.nii.gz").unlink()
    pairs = find_pairs(readers["reference"], readers["run-1"])
    sets = {
        name: other_pairs(pairs, readers["reference"], other=readers[name]) for name in ("run-2", "reader")
    }
    options = ScoringOptions(against={"run-2": sets["run-2"]}, second_reader=sets["reader"])
    *_, last = score_pairs(pairs, options)
    run, reader = last.result.comparisons
    assert (run.cases, run.without_prediction, run.without_reference) == (2, ("case-2",), ("x",))
    assert "run-2: 2 of the 3 cases with a reference have a mask; without one: case-2." in str(last.result)
    assert reader.without_prediction == ("case-0",)
    judged = last.result.against_second_reader
    assert (judged.total, judged.without_reference) == (2, ("case-0",))
    assert "1 prediction belongs to no reference: case-0." in str(judged)


def test_twins_of_another_set_are_told_and_left_out(readers: dict[str, Path]) -> None:
    twin = readers["run-2"] / "case-1.nii"
    twin.write_bytes(b"whatever")
    pairs = find_pairs(readers["reference"], readers["run-1"])
    against = {"run-2": other_pairs(pairs, readers["reference"], other=readers["run-2"])}
    events = list(score_pairs(pairs, ScoringOptions(against=against)))
    assert list(events[-1].result.comparisons[0].failed) == ["case-1"]
    told = [event.message for event in events if isinstance(event, Warned)]
    assert told == [
        "run-2, case-1: not done. run-2 holds 2 files of this case (case-1.nii, case-1.nii.gz); keep "
        "the right one."
    ]


def test_masks_that_were_changed_or_corrected_are_named(tmp_path: Path, write_image: WriteImage) -> None:
    for name in ("a", "b", "c", "d"):
        write_image(tmp_path / "ref" / f"{name}.nii.gz", cube())
    origin = read_mask(tmp_path / "ref" / "a.nii.gz").origin
    for name in ("a", "b", "c"):
        record = {"case": name, "model": "m", "trained_on": "image", "corrected_by_hand": name == "b"}
        mask = to_working(Volume(cube(), origin.grid)).voxels
        path = tmp_path / "pred" / f"{name}.nii.gz"
        write_case(CaseOutput(path=path, mask=mask, origin=origin, record=record))
    write_image(tmp_path / "pred" / "c.nii.gz", np.roll(cube(), 1, axis=2))
    # Of d nothing is recorded, and nothing is said.
    write_image(tmp_path / "pred" / "d.nii.gz", cube())
    pairs = find_pairs(tmp_path / "ref", tmp_path / "pred")
    events = list(score_pairs(pairs, ScoringOptions(export=tmp_path / "out", against={"other": pairs})))
    summary = events[-1].result
    assert (summary.changed_since_written, summary.corrected_by_hand) == (("c",), ("b",))
    # What the record of c says is of another mask.
    assert summary.trained_on == {"a": "image", "b": "image", "c": None, "d": None}
    said = "1 of the 4 masks was changed after being written, by hand or by damage"
    assert f"{said}, so its record is not believed: c." in str(summary)
    assert "1 of the 4 masks was corrected by hand, and not scored as a model made it: b." in str(summary)
    assert said in (tmp_path / "out" / "scores.md").read_text()
    cases = json.loads((tmp_path / "out" / "scores.json").read_text())["cases"]
    assert [case["mask"] for case in cases] == ["as written", "as written", "changed", "unrecorded"]
    assert any(isinstance(one, Warned) and one.message.startswith(f"other: {said}") for one in events)
