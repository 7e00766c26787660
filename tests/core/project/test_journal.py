"""Edits that are journalled, the program killed, the disk full, the file torn."""

import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_necroseg.core.errors import FileError, ResourceError
from napari_necroseg.core.labels_folder import journal_path
from napari_necroseg.core.project import journal as journal_module
from napari_necroseg.core.project.journal import Journal, OtherBaseError, recover

SHAPE = (4, 20, 24)
CASE = "patient-7"
bounds = st.tuples(*(st.tuples(st.integers(0, n - 1), st.integers(1, n)) for n in SHAPE))
edits = st.lists(st.tuples(bounds, st.integers(0, 2**32 - 1)), max_size=6)

# Edits without end; each is acknowledged on standard output once `append` has returned.
ENDLESS = """
import sys
from pathlib import Path
import numpy as np
from napari_necroseg.core.project.journal import Journal
path, seed = Path(sys.argv[1]), int(sys.argv[2])
mask = np.zeros((16, 64, 64), np.uint8)
generator = np.random.default_rng(seed)
with Journal.begin(path, mask, case="patient-7") as journal:
    for number in range(10**6):
        z, y, x = generator.integers(0, (15, 50, 50))
        box = (slice(z, z + 2), slice(y, y + 14), slice(x, x + 14))
        voxels = generator.integers(0, 2, (2, 14, 14), np.uint8)
        journal.append(box, voxels)
        if journal.is_large or number % 50 == 49:
            mask[box] = voxels
            journal.restart(mask)
        mask[box] = voxels
        print(number, flush=True)
"""


def box_of(corners) -> tuple[slice, slice, slice]:
    z, y, x = (slice(min(a, b - 1), max(a + 1, b)) for a, b in corners)
    return (z, y, x)


def edit_of(corners, seed: int) -> tuple[tuple[slice, slice, slice], np.ndarray]:
    box = box_of(corners)
    shape = tuple(part.stop - part.start for part in box)
    return box, np.random.default_rng(seed).integers(0, 3, shape, np.uint8)


@pytest.fixture
def base() -> np.ndarray:
    mask = np.zeros(SHAPE, np.uint8)
    mask[1:3, 4:9, 5:11] = 1
    return mask


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return journal_path(tmp_path / "labels", CASE)


def three_edits(path: Path, base: np.ndarray) -> tuple[list[int], list[np.ndarray]]:
    """Journal three edits; the size of the file, and the mask, after each of them (first without any)."""
    mask = base.copy()
    with Journal.begin(path, base, case=CASE) as journal:
        sizes, masks = [path.stat().st_size], [mask.copy()]
        for number in range(3):
            box = (slice(number, number + 2), slice(3, 12), slice(number, 15))
            mask[box] = np.random.default_rng(number).integers(0, 2, mask[box].shape)
            journal.append(box, mask[box])
            sizes.append(path.stat().st_size)
            masks.append(mask.copy())
    return sizes, masks


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=edits, kind=st.sampled_from([np.uint8, np.uint16, np.int32]))
def test_what_was_edited_comes_back_to_the_bit(tmp_path: Path, base, made, kind) -> None:
    path = tmp_path / "a.journal"
    path.unlink(missing_ok=True)
    base = base.astype(kind)
    mask = base.copy()
    with Journal.begin(path, base, case=CASE) as journal:
        for corners, seed in made:
            box, voxels = edit_of(corners, seed)
            mask[box] = voxels
            journal.append(box, voxels)
    recovered = recover(path, base, case=CASE)
    np.testing.assert_array_equal(recovered.voxels, mask)
    assert recovered.voxels.dtype == kind
    assert (recovered.edits, recovered.lost_bytes) == (len(made), 0)
    assert recovered.is_saved == np.array_equal(mask, base)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("acknowledged", [1, 37, 49, 50, 120])
