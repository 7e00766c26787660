import errno
import sys
from pathlib import Path

import pytest

from napari_necroseg.core.errors import ResourceError
from napari_necroseg.core.io.atomic import atomic_folder, atomic_path, write_text


def fail_halfway(target: Path, error: Exception) -> None:
    with atomic_path(target) as temporary:
        temporary.write_text("half")
        raise error


def test_a_file_appears_only_when_it_is_complete(tmp_path: Path) -> None:
    target = tmp_path / "new" / "a.nii.gz"
    with atomic_path(target) as temporary:
        temporary.write_text("complete")
        assert temporary.name.endswith("a.nii.gz")
        assert not target.exists()
    assert target.read_text() == "complete"
    assert list(target.parent.iterdir()) == [target]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("before")
    with pytest.raises(KeyError):
        fail_halfway(target, KeyError())
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]


def test_a_full_disk_is_said_and_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("before")
    with pytest.raises(ResourceError, match="No space left on device"):
        fail_halfway(target, OSError(errno.ENOSPC, "No space left on device"))
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match="could not be written"):
        write_text(tmp_path / "file" / "a.txt", "text")


@pytest.mark.parametrize("exists", [False, True])
def test_a_folder_appears_only_when_it_is_complete(tmp_path: Path, exists: bool) -> None:
    target = tmp_path / "new" / "folder"
    if exists:
        target.mkdir(parents=True)
    with atomic_folder(target) as stage:
        (stage / "a.txt").write_text("complete")
        assert not (target / "a.txt").exists()
    assert (target / "a.txt").read_text() == "complete"
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps the folder that a program stands in")
def test_the_folder_that_one_stands_in_can_be_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with atomic_folder(Path()) as stage:
        (stage / "a.txt").write_text("complete")
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["a.txt"]


@pytest.mark.parametrize("error", [KeyError(), KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left")])
def test_a_folder_that_fails_halfway_is_not_there(tmp_path: Path, error: BaseException) -> None:
    def fail() -> None:
        with atomic_folder(tmp_path / "folder") as stage:
            (stage / "a.txt").write_text("half")
            raise error

    with pytest.raises(ResourceError if isinstance(error, OSError) else type(error)):
        fail()
    assert list(tmp_path.iterdir()) == []
