"""Ctrl+C and SIGTERM: a sentence that is true and exit code 130, at whatever moment."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from tests.robustness.conftest import Command

from napari_necroseg.cli import train
from napari_necroseg.cli._interrupts import Interrupts
from napari_necroseg.cli._names import INTERRUPTED
from napari_necroseg.core.events import Event, Started

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for another process")

# Says when Python has begun with the program's own code, as the script `necroseg` does.
BEGIN = """
import sys
from napari_necroseg.cli import main
sys.stdout.write(".")
sys.stdout.flush()
sys.exit(main())
"""


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("seconds", [0.0, 0.1, 0.3])
def test_during_the_imports_it_is_a_sentence(sent: int, seconds: float) -> None:
    command = [sys.executable, "-c", BEGIN, "predict", "run", "absent.csv", "--out", "new"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.read(1)
    # The first thing that is done takes a moment.
    time.sleep(0.02 + seconds)
    process.send_signal(sent)
    _, said = process.communicate(timeout=60)
    assert "Traceback" not in said
    if process.returncode != -signal.SIGTERM:
        # Before a signal can be heeded, SIGTERM ends any program without a word.
        assert process.returncode in (INTERRUPTED, 2)
        assert said.startswith("necroseg: ")


def test_a_second_ctrl_c_of_the_same_moment_does_not_keep_the_job_from_cleaning_up() -> None:
    with Interrupts(is_own_process=False) as interrupts:
        interrupts.begin()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)


def test_signals_are_heeded_as_before_once_the_command_is_over() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with Interrupts(is_own_process=False):
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def interrupted(*_: Any, **__: Any) -> Generator[Event]:
    yield Started(message="It begins.")
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("run", "said"),
    [
        ("interrupted", "iterations is kept; the same command with --resume goes on."),
        ("new", "nothing half-written was left behind."),
    ],
)
def test_a_resumed_training_says_what_is_true_before_it_has_saved_anything(
    project: Path, command: Command, monkeypatch: pytest.MonkeyPatch, run: str, said: str
) -> None:
    from napari_necroseg.core.training import start

    monkeypatch.setattr(start, "train_planned", interrupted)
    ended = command("train", project / "cohort.csv", "--out", project / "models" / run, "--resume")
    assert ended.code == INTERRUPTED
    assert ended.last.endswith(said)


def test_a_training_that_was_done_is_not_said_to_be_lost(project: Path, command: Command) -> None:
    options = type("Options", (), {"out": project / "models/fast"})()
    assert train.train_left_behind(options).startswith("the training was done, and its model is in")


def test_a_study_says_that_it_goes_on(
    project: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_necroseg.core.study import experiment

    monkeypatch.setattr(experiment, "run_study", interrupted)
    ended = command("study", project / "cohort.csv", "--out", project / "study/first")
    assert ended.code == INTERRUPTED
    assert "what is done is kept" in ended.last
    assert ended.last.endswith("the same command goes on from there.")
