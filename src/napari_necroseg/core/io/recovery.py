"""What a journal of edits gives back after a crash: the mask after all of its records that are sound."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from napari_necroseg.core.errors import FileError, unreadable
from napari_necroseg.core.files import open_to_read
from napari_necroseg.core.io.journal_records import (
    Damage,
    Header,
    Record,
    header_of,
    is_of_case,
    read_header,
    read_records,
)
from napari_necroseg.core.volume import Voxels

# No journal that is restarted when it is large gets near to this.
MOST_BYTES = 512 * 2**20


class OtherBaseError(FileError):
    """The mask on disk is not the one that the journal's edits began with."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Recovered:
    """What a journal holds.

    Parameters
    ----------
    voxels
        ``(Z, Y, X)``; the mask after the last edit that is sound.
    edits
        Sound edits since the journal began or was last restarted.
    lost_bytes
        What could not be read: the part of an edit that was being written last, and what is damaged.
    is_saved
        Whether the mask on disk is the same already.
    damaged
        In how many places something is damaged that sound edits follow; each is one lost edit or more.
    is_base_lost
        Whether the mask that the edits began with is among that; the one on disk stands in for it.
    note
        Which layer the mask is: its name, and what its `LayerSource` says, where that was noted.
    """

    voxels: Voxels
    edits: int
    lost_bytes: int
    is_saved: bool
    damaged: int = 0
    is_base_lost: bool = False
    note: Mapping[str, str] = field(default_factory=dict)

    @property
    def loss(self) -> str:
        """Say what could not be read; nothing if all could."""
        if not self.lost_bytes:
            return ""
        if not self.damaged:
            return (
                f"The edit that was being written last is not whole ({self.lost_bytes} bytes): it is missing."
            )
        places = "1 place" if self.damaged == 1 else f"{self.damaged} places"
        began = (
            " What the mask was before these edits could not be read either: it is as it was saved, or empty."
            if self.is_base_lost
            else ""
        )
        return (
            f"The journal is damaged in {places} ({self.lost_bytes} bytes): at least {self.damaged} "
            f"{'edit is' if self.damaged == 1 else 'edits are'} missing.{began}"
        )


def recover(path: Path, base: Voxels, *, case: str, any_base: bool = False) -> Recovered:
    """Read the mask that a journal leads to; nothing on disk changes.

    Parameters
    ----------
    path
        The journal.
    base
        ``(Z, Y, X)``; the mask as it is on disk, or zeros where there is none.
    case
        Name of the case.
    any_base
        Take the mask also if that on disk was changed since: the journal holds all of it.

    Raises
    ------
    OtherBaseError
        If the mask on disk was changed since, to another one than the journal leads to.
    FileError
        If there is no journal, it is damaged at its beginning, or belongs to another case or image.
    """
    expected = header_of(base, case)
    try:
        recovered, header = _read(path, base, expected, case)
    except OSError as error:
        raise unreadable(path, error) from error
    is_same = bool(np.array_equal(recovered.voxels != 0, base != 0))
    # What is damaged may have led elsewhere.
    is_saved = is_same and not recovered.damaged
    if not is_same and not any_base and header.base != expected.base:
        raise OtherBaseError(
            f"The mask of {case} was changed since the {recovered.edits} edits in {path.name} began; take "
            "them back in place of it, or move the journal away."
        )
    return replace(recovered, is_saved=is_saved)


def _read(path: Path, base: Voxels, expected: Header, case: str) -> tuple[Recovered, Header]:
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise FileError(f"{path.name} has {size / 2**20:.0f} MB, too much for a journal; move it away.")
    with open_to_read(path) as file:
        header, is_header_sound = read_header(file, path.name, expected)
        _check_same_image(path, header, expected, case)
        found = _Replayed(base.astype(header.dtype))
        for piece in read_records(file, file.tell(), size, header):
            found.take(piece)
    # A header that is damaged is believed only where the mask behind it has the case's shape.
    if not found.has_base and not (is_header_sound and found.edits):
        raise FileError(
            f"{path.name} is damaged: the mask that its edits begin with is missing; move it away."
        )
    return found.recovered(), header


class _Replayed:
    """A mask, and what records make of it one after the other."""

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


def _check_same_image(path: Path, header: Header, expected: Header, case: str) -> None:
    """Refuse another case's journal; its size is that of a mask in memory from here on."""
    if not is_of_case(header, case):
        raise FileError(f"{path.name} holds edits of another case; move it away.")
    if (header.shape, header.dtype) != (expected.shape, expected.dtype):
        raise FileError(
            f"{path.name} holds edits of a mask of shape {header.shape} ({header.dtype}), but that of this "
            f"case has {expected.shape} ({expected.dtype}); move it away, or open the image it was made on."
        )
