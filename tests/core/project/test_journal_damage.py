"""Journals that a disk, a power cut or a copy has damaged: every sound edit comes back, the loss is said."""

from pathlib import Path

import numpy as np
import pytest

from napari_necroseg.core.errors import FileError
from napari_necroseg.core.project.journal import Journal, recover

SHAPE = (4, 20, 24)
CASE = "a"
BASE = np.zeros(SHAPE, np.uint8)
HEADER_BYTES = 92


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.journal"


def strokes(path: Path, number: int) -> list[int]:
    """Journal strokes of one voxel each, voxel n with stroke n; the size of the file after each."""
    with Journal.begin(path, BASE, case=CASE) as journal:
        sizes = [path.stat().st_size]
        for place in range(number):
            z, y, x = (int(n) for n in np.unravel_index(place, SHAPE))
            journal.append((slice(z, z + 1), slice(y, y + 1), slice(x, x + 1)), np.ones((1, 1, 1), np.uint8))
            sizes.append(path.stat().st_size)
    return sizes


def test_one_flipped_bit_in_the_eleventh_of_200_strokes_costs_that_stroke_alone(path: Path) -> None:
    sizes = strokes(path, 200)
    content = bytearray(path.read_bytes())
    content[sizes[10] + 20] ^= 4
    path.write_bytes(content)
    found = recover(path, BASE, case=CASE)
    expected = np.arange(BASE.size).reshape(SHAPE) < 200
    expected.ravel()[10] = False
    np.testing.assert_array_equal(found.voxels != 0, expected)
    assert (found.edits, found.damaged, found.lost_bytes) == (199, 1, sizes[11] - sizes[10])
    assert "damaged in 1 place" in found.loss
    assert "at least 1 edit is missing" in found.loss


def test_the_damaged_file_is_kept_beside_when_work_goes_on(path: Path) -> None:
    sizes = strokes(path, 5)
    damaged = bytearray(path.read_bytes())
    damaged[sizes[2] + 9] ^= 1
    path.write_bytes(damaged)
    journal, found = Journal.resume(path, BASE, case=CASE)
    journal.close()
    assert found.voxels.sum() == 4
    assert path.with_name("a.journal-damaged-001").read_bytes() == damaged
    again = recover(path, BASE, case=CASE)
    np.testing.assert_array_equal(again.voxels, found.voxels)
    assert again.loss == ""


def test_a_sound_journal_is_taken_up_without_a_copy(path: Path) -> None:
    strokes(path, 2)
    journal, _ = Journal.resume(path, BASE, case=CASE)
    journal.close()
    assert [file.name for file in path.parent.iterdir()] == ["a.journal"]


def test_a_bit_flipped_anywhere_costs_one_stroke_at_most(path: Path) -> None:
    sizes = strokes(path, 4)
    content = path.read_bytes()
    whole = np.arange(BASE.size).reshape(SHAPE) < 4
    for place in range(len(content)):
        flipped = bytearray(content)
        flipped[place] ^= 1 << place % 8
        path.write_bytes(flipped)
        found = recover(path, BASE, case=CASE, any_base=True)
        expected = whole.copy()
        struck = next(number for number, size in enumerate(sizes) if place < size)
        if struck:
            expected.ravel()[struck - 1] = False
        np.testing.assert_array_equal(found.voxels != 0, expected, err_msg=str(place))
        assert bool(found.lost_bytes) is (place >= HEADER_BYTES), place


def test_strokes_on_a_saved_mask_whose_copy_is_damaged_come_back_on_the_one_on_disk(path: Path) -> None:
    base = BASE.copy()
    base[3] = 1
    with Journal.begin(path, base, case=CASE) as journal:
        beginning = path.stat().st_size
        journal.append((slice(0, 1),) * 3, np.ones((1, 1, 1), np.uint8))
    content = bytearray(path.read_bytes())
    content[beginning - 3] ^= 255
    path.write_bytes(content)
    found = recover(path, base, case=CASE)
    assert found.is_base_lost
    assert found.voxels.sum() == base.sum() + 1
    assert "before these edits" in found.loss


@pytest.mark.parametrize("n_zeros", [1, 31, 4096, 100_000])
def test_a_tail_of_zeros_is_no_stroke(path: Path, n_zeros: int) -> None:
    strokes(path, 3)
    path.write_bytes(path.read_bytes() + bytes(n_zeros))
    found = recover(path, BASE, case=CASE)
    assert (found.edits, found.voxels.sum(), found.lost_bytes, found.damaged) == (3, 3, n_zeros, 0)


def test_zeros_in_the_middle_cost_what_they_cover(path: Path) -> None:
    sizes = strokes(path, 6)
    content = path.read_bytes()
    path.write_bytes(content[: sizes[2]] + bytes(sizes[4] - sizes[2]) + content[sizes[4] :])
    found = recover(path, BASE, case=CASE)
    assert found.voxels.ravel()[:6].tolist() == [1, 1, 0, 0, 1, 1]


def test_a_tail_that_is_there_twice_changes_nothing(path: Path) -> None:
    sizes = strokes(path, 4)
    content = path.read_bytes()
    for begin in range(sizes[1], sizes[4]):
        path.write_bytes(content + content[begin:])
        assert recover(path, BASE, case=CASE).voxels.sum() == 4


@pytest.mark.parametrize("content", [b"", bytes(10), bytes(HEADER_BYTES), bytes(5000)])
def test_an_empty_file_is_said_to_be_empty(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(FileError, match="is empty, as after a power cut, and holds no edits"):
        recover(path, BASE, case=CASE)


def test_a_journal_of_another_version_is_said_to_be_one(path: Path) -> None:
    strokes(path, 1)
    content = bytearray(path.read_bytes())
    content[:HEADER_BYTES] = b"necrojn2" + bytes(range(HEADER_BYTES - 8))
    path.write_bytes(content)
    with pytest.raises(FileError, match="another version of this program"):
        recover(path, BASE, case=CASE)


def test_a_damaged_journal_of_another_case_or_shape_is_not_taken_for_this_one(path: Path) -> None:
    strokes(path, 2)
    content = bytearray(path.read_bytes())
    content[30] ^= 1
    path.write_bytes(content)
    with pytest.raises(FileError, match="damaged at its beginning"):
        recover(path, BASE, case="b")
    with pytest.raises(FileError, match="began with is missing"):
        recover(path, np.zeros((5, 20, 24), np.uint8), case=CASE)


def test_what_is_damaged_never_counts_as_saved(path: Path) -> None:
    sizes = strokes(path, 2)
    content = bytearray(path.read_bytes())
    content[sizes[0] + 9] ^= 1
    path.write_bytes(content)
    half = recover(path, BASE, case=CASE).voxels
    assert not recover(path, half, case=CASE, any_base=True).is_saved
