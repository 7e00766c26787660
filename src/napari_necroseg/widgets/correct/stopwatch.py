"""How long a person has worked: the time between one thing done and the next, without the pauses."""

import time
from collections.abc import Callable

# Who does nothing for so long does something else.
_LONGEST_S = 60.0


class Stopwatch:
    """Counts seconds of work.

    Parameters
    ----------
    clock
        Seconds that only go forwards.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: float | None = None
        self._seconds = 0.0

    def start(self) -> None:
        """Begin with nothing."""
        self._last, self._seconds = self._clock(), 0.0

    def touch(self) -> None:
        """Note that something was done; what was done long after the last thing counts a minute."""
        if self._last is not None:
            now = self._clock()
            self._seconds += min(now - self._last, _LONGEST_S)
            self._last = now

    def stop(self) -> float:
        """Return the seconds of work, and count no longer."""
        seconds, self._seconds, self._last = self._seconds, 0.0, None
        return seconds

    def lap(self) -> float:
        """Return the seconds of work, and begin again with nothing."""
        self.touch()
        seconds, self._seconds = self._seconds, 0.0
        return seconds