def test_a_killed_program_loses_nothing_that_was_acknowledged(tmp_path: Path, acknowledged: int) -> None:
    path = tmp_path / "a.journal"
    program = [sys.executable, "-c", ENDLESS, str(path), str(acknowledged)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        seen = -1
        while seen < acknowledged:
            seen = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        # What was acknowledged before the signal arrived counts, too.
        seen = max([seen, *(int(line) for line in process.stdout.read().split("\n")[:-1])])
    assert process.returncode == -signal.SIGKILL
    found = recover(path, np.zeros((16, 64, 64), np.uint8), case=CASE).voxels
    # The edit after the last acknowledged one may be whole on disk, too; no other state is right.
    possible = [replayed(acknowledged, edits=seen + 1 + more) for more in (0, 1)]
    assert any(np.array_equal(found, mask) for mask in possible)
    assert not np.array_equal(found, replayed(acknowledged, edits=seen))


def replayed(seed: int, *, edits: int) -> np.ndarray:
    """The mask that `ENDLESS` has after so many edits."""
    mask = np.zeros((16, 64, 64), np.uint8)
    generator = np.random.default_rng(seed)
    for _ in range(edits):
        z, y, x = generator.integers(0, (15, 50, 50))
        mask[z : z + 2, y : y + 14, x : x + 14] = generator.integers(0, 2, (2, 14, 14), np.uint8)
    return mask


def test_a_file_torn_at_any_byte_gives_the_last_whole_edit(path: Path, base) -> None:
    sizes, masks = three_edits(path, base)
    content = path.read_bytes()
    assert len(content) == sizes[-1]
    for length in range(sizes[0], sizes[-1] + 1):
        path.write_bytes(content[:length])
        recovered = recover(path, base, case=CASE)
        whole = sum(size <= length for size in sizes) - 1
        np.testing.assert_array_equal(recovered.voxels, masks[whole])
        assert (recovered.edits, recovered.lost_bytes) == (whole, length - sizes[whole])


def test_a_file_torn_in_the_mask_that_it_begins_with_is_said(path: Path, base) -> None:
    sizes, _ = three_edits(path, base)
    content = path.read_bytes()
    for length in range(sizes[0]):
        path.write_bytes(content[:length])
        with pytest.raises(FileError, match=r"not a journal|holds no edits|damaged"):
            recover(path, base, case=CASE)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=400))
def test_any_other_file_is_no_journal(tmp_path: Path, base, content: bytes) -> None:
    path = tmp_path / "a.journal"
    path.write_bytes(content)
    with pytest.raises(FileError, match=r"not a journal|holds no edits|damaged"):
        recover(path, base, case=CASE)


def test_work_goes_on_where_the_torn_file_ends(path: Path, base) -> None:
    sizes, masks = three_edits(path, base)
    path.write_bytes(path.read_bytes()[: sizes[2] + 5])
    journal, recovered = Journal.resume(path, base, case=CASE)
    np.testing.assert_array_equal(recovered.voxels, masks[2])
    assert recovered.lost_bytes == 5
    with journal:
        journal.append((slice(0, 1), slice(0, 2), slice(0, 3)), np.full((1, 2, 3), 7, np.uint8))
    expected = masks[2].copy()
    expected[0, :2, :3] = 7
    np.testing.assert_array_equal(recover(path, base, case=CASE).voxels, expected)


def test_a_restart_keeps_the_mask_and_drops_the_edits(path: Path, base) -> None:
    mask = base.copy()
    with Journal.begin(path, base, case=CASE) as journal:
        small = path.stat().st_size
        for number in range(40):
            mask[...] = np.random.default_rng(number).integers(0, 2, SHAPE)
            journal.append(tuple(slice(0, n) for n in SHAPE), mask)
        large = path.stat().st_size
        journal.restart(mask)
        assert path.stat().st_size < 4 * small < large
        assert recover(path, base, case=CASE).edits == 0
        mask[3, 3, 3] = 9
        journal.append((slice(3, 4),) * 3, mask[3:4, 3:4, 3:4])
    recovered = recover(path, base, case=CASE)
    np.testing.assert_array_equal(recovered.voxels, mask)
    assert (recovered.edits, recovered.is_saved) == (1, False)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_it_is_large_when_it_has_grown(path: Path, base, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "LARGE_BYTES", 1000)
    noise = np.random.default_rng(0).integers(0, 255, SHAPE, np.uint8)
    with Journal.begin(path, base, case=CASE) as journal:
        assert not journal.is_large
        journal.append(tuple(slice(0, n) for n in SHAPE), noise)
        assert journal.is_large
        journal.restart(base)
        assert not journal.is_large


def test_a_mask_that_was_saved_when_the_program_was_killed_is_not_asked_about(path: Path, base) -> None:
    saved = base.copy()
    saved[0, 0, 0] = 1
    with Journal.begin(path, base, case=CASE) as journal:
        journal.append((slice(0, 1),) * 3, saved[:1, :1, :1])
    assert recover(path, saved, case=CASE).is_saved


