import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_necroseg import __version__
from napari_necroseg.cli import main
from napari_necroseg.cli._names import COMMANDS, join_points


def run_in_process(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "napari_necroseg.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_version_is_printed() -> None:
    assert run_in_process("--version").stdout.strip() == f"necroseg {__version__}"


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("predict", "--help")])
def test_help_loads_neither_torch_nor_napari(arguments: tuple[str, ...]) -> None:
    heavy = {"torch", "napari", "nibabel", "scipy", "qtpy", "jinja2"} | (
        {"numpy"} if len(arguments) == 1 else set()
    )
    code = (
        "import sys\n"
        "from napari_necroseg.cli import main\n"
        f"try: main({list(arguments)!r})\n"
        "except SystemExit: pass\n"
        f"print(sorted({heavy!r} & set(sys.modules)), file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stderr.strip() == "[]"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])
    assert end.value.code == 0
    assert "--json" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["train"], ["score", "a"], ["train", "c", "--out"]])
def test_a_wrong_call_is_one_line_and_exit_code_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("given", "joined"),
    [
        (["--around", "-12,3,4"], ["--around=-12,3,4"]),
        (["--seed", "-1.5,-2,3e1"], ["--seed=-1.5,-2,3e1"]),
        (["--around=-12,3,4", "x"], ["--around=-12,3,4", "x"]),
        (["--out", "dir", "--json"], ["--out", "dir", "--json"]),
        (["--threshold", "-1"], ["--threshold", "-1"]),
    ],
)
def test_a_point_with_a_leading_minus_is_no_option(given: list[str], joined: list[str]) -> None:
    assert join_points(given) == joined


def test_a_mistake_of_the_user_is_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["score", str(tmp_path / "a.nii"), str(tmp_path / "b.nii")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("necroseg: There is no file or folder")


def test_json_lines_on_standard_output_and_text_on_standard_error(
    tmp_path: Path, write_image: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    mask = np.zeros((4, 20, 20), np.uint8)
    mask[1:3, 5:9, 5:9] = 1
    reference = write_image(tmp_path / "reference.nii.gz", mask)
    prediction = write_image(tmp_path / "case-a.nii.gz", np.zeros_like(mask))

    assert main(["score", str(reference), str(prediction), "--json"]) == 0

    out, err = capsys.readouterr()
    records = [json.loads(line) for line in out.splitlines()]
    assert [record["event"] for record in records] == ["started", "case", "finished"]
    case = records[1]
    assert (case["case"], case["dice"], case["sensitivity"], case["state"]) == ("case-a", 0.0, 0.0, "missed")
    assert case["prediction_ml"] == 0
    assert records[-1]["mean"]["dice"] == 0.0
    assert records[-1]["std"]["dice"] is None
    assert (records[-1]["missed"], records[-1]["false_alarms"]) == (1, 0)
    assert "missed" in err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for another process")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_command_is_exit_code_130_and_leaves_nothing(tmp_path: Path, sent: int) -> None:
    command = [sys.executable, "-m", "napari_necroseg.cli", "phantom", str(tmp_path / "out"), "--cases", "9"]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"}
    )
    assert process.stderr is not None
    process.stderr.readline()
    time.sleep(0.5)
    process.send_signal(sent)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in error
    assert "Traceback" not in error
    left = [path.name for path in tmp_path.rglob("*") if "unfinished" in path.name or path.suffix == ".csv"]
    assert left == []
