"""Keeps a journal of the edits of a mask, so that none is lost, however the program ends.

An edit is on disk when `Journal.append` returns. `Journal.begin` raises at once if the folder cannot be
written to. After a crash, `recover` reads the mask that all undamaged records lead to, and `Journal.resume`
goes on.
"""

import errno
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from napari_necroseg.core.disk import disk, lock
from napari_necroseg.core.errors import FileError, ResourceError, unreadable
from napari_necroseg.core.files import atomic_path, copy_file, fill, free_path, open_to_read, remove
from napari_necroseg.core.project.journal_records import (
    Box,
    Damage,
    Header,
    Record,
    header_of,
    is_of_case,
    packed_header,
    packed_note,
    packed_record,
    read_header,
    read_records,
    whole_box,
)
from napari_necroseg.core.volume import Voxels

# Far more than any journal that is restarted when it is large.
MOST_BYTES = 512 * 2**20

# A message about edits that are not on disk begins with this.
UNSAFE = "Your edits are no longer safe"

# A larger journal should be restarted.
LARGE_BYTES = 8 * 2**20

# The masks and their earlier versions need room in the same folder.
LEAST_FREE_BYTES = 64 * 2**20
_TAKEN_OVER = "another window or program has taken this work over"


class OtherBaseError(FileError):
    """The mask on disk is not the one that the edits in the journal began with."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Recovered:
    """The content of a journal, as far as it can be read."""

    voxels: Voxels  # ``(Z, Y, X)``; the mask after the last undamaged edit.
    edits: int  # Undamaged ones since the journal began or was last restarted.
    lost_bytes: int  # Damaged ones, and those of an edit that was not completely written.
    is_saved: bool  # Whether the mask on disk is the same already.
    # Number of damaged places that undamaged edits follow; at least one edit is lost at each.
    damaged: int = 0
    # Whether the mask that the edits began with is lost, so that the one on disk stands in for it.
    is_base_lost: bool = False
    # Which layer the mask is: its name and the values of its `LayerSource`, if they were noted.
    note: Mapping[str, str] = field(default_factory=dict)

    @property
    def loss(self) -> str:
        """Say what could not be read; empty if nothing is lost."""
        if not self.lost_bytes:
            return ""
        if not self.damaged:
            return f"The last edit was not completely written ({self.lost_bytes} bytes), so it is missing."
        places = "1 place" if self.damaged == 1 else f"{self.damaged} places"
        began = (
            " The mask from before these edits could not be read either: the saved one, or an empty one, is "
            "used."
            if self.is_base_lost
            else ""
        )
        return (
            f"The journal is damaged in {places} ({self.lost_bytes} bytes): at least {self.damaged} "
            f"{'edit is' if self.damaged == 1 else 'edits are'} missing.{began}"
        )


def recover(path: Path, base: Voxels, *, case: str, any_base: bool = False) -> Recovered:
    """Read the mask that the edits in a journal lead to; nothing on disk changes.

    `base` is the mask ``(Z, Y, X)`` of the case on disk, or zeros if there is none. `OtherBaseError`: that
    mask was changed since the edits began, and is not the one that they lead to; not raised with `any_base`,
    because the journal holds the whole mask. `FileError`: there is no journal, or it is damaged at its
    beginning or belongs to another case or image.
    """
    expected = header_of(base, case)
    try:
        recovered, header = _read(path, base, expected=expected, case=case)
    except OSError as error:
        raise unreadable(path, error) from error
    is_same = bool(np.array_equal(recovered.voxels != 0, base != 0))
    # A damaged edit may have led to another mask.
    is_saved = is_same and not recovered.damaged
    if not is_same and not any_base and header.base != expected.base:
        raise OtherBaseError(
            f"The mask of {case} was changed after the {recovered.edits} edits in {path.name} began; take "
            "the edits back in place of it, or move the journal away."
        )
    return replace(recovered, is_saved=is_saved)


def _read(path: Path, base: Voxels, *, expected: Header, case: str) -> tuple[Recovered, Header]:
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise FileError(
            f"{path.name} has {size / 2**20:.0f} MB, too much for a journal of edits; move it away."
        )
    with open_to_read(path) as file:
        header, is_header_sound = read_header(file, path.name, expected=expected)
        _check_same_image(path, header, expected=expected, case=case)
        found = _Replayed(base.astype(header.dtype))
        for piece in read_records(file, file.tell(), size=size, header=header):
            found.take(piece)
    # A damaged header is believed only if the mask behind it has the shape of the case.
    if not found.has_base and not (is_header_sound and found.edits):
        raise FileError(
            f"{path.name} is damaged: the mask that its edits began with is missing; move it away."
        )
    return found.recovered(), header


class _Replayed:
    """A mask to which the records of a journal are applied one after the other."""

    def __init__(self, base: Voxels) -> None:
        self._voxels = base
        self._lost_bytes = self._damaged = 0
        self._note: Mapping[str, str] = {}
        self.has_base = False
        self.edits = 0

    def take(self, piece: Record | Mapping[str, str] | Damage) -> None:
        match piece:
            case Record(box=box, voxels=voxels):
                self._voxels[box] = voxels
                if not self.has_base and not self.edits and voxels.shape == self._voxels.shape:
                    self.has_base = True
                else:
                    self.edits += 1
            case Damage(n_bytes=n_bytes, is_tail=is_tail):
                self._lost_bytes += n_bytes
                self._damaged += not is_tail
            case _:
                self._note = piece

    def recovered(self) -> Recovered:
        return Recovered(
            voxels=self._voxels,
            edits=self.edits,
            lost_bytes=self._lost_bytes,
            is_saved=False,
            damaged=self._damaged,
            is_base_lost=not self.has_base,
            note=self._note,
        )


def _check_same_image(path: Path, header: Header, *, expected: Header, case: str) -> None:
    """Refuse another case's journal, so that no record can hold more than a mask in memory."""
    if not is_of_case(header, case):
        raise FileError(f"{path.name} holds edits of another case; move it away.")
    if (header.shape, header.dtype) != (expected.shape, expected.dtype):
        raise FileError(
            f"{path.name} holds edits of a mask of shape {header.shape} ({header.dtype}), but that of this "
            f"case has {expected.shape} ({expected.dtype}); move it away, or open the image it was made on."
        )


