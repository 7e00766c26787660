"""Reads files with the system's reasons, writes them whole or not at all, and hashes them.

Everything goes through `disk`, where tests put a disk that is full, slow or forbidden.
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

# A temporary name keeps this many characters from the end of the final one.
_LONGEST_TAIL = 60
_INSTEAD = "Move it away, restore it, or choose another file."

# Names another folder, for tests and for people who share their home folder with others.
DATA_VARIABLE = "NECROSEG_DATA"
CONFIG_VARIABLE = "NECROSEG_CONFIG"


def open_to_read(path: Path) -> FileIO:
    """Open a regular file; a `FileError` with the system's reason says why that is impossible.

    Pipes and devices are refused, since reading one may never end.
    """
    try:
        kind = path.stat().st_mode
        if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
            raise FileError(f"{path} is a pipe or a device, not a file; name a file on a disk.")
        return disk.open(path, "rb")
    except OSError as error:
        raise unreadable(path, error) from error


def check_readable(path: Path) -> None:
    """Raise an error with the system's reason if a file cannot be read; see `open_to_read`."""
    with open_to_read(path) as file:
        try:
            file.read(1)
        except OSError as error:
            raise unreadable(path, error) from error


def read_bytes(path: Path, *, kind: str = "this", most_bytes: int | None = None) -> bytes:
    """Return the content of a regular file.

    `path`: the file. `kind`: what the file should be, for the message: ``"an augmentation"``. `most_bytes`: a
    larger file must be something else, and is not read.
    Raises FileError if the file is too large, or cannot be read; see `open_to_read`.
    """
    with open_to_read(path) as file:
        try:
            size = os.fstat(file.fileno()).st_size
            if most_bytes is not None and size > most_bytes:
                raise FileError(f"{path.name} is too large for {kind} ({size / 1e6:.0f} MB). {_INSTEAD}")
            return disk.read(file)
        except OSError as error:
            raise unreadable(path, error) from error


def read_text(path: Path, kind: str, *, most_bytes: int) -> str:
    """Return the text of a file in UTF-8, with its line ends unchanged; see `read_bytes`."""
    try:
        return read_bytes(path, kind=kind, most_bytes=most_bytes).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError(f"{path.name} is not {kind}: it is no text in UTF-8. {_INSTEAD}") from error


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` on success, remove it on failure.

    Makes missing parent folders. The temporary name keeps all suffixes, since libraries choose the
    format by them.

    Raises ResourceError if the folder cannot be written to or the disk is full; an earlier file stays
    unchanged.
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

    `path`: a folder that does not exist or is empty, as the caller has checked.
    Raises ResourceError if the folder cannot be written to or the disk is full.
    """
    # "." has no name to derive a temporary one from, and a link to a folder stays a link.
    target = Path(os.path.realpath(path))
    stage = beside(target)
    try:
        disk.make_folder(target.parent)
        with writing_into(target.parent):
            try:
                disk.make_folder(stage)
                yield stage
                if target.exists():
                    target.rmdir()
                disk.replace(stage, target)
            finally:
                shutil.rmtree(stage, ignore_errors=True)
    except OSError as error:
        raise unwritable(path, error) from error


@contextmanager
def writing_into(folder: Path) -> Iterator[None]:
    """Keep other processes from removing the temporary files that are being written into a folder.

    Where folders cannot be locked, as on Windows, `output.sweep` removes old files only.
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
    """Make a folder that is written into later, so that problems with it are reported now."""
    try:
        disk.make_folder(path)
    except OSError as error:
        raise unwritable(path, error) from error


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically; see `atomic_path` for errors."""
    with atomic_path(path) as temporary:
        fill(temporary, content)


def fill(temporary: Path, content: bytes) -> None:
    """Write a temporary file that the caller renames later."""
    with disk.open(temporary, "wb") as file:
        disk.write(file, content)


def stage(path: Path, content: bytes) -> Path:
    """Write a file safely under a temporary name beside `path`; `disk.replace` then gives it its final name.

    If it cannot be written, nothing is left behind.
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
    """Return the first path, counted from 1, that does not exist."""
    return next(path for number in count(1) if not (path := path_of(number)).exists())


def back_up(path: Path) -> Path:
    """Copy a file to the first free name among ``<name>.bak-1``, ``.bak-2``, ..., and return the copy."""
    backup = free_path(lambda number: path.with_name(f"{path.name}.bak-{number}"))
    copy_file(path, backup)
    return backup


def remove(path: Path) -> None:
    """Remove a file if it exists; a `ResourceError` says why it cannot be removed."""
    try:
        disk.unlink(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise unwritable(path, error, done="removed") from error


def read_json(path: Path, kind: str, *, most_bytes: int) -> dict[str, Any]:
    """Return the object that a JSON file holds; parameters and errors are those of `read_bytes`."""
    content = read_bytes(path, kind=kind, most_bytes=most_bytes)
    try:
        record = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise FileError(f"{path.name} is not {kind}: it holds no JSON. {_INSTEAD}") from error
    if not isinstance(record, dict):
        raise FileError(f"{path.name} is not {kind}: it holds no names and values. {_INSTEAD}")
    return record


def read_json_quietly(path: Path, most_bytes: int) -> dict[str, Any]:
    """Return the object that a JSON file holds; an empty one if the file is missing or damaged."""
    try:
        return read_json(path, "a record", most_bytes=most_bytes)
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
    """Return the SHA-256 of an image's voxels: the same for a copy that was renamed or compressed again."""
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
    """Return a new hidden name beside a file; see `output.sweep`."""
    # It begins with a letter, unlike a person's hidden copy that begins with a date.
    token = f"{secrets.choice('abcdef')}{secrets.token_hex(4)[1:]}"
    return path.with_name(f".{token}-{path.name[-_LONGEST_TAIL:]}")


def check_replaceable(path: Path) -> None:
    """Raise an error where a file would replace a folder, or a device such as ``/dev/null``."""
    if path.is_dir():
        raise ResourceError(f"{path} could not be written: it is a folder; name a file.")
    if path.exists() and not path.is_file():
        raise ResourceError(f"{path} could not be written: it is a pipe or a device; name a file on a disk.")


def _flush_to_disk(path: Path) -> None:
    """Keep a power cut after the rename from leaving an empty file under the final name."""
    with disk.open(path, "r+b") as file:
        disk.fsync(file)


def user_data_folder() -> Path:
    """Return the folder for data of this user that belong to no project; it is not made here."""
    named = os.environ.get(DATA_VARIABLE)
    if named:
        return Path(named)
    import platformdirs

    return platformdirs.user_data_path("napari-necroseg", appauthor=False)


def user_config_folder() -> Path:
    """Return the folder for what the program remembers for this user; it is not made here."""
    named = os.environ.get(CONFIG_VARIABLE)
    if named:
        return Path(named)
    import platformdirs

    return platformdirs.user_config_path("napari-necroseg", appauthor=False)
