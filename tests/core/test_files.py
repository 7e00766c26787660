import errno
import json
import os
import stat
import sys
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from types import SimpleNamespace

import pytest

from napari_necroseg.core import files
from napari_necroseg.core.disk import Disk, _lock_byte
from napari_necroseg.core.errors import FileError, ResourceError, mistake_of
from napari_necroseg.core.files import (
    atomic_folder,
    atomic_path,
    check_readable,
    file_sha256,
    open_to_read,
    read_bytes,
    read_json,
    read_json_quietly,
    remove,
    write_bytes,
    write_text,
)


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


def failing(number: int) -> Callable[..., None]:
    """A method of the disk that fails as the system does."""

    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("method", ["open", "write", "fsync", "replace", "make_folder"])
@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EACCES, "Permission denied. Ask for access"),
        (errno.EIO, "Input/output error. The disk or the network drive fails"),
        (errno.ENOSPC, "No space left on device. Free some space"),
        (errno.EBUSY, "busy. Another program has it open"),
    ],
)
def test_whatever_the_disk_refuses_is_said_and_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, number: int, said: str
) -> None:
    target = tmp_path / "a.txt"
    target.write_text("before")
    monkeypatch.setattr(files.disk, method, failing(number))
    with pytest.raises(ResourceError, match=rf"a\.txt could not be written: .*{said}"):
        write_text(target, "after")
    monkeypatch.undo()
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]


def test_a_disk_that_takes_only_a_part_is_full(tmp_path: Path) -> None:
    class Nearly(FileIO):
        def write(self, content: memoryview) -> int:
            return super().write(content[:2]) if self.tell() < 4 else 0

    with Nearly(tmp_path / "a", "wb") as file, pytest.raises(OSError, match="No space left"):
        Disk().write(file, b"abcdefgh")
    assert (tmp_path / "a").read_bytes() == b"abcd"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such devices")
def test_a_device_is_neither_replaced_nor_read(tmp_path: Path) -> None:
    before = Path("/dev/null").stat()
    with pytest.raises(ResourceError, match="it is a pipe or a device"):
        write_text(Path("/dev/null"), "text")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    assert Path("/dev/null").stat().st_ino == before.st_ino
    os.mkfifo(tmp_path / "pipe.json")
    for read in (open_to_read, check_readable, read_bytes, file_sha256):
        with pytest.raises(FileError, match="is a pipe or a device, not a file"):
            read(tmp_path / "pipe.json")
    assert read_json_quietly(tmp_path / "pipe.json", 100) == {}


def test_a_folder_in_the_place_of_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.json").mkdir()
    with pytest.raises(
        FileError, match=r"a\.json could not be read: Is a directory. It is a folder; name a file"
    ):
        read_json(tmp_path / "a.json", "a list", most_bytes=100)
    with pytest.raises(ResourceError, match="it is a folder; name a file"):
        write_text(tmp_path / "a.json", "text")


def test_a_long_name_that_the_disk_can_hold_is_written(tmp_path: Path) -> None:
    name = "n" * 248 + ".nii.gz"
    write_bytes(tmp_path / name, b"mask")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    with pytest.raises(ResourceError, match=r"File name too long\. Choose a shorter name"):
        write_bytes(tmp_path / ("n" * 300), b"mask")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "is not a list of trees: it holds no JSON"),
        (b"\xff", "is not a list of trees: it holds no JSON"),
        (b"[" * 100_000, "is not a list of trees: it holds no JSON"),
        (b"[1]", "is not a list of trees: it holds no names and values"),
        (b"{}" + b" " * 3_000_000, r"is too large for a list of trees \(3 MB\)"),
        (None, "could not be read: No such file or directory. Check the path"),
    ],
)
def test_what_is_no_record_is_refused_by_its_kind_and_is_nothing_to_who_does_not_need_it(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    path = tmp_path / "a.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FileError, match=rf"a\.json {said}"):
        read_json(path, "a list of trees", most_bytes=1_000_000)
    assert read_json_quietly(path, 1_000_000) == {}


def test_a_record_is_read_with_and_without_a_byte_order_mark(tmp_path: Path) -> None:
    for encoding in ("utf-8", "utf-8-sig"):
        (tmp_path / "a.json").write_text(json.dumps({"oak": "Größe"}), encoding=encoding)
        assert read_json(tmp_path / "a.json", "a list", most_bytes=100) == {"oak": "Größe"}


def test_windows_locks_a_byte_that_nobody_reads_and_the_file_is_written_where_it_was(tmp_path: Path) -> None:
    locked: list[int] = []

    def locking(descriptor: int, _how: int, n_bytes: int) -> None:
        place = os.lseek(descriptor, 0, os.SEEK_CUR)
        if place in locked:
            raise PermissionError(errno.EACCES, "Permission denied")
        locked.append(place)
        assert n_bytes == 1

    msvcrt = SimpleNamespace(locking=locking, LK_NBLCK=2)
    path = tmp_path / "a.journal"
    path.write_bytes(b"12345")
    with FileIO(path, "r+") as file:
        file.seek(0, os.SEEK_END)
        assert _lock_byte(file, msvcrt)
        assert not _lock_byte(file, msvcrt)
        file.write(b"6")
    assert path.read_bytes() == b"123456"
    # Far behind a journal, and within what the 32 bits of an older C library can name.
    assert 2**30 < locked[0] < 2**31


def test_what_is_removed_may_be_gone_already(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remove(tmp_path / "absent")
    (tmp_path / "a").write_text("")
    monkeypatch.setattr(files.disk, "unlink", failing(errno.EBUSY))
    with pytest.raises(ResourceError, match=r"could not be removed: .*Another program has it open"):
        remove(tmp_path / "a")


def test_errors_of_the_system_are_sentences_and_errors_of_ours_are_not() -> None:
    in_use = OSError(errno.EACCES, "The process cannot access the file", "C:/a.nii")
    in_use.winerror = 32
    assert str(mistake_of(in_use)) == (
        "C:/a.nii: The process cannot access the file. Another program has it open: close it there, and try "
        "again."
    )
    no_memory = MemoryError("Unable to allocate 7.5 GiB for an array")
    assert "memory for this (7.5 GiB were asked for)" in str(mistake_of(no_memory))
    with pytest.raises(UnicodeEncodeError) as caught:
        os.fsencode("a\ud800b.nii")
    assert "'a\\ud800b.nii'" in str(mistake_of(caught.value))
    assert "Free some space" not in "".join(
        str(mistake_of(OSError(number, os.strerror(number))))
        for number in (errno.EACCES, errno.EIO, errno.EBUSY, errno.EROFS, errno.ENAMETOOLONG, errno.ENOMEM)
    )
    for lack in (
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 64 bytes"),
        ImportError("libtorch_cpu.so: failed to map segment from shared object"),
    ):
        assert "not enough memory for this" in str(mistake_of(lack))
    said = FileError("Said already.")
    assert mistake_of(said) is said
    assert mistake_of(KeyError("a bug")) is None
    assert mistake_of(ValueError("a bug")) is None
