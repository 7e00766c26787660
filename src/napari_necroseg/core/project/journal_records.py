"""Reads and writes the bytes of a journal of edits: a header, then records with length and checksum.

The header holds the magic number, the dtype, the shape, the SHA-256 of the mask on disk, the SHA-256 of the
case's name, and a CRC-32 of all these. A record holds the length of its body, a CRC-32 of that length and the
body, and the body: a box (start and stop of each axis) and its zlib-compressed voxels. All numbers are
little-endian. The first record holds the whole mask, so that a journal can be read without any other file. A
record whose box is all zeros is a note: JSON that says which layer the mask is. Damaged bytes are skipped:
reading goes on at the next record whose checksum is right.
"""

import hashlib
import json
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal
from unicodedata import normalize

import numpy as np

from napari_necroseg.core.errors import FileError
from napari_necroseg.core.volume import Voxels

Box = tuple[slice, slice, slice]
Shape = tuple[int, int, int]
DTYPES = ("|u1", "|i1", "<u2", "<i2", "<u4", "<i4", "<u8", "<i8")
_MAGIC = b"necrojn1"
_HEADER = struct.Struct("<8s4s3I32s32sI")
_PREFIX = struct.Struct("<II")
_BOX = struct.Struct("<6I")

# The fastest level; strokes are mostly runs of one value. Every such stream begins with the same two bytes,
# by which the next record is found behind a damaged one.
_LEVEL = 1
_STREAM = b"\x78\x01"
_BEFORE_STREAM = _PREFIX.size + _BOX.size
_NOTE_BOX = bytes(_BOX.size)
_MOST_NOTE_BYTES = 4096
_SCAN_BYTES = 2**16

# In a forged file every byte could look like the beginning of a long record.
_MOST_TRIED_BYTES = 2**28

# Of the 448 header bits that are known beforehand; those of another case differ in about 128.
_MOST_FLIPPED_BITS = 64


@dataclass(frozen=True, kw_only=True)
class Header:
    """Identifies the mask and the case that a journal belongs to."""

    shape: Shape
    dtype: str
    base: bytes  # `raw_sha256` of the mask on disk.
    case: bytes  # SHA-256 of the case's name.


def header_of(base: Voxels, case: str) -> Header:
    """Return the header of a journal for a mask ``(Z, Y, X)`` of whole numbers."""
    dtype = base.dtype.newbyteorder("<").str
    assert base.ndim == 3, base.shape
    assert dtype in DTYPES, base.dtype
    z, y, x = base.shape
    return Header(shape=(z, y, x), dtype=dtype, base=raw_sha256(base), case=_name_sha256(case, "NFC"))


def is_of_case(header: Header, case: str) -> bool:
    """Whether a journal is that of a case, in whichever Unicode form the name was written."""
    return header.case in (_name_sha256(case, "NFC"), _name_sha256(case, "NFD"))


def _name_sha256(case: str, form: Literal["NFC", "NFD"]) -> bytes:
    return hashlib.sha256(normalize(form, case).encode()).digest()


def raw_sha256(voxels: Voxels) -> bytes:
    """Return the SHA-256 of the voxels in C order, little-endian."""
    plain = np.ascontiguousarray(voxels, voxels.dtype.newbyteorder("<"))
    return hashlib.sha256(plain.view(np.uint8).data).digest()


def packed_header(header: Header) -> bytes:
    """Return the bytes of a header."""
    fields = (_MAGIC, header.dtype.encode(), *header.shape, header.base, header.case)
    content = _HEADER.pack(*fields, 0)[:-4]
    return content + struct.pack("<I", zlib.crc32(content))


