"""What a journal of edits gives back after a crash: the mask, up to the last whole record."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from napari_necroseg.core.errors import FileError
from napari_necroseg.core.io.journal_records import Header, header_of, read_header, read_records, whole_box
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
        ``(Z, Y, X)``; the mask after the last whole edit.
    edits
        Edits since the journal began or was last restarted.
    lost_bytes
        What was behind the last whole edit: the part of one that was being written.
    is_saved
        Whether the mask on disk is the same already.
    """

    voxels: Voxels
    edits: int
    lost_bytes: int
    is_saved: bool


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
    try:
        expected = header_of(base, case)
        recovered, header = _read(path, expected)
    except OSError as error:
        raise FileError(f"{path} could not be read: {error.strerror}.") from error
    is_saved = bool(np.array_equal(recovered.voxels, base))
    if not is_saved and not any_base and header.base != expected.base:
        raise OtherBaseError(
            f"The mask of {case} was changed since the {recovered.edits} edits in {path.name} began; take "
            "them back in place of it, or move the journal away."
        )
    return replace(recovered, is_saved=is_saved)


def _read(path: Path, expected: Header) -> tuple[Recovered, Header]:
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise FileError(f"{path.name} has {size / 2**20:.0f} MB, too much for a journal; move it away.")
    with path.open("rb") as file:
        header = read_header(file, path.name)
        _check_same_image(path, header, expected)
        voxels: Voxels = np.zeros(header.shape, header.dtype)
        end = file.tell()
        edits = -1
        for box, part, length in read_records(file, size - end, header):
            if edits < 0 and box != whole_box(header.shape):
                break
            voxels[box] = part
            end, edits = end + length, edits + 1
    if edits < 0:
        raise FileError(
            f"{path.name} is damaged: the mask that its edits begin with is missing; move it away."
        )
    return Recovered(voxels=voxels, edits=edits, lost_bytes=size - end, is_saved=False), header


def _check_same_image(path: Path, header: Header, expected: Header) -> None:
    """Refuse another case's journal; its size is that of a mask in memory from here on."""
    if header.case != expected.case:
        raise FileError(f"{path.name} holds edits of another case; move it away.")
    if (header.shape, header.dtype) != (expected.shape, expected.dtype):
        raise FileError(
            f"{path.name} holds edits of a mask of shape {header.shape} ({header.dtype}), but that of this "
            f"case has {expected.shape} ({expected.dtype}); move it away, or open the image it was made on."
        )
