"""The command open: what it hands to the window, and what it says without one."""

import subprocess
import sys
from pathlib import Path

import pytest

from napari_necroseg.cli import _window, main


@pytest.fixture
def started(monkeypatch):
    """Stand in for the window's program, and return the commands that start it."""
    commands = []

    def run(command, **_):
        commands.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setenv("DISPLAY", ":99")
    return commands


def test_the_window_gets_the_folders_that_are_named(
    tmp_path: Path, started, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["open", str(tmp_path), "--json"]) == 0
    assert started == [[sys.executable, "-m", "napari_necroseg.window", str(tmp_path)]]
    out, err = capsys.readouterr()
    assert '"event": "finished"' in out.splitlines()[-1]
    assert "The window was closed." in err


def test_a_folder_that_is_not_there_is_told_before_a_window_opens(tmp_path: Path, started, capsys) -> None:
    assert main(["open", str(tmp_path / "nothing")]) == 2
    assert not started
    assert capsys.readouterr().err == f"necroseg: There is no file or folder {tmp_path / 'nothing'}.\n"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems always have a screen")
def test_without_a_screen_one_sentence_and_exit_code_2(started, monkeypatch, capsys) -> None:
    monkeypatch.delenv("DISPLAY")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert main(["open"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("necroseg: There is no screen to open the window on")
    assert error.count("\n") == 1
    assert not started


def test_without_napari_one_sentence_and_exit_code_2(started, monkeypatch, capsys) -> None:
    monkeypatch.setattr(_window, "find_spec", lambda name: None)
    assert main(["open"]) == 2
    assert 'pip install "napari-necroseg[all]"' in capsys.readouterr().err
    assert not started


def test_a_window_that_fails_is_exit_code_2(monkeypatch, started, capsys) -> None:
    ended = subprocess.CompletedProcess([], -6)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: ended)
    assert main(["open"]) == 2
    assert "The window ended with code -6" in capsys.readouterr().err
