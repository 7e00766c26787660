"""One process at a time: a file that is locked while something is done in a folder."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from napari_necroseg.core.errors import FileError, ResourceError
from napari_necroseg.core.io.atomic import make_folder
from napari_necroseg.core.io.journal import lock

_SECONDS_BETWEEN_TRIES = 0.2


@contextmanager
def alone(
    path: Path, what: str, *, wait_s: float = 0.0, stop: threading.Event | None = None
) -> Iterator[None]:
    """Keep others from entering a context of the same file, on this computer or on others that share it.

    The system frees the file when the process ends, however it ends. Where it knows no locks, all may enter.

    Parameters
    ----------
    path
        The file; it is gone afterwards.
    what
        What is being done, for the message.
    wait_s, stop
        How long to wait for another process, unless it is set.

    Raises
    ------
    FileError
        If another process is within.
    ResourceError
        If the file cannot be made.
    """
    make_folder(path.parent)
    deadline = time.monotonic() + wait_s
    while (file := _taken(path)) is None:
        if time.monotonic() >= deadline or (stop is not None and stop.is_set()):
            raise FileError(
                f"{what} is under way in another window or program; wait for it, or stop it there."
            )
        time.sleep(_SECONDS_BETWEEN_TRIES)
    with file:
        try:
            yield
        finally:
            if os.name != "nt":
                # While it is still locked. Windows removes no open file, so there it stays.
                path.unlink(missing_ok=True)


def is_taken(path: Path) -> bool:
    """Whether another process is within a context of this file; False where the system knows no locks."""
    if not path.exists():
        return False
    try:
        file = _taken(path)
    except ResourceError:
        return False
    if file is None:
        return True
    file.close()
    return False


def _taken(path: Path) -> FileIO | None:
    """Lock the file, and return it; None if another process has it, or took it away meanwhile."""
    try:
        file = FileIO(path, "a")
    except OSError as error:
        raise ResourceError(f"{path} could not be written: {error.strerror}.") from error
    try:
        lock(file)
        if os.path.samestat(os.fstat(file.fileno()), path.stat()):
            return file
    except (FileError, FileNotFoundError):
        pass
    file.close()
    return None
