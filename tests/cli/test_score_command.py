"""``necroseg score``: its options reach the core, and what they write or print is what was asked for."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_necroseg.cli import main
from napari_necroseg.core.scoring.figures import keep_foreign

WriteImage = Callable[..., Path]


@pytest.fixture
def folders(tmp_path: Path, write_image: WriteImage) -> dict[str, Path]:
    """Two cases: a reference, two sets of predictions, and a second reader; moved by so many columns."""
    moved = {"reference": (0, 0), "first": (5, 5), "other": (2, 1), "reader": (1, 0)}
    for folder, columns in moved.items():
        for number, shift in enumerate(columns):
            mask = np.zeros((8, 30, 30), np.uint8)
            mask[2:5, 10:20, 5 + shift : 15 + shift] = 1
            write_image(tmp_path / folder / f"case-{number}.nii.gz", mask)
    return {name: tmp_path / name for name in moved}


def last_line(text: str) -> dict:
    return json.loads(text.splitlines()[-1])


def test_other_predictions_are_compared(folders, capsys) -> None:
    arguments = [str(folders[name]) for name in ("reference", "first")]
    assert main(["score", *arguments, "--against", str(folders["other"]), "--json"]) == 0
    finished = last_line(capsys.readouterr().out)
    (comparison,) = finished["comparisons"]
    dice = comparison["changes"][0]
    assert (comparison["other"], dice["score"], dice["better"], dice["worse"]) == ("other", "dice", 2, 0)
    assert dice["median_difference"] == pytest.approx(0.35)
    assert finished["mean"]["dice"] == pytest.approx(0.5)
    assert finished["against_second_reader"] is None


def test_a_second_reader_is_compared_and_the_predictions_are_scored_against_her(folders, capsys) -> None:
    arguments = [str(folders[name]) for name in ("reference", "first")]
    assert main(["score", *arguments, "--second-reader", str(folders["reader"]), "--json"]) == 0
    captured = capsys.readouterr()
    finished = last_line(captured.out)
    assert finished["comparisons"][0]["other"] == "second reader"
    assert finished["against_second_reader"]["mean"]["dice"] == pytest.approx((0.6 + 0.5) / 2)
    assert "against the second reader" in captured.err


def test_an_export_has_tables_and_how_they_were_made(folders, tmp_path) -> None:
    arguments = [str(folders[name]) for name in ("reference", "first")]
    assert main(["score", *arguments, "--export", str(tmp_path / "out"), "--tolerance-mm", "1"]) == 0
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {"cases.csv", "scores.csv", "scores.json", "scores.md"}
    assert json.loads((tmp_path / "out" / "scores.json").read_text())["nsd_tolerance_mm"] == 1


def test_two_sets_of_one_name_are_refused(folders, tmp_path, capsys) -> None:
    twin = tmp_path / "elsewhere" / "other"
    twin.mkdir(parents=True)
    (twin / "case-0.nii.gz").write_bytes((folders["other"] / "case-0.nii.gz").read_bytes())
    sets = ["--against", str(folders["other"]), "--against", str(twin)]
    assert main(["score", str(folders["reference"]), str(folders["first"]), *sets]) == 2
    assert "same name" in capsys.readouterr().err


def test_a_set_that_is_not_there_is_told_before_anything_is_scored(folders, tmp_path, capsys) -> None:
    arguments = [str(folders[name]) for name in ("reference", "first")]
    assert main(["score", *arguments, "--against", str(tmp_path / "nowhere")]) == 2
    captured = capsys.readouterr().err
    assert "no file or folder" in captured
    assert "Dice" not in captured


def test_a_case_without_a_prediction_is_named_and_strict_refuses_it(folders, capsys) -> None:
    (folders["first"] / "case-1.nii.gz").unlink()
    arguments = ["score", str(folders["reference"]), str(folders["first"]), "--json"]
    assert main(arguments) == 0
    captured = capsys.readouterr()
    finished = last_line(captured.out)
    assert (finished["event"], finished["without_prediction"]) == ("finished", ["case-1"])
    assert finished["without_reference"] == []
    assert "1 of the 2 cases with a reference has a prediction; without one: case-1." in captured.err
    assert main([*arguments, "--strict"]) == 2
    captured = capsys.readouterr()
    assert last_line(captured.out)["without_prediction"] == ["case-1"]
    assert "--strict" in captured.err.splitlines()[-1]


@pytest.mark.parametrize("lacking", ["reference", "first", "other", "reader"])
def test_strict_refuses_whatever_is_not_in_pairs(folders, lacking) -> None:
    arguments = ["score", str(folders["reference"]), str(folders["first"]), "--strict"]
    arguments += ["--against", str(folders["other"]), "--second-reader", str(folders["reader"])]
    assert main(arguments) == 0
    (folders[lacking] / "case-1.nii.gz").unlink()
    assert main(arguments) == 2


def test_twins_are_refused_and_the_others_scored(folders, capsys) -> None:
    (folders["first"] / "case-1.nii").write_bytes(b"whatever")
    assert main(["score", str(folders["reference"]), str(folders["first"]), "--json"]) == 2
    finished = last_line(capsys.readouterr().out)
    assert (finished["scored"], list(finished["failed"])) == (1, ["case-1"])


def test_another_set_that_cannot_be_read_ends_with_exit_code_two(folders, capsys) -> None:
    (folders["other"] / "case-1.nii.gz").write_bytes(b"no image")
    arguments = ["score", str(folders["reference"]), str(folders["first"])]
    assert main([*arguments, "--against", str(folders["other"]), "--json"]) == 2
    captured = capsys.readouterr()
    assert last_line(captured.out)["comparisons"][0]["failed"].keys() == {"case-1"}
    assert "1 of the masks of other could not be scored (case-1)" in captured.err


def test_a_file_of_someone_else_is_kept_and_scores_of_before_are_replaced(folders, tmp_path, capsys) -> None:
    table, out = tmp_path / "mine.csv", tmp_path / "out"
    arguments = ["score", str(folders["reference"]), str(folders["first"])]
    arguments += ["--csv", str(table), "--export", str(out)]
    table.write_text("patient,remark\n1,mine\n")
    out.mkdir()
    # As a study has it.
    (out / "scores.csv").write_text("configuration,fold,seed,case,metric,region,value\n")
    (out / "scores.json").write_text('{"mine": 1}')
    assert main(arguments) == 0
    assert "is of another kind; it is kept as mine.csv.bak-1" in capsys.readouterr().err
    assert table.with_name("mine.csv.bak-1").read_text() == "patient,remark\n1,mine\n"
    kept = ["scores.csv.bak-1", "scores.json.bak-1"]
    names = ["cases.csv", "scores.csv", "scores.csv.bak-1", "scores.json", "scores.json.bak-1", "scores.md"]
    assert sorted(path.name for path in out.iterdir()) == names
    assert main(arguments) == 0
    assert "kept" not in capsys.readouterr().err
    assert sorted(path.name for path in out.iterdir() if "bak" in path.name) == kept


def test_the_table_that_is_scored_is_not_written_over(folders, tmp_path, write_case, capsys) -> None:
    write_case(tmp_path / "case-0")
    table = tmp_path / "cohort.csv"
    table.write_text("case,ceT1,reference\ncase-0,case-0/ceT1.nii.gz,case-0/necrosis.nii.gz\n")
    before = table.read_bytes()
    assert main(["score", str(tmp_path), str(folders["first"]), "--csv", str(table)]) == 2
    assert "which is to be scored; name another file for --csv" in capsys.readouterr().err
    assert table.read_bytes() == before


def test_scores_never_take_the_name_of_an_image(folders, tmp_path, capsys) -> None:
    mask = folders["first"] / "case-0.nii.gz"
    before = mask.read_bytes()
    for name in (mask, tmp_path / "new.TIF"):
        assert main(["score", str(folders["reference"]), str(folders["first"]), "--csv", str(name)]) == 2
        assert "is the name of an image" in capsys.readouterr().err
    assert mask.read_bytes() == before
    assert not (tmp_path / "new.TIF").exists()


def test_a_picture_of_someone_else_is_kept(folders, tmp_path, capsys) -> None:
    out = tmp_path / "figures"
    out.mkdir()
    (out / "boxes.png").write_bytes(b"a photograph")
    arguments = ["score", str(folders["reference"]), str(folders["first"]), "--figures", str(out)]
    assert main(arguments) == 0
    assert "boxes.png is of another kind; it is kept as boxes.png.bak-1." in capsys.readouterr().err
    assert (out / "boxes.png.bak-1").read_bytes() == b"a photograph"
    assert [path.name for path in out.glob("*.bak*")] == ["boxes.png.bak-1"]
    assert list(keep_foreign(out)) == []
