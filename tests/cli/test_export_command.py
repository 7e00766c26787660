"""``necroseg export``: exit codes, and what is printed."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from napari_necroseg.cli import main
from napari_necroseg.core.config import train_preset
from napari_necroseg.core.network.model import new_network, save_run
from napari_necroseg.core.project.model_folder import RunRecord


@pytest.fixture
def write_run(tmp_path: Path) -> Callable[..., Path]:
    """Write the model of a small network as it was drawn, untrained."""

    def write(dimension: str = "2d") -> Path:
        record = RunRecord(
            config=train_preset("fast", dimension),
            cases=("anna-smith", "b"),
            patch_shape=(8, 32, 32),
            widths=(4, 6),
            device="cpu",
            threads=1,
            iterations=0,
            seconds=0.0,
            loss=1.0,
            versions={},
        )
        save_run(tmp_path / "run", new_network(record.config, record.widths), record=record, history="")
        return tmp_path / "run"

    return write


@pytest.mark.parametrize("dimension", ["2d", "3d"])
def test_both_files_are_written_and_the_last_line_is_the_result(
    write_run: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], dimension: str
) -> None:
    out = tmp_path / "out"
    assert main(["export", str(write_run(dimension)), "--out", str(out), "--json"]) == 0
    printed = capsys.readouterr()
    result = json.loads(printed.out.splitlines()[-1])
    assert (result["event"], result["model"], result["card"]) == (
        "finished",
        str(out / "model.onnx"),
        str(out / "model_card.md"),
    )
    assert 0 <= result["difference"] <= 1e-4
    assert printed.err.splitlines()[-1].startswith(f"model.onnx and model_card.md are in {out}; ")
    assert "anna-smith" not in (out / "model_card.md").read_text(encoding="utf-8")


def refused(capsys: pytest.CaptureFixture[str], run: Path, out: Path, *, before: tuple[str, ...] = ()) -> str:
    """Check that nothing appears in `out`'s place; return the one line that says why."""
    assert main(["export", str(run), "--out", str(out)]) == 2
    assert (sorted(path.name for path in out.iterdir()) if out.exists() else []) == list(before)
    (line,) = capsys.readouterr().err.strip().splitlines()
    return line


def test_a_damaged_model_is_refused(
    write_run: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = write_run() / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    assert "its hash differs" in refused(capsys, tmp_path / "run", tmp_path / "out")
    (tmp_path / "run" / "run.json").unlink()
    assert "is damaged" in refused(capsys, tmp_path / "run", tmp_path / "out")
    assert "no trained model in" in refused(capsys, tmp_path / "nowhere", tmp_path / "out")


def test_a_folder_that_holds_something_is_refused(
    write_run: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run()
    files = ("history.csv", "run.json", "weights.safetensors")
    assert "is not empty" in refused(capsys, run, run, before=files)


def test_a_missing_onnxruntime_is_said_in_one_line(
    write_run: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    line = refused(capsys, write_run(), tmp_path / "out")
    assert "needs the package onnxruntime" in line
    assert line.endswith('pip install "napari-necroseg[export]"')


def test_an_interrupted_export_leaves_nothing(
    write_run: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("napari_necroseg.core.network.export.model_card", interrupt)
    assert main(["export", str(write_run()), "--out", str(tmp_path / "out")]) == 130
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
