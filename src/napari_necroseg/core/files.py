"""Files: the one way to the disk, writing that is whole or not there, hashes, and records in JSON.

All that the program opens, writes, renames or removes of its own goes through `disk`. A test that wants a
disk that is full, slow or forbidden puts a method of its own there: ``monkeypatch.setattr(files.disk,
"fsync", slow)``. Whoever writes a file bit by bit, as the journal does, asks for it there, too:
``file = disk.open(path, "r+b")``, then ``disk.write(file, record)`` and ``disk.fsync(file)``.
"""

import errno
import hashlib
import json
import os
import secrets
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np

from napari_necroseg.core.errors import FileError, ResourceError, unreadable, unwritable
from napari_necroseg.core.volume import Volume

# Of a file's name, so much is part of the name of the file that it is written into first.
_LONGEST_TAIL = 60
# Windows keeps others from reading what is locked: a byte behind the end of any file that is locked, and the
# last but one that every version of its C library can name.
LOCKED_BYTE = 2**31 - 2
_INSTEAD = "Move it away, restore it, or choose another file."


class Disk:
    """What the program asks of the system for files of its own; errors are the system's `OSError`."""

    def open(self, path: Path, mode: str) -> FileIO:
        """Open a file without a buffer: what was written is the system's when `write` returns."""
        return FileIO(path, mode)

    def read(self, file: FileIO) -> bytes:
        """Return what is left of a file."""
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

    def lock(self, file: FileIO) -> bool | None:
        """Lock a file until it is closed; False if another process has locked it, None where none can."""
        if sys.platform == "win32":
            import msvcrt

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


disk = Disk()


def open_to_read(path: Path) -> FileIO:
    """Open a regular file: a pipe or a device may never end.

    Raises
    ------
    FileError
        If it is missing, of another kind, or may not be read; with the system's reason.
    """
    try:
        kind = path.stat().st_mode
        if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
            raise FileError(f"{path} is a pipe or a device, not a file; name a file on a disk.")
        return disk.open(path, "rb")
    except OSError as error:
        raise unreadable(path, error) from error


def check_readable(path: Path) -> None:
    """Refuse, with the system's reason, a file that a library could not read, either; see `open_to_read`."""
    with open_to_read(path) as file:
        try:
            file.read(1)
        except OSError as error:
            raise unreadable(path, error) from error