class TakenOverError(FileError):
    """Another program has replaced this journal by its own."""


class Journal:
    """The journal of one mask, open for writing; from `begin` or `resume` to `close` or `discard`.

    If `append` fails, the journal lacks that edit, so it takes no further edits before `restart`.
    """

    def __init__(
        self, path: Path, header: Header, *, voxels: Voxels, note: Mapping[str, str] | None = None
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
        """Begin the journal of a mask; missing folders are made.

        `base` is the mask ``(Z, Y, X)`` on disk, of whole numbers, or zeros if there is none; `now` is the
        mask if it has changed since. Only a hash of the name of the `case` is written. The `note` says which
        layer the mask is, if the name of the file does not. `FileError` if there is a journal already, whose
        edits would be lost; `ResourceError` if the folder cannot be written to, or has less than 64 MB free.
        """
        if path.exists():
            raise FileError(f"{path.name} holds unsaved edits of {case}; take them back, or discard them.")
        journal = cls(path, header_of(base, case), voxels=base if now is None else now, note=note)
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
        """Go on with the journal of a crashed session; see `recover` for the arguments and errors.

        If a part of it could not be read, the file is kept beside it as it was (``...-damaged-001``). If the
        folder cannot be written to, the journal is unchanged.
        """
        check_free(path)
        recovered = recover(path, base, case=case, any_base=any_base)
        if recovered.lost_bytes:
            copy_file(path, free_name(path, "damaged"))
        return cls(path, header_of(base, case), voxels=recovered.voxels, note=recovered.note), recovered

    @property
    def is_large(self) -> bool:
        """Whether the journal should be restarted."""
        return self._size > LARGE_BYTES

    def append(self, box: Box, voxels: Voxels) -> None:
        """Write an edit: the voxels ``(Z, Y, X)`` of a box inside the mask, on disk when this returns.

        `ResourceError` if this edit or an earlier one could not be written; then free some space, and
        `restart`.
        """
        assert self._file is not None, "the journal is closed"
        assert all(0 <= p.start < p.stop <= n for p, n in zip(box, self._header.shape, strict=True)), box
        assert voxels.shape == tuple(p.stop - p.start for p in box), (box, voxels.shape)
        if self._is_behind:
            raise _unsafe(self.path, "an earlier edit is missing from it")
        self._is_behind = True
        record = packed_record(box, voxels, dtype=self._header.dtype)
        try:
            self._check_mine()
            _write_all(self._file, record)
        except OSError as error:
            # No part of it may remain before a later record.
            with suppress(OSError):
                self._file.truncate(self._size)
            raise _unsafe(self.path, error.strerror or type(error).__name__) from error
        self._size += len(record)
        self._is_behind = False

    def restart(self, voxels: Voxels) -> None:
        """Replace all edits atomically by the mask ``(Z, Y, X)`` that they led to.

        `TakenOverError` if another program has replaced the journal by its own. A failure leaves the journal
        unchanged.
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
        """Stop writing and remove the journal, whose edits are saved or not wanted."""
        self.close()
        remove(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(  # noqa: PLR0917  # Python calls it
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, voxels: Voxels) -> None:
        """Replace the file by a journal with the whole mask, and open it to append."""
        header = self._header
        assert voxels.shape == header.shape, (voxels.shape, header.shape)
        note = packed_note(self._note) if self._note else b""
        whole = packed_record(whole_box(header.shape), voxels, dtype=header.dtype)
        content = packed_header(header) + note + whole
        was_open = self._file is not None
        try:
            with atomic_path(self.path) as temporary:
                fill(temporary, content)
                # Windows does not replace an open file.
                self.close()
        except ResourceError:
            if was_open and self._file is None:
                self._open()
            raise
        self._size, self._is_behind = len(content), False
        self._open()

    def _check_mine(self) -> None:
        """Refuse to write once another program has replaced the file."""
        if not self._is_mine():
            raise OSError(errno.ESTALE, _TAKEN_OVER)

    def _is_mine(self) -> bool:
        return os.path.samestat(self._identity, self.path.stat())

    def _open(self) -> None:
        try:
            # Unbuffered: when `write` returns, the system has the bytes, and they survive this program.
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
    """Refuse a journal that another window or program is writing."""
    with suppress(FileNotFoundError), disk.open(path, "r+b") as file:
        lock(file)


def put_aside(path: Path, kind: str = "aside") -> Path:
    """Rename a journal (``...-aside-001``), so that it is no longer offered, but not lost either.

    `FileError` if another window or program is writing it, or if it cannot be renamed.
    """
    check_free(path)
    aside = free_name(path, kind)
    try:
        disk.replace(path, aside)
    except OSError as error:
        raise FileError(f"{path.name} could not be put aside: {error.strerror}.") from error
    return aside


def free_name(path: Path, kind: str) -> Path:
    """Return the first free name of this kind beside a journal."""
    return free_path(lambda number: path.with_name(f"{path.name}-{kind}-{number:03d}"))


def _write_all(file: FileIO, record: bytes) -> None:
    disk.write(file, record)
    disk.fsync(file)


def _unsafe(path: Path, reason: str) -> ResourceError:
    return ResourceError(
        f"{UNSAFE}: {path} could not be written ({reason}). Free some space, or save the mask elsewhere."
    )
