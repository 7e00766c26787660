"""File locks: one process at a time does something in a folder, or writes a file."""

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path

from napari_necroseg.core.disk import disk
from napari_necroseg.core.errors import FileError, ResourceError, unwritable

_SECONDS_BETWEEN_TRIES = 0.2
# By which a lock that a killed process left is told from other programs' files.
LOCK_MARK = b"napari-necroseg\n"


@contextmanager
def file_lock(
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
    try:
        disk.make_folder(path.parent)
    except OSError as error:
        raise unwritable(path.parent, error) from error
    deadline = time.monotonic() + wait_s
    while (file := _taken(path)) is None:
        if time.monotonic() >= deadline or (stop is not None and stop.is_set()):
            raise FileError(
                f"{what} is under way in another window or program; wait for it, or stop it there."
            )
        time.sleep(_SECONDS_BETWEEN_TRIES)
    with file:
        with suppress(OSError):
            if not os.fstat(file.fileno()).st_size:
                disk.write(file, LOCK_MARK)
        try:
            yield
        finally:
            if sys.platform != "win32":
                # While it is still locked.
                path.unlink(missing_ok=True)
    if sys.platform == "win32":
        # It removes no open file, neither this one's nor that of the next who came in.
        with suppress(OSError):
            path.unlink()


def is_locked(path: Path) -> bool:
    """Whether another process is within a `file_lock` of this file; False where there are no locks."""
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


def lock(file: FileIO) -> None:
    """Mark a file as being written, for as long as it is open; nothing where the system cannot.

    Raises
    ------
    FileError
        If another window or program is writing it.
    """
    if disk.lock(file) is False:
        raise FileError(
            f"{Path(str(file.name)).name} is being worked on in another window or program; go on there."
        )


def _taken(path: Path) -> FileIO | None:
    """Lock the file, and return it; None if another process has it, or took it away meanwhile."""
    try:
        file = disk.open(path, "ab")
    except OSError as error:
        raise unwritable(path, error) from error
    with suppress(FileNotFoundError):
        if disk.lock(file) is not False and os.path.samestat(os.fstat(file.fileno()), path.stat()):
            return file
    file.close()
    return None
