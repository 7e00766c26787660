"""Handles Ctrl+C and SIGTERM: a sentence and exit code 130, from the first moment on."""

import os
import signal
import threading
import time
from types import FrameType, TracebackType

from napari_necroseg.cli._names import INTERRUPTED

# A wrapper that passes Ctrl+C on makes two signals of one.
_SECONDS_BETWEEN_TWO = 1.0
_NOTHING_BEGUN = "interrupted before anything was begun."
_AGAIN = "interrupted again; the next run into the same folder sweeps up what was being written."


class Interrupted(KeyboardInterrupt):
    """An interruption by a signal.

    A plain KeyboardInterrupt that passes through code compiled from a string, as in a dataclass, makes Python
    end itself by SIGINT afterwards, whatever the exit code should be.
    """


class Interrupts:
    """Decides what SIGINT and SIGTERM do while a command runs.

    Until the job begins, they end the process at once: an imported package might swallow an exception. Then
    they raise `Interrupted`, so that the job cleans up; a second one ends the process at once.

    `is_own_process`: whether the process is this command's; if not, only exceptions are raised.
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

    def __exit__(  # noqa: PLR0917  # Python calls it
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.is_own_process:
            # The command is done. While Python shuts down, a signal would show a traceback, and Python
            # removes our handlers: only an ignored signal stays ignored, and leaves the exit code alone.
            self._said, self._leaves_at_once = "", True
            if signal.SIGINT in self._before:
                signal.signal(signal.SIGINT, signal.SIG_IGN)
            return
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # as it came

    def begin(self) -> None:
        """Let the job clean up from here on, since it may write files."""
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
    """Write to standard error past Python's buffers, whose lock the interrupted code may hold."""
    if text:
        try:
            os.write(2, f"necroseg: {text}\n".encode())
        except OSError:
            return
