"""The journals of a case: a name for each layer, none confused with another, in a project or without one."""

import errno
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from napari_necroseg.core.case import Case, Sequence
from napari_necroseg.core.disk import LOCKED_BYTE, _lock_byte, disk
from napari_necroseg.core.errors import FileError
from napari_necroseg.core.images.save import save_mask
from napari_necroseg.core.labels_folder import corrected_path
from napari_necroseg.core.project.journal import MOST_BYTES, Journal, check_free, put_aside
from napari_necroseg.core.project.journal_folder import JournalFolder
from napari_necroseg.core.volume import Origin, Volume

SHAPE = (4, 20, 24)


@pytest.fixture
def folder(tmp_path: Path, make_grid) -> JournalFolder:
    return JournalFolder.of_project(tmp_path / "labels", "a", grid=make_grid(SHAPE))


def drawn(*places: int) -> np.ndarray:
    voxels = np.zeros(SHAPE, np.uint8)
    voxels.ravel()[list(places)] = 1
    return voxels


def begin(folder: JournalFolder, voxels: np.ndarray, *, is_own: bool = False, layer: str = "") -> Path:
    with folder.begin(voxels, is_own=is_own, note={"layer": layer}) as journal:
        return journal.path


def test_each_layer_has_a_journal_and_comes_back_as_itself(folder) -> None:
    begin(folder, drawn(1), is_own=True)
    begin(folder, drawn(2), layer="ceT1 - Labels")
    begin(folder, drawn(3, 4), layer="prediction x")
    kept = folder.kept()
    assert [(one.is_own, one.note.get("layer", "")) for one in kept] == [
        (True, ""),
        (False, "ceT1 - Labels"),
        (False, "prediction x"),
    ]
    for one, places in zip(kept, ((1,), (2,), (3, 4)), strict=True):
        journal, found = folder.take_back(one.path)
        journal.close()
        np.testing.assert_array_equal(found.voxels, drawn(*places))
    assert kept[2].volume_ml == pytest.approx(2 * folder.grid.voxel_ml)


def test_the_own_mask_is_where_it_always_was(folder) -> None:
    assert begin(folder, drawn(1), is_own=True) == folder.labels / "a.journal"


def test_work_that_was_left_is_not_begun_over(folder) -> None:
    first = begin(folder, drawn(1), is_own=True)
    second = begin(folder, drawn(2), is_own=True, layer="my mask")
    assert first != second
    assert [one.path for one in folder.kept()] == [first, second]


def test_what_is_written_here_is_not_offered_and_elsewhere_is_said(folder) -> None:
    with folder.begin(drawn(1), is_own=True, note={}) as journal:
        assert folder.kept({journal.path}) == ()
        (one,) = folder.kept()
        assert one.is_elsewhere
        assert "another window or program" in one.problem
        with pytest.raises(FileError, match="another window"):
            folder.take_back(journal.path)
        with pytest.raises(FileError, match="another window"):
            put_aside(journal.path)


def test_what_was_saved_after_all_goes(folder, make_grid) -> None:
    path = begin(folder, drawn(1), is_own=True)
    save_mask(corrected_path(folder.labels, "a"), drawn(1), Origin(make_grid(SHAPE)))
    assert folder.kept() == ()
    assert not path.exists()


def test_a_mask_that_was_changed_since_is_said(folder, make_grid) -> None:
    begin(folder, drawn(1), is_own=True)
    save_mask(corrected_path(folder.labels, "a"), drawn(9), Origin(make_grid(SHAPE)))
    (one,) = folder.kept()
    assert one.is_changed_since


def test_what_cannot_be_read_is_said_and_stays(folder) -> None:
    path = begin(folder, drawn(1), is_own=True)
    path.write_bytes(b"")
    (one,) = folder.kept()
    assert "holds no edits" in one.problem
    assert put_aside(path).name == "a.journal-aside-001"
    assert folder.kept() == ()


@pytest.mark.parametrize("others", [("b",), ("a.journal",), ("journals", "drafts", "journals/a")])
def test_cases_with_names_alike_are_told_apart(tmp_path: Path, make_grid, others) -> None:
    names = ["a", *(name.replace("/", "_") for name in others)]
    folders = [JournalFolder.of_project(tmp_path / "labels", name, grid=make_grid(SHAPE)) for name in names]
    for number, one in enumerate(folders):
        begin(one, drawn(number), is_own=True)
        begin(one, drawn(100 + number))
    for number, one in enumerate(folders):
        found = [one.take_back(kept.path) for kept in one.kept()]
        assert [recovered.voxels.ravel().argmax() for _, recovered in found] == [number, 100 + number]
        for journal, _ in found:
            journal.close()


def test_a_pair_of_files_is_found_again_by_its_image_wherever_it_lies(make_grid, tmp_path: Path) -> None:
    grid = make_grid(SHAPE)
    image = np.random.default_rng(0).random(SHAPE, dtype=np.float32)

    def of(name: str, voxels: np.ndarray) -> JournalFolder:
        volume = Volume(voxels, grid)
        return JournalFolder.of_image(Case(name=name, sequences={Sequence.CET1: volume}, origin=Origin(grid)))

    begin(of("patient-7", image), drawn(5), is_own=True)
    (kept,) = of("moved-and-renamed", image.copy()).kept()
    journal, found = of("patient-7", image).take_back(kept.path)
    journal.close()
    np.testing.assert_array_equal(found.voxels, drawn(5))
    assert of("patient-7", image + 1).kept() == ()
    data = Path(os.environ["NECROSEG_DATA"])
    assert data in kept.path.parents
    assert "patient-7" not in str(kept.path.relative_to(data))


def test_on_windows_two_windows_do_not_write_one_journal(folder, monkeypatch) -> None:
    holders: dict[tuple[int, int], int] = {}

    def locking(descriptor: int, _how: int, _n_bytes: int) -> None:
        place = os.fstat(descriptor).st_ino, os.lseek(descriptor, 0, os.SEEK_CUR)
        if holders.setdefault(place, descriptor) != descriptor:
            raise PermissionError(errno.EACCES, "Permission denied")

    windows = SimpleNamespace(locking=locking, LK_NBLCK=2)
    monkeypatch.setattr(disk, "lock", lambda file: _lock_byte(file, windows))
    with folder.begin(drawn(1), is_own=True, note={}) as journal:
        with pytest.raises(FileError, match="another window or program"):
            check_free(journal.path)
        with pytest.raises(FileError, match="another window or program"):
            Journal.resume(journal.path, drawn(), case="a", any_base=True)
        # The lock has moved nothing: an edit goes to the end of the file.
        journal.append((slice(1, 2), slice(0, 1), slice(0, 1)), np.ones((1, 1, 1), np.uint8))
        path = journal.path
    holders.clear()
    taken_up, found = folder.take_back(path)
    taken_up.close()
    assert (found.edits, found.voxels.sum()) == (1, 2)
    assert MOST_BYTES < LOCKED_BYTE