def read_header(file: BinaryIO, name: str, *, expected: Header) -> tuple[Header, bool]:
    """Read the header at the beginning of a file, and whether it is undamaged.

    A damaged header that differs from `expected` in a few bits counts as `expected`. `FileError` if there is
    no header, it is damaged, or it names a dtype or shape that no mask has.
    """
    content = file.read(_HEADER.size)
    if not content.strip(b"\0"):
        raise FileError(f"{name} is empty, as after a power cut, and holds no edits; move it away.")
    is_whole = len(content) == _HEADER.size and zlib.crc32(content[:-4]) == int.from_bytes(
        content[-4:], "little"
    )
    if not is_whole and len(content) == _HEADER.size and _is_nearly(content, expected):
        return expected, False
    if not content.startswith(_MAGIC):
        is_newer = len(content) >= len(_MAGIC) and content.startswith(_MAGIC[:-1])
        kind = "was written by another version of this program" if is_newer else "is not a journal of edits"
        raise FileError(f"{name} {kind}; choose another file, or move it away.")
    if not is_whole:
        raise FileError(
            f"{name} is damaged at its beginning, so none of its edits can be read; move it away."
        )
    return _unpacked_header(content, name), True


def _unpacked_header(content: bytes, name: str) -> Header:
    _, dtype, z, y, x, base, case, _ = _HEADER.unpack(content)
    kind = dtype.rstrip(b"\0").decode("ascii", "replace")
    if kind not in DTYPES or min(z, y, x) < 1:
        raise FileError(f"{name} is for a mask of shape {(z, y, x)}, dtype {kind!r}, which no case has.")
    return Header(shape=(z, y, x), dtype=kind, base=base, case=case)


def _is_nearly(content: bytes, expected: Header) -> bool:
    """Whether a header differs from the expected one in a few bits only, the mask on disk left aside."""
    ours = packed_header(expected)
    known = [*range(_HEADER.size - 68), *range(_HEADER.size - 36, _HEADER.size - 4)]
    flipped: int = sum((content[at] ^ ours[at]).bit_count() for at in known)
    return flipped <= _MOST_FLIPPED_BITS


def packed_record(box: Box, voxels: Voxels, *, dtype: str) -> bytes:
    """Return the bytes of a record with the voxels of a box; its bounds are whole and not negative."""
    corners = [int(bound) for part in box for bound in (part.start, part.stop)]
    plain = np.ascontiguousarray(voxels.astype(dtype, casting="safe", copy=False))
    body = _BOX.pack(*corners) + zlib.compress(plain.view(np.uint8).data, _LEVEL)
    return _PREFIX.pack(len(body), _checksum(body)) + body


def packed_note(note: Mapping[str, str]) -> bytes:
    """Return the bytes of a note; none if it is too long."""
    body = _NOTE_BOX + zlib.compress(json.dumps(dict(note)).encode(), _LEVEL)
    fits = len(body) <= _MOST_NOTE_BYTES
    return _PREFIX.pack(len(body), _checksum(body)) + body if fits else b""


@dataclass(frozen=True, kw_only=True, eq=False)
class Record:
    """An edit: a box of the mask, and its voxels ``(Z, Y, X)``."""

    box: Box
    voxels: Voxels


@dataclass(frozen=True, kw_only=True)
class Damage:
    """A number of damaged bytes; `is_tail` if no undamaged record follows."""

    n_bytes: int
    is_tail: bool


def read_records(
    file: BinaryIO, start: int, *, size: int, header: Header
) -> Iterator[Record | dict[str, str] | Damage]:
    """Yield the undamaged records and notes of a file from a byte on, and the damage between them.

    The header bounds the size of a record, so that no more is allocated whatever the file says.
    """
    at = start
    while at < size:
        found, n_bytes = _record_at(file, at, size=size, header=header)
        if found is not None:
            yield found
            at += n_bytes
            continue
        begin = _next_record(file, at + 1, size=size, header=header)
        yield Damage(n_bytes=(size if begin is None else begin) - at, is_tail=begin is None)
        at = size if begin is None else begin


def _next_record(file: BinaryIO, start: int, *, size: int, header: Header) -> int | None:
    """Return where the next undamaged record begins; None if there is none."""
    tried = 0
    for begin in _beginnings(file, start, size=size):
        found, n_bytes = _record_at(file, begin, size=size, header=header)
        if found is not None:
            return begin
        tried += n_bytes
        if tried > _MOST_TRIED_BYTES:
            return None
    return None


