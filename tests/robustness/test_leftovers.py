"""What killed programs were just writing: swept up by the next run, never what is alive or somebody's own."""

import os
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from tests.robustness.conftest import Command

from napari_necroseg.core.disk import disk, file_lock, is_locked
from napari_necroseg.core.events import Event
from napari_necroseg.core.files import atomic_folder, atomic_path, writing_into
from napari_necroseg.core.labels_folder import LABELS_FOLDER
from napari_necroseg.core.output import check_out_folder, sweep, sweep_all
from napari_necroseg.core.phantom.phantom import write_phantom_cohort
from napari_necroseg.core.study.report.report import write_report

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows locks no folder")

KILLED = """
import os, sys
from pathlib import Path
from napari_necroseg.core.disk import file_lock
from napari_necroseg.core.files import atomic_folder, atomic_path

here = Path(sys.argv[1])
lock, file = file_lock(here / ".run.lock", "It"), atomic_path(here / "case.nii.gz")
with lock, file as path, atomic_folder(here / "new") as new:
    path.write_bytes(b"half")
    (new / "sample-00_ceT1.nii.gz").write_bytes(b"half")
    os._exit(9)
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_a_killed_program_was_writing_is_swept_up(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert len(names(tmp_path)) == 3
    sweep(tmp_path)
    assert names(tmp_path) == []


def test_what_is_being_written_stays(tmp_path: Path) -> None:
    with (
        file_lock(tmp_path / ".run.lock", "It"),
        atomic_path(tmp_path / "case.nii.gz") as temporary,
        atomic_folder(tmp_path / "new") as stage,
    ):
        temporary.write_bytes(b"mask")
        (stage / "a.json").write_text("{}")
        check_out_folder(tmp_path)
        sweep_all(tmp_path)
        assert is_locked(tmp_path / ".run.lock")
    assert names(tmp_path) == ["case.nii.gz", "new"]
    assert names(tmp_path / "new") == ["a.json"]


OWN = (
    ".0123abcd-notes.txt",
    ".0123abc-case.nii.gz",
    ".20261128-case.nii.gz",
    ".hidden.json",
    "0123abcd-case.nii.gz",
    ".pipeline.lock",
)


def test_files_of_a_person_stay(tmp_path: Path) -> None:
    for name in OWN:
        (tmp_path / name).write_text("mine")
    (tmp_path / ".empty.lock").touch()
    (tmp_path / ".0123abcd-photos").mkdir()
    (tmp_path / ".0123abcd-photos" / "me.jpg").write_text("mine")
    (tmp_path / ".0123abcd-link.json").symlink_to(tmp_path / ".hidden.json")
    before = names(tmp_path)
    sweep(tmp_path)
    assert names(tmp_path) == before
    assert (tmp_path / ".0123abcd-photos" / "me.jpg").is_file()


def test_where_no_folder_can_be_locked_the_age_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, young = tmp_path / ".0123abcd-old.json", tmp_path / ".0123abcd-young.json"
    for path in (old, young):
        path.write_text("{}")
    os.utime(old, (0, 0))
    monkeypatch.setattr(disk, "lock", lambda _: None)
    sweep(tmp_path)
    assert names(tmp_path) == [young.name]


def test_a_folder_that_cannot_be_swept_is_no_mistake(tmp_path: Path) -> None:
    sweep(tmp_path / "absent")
    (tmp_path / "file").touch()
    sweep(tmp_path / "file")
    with writing_into(tmp_path / "absent"):
        pass
    assert names(tmp_path) == ["file"]


LEFT = (".0123abcd-case-1.nii.gz", ".89abcdef-case-1.json")
RUNS = {
    "predict": ("predict models/fast cohort.csv --out {}", "predictions/fast"),
    "prepare": ("prepare . --out {}/cohort.csv", "."),
    "score --export": ("score cohort.csv predictions/fast --export {}", "exported"),
    "score --csv": ("score cohort.csv predictions/fast --csv {}/scores.csv", "exported"),
    "assist": ("assist watershed case-1 --seed 2,10,20 --out {}/case-1.nii.gz", LABELS_FOLDER),
    "export": ("export models/fast --out {}/onnx", "exported"),
    "augment": ("augment case-1 --n 1 --out {}/samples", "exported"),
}


@pytest.mark.parametrize(("words", "folder"), RUNS.values(), ids=RUNS)
def test_each_command_sweeps_the_folder_that_it_writes_into(
    project: Path, command: Command, monkeypatch: pytest.MonkeyPatch, words: str, folder: str
) -> None:
    monkeypatch.chdir(project)
    (project / folder).mkdir(exist_ok=True)
    for name in LEFT:
        (project / folder / name).write_text("half")
    (project / folder / ".mine.txt").write_text("mine")
    command(*words.format(folder).split())
    assert not set(LEFT) & set(names(project / folder))
    assert ".mine.txt" in names(project / folder)


@pytest.mark.parametrize("begin", [write_report, write_phantom_cohort])
def test_long_jobs_sweep_before_they_begin(
    project: Path, begin: Callable[[Path], Generator[Event, None, None]]
) -> None:
    folder = project / "study" / "first"
    for name in LEFT:
        (folder / name).write_text("half")
    next(begin(folder))
    assert not set(LEFT) & set(names(folder))


def test_a_training_is_not_kept_from_beginning_by_what_a_killed_one_left(
    project: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = project / "models" / "killed"
    run.mkdir()
    (run / ".0123abcd-checkpoint.safetensors").write_text("half")
    words = ("--steps", "1", "--batch-size", "1", "--patch-side", "32", "--device", "cpu", "--threads", "1")
    ended = command("train", project / "cohort.csv", "--out", run, "--dimension", "2d", *words)
    assert ended.code == 0, ended.err
    assert names(run) == ["history.csv", "run.json", "weights.safetensors"]
