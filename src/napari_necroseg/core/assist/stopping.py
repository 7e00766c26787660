"""How a computation that nobody waits for any more comes to an end: it asks between its stages."""

import threading


class Stopped(Exception):  # noqa: N818 - nothing went wrong
    """The computation was asked to stop; raised and caught within the package."""


def go_on(stop: threading.Event | None) -> None:
    """Return, unless the computation is to stop.

    Raises
    ------
    Stopped
        If `stop` is set.
    """
    if stop is not None and stop.is_set():
        raise Stopped
