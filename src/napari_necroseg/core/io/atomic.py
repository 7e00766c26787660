"""Writing a file, or a folder of files, so that it is either complete or not there."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from napari_necroseg.core.errors import ResourceError


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
    temporary = _beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _flush_to_disk(temporary)
        temporary.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error
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
    stage = _beside(place)
    try:
        stage.mkdir(parents=True)
        yield stage
        if place.exists():
            place.rmdir()
        stage.rename(place)
    except OSError as error:
        raise _unwritable(path, error) from error
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
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file atomically, with the line ends that `text` has."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def remove_leftovers(folder: Path) -> None:
    """Remove what a killed process was just writing into a folder; nobody else may be writing there."""
    for leftover in folder.glob(f".{'[0-9a-f]' * 8}-*"):
        if leftover.is_file():
            leftover.unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    return path.with_name(f".{secrets.token_hex(4)}-{path.name}")


def _unwritable(path: Path, error: OSError) -> ResourceError:
    reason = error.strerror or type(error).__name__
    return ResourceError(f"{path} could not be written: {reason}. Free some space or choose another folder.")


def _flush_to_disk(path: Path) -> None:
    """Without this a power cut after the rename can leave an empty file under the final name."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
