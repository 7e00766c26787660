"""A journal of the edits of a mask, so that nothing of them is lost, however the program ends.

What `Journal.append` was given is on disk when it returns. `Journal.begin` says at once if the folder
cannot be written to. After a crash `recovery.recover` shows what there is, and `Journal.resume` goes on.
"""

import errno
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from io import FileIO
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

from napari_necroseg.core.casename import named_file
from napari_necroseg.core.disk import disk
from napari_necroseg.core.errors import FileError, ResourceError
from napari_necroseg.core.file_lock import lock
from napari_necroseg.core.files import atomic_path, copy_file, fill, remove
from napari_necroseg.core.io.journal_records import (
    Box,
    Header,
    header_of,
    packed_header,
    packed_note,
    packed_record,
    whole_box,
)
from napari_necroseg.core.io.recovery import Recovered, recover
from napari_necroseg.core.volume import Voxels

# How a sentence begins that tells of edits which are not on disk.
UNSAFE = "Your edits are no longer safe"
JOURNAL_SUFFIX = ".journal"
# From here on `is_large` asks for a `restart`.
LARGE_BYTES = 8 * 2**20
# Masks and their earlier versions are saved into the same folder.
LEAST_FREE_BYTES = 64 * 2**20
_TAKEN_OVER = "another window or program has taken this work over"


class TakenOverError(FileError):
    """Another program has put its journal in the place of this one."""


def journal_path(labels: Path, case: str) -> Path:
    """Return where the journal of a case's mask is, or would be: beside the mask in the project's labels."""
    return named_file(labels, f"{case}{JOURNAL_SUFFIX}")


