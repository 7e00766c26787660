"""The single door to the disk: the program opens, writes, renames, locks and removes its files here only.

A test that needs a disk that is full, slow or forbidden replaces a method of `disk`:
``monkeypatch.setattr(files.disk, "fsync", slow)``. Code that writes a file piece by piece, as the journal
does, uses it as well: ``file = disk.open(path, "r+b")``, then ``disk.write(file, record)`` and
``disk.fsync(file)``.
"""

import errno
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import Any

from napari_necroseg.core.errors import FileError, ResourceError, unwritable

# On Windows nobody else can read a locked byte, so the lock is put on a byte beyond the end of any file: the
# last but one that every version of the C library can address.
LOCKED_BYTE = 2**31 - 2
_SECONDS_BETWEEN_TRIES = 0.2

# The content of our lock files; it tells one that a killed process left from other programs' files.
LOCK_MARK = b"napari-necroseg\n"


class Disk:
    """The calls that the program makes to the system; errors are the system's `OSError`."""

    def open(self, path: Path, mode: str) -> FileIO:
        """Open a file without buffering: once `write` returns, the system has the content."""
        return FileIO(path, mode)

    def read(self, file: FileIO) -> bytes:
        """Return the rest of a file, from the current position to the end."""
        return file.readall()

    def write(self, file: FileIO, content: bytes) -> None:
        """Write all of `content`."""
        left = memoryview(content)
        while left:
            taken = file.write(left)
            if not taken:
                # A disk that is nearly full takes a part, and reports that only when given the rest.
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            left = left[taken:]

    def fsync(self, file: FileIO) -> None:
        """Wait until the file is safe from a power cut."""
        os.fsync(file.fileno())

    def replace(self, source: Path, target: Path) -> None:
        """Give a file or folder its final name."""
        source.replace(target)

    def unlink(self, path: Path) -> None:
        """Remove a file."""
        path.unlink()

    def make_folder(self, path: Path) -> None:
        """Make a folder and its parents, unless they exist."""
        path.mkdir(parents=True, exist_ok=True)

    def lock(self, file: FileIO | int) -> bool | None:
        """Lock a file, or a folder by its descriptor, until it is closed.

        Returns False if another process holds the lock, and None where the drive has no locks.
        """
        if sys.platform == "win32":
            import msvcrt

            assert isinstance(file, FileIO)
            return _lock_byte(file, msvcrt)
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            # A network drive without locks.
            return None
        return True

    def share(self, folder: int) -> None:
        """Take a shared lock on a folder by its descriptor; wait while another process has it exclusively."""
        import fcntl

        fcntl.flock(folder, fcntl.LOCK_SH)


disk = Disk()


def _lock_byte(file: FileIO, msvcrt: Any) -> bool | None:
    """Lock a byte, as Windows has it; the position in the file stays the same."""
    position = file.tell()
    file.seek(LOCKED_BYTE)
    try:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    except PermissionError:
        return False
    except OSError:
        # A network drive without locks.
        return None
    finally:
        file.seek(position)
    return True


@contextmanager
def file_lock(
    path: Path, what: str, *, wait_s: float = 0.0, stop: threading.Event | None = None
) -> Iterator[None]:
    """Let one process at a time into this context, on this computer and on others that share the drive.

    The system frees the lock when the process ends, however it ends. On a drive without locks all may enter.

    `path`: the lock file; it is removed afterwards. `what`: the work that is protected, for the message.
    `wait_s`: how long to wait for another process. `stop`: ends the wait when it is set.
    Raises FileError if another process is inside. Raises ResourceError if the file cannot be made.
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
                # While it is still locked, so that nobody else's file is removed.
                path.unlink(missing_ok=True)
    if sys.platform == "win32":
        # Windows removes no open file, neither ours nor that of the next process inside.
        with suppress(OSError):
            path.unlink()


def is_locked(path: Path) -> bool:
    """Whether another process is inside a `file_lock` of this file; False on a drive without locks."""
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
    """Lock an open file until it is closed, so that nobody else writes it, if the drive has locks.

    Raises FileError if another window or program is writing it.
    """
    if disk.lock(file) is False:
        raise FileError(
            f"{Path(str(file.name)).name} is being worked on in another window or program; go on there."
        )


def _taken(path: Path) -> FileIO | None:
    """Lock the file and return it; None if another process holds it, or has removed it meanwhile."""
    try:
        file = disk.open(path, "ab")
    except OSError as error:
        raise unwritable(path, error) from error
    with suppress(FileNotFoundError):
        if disk.lock(file) is not False and os.path.samestat(os.fstat(file.fileno()), path.stat()):
            return file
    file.close()
    return None
