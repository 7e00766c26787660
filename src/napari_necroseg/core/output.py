"""Where results go: looked at before the work begins, and swept of what killed programs left there."""

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

# As large as a small mask: a disk without room for it is full.
_PROBE = bytes(1 << 16)
# Eight hexadecimal digits; eight decimal ones are a date (``.20261128-case-01.nii.gz``), a person's own copy.
_TEMPORARY = re.compile(r"\.(?=[0-9]*[a-f])[0-9a-f]{8}-(?P<name>.+)", re.DOTALL)
# The kinds of files that this program writes: a hidden file of another kind is somebody else's.
_KINDS = re.compile(
    r"\.(nii|json|csv|md|html|png|svg|pdf|safetensors|onnx|journal|probe)(\.|$)", re.IGNORECASE
)
# Where the system knows no locks, a file that old is written no more.
_SECONDS_TO_GROW_OLD = 24 * 3600.0


def check_out_folder(folder: Path) -> None:
    """Refuse, before any work, a folder that results cannot be written into, and sweep it; see `sweep`.

    Nothing is left there, not even the folder if it is new.

    Raises
    ------
    FileError
        If it is a file.
    ResourceError
        If it cannot be made or written into, or the disk is full; with the system's reason.
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
    """Refuse, before any work, a file that a result cannot be written to; see `check_out_folder`."""
    try:
        check_replaceable(path)
    except OSError as error:
        raise unwritable(path, error) from error
    check_out_folder(path.parent)


def sweep(folder: Path) -> None:
    """Remove the temporary files and locks that killed programs left in a folder.

    Nothing is removed while another process writes there (see `files.writing_into`), and only files that are
    named as this program names them. A folder that cannot be read or changed is left as it is.
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
    """Whether a file is named as those that are just being written."""
    return _TEMPORARY.fullmatch(name) is not None


def sweep_all(folder: Path) -> None:
    """Sweep a folder and all that it holds; see `sweep`."""
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
    """Whether a file is a lock of ours: it says so, or stands empty beside the run that it is named after."""
    if path.suffix != ".lock":
        return False
    size = path.stat().st_size
    if size == 0:
        # So earlier versions made them.
        named_after = path.stem.removeprefix(".")
        return any(path.with_name(name).exists() for name in (named_after, f"{named_after}.json"))
    return size == len(LOCK_MARK) and path.read_bytes() == LOCK_MARK


@contextmanager
def _alone_in(folder: Path) -> Iterator[bool | None]:
    """Lock a folder; False if somebody is writing there, None where no folder can be locked."""
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
    """Remove the file of a lock that nobody has; it is locked meanwhile, so that nobody takes it."""
    with disk.open(path, "r+b") as file:
        is_free = disk.lock(file)
        if is_free is False or (is_free is None and not _is_old(path)):
            return
        if sys.platform != "win32":
            disk.unlink(path)
    if sys.platform == "win32":
        # It removes no file that somebody has open.
        disk.unlink(path)


def _is_old(path: Path) -> bool:
    return time.time() - path.stat().st_mtime > _SECONDS_TO_GROW_OLD


def _missing(folder: Path) -> list[Path]:
    """Which folders are to be made, the deepest first; a link that leads nowhere is there."""
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
