"""The bytes of a journal of edits: a header, then records, each with its length and checksum.

A header is the magic number, the dtype, the shape, the SHA-256 of the mask on disk, the SHA-256 of the
case's name, and a CRC-32 of all that. A record is its length, a CRC-32 of that and of its body; the body is
a box (start and stop of each axis) and the zlib-compressed voxels of it. All numbers are
little-endian. The first record holds the whole mask, so that a journal can be read without any other file.
"""

import hashlib
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

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
# The fastest; strokes are mostly runs of one value.
_LEVEL = 1


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a journal belongs to.

    Parameters
    ----------
    shape, dtype
        Of the mask.
    base
        SHA-256 of the voxels of the mask on disk, see `voxels_sha256`.
    case
        SHA-256 of the case's name.
    """

    shape: Shape
    dtype: str
    base: bytes
    case: bytes


def header_of(base: Voxels, case: str) -> Header:
    """Return the header for edits of a mask ``(Z, Y, X)`` of whole numbers."""
    dtype = base.dtype.newbyteorder("<").str
    assert base.ndim == 3, base.shape
    assert dtype in DTYPES, base.dtype
    z, y, x = base.shape
    name = hashlib.sha256(case.encode()).digest()
    return Header(shape=(z, y, x), dtype=dtype, base=voxels_sha256(base), case=name)


def voxels_sha256(voxels: Voxels) -> bytes:
    """Return the SHA-256 of the voxels in C order, little-endian."""
    plain = np.ascontiguousarray(voxels, voxels.dtype.newbyteorder("<"))
    return hashlib.sha256(plain.view(np.uint8).data).digest()


def packed_header(header: Header) -> bytes:
    """Return the bytes of a header."""
    fields = (_MAGIC, header.dtype.encode(), *header.shape, header.base, header.case)
    content = _HEADER.pack(*fields, 0)[:-4]
    return content + struct.pack("<I", zlib.crc32(content))


def read_header(file: BinaryIO, name: str) -> Header:
    """Read the header from the beginning of a file.

    Raises
    ------
    FileError
        If it is none, is damaged, or names a dtype or shape that no mask has.
    """
    content = file.read(_HEADER.size)
    if not content.startswith(_MAGIC):
        raise FileError(f"{name} is no journal of edits; choose another file, or move it away.")
    if len(content) < _HEADER.size or zlib.crc32(content[:-4]) != int.from_bytes(content[-4:], "little"):
        raise FileError(f"{name} is damaged at its beginning, so no edit can be read from it; move it away.")
    _, dtype, z, y, x, base, case, _ = _HEADER.unpack(content)
    kind = dtype.rstrip(b"\0").decode("ascii", "replace")
    if kind not in DTYPES or min(z, y, x) < 1:
        raise FileError(f"{name} is for a mask of shape {(z, y, x)}, dtype {kind!r}, which no case has.")
    return Header(shape=(z, y, x), dtype=kind, base=base, case=case)


def packed_record(box: Box, voxels: Voxels, dtype: str) -> bytes:
    """Return the bytes of a record: the voxels of a box with whole, non-negative bounds."""
    corners = [int(bound) for part in box for bound in (part.start, part.stop)]
    plain = np.ascontiguousarray(voxels.astype(dtype, casting="safe", copy=False))
    body = _BOX.pack(*corners) + zlib.compress(plain.view(np.uint8).data, _LEVEL)
    return _PREFIX.pack(len(body), _checksum(body)) + body


def read_records(file: BinaryIO, left: int, header: Header) -> Iterator[tuple[Box, Voxels, int]]:
    """Yield the whole records from where a file is, up to the first that is not.

    Parameters
    ----------
    file
        Behind its header.
    left
        Bytes from there to the end of the file.
    header
        Bounds what a record may hold: no more is allocated, whatever the file says.

    Yields
    ------
    box, voxels, length
        Which voxels, what they are, ``(Z, Y, X)`` of the box, and the bytes of the record.
    """
    while left >= _PREFIX.size:
        length, checksum = _PREFIX.unpack(file.read(_PREFIX.size))
        left -= _PREFIX.size
        if not _BOX.size <= length <= min(left, _most_bytes(header)):
            return
        body = file.read(length)
        left -= length
        record = _unpacked(body, header) if _checksum(body) == checksum else None
        if record is None:
            return
        yield (*record, _PREFIX.size + length)


def whole_box(shape: Shape) -> Box:
    """Return the box of all voxels."""
    z, y, x = shape
    return (slice(0, z), slice(0, y), slice(0, x))


def _checksum(body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(struct.pack("<I", len(body))))


def _most_bytes(header: Header) -> int:
    """Return what a record of the whole mask can need, compressed as badly as zlib ever does."""
    size = _size(header.shape, header.dtype)
    return _BOX.size + size + size // 1000 + 1024


def _unpacked(body: bytes, header: Header) -> tuple[Box, Voxels] | None:
    """Return the box and its voxels; None if they contradict each other or the header."""
    corners = _BOX.unpack_from(body)
    z, y, x = (slice(corners[axis], corners[axis + 1]) for axis in (0, 2, 4))
    if not all(p.start < p.stop <= n for p, n in zip((z, y, x), header.shape, strict=True)):
        return None
    shape = (z.stop - z.start, y.stop - y.start, x.stop - x.start)
    content = _inflated(body[_BOX.size :], _size(shape, header.dtype))
    if content is None:
        return None
    voxels: np.ndarray[Any, Any] = np.frombuffer(content, header.dtype).reshape(shape)
    return (z, y, x), voxels


def _inflated(data: bytes, size: int) -> bytes | None:
    """Decompress exactly so many bytes; None if there are more, fewer, or damaged ones."""
    inflater = zlib.decompressobj()
    try:
        content = inflater.decompress(data, size + 1)
    except zlib.error:
        return None
    whole = len(content) == size and inflater.eof and not inflater.unused_data
    return content if whole else None


def _size(shape: Shape, dtype: str) -> int:
    return int(shape[0] * shape[1] * shape[2] * np.dtype(dtype).itemsize)
