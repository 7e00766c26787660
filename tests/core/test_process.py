"""A job in another process: its events, its errors, its end, and what it does when nobody asks any more."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from pickle import PicklingError

import psutil
import pytest

from napari_necroseg.core.errors import ResourceError, SettingsError
from napari_necroseg.core.events import Event, Finished, Progress
from napari_necroseg.core.process import run_remotely

# Jobs are looked up by name in the other process: they must be functions that it can import.


def counting(_flags: object) -> Iterator[Event]:
    yield from (Progress(done=number, total=50, message="") for number in range(50))
    yield Finished(result=(os.getpid(), os.getpriority(os.PRIO_PROCESS, 0)))


def failing(_flags: object) -> Iterator[Event]:
    yield Progress(done=0, total=1, message="")
    raise SettingsError("alpha is wrong")


def crashing(_flags: object) -> Iterator[Event]:
    yield Progress(done=0, total=1, message="")
    print("something of a library", flush=True)  # noqa: T201  # as libraries do
    os._exit(7)


def obeying(flags: dict[str, threading.Event]) -> Iterator[Event]:
    """Run until told to stop; count in a file how often it was paused, and that it cleaned up."""
    yield Finished(result=os.getpid())
    try:
        while not flags["stop"].is_set():
            yield Progress(done=int(flags["pause"].is_set()), total=1, message="")
            time.sleep(0.01)
    finally:
        Path(os.environ["NECROSEG_TEST_FILE"]).write_text("cleaned up")


def deaf(_flags: object) -> Iterator[Event]:
    yield Finished(result=os.getpid())
    while True:
        time.sleep(1)


@pytest.fixture(autouse=True)
def _importable(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
    monkeypatch.setenv("NECROSEG_TEST_FILE", str(tmp_path / "cleaned"))


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_events_arrive_in_order_from_another_process_that_gives_way() -> None:
    events = list(run_remotely(counting, {}))
    assert [event.done for event in events[:-1]] == list(range(50))
    pid, niceness = events[-1].result
    assert pid != os.getpid()
    assert niceness == min(19, os.getpriority(os.PRIO_PROCESS, 0) + 5)
    assert is_gone(pid)


def test_an_error_is_raised_here_and_remembers_where_it_came_from() -> None:
    events = run_remotely(failing, {})
    assert next(events) == Progress(done=0, total=1, message="")
    with pytest.raises(SettingsError, match="alpha is wrong") as caught:
        next(events)
    assert "in failing" in "".join(caught.value.__notes__)


def test_a_process_that_ends_without_a_word_is_told_with_what_it_said_last() -> None:
    with pytest.raises(ResourceError, match=r"code 7.* It said last: something of a library"):
        list(run_remotely(crashing, {}))


def test_flags_are_kept_in_step_both_ways_and_a_stop_lets_it_clean_up(tmp_path) -> None:
    flags = {"stop": threading.Event(), "pause": threading.Event()}
    events = run_remotely(obeying, flags)
    pid = next(events).result
    for wanted in (1, 0):
        (flags["pause"].set if wanted else flags["pause"].clear)()
        next(event for event in events if event.done == wanted)
    flags["stop"].set()
    started = time.monotonic()
    assert all(isinstance(event, Progress) for event in events)
    assert time.monotonic() - started < 2
    assert (tmp_path / "cleaned").read_text() == "cleaned up"
    assert is_gone(pid)


def test_closing_it_ends_the_process_at_once() -> None:
    events = run_remotely(deaf, {"stop": threading.Event()})
    pid = next(events).result
    started = time.monotonic()
    events.close()
    assert time.monotonic() - started < 2
    assert is_gone(pid)


def test_a_job_that_does_not_heed_a_stop_is_gone_within_two_seconds() -> None:
    flags = {"stop": threading.Event()}
    events = run_remotely(deaf, flags)
    pid = next(events).result
    flags["stop"].set()
    started = time.monotonic()
    assert list(events) == []
    assert time.monotonic() - started < 2
    assert is_gone(pid)


def test_a_stop_before_it_has_begun_ends_it_at_once() -> None:
    flags = {"stop": threading.Event()}
    flags["stop"].set()
    started = time.monotonic()
    assert list(run_remotely(deaf, flags)) == []
    assert time.monotonic() - started < 1


def test_a_job_that_cannot_be_handed_over_is_an_error_and_does_not_hang() -> None:
    with pytest.raises((AttributeError, PicklingError)):
        list(run_remotely(lambda _flags: iter(()), {}))


def test_a_job_whose_asker_is_gone_ends_too(tmp_path) -> None:
    import subprocess
    import sys

    script = (
        "from test_process import obeying\n"
        "from napari_necroseg.core.process import run_remotely\n"
        "import os, threading\n"
        "events = run_remotely(obeying, {'stop': threading.Event()})\n"
        "print(next(events).result, flush=True)\n"
        "os._exit(1)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    pid = int(done.stdout)
    deadline = time.monotonic() + 10
    while not is_gone(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert is_gone(pid)
    assert not (tmp_path / "cleaned").exists()
