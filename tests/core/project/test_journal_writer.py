"""A journal that is written in a thread: slow disks, full disks, other windows, ends."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from napari_necroseg.core.disk import disk
from napari_necroseg.core.project import journal as journal_module
from napari_necroseg.core.project import journal_writer
from napari_necroseg.core.project.journal import Journal, recover
from napari_necroseg.core.project.journal_writer import End, JournalWriter

SHAPE = (4, 20, 24)
BASE = np.zeros(SHAPE, np.uint8)
ONE = np.ones((1, 1, 1), np.uint8)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.journal"


@pytest.fixture
def write(path: Path):
    """Write a mask in a thread that has ended when the test has; what it tells is collected in `told`."""
    writers = []

    def begin(voxels: np.ndarray) -> Journal:
        free = next(p for p in (path, path.with_name("b.journal")) if not p.exists())
        return Journal.begin(free, BASE, case="a", now=voxels)

    def make(**kwargs) -> JournalWriter:
        told: list[str] = []
        writer = JournalWriter(begin, BASE.copy(), tell=told.append, **kwargs)
        writer.told = told
        writers.append(writer)
        return writer

    yield make
    for writer in writers:
        writer.end(End.KEEP)
        writer._thread.join(10)
        assert not writer._thread.is_alive()


def stroke(writer: JournalWriter, place: int) -> None:
    z, y, x = (int(number) for number in np.unravel_index(place, SHAPE))
    writer.change((slice(z, z + 1), slice(y, y + 1), slice(x, x + 1)), ONE)


def on_disk(path: Path) -> np.ndarray:
    return recover(path, BASE, case="a").voxels


def test_strokes_are_on_disk_soon_and_nobody_waited(write, path: Path) -> None:
    writer = write()
    for place in range(10):
        stroke(writer, place)
    assert writer.wait(60)
    np.testing.assert_array_equal(on_disk(path), writer.voxels)
    assert writer.seconds_behind == 0
    assert writer.told == []


def test_strokes_that_wait_for_a_slow_disk_join_into_one_record(write, path: Path, monkeypatch) -> None:
    writer = write()
    assert writer.wait(60)
    monkeypatch.setattr(disk, "fsync", lambda _file: time.sleep(0.3))
    started = time.monotonic()
    for place in range(40):
        stroke(writer, place)
        time.sleep(0.01)
    assert time.monotonic() - started < 0.9
    assert 0 < writer.seconds_behind < 0.9
    assert writer.wait(60)
    found = recover(path, BASE, case="a")
    assert found.voxels.sum() == 40
    assert 2 <= found.edits <= 5


def test_never_more_than_the_mask_waits(write, monkeypatch, path: Path) -> None:
    writer = write()
    assert writer.wait(60)
    go_on, is_busy = threading.Event(), threading.Event()

    def held(_file: object) -> None:
        is_busy.set()
        go_on.wait(60)

    monkeypatch.setattr(disk, "fsync", held)
    stroke(writer, 0)
    assert is_busy.wait(60)
    for place in range(1, BASE.size):
        stroke(writer, place)
    assert writer._box == (slice(0, 4), slice(0, 20), slice(0, 24))
    go_on.set()
    assert writer.wait(60)
    assert (recover(path, BASE, case="a").edits, on_disk(path).all()) == (2, True)


def test_a_full_disk_is_told_once_and_made_up_for_once_there_is_room(write, path, monkeypatch) -> None:
    monkeypatch.setattr(journal_writer, "RETRY_S", 0.05)
    writer = write()
    assert writer.wait(60)
    with monkeypatch.context() as full:
        full.setattr(disk, "write", _no_space)
        for place in range(3):
            stroke(writer, place)
            time.sleep(0.08)
        assert len(writer.told) == 1
        assert "no longer safe" in writer.told[0]
        assert "No space left" in writer.problem
        assert writer.seconds_behind > 0
    assert writer.wait(60)
    assert writer.told[1:] == [""]
    assert on_disk(path).sum() == 3


def test_a_folder_that_cannot_be_written_to_is_told_and_tried_again(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(journal_writer, "RETRY_S", 0.05)
    (tmp_path / "labels").write_text("a file where the folder should be")
    told: list[str] = []
    path = tmp_path / "labels" / "a.journal"
    writer = JournalWriter(
        lambda voxels: Journal.begin(path, BASE, case="a", now=voxels), BASE.copy(), tell=told.append
    )
    stroke(writer, 0)
    while not told:
        time.sleep(0.005)
    assert "could not be written" in told[0]
    (tmp_path / "labels").unlink()
    assert writer.wait(60)
    writer.end(End.KEEP)
    assert writer.wait(60)
    assert on_disk(path).sum() == 1


def test_work_that_another_program_has_taken_over_goes_on_in_a_journal_of_its_own(
    write, path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(journal_writer, "RETRY_S", 0.05)
    writer = write()
    assert writer.wait(60)
    path.unlink()
    with Journal.begin(path, BASE, case="a") as theirs:
        stroke(writer, 7)
        assert writer.wait(60)
        theirs.append((slice(0, 1),) * 3, ONE)
    assert on_disk(path).sum() == 1
    assert on_disk(path.with_name("b.journal")).ravel()[7] == 1
    assert "taken this work over" in writer.told[0]


@pytest.mark.parametrize("what", End)
def test_at_the_end_all_is_written_and_the_journal_is_kept_dropped_or_put_aside(write, path, what) -> None:
    writer = write()
    stroke(writer, 3)
    writer.end(what)
    assert writer.wait(60)
    aside = path.with_name("a.journal-aside-001")
    assert (path.exists(), aside.exists()) == (what is End.KEEP, what is End.ASIDE)
    if what is not End.DISCARD:
        assert on_disk(path if what is End.KEEP else aside).sum() == 1


def test_what_could_not_be_written_is_not_dropped_at_the_end(write, path: Path, monkeypatch) -> None:
    writer = write()
    stroke(writer, 0)
    assert writer.wait(60)
    monkeypatch.setattr(disk, "write", _no_space)
    stroke(writer, 1)
    writer.end(End.DISCARD)
    writer._thread.join(10)
    assert path.exists()


def test_a_draft_follows_now_and_then_and_goes_with_the_journal(write, path: Path, monkeypatch) -> None:
    monkeypatch.setattr(journal_writer, "DRAFT_S", 0.05)
    monkeypatch.setattr(journal_writer, "_LOOK_S", 0.02)
    drafts: list[int | None] = []
    writer = write(draft=lambda _path, voxels: drafts.append(None if voxels is None else int(voxels.sum())))
    stroke(writer, 0)
    stroke(writer, 1)
    time.sleep(0.4)
    assert drafts == [2]
    writer.end(End.DISCARD)
    assert writer.wait(60)
    assert drafts == [2, None]


def test_a_journal_that_grows_is_written_anew(write, path: Path, monkeypatch) -> None:
    monkeypatch.setattr(journal_module, "LARGE_BYTES", 400)
    writer = write()
    for place in range(30):
        stroke(writer, place)
        assert writer.wait(60)
    assert path.stat().st_size < 600
    assert on_disk(path).sum() == 30


def _no_space(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")