def read_bytes(path: Path) -> bytes:
    """Return the content of a regular file; see `open_to_read` for errors."""
    with open_to_read(path) as file:
        try:
            return disk.read(file)
        except OSError as error:
            raise unreadable(path, error) from error


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` on success, remove it on failure.

    Makes missing parent folders. The temporary name keeps all suffixes, since libraries choose a
    format by them.

    Raises
    ------
    ResourceError
        If the folder cannot be written to or the disk is full; what was there before is untouched.
    """
    temporary = beside(path)
    try:
        _check_replaceable(path)
        disk.make_folder(path.parent)
        yield temporary
        _flush_to_disk(temporary)
        disk.replace(temporary, path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder beside `path`; rename it to `path` on success, remove it on failure.

    Parameters
    ----------
    path
        A folder that is new or empty; the caller has checked it.

    Raises
    ------
    ResourceError
        If the folder cannot be written to or the disk is full.
    """
    # "." has no name to put another beside, and a link to a folder stays a link.
    place = path.resolve()
    stage = beside(place)
    try:
        disk.make_folder(stage)
        yield stage
        if place.exists():
            place.rmdir()
        disk.replace(stage, place)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def make_folder(path: Path) -> None:
    """Make a folder that is to be written into later, so that what is wrong with it is told now.

    Raises
    ------
    ResourceError
        If it cannot be made.
    """
    try:
        disk.make_folder(path)
    except OSError as error:
        raise unwritable(path, error) from error


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically; see `atomic_path` for errors."""
    with atomic_path(path) as temporary:
        fill(temporary, content)


def fill(temporary: Path, content: bytes) -> None:
    """Write a file that has not its final name yet, for whoever does something before it gets it."""
    with disk.open(temporary, "wb") as file:
        disk.write(file, content)


def stage(path: Path, content: bytes) -> Path:
    """Write a file down to the disk under a name beside its final one, which `disk.replace` then gives it.

    Raises
    ------
    OSError, ResourceError
        If it cannot be written; nothing is left of it then.
    """
    temporary = beside(path)
    _check_replaceable(path)
    disk.make_folder(path.parent)
    try:
        fill(temporary, content)
        _flush_to_disk(temporary)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    return temporary


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file atomically, with the line ends that `text` has."""
    write_bytes(path, text.encode())


def copy_file(source: Path, target: Path) -> None:
    """Copy a file and its times atomically; see `atomic_path` for errors."""
    with atomic_path(target) as temporary:
        shutil.copy2(source, temporary)


def remove(path: Path) -> None:
    """Remove a file, if it is there.

    Raises
    ------
    ResourceError
        If it cannot be removed.
    """
    try:
        disk.unlink(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise unwritable(path, error, done="removed") from error


def remove_leftovers(folder: Path) -> None:
    """Remove what a killed process was just writing into a folder; nobody else may be writing there."""
    for leftover in folder.glob(f".{'[0-9a-f]' * 8}-*"):
        if leftover.is_file():
            remove(leftover)


def read_json(path: Path, kind: str, most_bytes: int) -> dict[str, Any]:
    """Return the names and values of a JSON file.

    Parameters
    ----------
    path
        The file.
    kind
        What it should be, for the messages: ``"an augmentation"``.
    most_bytes
        What is larger is something else, and is not read.

    Raises
    ------
    FileError
        If it cannot be read, is larger, or holds no names and values.
    """
    with open_to_read(path) as file:
        try:
            size = os.fstat(file.fileno()).st_size
            if size > most_bytes:
                raise FileError(f"{path.name} is too large for {kind} ({size / 1e6:.0f} MB). {_INSTEAD}")
            record = json.loads(disk.read(file).decode("utf-8-sig"))
        except OSError as error:
            raise unreadable(path, error) from error
        except (ValueError, RecursionError) as error:
            raise FileError(f"{path.name} is not {kind}: it holds no JSON. {_INSTEAD}") from error
    if not isinstance(record, dict):
        raise FileError(f"{path.name} is not {kind}: it holds no names and values. {_INSTEAD}")
    return record


def read_json_quietly(path: Path, most_bytes: int) -> dict[str, Any]:
    """Return the names and values of a JSON file; none where its absence or damage means nothing more."""
    try:
        return read_json(path, "a record", most_bytes)
    except FileError:
        return {}


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits; see `open_to_read` for errors."""
    with open_to_read(path) as file:
        try:
            return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise unreadable(path, error) from error


def voxels_sha256(volume: Volume) -> str:
    """Return the SHA-256 of an image's voxels; a copy under another name, or zipped anew, has the same."""
    voxels = np.ascontiguousarray(volume.voxels)
    digest = hashlib.sha256(repr((voxels.shape, voxels.dtype.str)).encode())
    digest.update(voxels.data)
    return digest.hexdigest()


def beside(path: Path) -> Path:
    """Return a hidden name beside a file that nothing else has; see `remove_leftovers`."""
    return path.with_name(f".{secrets.token_hex(4)}-{path.name[-_LONGEST_TAIL:]}")


def _check_replaceable(path: Path) -> None:
    """Refuse what a file would not replace, or must not: a folder, a device such as ``/dev/null``."""
    if path.is_dir():
        raise ResourceError(f"{path} could not be written: it is a folder; name a file.")
    if path.exists() and not path.is_file():
        raise ResourceError(f"{path} could not be written: it is a pipe or a device; name a file on a disk.")


def _flush_to_disk(path: Path) -> None:
    """Without this a power cut after the rename can leave an empty file under the final name."""
    with disk.open(path, "r+b") as file:
        disk.fsync(file)


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
