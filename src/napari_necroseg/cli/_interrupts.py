"""Ctrl+C, and the end that a scheduler asks for: a sentence and exit code 130, from the first moment on."""

import os
import signal
import threading
import time
from types import FrameType, TracebackType

from napari_necroseg.cli import INTERRUPTED

# A wrapper that hands Ctrl+C on makes two of one.
_SECONDS_BETWEEN_TWO = 1.0
_NOTHING_BEGUN = "interrupted before anything was begun."
_AGAIN = "interrupted again; the next run into the same folder sweeps up what was being written."


class Interrupted(KeyboardInterrupt):
    """An interruption that was asked for.

    A plain one that comes through code from a text, as `dataclass` makes it, has Python end itself by SIGINT
    afterwards, whatever the exit code should be.
    """


class Interrupts:
    """What happens on SIGINT and SIGTERM while a command runs.

    Until the job begins the process ends at once: an exception in the middle of an import becomes whatever
    the imported package makes of it. From then on `Interrupted` is raised, so that the job cleans up; who
    asks again ends the process at once.

    Parameters
    ----------
    is_own_process
        Whether the process is this command's; if not, only exceptions are raised.
    """

    def __init__(self, *, is_own_process: bool) -> None:
        self.is_own_process = is_own_process
        self._said = _NOTHING_BEGUN
        self._leaves_at_once = is_own_process
        self._last_s = -_SECONDS_BETWEEN_TWO
        self._before: dict[int, object] = {}

    def __enter__(self) -> "Interrupts":
        if threading.current_thread() is threading.main_thread():
            self._before = {
                number: signal.signal(number, self._heed) for number in (signal.SIGINT, signal.SIGTERM)
            }
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.is_own_process:
            # All is done and said. Python's own end takes a moment, in which it would show a traceback, and
            # then takes our handlers away: only what is ignored stays so, and leaves the exit code alone.
            self._said, self._leaves_at_once = "", True
            if signal.SIGINT in self._before:
                signal.signal(signal.SIGINT, signal.SIG_IGN)
            return
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # as it came

    def begin(self) -> None:
        """Let the job clean up from here on: it may write."""
        self._leaves_at_once = False

    def _heed(self, _signal: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if now - self._last_s < _SECONDS_BETWEEN_TWO:
            return
        self._last_s = now
        if self._leaves_at_once:
            _say(self._said)
            os._exit(INTERRUPTED)
        self._said, self._leaves_at_once = _AGAIN, self.is_own_process
        raise Interrupted


def _say(text: str) -> None:
    """Write to standard error past Python's buffers, which the interrupted code may hold."""
    if text:
        try:
            os.write(2, f"necroseg: {text}\n".encode())
        except OSError:
            return