def _beginnings(file: BinaryIO, start: int, *, size: int) -> Iterator[int]:
    """Yield where records may begin: a fixed distance before the beginning of each compressed stream."""
    at = start + _BEFORE_STREAM
    while at < size:
        file.seek(at)
        # One byte more, since the two bytes may lie in different pieces.
        piece = file.read(_SCAN_BYTES + 1)
        place = piece.find(_STREAM)
        while 0 <= place < _SCAN_BYTES:
            yield at + place - _BEFORE_STREAM
            place = piece.find(_STREAM, place + 1)
        at += _SCAN_BYTES


def _record_at(
    file: BinaryIO, begin: int, *, size: int, header: Header
) -> tuple[Record | dict[str, str] | None, int]:
    """Return the record or note at a byte, if there is one, and how many bytes were read for it."""
    if size - begin < _BEFORE_STREAM:
        return None, 0
    file.seek(begin)
    length, checksum = _PREFIX.unpack(file.read(_PREFIX.size))
    box = file.read(_BOX.size)
    most = _MOST_NOTE_BYTES if box == _NOTE_BOX else _most_bytes(box, header)
    if not _BOX.size <= length <= min(size - begin - _PREFIX.size, most):
        return None, 0
    body = box + file.read(length - _BOX.size)
    if _checksum(body) != checksum:
        return None, length
    found = _unpacked_note(body) if box == _NOTE_BOX else _unpacked(body, header)
    return found, _PREFIX.size + length


def whole_box(shape: Shape) -> Box:
    """Return the box of all voxels."""
    z, y, x = shape
    return (slice(0, z), slice(0, y), slice(0, x))


def _checksum(body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(struct.pack("<I", len(body))))


def _most_bytes(box: bytes, header: Header) -> int:
    """Return the most bytes that a record of a box can have after zlib; 0 if there is no such box."""
    found = _unpacked_box(box, header)
    if found is None:
        return 0
    size = _size(_shape_of(found), header.dtype)
    return _BOX.size + size + size // 1000 + 1024


def _unpacked_box(box: bytes, header: Header) -> Box | None:
    corners = _BOX.unpack(box)
    z, y, x = (slice(corners[axis], corners[axis + 1]) for axis in (0, 2, 4))
    fits = all(p.start < p.stop <= n for p, n in zip((z, y, x), header.shape, strict=True))
    return (z, y, x) if fits else None


def _shape_of(box: Box) -> Shape:
    z, y, x = (part.stop - part.start for part in box)
    return (z, y, x)


def _unpacked(body: bytes, header: Header) -> Record | None:
    """Return the edit in a body; None if it contradicts itself or the header."""
    box = _unpacked_box(body[: _BOX.size], header)
    if box is None:
        return None
    content = _inflated(body[_BOX.size :], _size(_shape_of(box), header.dtype))
    if content is None:
        return None
    voxels: np.ndarray[Any, Any] = np.frombuffer(content, header.dtype).reshape(_shape_of(box))
    return Record(box=box, voxels=voxels)


def _unpacked_note(body: bytes) -> dict[str, str] | None:
    """Return the entries of a note; None if it has none that can be read."""
    try:
        content = zlib.decompressobj().decompress(body[_BOX.size :], _MOST_NOTE_BYTES)
        note = json.loads(content)
    except (zlib.error, ValueError, RecursionError):
        return None
    return {str(key): str(value) for key, value in note.items()} if isinstance(note, dict) else None


def _inflated(data: bytes, size: int) -> bytes | None:
    """Decompress exactly `size` bytes; None if there are more, fewer, or damaged ones."""
    inflater = zlib.decompressobj()
    try:
        content = inflater.decompress(data, size + 1)
    except zlib.error:
        return None
    whole = len(content) == size and inflater.eof and not inflater.unused_data
    return content if whole else None


def _size(shape: Shape, dtype: str) -> int:
    return int(shape[0] * shape[1] * shape[2] * np.dtype(dtype).itemsize)
