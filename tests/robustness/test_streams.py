"""Standard output, error and input that are closed, full or read no more: the program works, or says so."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest
from tests.robustness.conftest import WRITTEN

from napari_necroseg.cli import main
from napari_necroseg.cli._console import present
from napari_necroseg.cli._names import READER_GONE
from napari_necroseg.core.events import CaseDone, Event, Progress, Started

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="shells and devices as Unix has them")

SCORE = ("score", str(WRITTEN / "case-1/necrosis.nii.gz"), str(WRITTEN / "predictions/fast/case-1.nii.gz"))


class Broken(io.StringIO):
    """A stream whose other end refuses."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error

    def write(self, _text: str) -> int:
        raise self.error


def shell(line: str) -> subprocess.CompletedProcess[str]:
    """Run a line in which $N is the program."""
    program = f"{sys.executable} -m napari_necroseg.cli"
    return subprocess.run(
        ["bash", "-c", line.replace("$N", program)], capture_output=True, text=True, check=False
    )


def test_a_reader_that_goes_away_ends_it_quietly() -> None:
    ended = shell(f"$N {' '.join(SCORE)} --json | head -c 10 > /dev/null; exit ${{PIPESTATUS[0]}}")
    assert ended.returncode == READER_GONE
    assert "Traceback" not in ended.stderr
    assert "Broken" not in ended.stderr
    assert "Exception" not in ended.stderr


def test_without_standard_error_the_work_is_done(tmp_path: Path) -> None:
    table = tmp_path / "scores.csv"
    ended = shell(f"$N {' '.join(SCORE)} --json --csv {table} 2>&- <&-")
    assert ended.returncode == 0
    assert json.loads(ended.stdout.splitlines()[-1])["event"] == "finished"
    assert table.read_text().startswith("case,dice")


def test_without_any_stream_the_work_is_done_and_no_file_gets_messages(tmp_path: Path) -> None:
    table = tmp_path / "scores.csv"
    assert shell(f"$N {' '.join(SCORE)} --csv {table} <&- >&- 2>&-").returncode == 0
    assert len(table.read_text().splitlines()) == 2


def test_a_full_standard_output_is_a_sentence_for_the_version_too() -> None:
    ended = shell("$N --version > /dev/full")
    assert ended.returncode == 2
    assert ended.stderr == (
        "necroseg: The output could not be written. No space left on device. Free some space or choose "
        "another folder.\n"
    )


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["score", "--help"]])
def test_help_that_nobody_reads_ends_quietly(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Broken(BrokenPipeError(32, "Broken pipe")))
    assert main(words) == READER_GONE


def test_a_full_standard_output_ends_the_job_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdout", Broken(OSError(28, os.strerror(28))))
    assert main([*SCORE, "--json"]) == 2
    assert "The output could not be written. No space left on device" in capsys.readouterr().err


def test_a_full_standard_error_does_not_stop_the_job(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stderr", Broken(OSError(28, os.strerror(28))))
    assert main([*SCORE, "--json"]) == 0
    assert '"event": "finished"' in capsys.readouterr().out


def test_json_that_has_nowhere_to_go_is_refused_before_the_work(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert main([*SCORE, "--json"]) == 2
    assert main([*SCORE]) == 0
    assert "--json has nowhere to write" in capsys.readouterr().err


NAME = "case-\N{GRINNING FACE}\x1b[2J\x9b\u202e\udce4"


def named() -> Generator[Event]:
    yield Started(message=f"Reading {NAME}.")
    yield Progress(done=1, total=2, message=NAME)
    yield CaseDone(case=NAME, done=1, total=1, seconds=0.1, path=Path(NAME))


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_any_name_passes_any_pipe_and_steers_no_terminal(
    monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding) for _ in range(2))
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    assert present(named, as_json=True) == 0
    printed, said = (stream.buffer.getvalue() for stream in (out, err))
    records = [json.loads(line) for line in printed.decode(encoding).splitlines()]
    assert [record["event"] for record in records] == ["started", "progress", "case"]
    assert records[-1]["case"] == NAME
    for text in (printed.decode(encoding), said.decode(encoding)):
        assert not any(sign in text for sign in "\x1b\x9b\u202e\udce4")
    assert said.decode(encoding).count("case-") == 4
