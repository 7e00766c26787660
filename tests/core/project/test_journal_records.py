"""Journals that were forged: no more is read, or allocated, than a mask of the case can need."""

import struct
import tracemalloc
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_necroseg.core.errors import FileError
from napari_necroseg.core.project import journal, journal_records
from napari_necroseg.core.project.journal import recover
from napari_necroseg.core.project.journal_records import (
    header_of,
    packed_header,
    packed_note,
    packed_record,
    whole_box,
)

BASE = np.zeros((3, 4, 5), np.uint8)
HEADER = header_of(BASE, "a")
BEGINNING = packed_header(HEADER) + packed_record(whole_box(BASE.shape), BASE, dtype="|u1")


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
    ours = packed_record(box, voxels, dtype="|u1")
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
def test_a_record_that_no_mask_can_have_is_passed_over(path: Path, record: bytes) -> None:
    good = forged((0, 1, 0, 4, 0, 5), zlib.compress(bytes([1]) * 20, 1))
    last = forged((1, 2, 0, 4, 0, 5), zlib.compress(bytes([1]) * 20, 1))
    path.write_bytes(BEGINNING + good + record + last)
    recovered = recover(path, BASE, case="a")
    assert (recovered.edits, recovered.lost_bytes, recovered.damaged) == (2, len(record), 1)
    assert recovered.voxels.sum() == 40


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


def test_a_journal_whose_first_mask_is_missing_gives_its_edits_on_the_one_on_disk(path: Path) -> None:
    path.write_bytes(packed_header(HEADER) + forged((0, 1, 0, 4, 0, 5), zlib.compress(bytes([1]) * 20)))
    recovered = recover(path, BASE, case="a")
    assert (recovered.edits, recovered.is_base_lost, recovered.voxels.sum()) == (1, True, 20)
    path.write_bytes(packed_header(HEADER))
    with pytest.raises(FileError, match="began with is missing"):
        recover(path, BASE, case="a")


def test_many_forged_beginnings_do_not_keep_one_waiting(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_records, "_MOST_TRIED_BYTES", 10_000)
    body = struct.pack("<6I", 0, 3, 0, 4, 0, 5) + b"\x78\x01"
    forged_ones = (struct.pack("<II", 1000, 0) + body) * 3000
    path.write_bytes(BEGINNING + forged_ones)
    recovered = recover(path, BASE, case="a")
    assert (recovered.edits, recovered.lost_bytes) == (0, len(forged_ones))


def test_a_note_says_which_layer_it_is_and_the_last_one_counts(path: Path) -> None:
    notes = [packed_note({"layer": name}) for name in ("ceT1 - Labels", "Läsion")]
    path.write_bytes(packed_header(HEADER) + notes[0] + BEGINNING[len(packed_header(HEADER)) :] + notes[1])
    recovered = recover(path, BASE, case="a")
    assert (recovered.note, recovered.edits, recovered.lost_bytes) == ({"layer": "Läsion"}, 0, 0)
    assert packed_note({"layer": str(np.random.default_rng(0).bytes(20_000))}) == b""


def test_a_file_that_is_too_large_is_not_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_bytes(BEGINNING)
    monkeypatch.setattr(journal, "MOST_BYTES", len(BEGINNING))
    assert recover(path, BASE, case="a").is_saved
    path.write_bytes(BEGINNING + b"x")
    with pytest.raises(FileError, match="too much for a journal"):
        recover(path, BASE, case="a")
