"""Journals that were forged: no more is read, or allocated, than a mask of the case can need."""

import struct
import tracemalloc
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_necroseg.core.errors import FileError
from napari_necroseg.core.io import recovery
from napari_necroseg.core.io.journal_records import header_of, packed_header, packed_record, whole_box
from napari_necroseg.core.io.recovery import recover

BASE = np.zeros((3, 4, 5), np.uint8)
HEADER = header_of(BASE, "a")
BEGINNING = packed_header(HEADER) + packed_record(whole_box(BASE.shape), BASE, "|u1")


def forged(corners, data: bytes) -> bytes:
    """A record whose checksum is right, whatever it holds."""
    body = struct.pack("<6I", *corners) + data
    length = struct.pack("<I", len(body))
    return length + struct.pack("<I", zlib.crc32(body, zlib.crc32(length))) + body


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.journal"


def test_a_record_is_what_the_format_says(path: Path) -> None:
    voxels = np.arange(6, dtype=np.uint8).reshape(1, 2, 3)
    box = (slice(1, 2), slice(2, 4), slice(0, 3))
    ours = packed_record(box, voxels, "|u1")
    path.write_bytes(BEGINNING + forged((1, 2, 2, 4, 0, 3), zlib.compress(bytes(range(6)))))
    theirs = recover(path, BASE, case="a").voxels
    path.write_bytes(BEGINNING + ours)
    np.testing.assert_array_equal(recover(path, BASE, case="a").voxels, theirs)
    np.testing.assert_array_equal(theirs[box], voxels)


@pytest.mark.parametrize(
    "record",
    [
        forged((0, 4, 0, 4, 0, 5), zlib.compress(bytes(80))),
        forged((2, 1, 0, 4, 0, 5), zlib.compress(bytes(20))),
        forged((1, 1, 0, 4, 0, 5), zlib.compress(b"")),
        forged((2**32 - 1, 2**32 - 1, 0, 4, 0, 5), zlib.compress(bytes(20))),
        forged((0, 1, 0, 4, 0, 5), zlib.compress(bytes(19))),
        forged((0, 1, 0, 4, 0, 5), zlib.compress(bytes(21))),
        forged((0, 1, 0, 4, 0, 5), zlib.compress(bytes(20))[:-4]),
        forged((0, 1, 0, 4, 0, 5), zlib.compress(bytes(20)) + b"more"),
        forged((0, 1, 0, 4, 0, 5), b"not compressed"),
        struct.pack("<II", 2**32 - 1, 0) + bytes(100),
        struct.pack("<II", 3, 0) + bytes(3),
    ],
)
def test_a_record_that_no_mask_can_have_ends_the_journal(path: Path, record: bytes) -> None:
    good = forged((0, 1, 0, 4, 0, 5), zlib.compress(bytes([1]) * 20))
    path.write_bytes(BEGINNING + good + record + good)
    recovered = recover(path, BASE, case="a")
    assert (recovered.edits, recovered.lost_bytes) == (1, len(record) + len(good))
    assert recovered.voxels.sum() == 20


@pytest.mark.parametrize(
    "data",
    [zlib.compress(bytes(900_000), 9), np.random.default_rng(0).bytes(5_000_000)],
    ids=["inflates to a thousand times its size", "is larger than the mask can ever be"],
)
def test_a_record_that_would_need_more_than_the_mask_is_not_read(path: Path, data: bytes) -> None:
    bomb = forged((0, 1, 0, 1, 0, 1), data)
    path.write_bytes(BEGINNING + bomb)
    tracemalloc.start()
    try:
        assert recover(path, BASE, case="a").lost_bytes == len(bomb)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 500_000


@pytest.mark.parametrize(
    ("shape", "dtype", "what"),
    [
        ((2**32 - 1,) * 3, "<u8", "of shape .4294967295"),
        ((0, 4, 5), "|u1", "no case has"),
        ((3, 4, 5), "|O", "no case has"),
        ((3, 4, 5), "<f8", "no case has"),
        ((3, 4, 5), "<i4", r"\(<i4\), but that of this case has"),
    ],
)
def test_a_forged_header_is_refused_before_anything_is_allocated(path: Path, shape, dtype, what) -> None:
    header = replace(HEADER, shape=shape, dtype=dtype)
    path.write_bytes(packed_header(header) + BEGINNING[len(packed_header(HEADER)) :])
    with pytest.raises(FileError, match=what):
        recover(path, BASE, case="a")


def test_a_journal_that_begins_with_a_part_of_the_mask_is_damaged(path: Path) -> None:
    path.write_bytes(packed_header(HEADER) + forged((0, 1, 0, 4, 0, 5), zlib.compress(bytes(20))))
    with pytest.raises(FileError, match="begin with is missing"):
        recover(path, BASE, case="a")


def test_a_file_that_is_too_large_is_not_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_bytes(BEGINNING)
    monkeypatch.setattr(recovery, "MOST_BYTES", len(BEGINNING))
    assert recover(path, BASE, case="a").is_saved
    path.write_bytes(BEGINNING + b"x")
    with pytest.raises(FileError, match="too much for a journal"):
        recover(path, BASE, case="a")
