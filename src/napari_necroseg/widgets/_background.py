"""A job in a thread that gives way to the screen."""

import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing

from napari_necroseg.core.events import Event

# Painting is then as fluent as without a training (benchmarks/window_while_training.py). With more, other
# programs that compute at the same time leave the training next to nothing.
_NICENESS = 5
_LEAST_PRIORITY = 19
_SECONDS_BETWEEN_LOOKS = 0.1


def giving_way(job: Callable[[], Iterator[Event]]) -> Iterator[Event]:
    """Run a job in a thread of its own and of lower priority, and yield its events.

    The priority is lower under Linux only. The thread is a new one, since under Linux no ordinary user may
    raise a priority again: a thread of Qt's pool would keep it, whatever it is used for next.

    Parameters
    ----------
    job
        Returns the generator of its events; it is run and closed in the thread. Its errors are raised here.
    """
    events: queue.SimpleQueue[Event | BaseException] = queue.SimpleQueue()
    is_unwanted = threading.Event()
    thread = threading.Thread(target=_run, args=(job, events, is_unwanted), daemon=True)
    thread.start()
    try:
        yield from _arriving(events, thread)
    finally:
        is_unwanted.set()
        thread.join()


def _arriving(
    events: "queue.SimpleQueue[Event | BaseException]", thread: threading.Thread
) -> Iterator[Event]:
    while thread.is_alive() or not events.empty():
        try:
            arrived = events.get(timeout=_SECONDS_BETWEEN_LOOKS)
        except queue.Empty:
            continue
        if isinstance(arrived, BaseException):
            raise arrived
        yield arrived


def _run(
    job: Callable[[], Iterator[Event]],
    events: "queue.SimpleQueue[Event | BaseException]",
    is_unwanted: threading.Event,
) -> None:
    """Run the job, in its thread; threads that torch starts from here inherit the priority."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        # Relative: a program that runs with a low priority already may not raise it.
        niceness = min(_LEAST_PRIORITY, os.getpriority(os.PRIO_PROCESS, thread) + _NICENESS)
        os.setpriority(os.PRIO_PROCESS, thread, niceness)
    try:
        with closing(job()) as generator:  # type: ignore[type-var]  # jobs are generators
            for event in generator:
                if is_unwanted.is_set():
                    return
                events.put(event)
    except BaseException as error:  # it is raised where the events are drawn
        events.put(error)
