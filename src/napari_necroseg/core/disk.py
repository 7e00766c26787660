"""The one way to the disk: all that the program opens, writes, renames, locks or removes of its own.

A test that wants a disk that is full, slow or forbidden puts a method of its own there:
``monkeypatch.setattr(files.disk, "fsync", slow)``. Whoever writes a file bit by bit, as the journal does,
asks for it there, too: ``file = disk.open(path, "r+b")``, then ``disk.write(file, record)`` and
``disk.fsync(file)``.
"""

import errno
import os
import sys
from io import FileIO
from pathlib import Path
from typing import Any

# Windows lets nobody else read a locked byte, so one behind the end of any file is locked: the last but one
# that every version of its C library can name.
LOCKED_BYTE = 2**31 - 2


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