class Journal:
    """Edits of one mask, being written; made by `begin` or `resume`, ended by `close` or `discard`.

    After an `append` that failed the journal lacks that edit, so that it takes no other before `restart`.
    """

    def __init__(
        self, path: Path, header: Header, voxels: Voxels, note: Mapping[str, str] | None = None
    ) -> None:
        self.path = path
        self._header = header
        self._note = dict(note or {})
        self._file: FileIO | None = None
        self._is_behind = False
        self._write(voxels)

    @classmethod
    def begin(
        cls,
        path: Path,
        base: Voxels,
        *,
        case: str,
        now: Voxels | None = None,
        note: Mapping[str, str] | None = None,
    ) -> Self:
        """Begin the journal of a mask.

        Parameters
        ----------
        path
            See `journal_path`; missing folders are made.
        base
            ``(Z, Y, X)``, whole numbers; the mask as it is on disk, or zeros where there is none.
        case
            Name of the case; only its hash is written.
        now
            ``(Z, Y, X)``; the mask as it is now, if it was changed already.
        note
            Which layer the mask is, where that is not told by the file's name.

        Raises
        ------
        FileError
            If there is a journal already: the work in it would be lost.
        ResourceError
            If the folder cannot be written to, or has less than 64 MB free.
        """
        if path.exists():
            raise FileError(
                f"{path.name} holds edits of {case} that were not saved; take them back, or discard them."
            )
        journal = cls(path, header_of(base, case), base if now is None else now, note)
        free = shutil.disk_usage(path.parent).free
        if free < LEAST_FREE_BYTES:
            journal.discard()
            raise ResourceError(
                f"{path.parent} has {free / 2**20:.0f} MB free, too little to keep your work safe; free at "
                f"least {LEAST_FREE_BYTES / 2**20:.0f} MB or choose another folder."
            )
        return journal

    @classmethod
    def resume(cls, path: Path, base: Voxels, *, case: str, any_base: bool = False) -> tuple[Self, Recovered]:
        """Take up the journal of a crashed session; see `recover` for the arguments and errors.

        If something in it could not be read, the file as it was is kept beside it (``...-damaged-001``).

        Raises
        ------
        ResourceError
            If the folder cannot be written to; the journal is as it was then.
        """
        check_free(path)
        recovered = recover(path, base, case=case, any_base=any_base)
        if recovered.lost_bytes:
            copy_file(path, free_name(path, "damaged"))
        return cls(path, header_of(base, case), recovered.voxels, recovered.note), recovered

    @property
    def is_large(self) -> bool:
        """Whether it is time to `restart`."""
        return self._size > LARGE_BYTES

    def append(self, box: Box, voxels: Voxels) -> None:
        """Write an edit; it is on disk when this returns.

        Parameters
        ----------
        box
            Slices, rows and columns, each with a start and a stop inside the mask, and not empty.
        voxels
            ``(Z, Y, X)`` of the box, as they are now.

        Raises
        ------
        ResourceError
            If it could not be written, or an earlier one could not: free some space, then `restart`.
        """
        assert self._file is not None, "the journal is closed"
        assert all(0 <= p.start < p.stop <= n for p, n in zip(box, self._header.shape, strict=True)), box
        assert voxels.shape == tuple(p.stop - p.start for p in box), (box, voxels.shape)
        if self._is_behind:
            raise _unsafe(self.path, "an earlier edit is missing from it")
        self._is_behind = True
        record = packed_record(box, voxels, self._header.dtype)
        try:
            self._check_mine()
            _write_all(self._file, record)
        except OSError as error:
            # What was written of it must not stand before a later record.
            with suppress(OSError):
                self._file.truncate(self._size)
            raise _unsafe(self.path, error.strerror or type(error).__name__) from error
        self._size += len(record)
        self._is_behind = False

    def restart(self, voxels: Voxels) -> None:
        """Replace all edits by the mask ``(Z, Y, X)`` that they led to, atomically.

        Raises
        ------
        TakenOverError
            If another program has put its journal there.
        ResourceError
            If it cannot be written; the journal is as it was then.
        """
        if self.path.exists() and not self._is_mine():
            raise TakenOverError(f"{self.path.name}: {_TAKEN_OVER}.")
        self._write(voxels)

    def close(self) -> None:
        """Stop writing; the journal stays on disk."""
        if self._file is not None:
            self._file.close()
        self._file = None

    def discard(self) -> None:
        """Stop writing and remove the journal: the work is saved, or not wanted."""
        self.close()
        remove(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, voxels: Voxels) -> None:
        """Put a journal with the whole mask in the place of what there is, and open it to append."""
        header = self._header
        assert voxels.shape == header.shape, (voxels.shape, header.shape)
        note = packed_note(self._note) if self._note else b""
        whole = packed_record(whole_box(header.shape), voxels, header.dtype)
        content = packed_header(header) + note + whole
        was_open = self._file is not None
        try:
            with atomic_path(self.path) as temporary:
                fill(temporary, content)
                # Windows does not replace a file that is open.
                self.close()
        except ResourceError:
            if was_open and self._file is None:
                self._open()
            raise
        self._size, self._is_behind = len(content), False
        self._open()

    def _check_mine(self) -> None:
        """Refuse to write into a file that is no longer the journal: another program has put its there."""
        if not self._is_mine():
            raise OSError(errno.ESTALE, _TAKEN_OVER)

    def _is_mine(self) -> bool:
        return os.path.samestat(self._identity, self.path.stat())

    def _open(self) -> None:
        try:
            # Unbuffered: what `write` returns from is the system's, and survives the end of the program.
            self._file = disk.open(self.path, "r+b")
            self._file.seek(0, os.SEEK_END)
            self._identity = os.fstat(self._file.fileno())
            lock(self._file)
        except FileError:
            self.close()
            raise
        except OSError as error:
            raise _unsafe(self.path, error.strerror or type(error).__name__) from error


def check_free(path: Path) -> None:
    """Refuse a journal that another window or program is writing; see `lock`."""
    with suppress(FileNotFoundError), disk.open(path, "r+b") as file:
        lock(file)


def put_aside(path: Path, kind: str = "aside") -> Path:
    """Give a journal another name (``...-aside-001``): it is offered no more, and not lost.

    Raises
    ------
    FileError
        If another window or program is writing it, or it cannot be renamed.
    """
    check_free(path)
    aside = free_name(path, kind)
    try:
        disk.replace(path, aside)
    except OSError as error:
        raise FileError(f"{path.name} could not be put aside: {error.strerror}.") from error
    return aside


def free_name(path: Path, kind: str) -> Path:
    """Return the first name of this kind beside a journal that is not taken."""
    names = (path.with_name(f"{path.name}-{kind}-{number:03d}") for number in count(1))
    return next(name for name in names if not name.exists())


def _write_all(file: FileIO, record: bytes) -> None:
    disk.write(file, record)
    disk.fsync(file)


def _unsafe(path: Path, reason: str) -> ResourceError:
    return ResourceError(
        f"{UNSAFE}: {path} could not be written ({reason}). Free some space, or save the mask elsewhere."
    )
