"""The one way to the disk: all that the program opens, writes, renames, locks or removes of its own.

A test that wants a disk that is full, slow or forbidden puts a method of its own there:
``monkeypatch.setattr(files.disk, "fsync", slow)``. Whoever writes a file bit by bit, as the journal does,
asks for it there, too: ``file = disk.open(path, "r+b")``, then ``disk.write(file, record)`` and
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

# Windows lets nobody else read a locked byte, so one behind the end of any file is locked: the last but one
# that every version of its C library can name.
LOCKED_BYTE = 2**31 - 2
_SECONDS_BETWEEN_TRIES = 0.2

# By which a lock that a killed process left is told from other programs' files.
LOCK_MARK = b"napari-necroseg\n"


class Disk:
    """What the program asks of the system for files of its own; errors are the system's `OSError`."""

    def open(self, path: Path, mode: str) -> FileIO:
        """Open a file without a buffer: when `write` returns, the system has the content."""
        return FileIO(path, mode)

    def read(self, file: FileIO) -> bytes:
        """Return the content of a file from where it stands to its end."""
        return file.readall()

    def write(self, file: FileIO, content: bytes) -> None:
        """Write all of `content`."""
        left = memoryview(content)
        while left:
            taken = file.write(left)
            if not taken:
                # A disk that is nearly full takes a part, and says so only when asked for the rest.
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            left = left[taken:]

    def fsync(self, file: FileIO) -> None:
        """Wait until the file would survive a power cut."""
        os.fsync(file.fileno())

    def replace(self, source: Path, target: Path) -> None:
        """Give a file or folder its final name."""
        source.replace(target)

    def unlink(self, path: Path) -> None:
        """Remove a file."""
        path.unlink()

    def make_folder(self, path: Path) -> None:
        """Make a folder, and those that it lies in, unless it is there."""
        path.mkdir(parents=True, exist_ok=True)

    def lock(self, file: FileIO | int) -> bool | None:
        """Lock a file, or a folder by its descriptor, until it is closed.

        False if another process has locked it, None where none can.
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
        """Lock a folder by its descriptor, with others that do so; wait for one who has it alone."""
        import fcntl

        fcntl.flock(folder, fcntl.LOCK_SH)


disk = Disk()


def _lock_byte(file: FileIO, msvcrt: Any) -> bool | None:
    """Lock a byte as Windows does; where the file is read or written next stays the same."""
    place = file.tell()
    file.seek(LOCKED_BYTE)
    try:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    except PermissionError:
        return False
    except OSError:
        # A network drive without locks.
        return None
    finally:
        file.seek(place)
    return True


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
