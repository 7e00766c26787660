import json
from pathlib import Path

import nibabel
import numpy as np
import pytest

from napari_necroseg.cli import main


@pytest.fixture
def study(tmp_path: Path) -> Path:
    for name in ("ceT1", "T2"):
        (tmp_path / "study" / "case-1").mkdir(parents=True, exist_ok=True)
        image = nibabel.Nifti1Image(np.ones((3, 4, 5), np.uint8), np.diag((-4.0, -0.9, -0.8, 1.0)))
        nibabel.save(image, tmp_path / "study" / "case-1" / f"{name}.nii.gz")
    return tmp_path / "study"


def test_the_table_goes_into_the_folder_unless_told_otherwise(study: Path) -> None:
    assert main(["prepare", str(study)]) == 0
    assert (study / "cohort.csv").is_file()


def test_out_and_json(study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "elsewhere" / "mine.csv"
    assert main(["prepare", str(study), "--out", str(out), "--json"]) == 0
    printed = capsys.readouterr()
    records = [json.loads(line) for line in printed.out.splitlines()]
    assert records[-1]["event"] == "finished"
    assert records[-1]["cohort"] == str(out)
    assert records[-1]["cases"] == 1
    assert records[-1]["problems"] == ["No reference mask was found for case-1."]
    assert "case-1  yes   yes  -" in printed.err
    assert out.read_text("utf-8").splitlines()[1].startswith("case-1,../study/case-1/ceT1.nii.gz,")


def test_a_users_mistake_is_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prepare", str(tmp_path / "none")]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("necroseg: There is no folder")