def test_another_mask_on_disk_is_said_and_the_work_is_there_all_the_same(path: Path, base) -> None:
    _, masks = three_edits(path, base)
    other = base.copy()
    other[3] = 1
    with pytest.raises(OtherBaseError, match="after the 3 edits"):
        recover(path, other, case=CASE)
    with pytest.raises(OtherBaseError):
        Journal.resume(path, other, case=CASE)
    np.testing.assert_array_equal(recover(path, other, case=CASE, any_base=True).voxels, masks[3])
    journal, recovered = Journal.resume(path, other, case=CASE, any_base=True)
    journal.close()
    np.testing.assert_array_equal(recovered.voxels, masks[3])
    np.testing.assert_array_equal(recover(path, other, case=CASE).voxels, masks[3])


def test_another_case_another_shape_and_another_dtype_are_said(path: Path, base) -> None:
    three_edits(path, base)
    with pytest.raises(FileError, match="another case"):
        recover(path, base, case="patient-8")
    with pytest.raises(FileError, match=r"shape \(4, 20, 24\).* has \(3, 20, 24\)"):
        recover(path, base[:3], case=CASE)
    with pytest.raises(FileError, match=r"\|u1.*<u2"):
        recover(path, base.astype(np.uint16), case=CASE)
    with pytest.raises(FileError, match="No such file"):
        recover(path.with_name("none"), base, case=CASE)


def test_a_journal_names_no_patient(path: Path, base) -> None:
    three_edits(path, base)
    assert CASE.encode() not in path.read_bytes()


def test_unsaved_work_is_not_begun_anew(path: Path, base) -> None:
    _, masks = three_edits(path, base)
    with pytest.raises(FileError, match=r"unsaved edits of .*; take them back, or discard them"):
        Journal.begin(path, base, case=CASE)
    np.testing.assert_array_equal(recover(path, base, case=CASE).voxels, masks[3])


def test_discarded_work_is_gone(path: Path, base) -> None:
    Journal.begin(path, base, case=CASE).discard()
    assert list(path.parent.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_said_at_the_beginning(tmp_path: Path, base) -> None:
    (tmp_path / "labels").write_text("a file in the place of the folder")
    with pytest.raises(ResourceError, match="could not be written"):
        Journal.begin(tmp_path / "labels" / "a.journal", base, case=CASE)


def test_a_disk_that_is_nearly_full_is_said_at_the_beginning(
    path: Path, base, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 3 * 2**20))
    with pytest.raises(ResourceError, match=r"3 MB free.*at least 64 MB"):
        Journal.begin(path, base, case=CASE)
    assert list(path.parent.iterdir()) == []


def test_a_full_disk_is_said_at_the_edit_and_a_restart_catches_up(
    path: Path, base, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = (slice(0, 1),) * 3
    mask = base.copy()
    with Journal.begin(path, base, case=CASE) as journal:
        mask[0, 0, 0] = 5
        with monkeypatch.context() as full:
            full.setattr(os, "fsync", _no_space)
            with pytest.raises(ResourceError, match=r"no longer safe.*No space left"):
                journal.append(box, mask[box])
            with pytest.raises(ResourceError, match="could not be written"):
                journal.restart(mask)
        # The edit that failed is neither half there nor skipped by those after it.
        assert recover(path, base, case=CASE).lost_bytes == 0
        with pytest.raises(ResourceError, match="earlier edit is missing"):
            journal.append(box, mask[box])
        assert recover(path, base, case=CASE).is_saved
        journal.restart(mask)
        mask[1, 1, 1] = 6
        journal.append((slice(1, 2),) * 3, mask[1:2, 1:2, 1:2])
    np.testing.assert_array_equal(recover(path, base, case=CASE).voxels, mask)


def test_a_write_that_takes_only_a_part_is_a_full_disk(path: Path, base, monkeypatch) -> None:
    with Journal.begin(path, base, case=CASE) as journal:
        whole = path.stat().st_size
        file = journal._file

        class Half:
            def write(self, record: bytes) -> int:
                return file.write(record[: len(record) // 2])

            truncate, close = file.truncate, file.close

        monkeypatch.setattr(journal, "_file", Half())
        with pytest.raises(ResourceError, match="No space left"):
            journal.append((slice(0, 1),) * 3, base[:1, :1, :1])
        assert path.stat().st_size == whole


def _no_space(_: int) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@given(voxels=arrays(np.uint8, (2, 3, 4)))
def test_voxels_that_are_no_view_in_order_are_written_as_they_are(tmp_path_factory, voxels) -> None:
    path = tmp_path_factory.mktemp("journal") / "a.journal"
    base = np.zeros((4, 3, 2), np.uint8)
    with Journal.begin(path, base, case=CASE) as journal:
        journal.append((slice(0, 4), slice(0, 3), slice(0, 2)), voxels.T)
    np.testing.assert_array_equal(recover(path, base, case=CASE).voxels, voxels.T)
