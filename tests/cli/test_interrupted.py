"""What the command line says when it is interrupted."""

from collections.abc import Generator

import pytest

from napari_necroseg.cli._console import present
from napari_necroseg.cli._names import INTERRUPTED
from napari_necroseg.core.events import Checkpointed, Event, Started


def interrupted(*events: Event) -> Generator[Event]:
    yield from events
    raise KeyboardInterrupt


def test_what_was_learned_can_be_gone_on_with(capsys: pytest.CaptureFixture[str]) -> None:
    events = [Started(message="It begins."), Checkpointed(iteration=100), Checkpointed(iteration=1200)]
    assert present(lambda: interrupted(*events), as_json=False) == INTERRUPTED
    begun, ended = capsys.readouterr().err.splitlines()
    assert begun == "It begins."
    assert "what was learned in 1,200 iterations is kept; the same command with --resume goes on." in ended


def test_a_job_without_checkpoints_leaves_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert present(lambda: interrupted(Started(message="It begins.")), as_json=False) == INTERRUPTED
    assert "nothing half-written was left behind" in capsys.readouterr().err
