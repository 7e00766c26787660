import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from os import scandir
from pathlib import Path
from typing import Any

import pytest

from napari_necroseg.core.cohort import scan
from napari_necroseg.core.cohort.find import Pairing, find_cases
from napari_necroseg.core.cohort.scan import list_images
from napari_necroseg.core.events import run

Make = Callable[..., Path]

LITTER = (
    "#recycle", "#Recycle", "@Recycle", "@eaDir", "$RECYCLE.BIN", "$Recycle.Bin", "#snapshot", ".snapshot",
    "System Volume Information", "RECYCLER", ".Trash-1000", ".Trashes", ".Spotlight-V100", ".fseventsd",
    "Papierkorb", "Trash", "Corbeille", "Recycle Bin", "OneDriveTemp", "DfsrPrivate",
    "lost+found", "__MACOSX", "@tmp", ".@__thumb", ".TemporaryItems", ".AppleDouble", ".dropbox.cache",
)  # fmt: skip


def pair(folder: Path) -> Pairing:
    return run(find_cases(folder))


def names(found: Pairing) -> list[str]:
    return [case.name for case in found.cases]


def good(make_study: Make) -> Path:
    return make_study(*(f"case-{number}/ceT1.nii" for number in range(1, 7)))


GOOD = [f"case-{number}" for number in range(1, 7)]


@pytest.mark.parametrize("litter", LITTER)
def test_what_a_system_left_is_no_patient_and_is_counted(make_study: Make, litter: str) -> None:
    root = make_study("c/ceT1.nii", f"{litter}/case-9/ceT1.nii", f"c/{litter}/T2.nii", "c/._ceT1.nii")
    (root / "Thumbs.db").touch()
    found = pair(root)
    assert names(found) == ["c"]
    assert found.cases[0].sequences.keys() == {"ceT1"}
    assert found.problems[0].startswith("4 entries of the file system's own, or hidden, were left out: ")
    assert litter in found.problems[0]


def test_settings_of_a_file_manager_are_not_worth_a_word(make_study: Make) -> None:
    root = make_study("c/ceT1.nii", "c/T2.nii", "c/mask.nii")
    for name in ("Thumbs.db", ".DS_Store", "desktop.ini", "~$notes.docx"):
        (root / "c" / name).touch()
    assert pair(root).problems == ()


def test_a_link_to_itself_costs_no_case_beside_it(make_study: Make) -> None:
    root = good(make_study)
    (root / "case-2a").symlink_to("case-2a")
    (root / "case-3" / "T2.nii").symlink_to("T2.nii")
    found = pair(root)
    assert names(found) == GOOD
    assert "case-2a: it is a link that leads back to itself; it was left out." in found.problems
    assert "case-3/T2.nii: it is a link that leads back to itself; it was left out." in found.problems


def test_links_in_a_circle_above_and_beside_are_told_one_by_one(make_study: Make, tmp_path: Path) -> None:
    root = good(make_study)
    (root / "a-ring").symlink_to(root / "b-ring")
    (root / "b-ring").symlink_to(root / "a-ring")
    (root / "case-1" / "up").symlink_to(root)
    (root / "above").symlink_to(tmp_path)
    (root / "a-twin").symlink_to(root / "case-6")
    (root / "gone").symlink_to(tmp_path / "nowhere")
    (root / "gone.nii").symlink_to(tmp_path / "nowhere.nii")
    outside = make_study("ceT1.nii", at="outside")
    for name in ("linked-1", "linked-2"):
        (root / name).symlink_to(outside)
    found = pair(root)
    assert names(found) == [*GOOD, "linked-1"]
    told = " ".join(found.problems)
    for place in ("a-ring", "b-ring", "case-1/up", "above", "a-twin", "gone", "gone.nii", "linked-2"):
        assert f"{place}: it is a link" in told


