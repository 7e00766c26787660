"""Work in a thread of its own, of which only the newest piece matters."""

import threading
from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_necroseg.widgets.shared.messages import explain

Work = Callable[[], Any]

# How often an idle thread looks whether the program has ended without closing its dock.
_SECONDS_BETWEEN_LOOKS = 0.5


class Latest(QObject):
    """Does one piece of work at a time; what waits is replaced by what is asked for later.

    Results arrive in the thread of the screen and in the order in which they were asked for. After `forget`
    nothing arrives that was asked for before.
    """

    done = Signal(object)
    failed = Signal(str)

    def __init__(self, parent: QObject | None = None, *, thread: str = "necroseg-preview") -> None:
        super().__init__(parent)
        self._thread_name = thread
        self._box = _Mailbox()
        self._number = 0
        self._oldest = 0
        # The thread holds it, so that it outlives this object if the thread does.
        self._post = _Post()
        self._post.made.connect(self._on_made)
        self._post.broke.connect(self._on_broke)

    @property
    def is_busy(self) -> bool:
        """Whether work is under way, or waits."""
        return self._box.is_busy

    def ask(self, work: Work) -> None:
        """Have a piece of work done next, in place of one that waits."""
        self._number += 1
        self._box.put((self._number, work))
        if not self._box.is_served:
            self._box.is_served = True
            # No daemon: torch and numba abort the program when it ends in the middle of what they do.
            thread = threading.Thread(target=_serve, args=(self._box, self._post), name=self._thread_name)
            thread.start()

    def forget(self) -> None:
        """Let nothing arrive of what was asked for so far."""
        self._oldest = self._number + 1
        self._box.put(None)

    def stop_flag(self) -> Callable[[], None]:
        """Return a function that ends the thread and needs no living Qt object."""
        return self._box.close

    def _on_made(self, number: int, result: Any) -> None:
        if number >= self._oldest:
            self.done.emit(result)

    def _on_broke(self, number: int, error: Exception) -> None:
        if number >= self._oldest:
            self.failed.emit(explain(error))


def _is_program_ending() -> bool:
    return not threading.main_thread().is_alive()


class _Mailbox:
    """Holds at most one piece of work for the thread."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._waiting: tuple[int, Work] | None = None
        self._is_working = False
        self.is_closed = False
        self.is_served = False

    @property
    def is_busy(self) -> bool:
        with self._condition:
            return self._is_working or self._waiting is not None

    def put(self, work: tuple[int, Work] | None) -> None:
        with self._condition:
            self._waiting, self.is_closed = work, False
            self._condition.notify()

    def take(self) -> tuple[int, Work] | None:
        """Wait for work; None when the box is closed."""
        with self._condition:
            self._is_working = False
            while not (self._waiting is not None or self.is_closed or _is_program_ending()):
                self._condition.wait(_SECONDS_BETWEEN_LOOKS)
            work, self._waiting = self._waiting, None
            self._is_working = work is not None
            self.is_served = work is not None
            return work

    def close(self, *_: object) -> None:
        with self._condition:
            self._waiting, self.is_closed = None, True
            self._condition.notify()


class _Post(QObject):
    """Brings results from the thread to the screen."""

    made = Signal(int, object)
    broke = Signal(int, object)


def _serve(box: _Mailbox, post: _Post) -> None:
    """Do what is put into the box until it is closed; run in the thread."""
    while (task := box.take()) is not None:
        number, work = task
        try:
            made = work()
        except Exception as error:
            if not box.is_closed:
                post.broke.emit(number, error)
        else:
            if not box.is_closed:
                post.made.emit(number, made)
