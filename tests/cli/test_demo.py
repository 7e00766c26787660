import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from napari_necroseg.cli import demo, main
from napari_necroseg.core.errors import ResourceError
from napari_necroseg.core.phantom.phantom import _centred_grid


def test_the_whole_demonstration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    coarse = _centred_grid((15, 118, 86), (4.0, 2.2, 2.2), turned=np.eye(3))
    monkeypatch.setattr("napari_necroseg.core.phantom.phantom._draw_grid", lambda generator: coarse)
    monkeypatch.setattr(demo, "N_CASES", 2)
    out = tmp_path / "demo"

    code = main(["demo", "--out", str(out), "--no-window", "--minutes", "0.05", "--json"])

    assert code == 0
    printed = capsys.readouterr()
    finished = json.loads(printed.out.splitlines()[-1])
    assert finished["event"] == "finished"
    for made in ("run", "prediction", "scores", "picture"):
        assert Path(finished[made]).exists()
    assert "not on patients" in json.loads(Path(finished["scores"]).read_text())["remark"]
    assert "numerical phantom, not on patients" in printed.err
    # The case that was predicted is not one that was learned.
    assert json.loads((Path(finished["run"]) / "run.json").read_text())["cases"] == ["phantom-01"]
    assert Path(finished["prediction"]).name == "phantom-02.nii.gz"
    assert Path(finished["picture"]).stat().st_size > 50_000


def test_a_window_whose_program_the_system_ends_is_told_in_a_sentence(tmp_path: Path, monkeypatch) -> None:
    ended = subprocess.CompletedProcess([], -9, stdout="", stderr="")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: ended)
    monkeypatch.setattr(demo, "has_display", lambda: True)
    window = demo._Window(cohort=tmp_path, case="a", prediction=tmp_path, model_folder=tmp_path)
    with pytest.raises(ResourceError, match="could not be drawn: its program ended with code -9"):
        list(window.draw(tmp_path / "window.png"))


def test_without_napari_there_is_no_picture_and_the_reason_is_told(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(demo, "find_spec", lambda name: None)
    window = demo._Window(cohort=tmp_path, case="a", prediction=tmp_path, model_folder=tmp_path)
    (warning,) = window.draw(tmp_path / "window.png")
    assert warning.message == (
        "napari is not installed, so no picture of its window was made; "
        'install it with: pip install "napari-necroseg[all]"'
    )
