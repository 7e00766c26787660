"""Checks that results can be written before the work begins, and removes what killed programs left behind."""

import os
import re
import shutil
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from napari_necroseg.core.disk import LOCK_MARK, disk
from napari_necroseg.core.errors import FileError, unwritable
from napari_necroseg.core.files import beside, check_replaceable

# As large as a small mask: a disk without space for it is full.
_PROBE = bytes(1 << 16)
# Eight hexadecimal digits, but not eight decimal ones: those are the date of a person's own copy
# (``.20261128-case-01.nii.gz``).
_TEMPORARY = re.compile(r"\.(?=[0-9]*[a-f])[0-9a-f]{8}-(?P<name>.+)", re.DOTALL)
# The kinds of files that this program writes; a hidden file of another kind belongs to somebody else.
_KINDS = re.compile(
    r"\.(nii|json|csv|md|html|png|svg|pdf|safetensors|onnx|journal|probe)(\.|$)", re.IGNORECASE
)
# On a drive without locks a file of this age is taken for abandoned.
_SECONDS_TO_GROW_OLD = 24 * 3600.0


def check_out_folder(folder: Path) -> None:
    """Make sure, before any work, that results can be written into a folder, and `sweep` it.

    The check leaves nothing behind; a folder that did not exist is removed again.

    Raises FileError if it is a file. Raises ResourceError if it cannot be made or written into, or the disk
    is full; with the system's reason.
    """
    made = _missing(folder)
    try:
        if not made and not stat.S_ISDIR(folder.stat().st_mode):
            raise FileError(f"{folder} is a file; choose a folder.")
        disk.make_folder(folder)
        sweep(folder)
        _try_writing(folder)
    except OSError as error:
        raise unwritable(folder, error) from error
    finally:
        for empty in made:
            with suppress(OSError):
                empty.rmdir()


def check_out_file(path: Path) -> None:
    """Make sure, before any work, that a result can be written to a file; see `check_out_folder`."""
    try:
        check_replaceable(path)
    except OSError as error:
        raise unwritable(path, error) from error
    check_out_folder(path.parent)


def sweep(folder: Path) -> None:
    """Remove the temporary files and locks that killed processes of this program left in a folder.

    Nothing is removed while another process writes there (see `files.writing_into`). Files that are not named
    as this program names them stay, and so does everything in a folder that cannot be read or changed.
    """
    with suppress(OSError), os.scandir(folder) as entries:
        hidden = [Path(entry.path) for entry in entries if entry.name.startswith(".")]
        left = [path for path in hidden if not path.is_symlink() and _is_ours(path)]
        if left:
            with _alone_in(folder) as is_alone:
                for path in left:
                    with suppress(OSError):
                        _remove(path, is_alone=is_alone)


def is_temporary(name: str) -> bool:
    """Whether a file has the name of one that is still being written."""
    return _TEMPORARY.fullmatch(name) is not None


def sweep_all(folder: Path) -> None:
    """Call `sweep` for a folder and all folders in it."""
    for root, _, _ in os.walk(folder):
        sweep(Path(root))


def _is_ours(path: Path) -> bool:
    match = _TEMPORARY.fullmatch(path.name)
    if match is None:
        return _is_lock(path)
    if path.is_dir():
        return all(_KINDS.search(one.name) or one.is_dir() for one in path.rglob("*"))
    return _KINDS.search(match["name"]) is not None


def _is_lock(path: Path) -> bool:
    """Whether a file is a lock of ours, by its mark or, if it is empty, by the run that it is named after."""
    if path.suffix != ".lock":
        return False
    size = path.stat().st_size
    if size == 0:
        # Earlier versions wrote no mark.
        named_after = path.stem.removeprefix(".")
        return any(path.with_name(name).exists() for name in (named_after, f"{named_after}.json"))
    return size == len(LOCK_MARK) and path.read_bytes() == LOCK_MARK


@contextmanager
def _alone_in(folder: Path) -> Iterator[bool | None]:
    """Lock a folder; yield False if somebody is writing there, and None where folders cannot be locked."""
    if sys.platform == "win32":
        yield None
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield disk.lock(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path, *, is_alone: bool | None) -> None:
    if path.suffix == ".lock":
        _remove_lock(path)
    elif is_alone or (is_alone is None and _is_old(path)):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            disk.unlink(path)


def _remove_lock(path: Path) -> None:
    """Remove a lock file that nobody holds; it is locked meanwhile, so that nobody can take it."""
    with disk.open(path, "r+b") as file:
        is_free = disk.lock(file)
        if is_free is False or (is_free is None and not _is_old(path)):
            return
        if sys.platform != "win32":
            disk.unlink(path)
    if sys.platform == "win32":
        # Windows removes no file that is open.
        disk.unlink(path)


def _is_old(path: Path) -> bool:
    return time.time() - path.stat().st_mtime > _SECONDS_TO_GROW_OLD


def _missing(folder: Path) -> list[Path]:
    """Return which folders do not exist yet, the deepest first; a link to nowhere counts as existing."""
    return [one for one in (folder, *folder.parents) if not os.path.lexists(one)]


def _try_writing(folder: Path) -> None:
    probe = beside(folder / ".probe")
    try:
        with disk.open(probe, "xb") as file:
            disk.write(file, _PROBE)
            disk.fsync(file)
    finally:
        with suppress(OSError):
            disk.unlink(probe)
