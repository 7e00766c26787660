"""Reads files with the system's reasons, writes them whole or not at all, and hashes them.

All goes through `disk`, where tests put a disk that is full, slow or forbidden.
"""

import hashlib
import json
import os
import secrets
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from napari_necroseg.core.disk import disk
from napari_necroseg.core.errors import FileError, ResourceError, unreadable, unwritable
from napari_necroseg.core.volume import Volume

# How many characters at the end of a file's name its temporary name keeps.
_LONGEST_TAIL = 60
_INSTEAD = "Move it away, restore it, or choose another file."

# Tests, and people whose home is not theirs alone, name another folder by it.
DATA_VARIABLE = "NECROSEG_DATA"


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
    """Refuse, with the system's reason, a file that cannot be read; see `open_to_read`."""
    with open_to_read(path) as file:
        try:
            file.read(1)
        except OSError as error:
            raise unreadable(path, error) from error


def read_bytes(path: Path, *, kind: str = "this", most_bytes: int | None = None) -> bytes:
    """Return the content of a regular file.

    Parameters
    ----------
    path
        The file.
    kind
        What it should be, for the message: ``"an augmentation"``.
    most_bytes
        What is larger is something else, and is not read.

    Raises
    ------
    FileError
        If it is larger, or cannot be read; see `open_to_read`.
    """
    with open_to_read(path) as file:
        try:
            size = os.fstat(file.fileno()).st_size
            if most_bytes is not None and size > most_bytes:
                raise FileError(f"{path.name} is too large for {kind} ({size / 1e6:.0f} MB). {_INSTEAD}")
            return disk.read(file)
        except OSError as error:
            raise unreadable(path, error) from error


def read_text(path: Path, kind: str, most_bytes: int) -> str:
    """Return a text in UTF-8, its line ends as they are; see `read_bytes`.

    Raises
    ------
    FileError
        As `read_bytes`; also if it is no such text.
    """
    try:
        return read_bytes(path, kind=kind, most_bytes=most_bytes).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError(f"{path.name} is not {kind}: it is no text in UTF-8. {_INSTEAD}") from error


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
        check_replaceable(path)
        disk.make_folder(path.parent)
        with writing_into(path.parent):
            try:
                yield temporary
                _flush_to_disk(temporary)
                disk.replace(temporary, path)
            finally:
                with suppress(OSError):
                    temporary.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error


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
    place = Path(os.path.realpath(path))
    stage = beside(place)
    try:
        disk.make_folder(place.parent)
        with writing_into(place.parent):
            try:
                disk.make_folder(stage)
                yield stage
                if place.exists():
                    place.rmdir()
                disk.replace(stage, place)
            finally:
                shutil.rmtree(stage, ignore_errors=True)
    except OSError as error:
        raise unwritable(path, error) from error


@contextmanager
def writing_into(folder: Path) -> Iterator[None]:
    """Keep other processes from sweeping up the temporary files that are written into a folder.

    Where a folder cannot be locked, as on Windows, `output.sweep` removes only old files.
    """
    descriptor = -1
    if sys.platform != "win32":
        with suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY)
            disk.share(descriptor)
    try:
        yield
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def make_folder(path: Path) -> None:
    """Make a folder that is to be written into later, so that problems with it are told now.

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
    """Write a temporary file, for callers that do something more before they rename it."""
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
    check_replaceable(path)
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


def free_path(path_of: Callable[[int], Path]) -> Path:
    """Return the first of the paths, numbered from 1, that is not there."""
    return next(path for number in count(1) if not (path := path_of(number)).exists())


def back_up(path: Path) -> Path:
    """Copy a file to the next free name that ends in ``.bak-1``, ``.bak-2`` and so on, and return that."""
    backup = free_path(lambda number: path.with_name(f"{path.name}.bak-{number}"))
    copy_file(path, backup)
    return backup


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
    content = read_bytes(path, kind=kind, most_bytes=most_bytes)
    try:
        record = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise FileError(f"{path.name} is not {kind}: it holds no JSON. {_INSTEAD}") from error
    if not isinstance(record, dict):
        raise FileError(f"{path.name} is not {kind}: it holds no names and values. {_INSTEAD}")
    return record


def read_json_quietly(path: Path, most_bytes: int) -> dict[str, Any]:
    """Return the names and values of a JSON file; none if it is absent or damaged."""
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


def relative_path(path: Path, folder: Path) -> str:
    """Return the path from a folder to a file, with slashes; the whole path if there is none.

    Links to the folder are resolved, since ``..`` leads through them; those of `path` are left to the caller.
    """
    try:
        return Path(os.path.relpath(path, folder.resolve())).as_posix()
    except ValueError:
        # Another drive of Windows.
        return path.as_posix()


def beside(path: Path) -> Path:
    """Return a hidden name beside a file that nothing else has; see `output.sweep`."""
    # Begins with a letter: a person's hidden copy may begin with a date, whose digits are hexadecimal, too.
    token = f"{secrets.choice('abcdef')}{secrets.token_hex(4)[1:]}"
    return path.with_name(f".{token}-{path.name[-_LONGEST_TAIL:]}")


def check_replaceable(path: Path) -> None:
    """Refuse to replace a folder, or a device such as ``/dev/null``, by a file."""
    if path.is_dir():
        raise ResourceError(f"{path} could not be written: it is a folder; name a file.")
    if path.exists() and not path.is_file():
        raise ResourceError(f"{path} could not be written: it is a pipe or a device; name a file on a disk.")


def _flush_to_disk(path: Path) -> None:
    """Without this a power cut after the rename can leave an empty file under the final name."""
    with disk.open(path, "r+b") as file:
        disk.fsync(file)


def user_data_folder() -> Path:
    """Return the folder for the data of the person who is logged in; it is not made here."""
    named = os.environ.get(DATA_VARIABLE)
    if named:
        return Path(named)
    import platformdirs

    return platformdirs.user_data_path("napari-necroseg", appauthor=False)
