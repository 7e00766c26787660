"""A job that gives way to the screen: in its own thread, niced, closed, and honest about its errors."""

import os
import sys
import threading
from collections.abc import Iterator

import pytest

from napari_necroseg.core.events import Event, Finished, Progress
from napari_necroseg.widgets._background import giving_way


def niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def test_events_arrive_in_order_and_the_last_one_is_not_lost() -> None:
    def job() -> Iterator[Event]:
        yield from (Progress(done=number, total=50, message="") for number in range(50))
        yield Finished(result="done")

    events = list(giving_way(job))
    assert [event.done for event in events[:-1]] == list(range(50))
    assert events[-1] == Finished(result="done")


@pytest.mark.skipif(sys.platform != "linux", reason="the priority of a thread is lowered under Linux only")
def test_only_the_thread_of_the_job_has_a_lower_priority() -> None:
    before = niceness()

    def job() -> Iterator[Event]:
        yield Finished(result=niceness())

    (event,) = giving_way(job)
    assert event == Finished(result=min(19, before + 5))
    assert niceness() == before


def test_an_error_of_the_job_is_raised_where_its_events_are_drawn() -> None:
    def job() -> Iterator[Event]:
        yield Progress(done=0, total=1, message="")
        raise RuntimeError("torch has no memory")

    events = giving_way(job)
    assert next(events) == Progress(done=0, total=1, message="")
    with pytest.raises(RuntimeError, match="torch has no memory"):
        next(events)


def test_closing_it_closes_the_job_and_ends_its_thread() -> None:
    was_closed = threading.Event()
    threads = []

    def job() -> Iterator[Event]:
        threads.append(threading.current_thread())
        try:
            while True:
                yield Progress(done=0, total=1, message="")
        finally:
            was_closed.set()

    events = giving_way(job)
    next(events)
    events.close()
    assert was_closed.is_set()
    assert not threads[0].is_alive()
