"""Folders as people and systems leave them: every command tells what is odd, and goes on with the rest."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest

from napari_necroseg.cli import main
from napari_necroseg.core.cohort.table import read_cohort

GOOD = ("case-01", "case-02")
CONTROLS = ("\x1b", "\x07", "\u202e")


def image(path: Path, *, is_mask: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = abs(hash(str(path))) % 2**32
    voxels = np.random.default_rng(seed).integers(0, 500, (6, 6, 4)).astype(np.int16)
    if is_mask:
        voxels = np.zeros((6, 6, 4), np.uint8)
        voxels[1:4, 1:4, 1:3] = 1
    nibabel.save(nibabel.Nifti1Image(voxels, np.diag((-0.9, -0.8, 4.0, 1.0))), path)


def case(folder: Path) -> None:
    image(folder / "ceT1.nii")
    image(folder / "T2.nii")
    image(folder / "necrosis.nii", is_mask=True)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    for name in GOOD:
        case(tmp_path / "study" / name)
    return tmp_path / "study"


Run = Callable[..., tuple[int, list[dict[str, object]], str]]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a command with ``--json``; return exit code, JSON lines, and what a person reads."""

    def run_command(*words: object) -> tuple[int, list[dict[str, object]], str]:
        code = main([*map(str, words), "--json"])
        said = capfd.readouterr()
        assert "Traceback" not in said.err
        assert not any(control in said.err + said.out for control in CONTROLS)
        return code, [json.loads(line) for line in said.out.splitlines()], said.err

    return run_command


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        (" case 3", "case 3"), ("case 3 ", "case 3"), ("\tcase 3", "case 3"), ("\u00a0case 3", "case 3"),
        ("case 3.", "case 3"), ("Mu\u0308ller", "M\u00fcller"), ("a;b", "a;b"), ("%s", "%s"),
    ],
)  # fmt: skip
def test_what_prepare_writes_can_be_read_by_all_others(
    study: Path, run: Run, folder: str, name: str, tmp_path: Path
) -> None:
    case(study / folder)
    assert run("prepare", study)[0] == 0
    assert set(read_cohort(study).names) == {*GOOD, name}
    image(tmp_path / "predictions" / f"{folder}.nii.gz", is_mask=True)
    code, lines, _ = run("score", study, tmp_path / "predictions")
    assert code == 0
    assert [line["case"] for line in lines if line["event"] == "case"] == [name]


@pytest.mark.parametrize(
    "folder",
    ["AUX", "com1", "a:b", "a,b", "a|b", "=cmd|'!A0'", "+1+1", "@SUM(1)", "-x", "a\nb", "a\tb", "a\x1b[2Jb",
     "a\u202eb", pytest.param("x" * 150, id="long"), pytest.param("\u9aa8" * 80, id="many bytes"),
     "\udcff", "M\udcfcller", "CASE-01", "case-01 ", "case-01 - Kopie",
     "#recycle", "$RECYCLE.BIN", ".Trash-1000"],
)  # fmt: skip
def test_a_folder_that_is_no_case_is_told_and_costs_none(study: Path, run: Run, folder: str) -> None:
    case(study / folder)
    code, lines, said = run("prepare", study)
    assert code == 0
    assert lines[-1]["cases"] == 2
    assert len(lines[-1]["problems"]) == 1
    assert "Note: " in said
    assert read_cohort(study).names == GOOD


@pytest.mark.parametrize(
    "name", ["=cmd|'!A0'", "+1+1", "@SUM(1)", "a\tb", "a\x1b[2Jb", "AUX", "\udcff", "a\nb"]
)
def test_a_mask_whose_name_no_case_can_have_is_in_no_table(tmp_path: Path, run: Run, name: str) -> None:
    for side in ("reference", "prediction"):
        image(tmp_path / side / f"{name}.nii.gz", is_mask=True)
        image(tmp_path / side / "good.nii.gz", is_mask=True)
    out = tmp_path / "out"
    code, lines, _ = run(
        "score", tmp_path / "reference", tmp_path / "prediction", "--export", out, "--csv", out / "x.csv"
    )
    assert code == 2
    assert [line["case"] for line in lines if line["event"] == "case"] == ["good"]
    assert [line["event"] for line in lines].count("failed") == 1
    for file in out.iterdir():
        text = file.read_text("utf-8")
        assert not any(control in text for control in (*CONTROLS, "\t"))
        if file.suffix == ".csv":
            assert all(line[0] not in "=+-@" for line in text.splitlines())


def test_links_and_errors_of_the_system_cost_no_case(study: Path, run: Run, tmp_path: Path) -> None:
    (study / "me").symlink_to("me")
    (study / "case-01" / "me.nii").symlink_to("me.nii")
    (study / "ring").symlink_to(study)
    (study / "gone.nii").symlink_to(tmp_path / "nowhere.nii")
    os.mkfifo(study / "case-02" / "T2_2.nii")
    code, lines, _ = run("prepare", study)
    assert (code, lines[-1]["cases"], len(lines[-1]["problems"])) == (0, 2, 5)
    masks = tmp_path / "masks"
    image(masks / "a.nii", is_mask=True)
    (masks / "b.nii").symlink_to("b.nii")
    (masks / "@eaDir").mkdir()
    code, lines, said = run("score", masks, masks)
    assert code == 0
    assert "b.nii: it is a link that leads back to itself" in said