class Entry:
    """An entry whose file system fails at some names."""

    def __init__(self, entry: Any) -> None:
        self.name, self.path, self._entry = entry.name, entry.path, entry

    def is_dir(self) -> bool:
        if self.name == "forbidden":
            raise PermissionError(errno.EACCES, "Permission denied")
        return bool(self._entry.is_dir())

    def is_file(self) -> bool:
        if self.name == "T2.nii":
            raise OSError(errno.EIO, "Input/output error")
        return bool(self._entry.is_file())

    def is_symlink(self) -> bool:
        return bool(self._entry.is_symlink())


@contextmanager
def failing_entries(folder: Path) -> Iterator[Iterator[Entry]]:
    with scandir(folder) as entries:
        yield map(Entry, entries)


def test_an_error_of_the_system_costs_the_entry_that_it_is_about(
    make_study: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = good(make_study)
    (root / "case-4" / "T2.nii").touch()
    (root / "forbidden").symlink_to("/root/secret")
    monkeypatch.setattr(scan.os, "scandir", failing_entries)
    found = pair(root)
    assert names(found) == GOOD
    assert "forbidden: Permission denied; it was left out." in found.problems
    assert "case-4/T2.nii: Input/output error; it was left out." in found.problems


def test_a_name_that_is_no_text_is_told_and_left_out(make_study: Make) -> None:
    root = good(make_study)
    (root / os.fsdecode(b"M\xfcller")).mkdir()
    (root / os.fsdecode(b"M\xfcller") / "ceT1.nii").touch()
    (root / "case-1" / os.fsdecode(b"T2_\xff.nii")).touch()
    found = pair(root)
    assert names(found) == GOOD
    assert [one for one in found.problems if "not text" in one] == [
        "M\\udcfcller: its name holds bytes that are not text, so no table can name it (rename it); it was "
        "left out.",
        "case-1/T2_\\udcff.nii: its name holds bytes that are not text, so no table can name it (rename it); "
        "it was left out.",
    ]
    for problem in found.problems:
        problem.encode()


@pytest.mark.parametrize("layout", ["sub-01/anat/sub-01_ce-gad_T1w.nii", "imagesTr/a_0000.nii"])
def test_other_layouts_are_searched_by_the_same_rules(make_study: Make, layout: str) -> None:
    first = layout.split("/", maxsplit=1)[0]
    root = make_study(layout, f"#recycle/{layout}", f"{first}/._x.nii")
    (root / "dataset.json").write_text('{"channel_names": {"0": "ceT1"}}', encoding="utf-8")
    (root / first / "loop").symlink_to("loop")
    (root / first / os.fsdecode(b"\xff.nii")).touch()
    found = pair(root)
    assert len(found.cases) == 1
    told = " ".join(found.problems)
    assert "2 entries of the file system's own, or hidden, were left out: #recycle" in told
    assert f"{first}/loop: it is a link that leads back to itself" in told
    assert f"{first}/\\udcff.nii: its name holds bytes that are not text" in told


def test_a_single_folder_is_listed_by_the_same_rules(make_study: Make) -> None:
    root = make_study("a.nii", "b.nii", "._a.nii", "@eaDir/a.nii", "sub/c.nii")
    (root / "d.nii").symlink_to("d.nii")
    (root / "e.nii").mkdir()
    (root / "notes.txt").touch()
    listing = list_images(root)
    assert [path.name for path in listing.images] == ["a.nii", "b.nii"]
    assert listing.notes == (
        "d.nii: it is a link that leads back to itself; it was left out.",
        "2 entries of the file system's own, or hidden, were left out: ._a.nii, @eaDir.",
    )


def test_a_link_to_a_device_is_not_called_a_link_to_nowhere(make_study: Make) -> None:
    root = good(make_study)
    (root / "case-1" / "T2.nii").symlink_to("/dev/null")
    (root / "case-2" / "T2.nii").symlink_to("/nowhere")
    told = pair(root).problems
    assert "case-1/T2.nii: it is no ordinary file; it was left out." in told
    assert "case-2/T2.nii: it is a link to a file that is not there; it was left out." in told
