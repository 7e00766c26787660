"""Errors of the system: each is a sentence with the true reason, in every option of every command."""

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
from tests.robustness.conftest import Command, Faults

from napari_necroseg.core.errors import FileError
from napari_necroseg.core.images.read import read_image, read_mask

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes and links as Unix has them")

# Every option and argument that names a path: the words around it, with {} where it stands.
INPUTS = {
    "prepare FOLDER": "prepare {}",
    "augment CASE": "augment {} --out new",
    "augment --augment": "augment case-1 --out new --augment {}",
    "plan COHORT": "plan {}",
    "plan --labels": "plan cohort.csv --labels {}",
    "plan --augment": "plan cohort.csv --augment {}",
    "plan --from": "plan cohort.csv --from {}",
    "train COHORT": "train {} --out new",
    "train --labels": "train cohort.csv --out new --labels {}",
    "train --augment": "train cohort.csv --out new --augment {}",
    "train --from": "train cohort.csv --out new --from {}",
    "predict RUN": "predict {} cohort.csv --out new",
    "predict INPUT": "predict models/fast {} --out new",
    "predict --ceT1": "predict models/fast --ceT1 {} --out new",
    "predict --T2": "predict models/fast --ceT1 case-1/ceT1.nii.gz --T2 {} --out new",
    "assist CASE": "assist watershed {} --seed 1,2,3 --out new.nii.gz",
    "assist --ceT1": "assist watershed --ceT1 {} --seed 1,2,3 --out new.nii.gz",
    "assist --T2": "assist watershed --ceT1 case-1/ceT1.nii.gz --T2 {} --seed 1,2,3 --out new.nii.gz",
    "export RUN": "export {} --out new",
    "score REFERENCE": "score {} predictions/fast",
    "score PREDICTION": "score cohort.csv {}",
    "score --against": "score cohort.csv predictions/fast --against {}",
    "score --second-reader": "score cohort.csv predictions/fast --second-reader {}",
    "study COHORT": "study {} --out new",
    "study --labels": "study cohort.csv --out new --labels {}",
    "study --from": "study cohort.csv --out new --from {}",
    "report DIR": "report {}",
}
OUTPUTS = {
    "demo --out": "demo --no-window --out {}",
    "phantom OUT": "phantom {}",
    "prepare --out": "prepare . --out {}/cohort.csv",
    "augment --out": "augment case-1 --out {}",
    "train --out": "train cohort.csv --out {}",
    "predict --out": "predict models/fast cohort.csv --out {}",
    "assist --out": "assist watershed case-1 --seed 0,0,0 --out {}/mask.nii.gz",
    "export --out": "export models/fast --out {}",
    "score --csv": "score cohort.csv predictions/fast --csv {}/scores.csv",
    "score --export": "score cohort.csv predictions/fast --export {}",
    "score --figures": "score cohort.csv predictions/fast --figures {}",
    "study --out": "study cohort.csv --out {}",
}
FILE_OUTPUTS = {
    "prepare --out": "prepare . --out {}",
    "assist --out": "assist watershed case-1 --seed 0,0,0 --out {}",
    "score --csv": "score cohort.csv predictions/fast --csv {}",
}


def a_pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.nii.gz")
    return folder / "pipe.nii.gz"


def a_loop(folder: Path) -> Path:
    (folder / "loop.nii.gz").symlink_to(folder / "loop.nii.gz")
    return folder / "loop.nii.gz"


def a_link_to_nothing(folder: Path) -> Path:
    (folder / "gone.nii.gz").symlink_to(folder / "nothing")
    return folder / "gone.nii.gz"


def a_long_name(folder: Path) -> Path:
    return folder / ("n" * 300)


def a_file(folder: Path) -> Path:
    (folder / "some.nii.gz").write_bytes(b"some text")
    return folder / "some.nii.gz"


def a_folder(folder: Path) -> Path:
    (folder / "some-folder.nii.gz").mkdir()
    return folder / "some-folder.nii.gz"


def below_a_file(folder: Path) -> Path:
    return a_file(folder) / "below"


BAD = [a_pipe, a_loop, a_link_to_nothing, a_long_name, a_file, a_folder, below_a_file]


def prepared(folder: Path, kinds: list[Callable[[Path], Path]]) -> list[Path]:
    """What is wrong, each in a folder of its own."""
    made = []
    for kind in kinds:
        (folder / kind.__name__).mkdir()
        made.append(kind(folder / kind.__name__))
    return made


@pytest.mark.parametrize("words", INPUTS.values(), ids=INPUTS)
def test_what_is_no_input_is_refused_in_a_line(
    same_project: Path, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    monkeypatch.chdir(same_project)
    before = sorted(same_project.rglob("*"))
    for bad in prepared(tmp_path, BAD):
        ended = command(*words.format(bad).split())
        assert ended.code == 2, bad
        assert "necroseg: " in ended.err or "not done" in ended.err, bad
        assert "Free some space" not in ended.err, bad
    assert sorted(same_project.rglob("*")) == before


# What is said once a case is looked at.
BEGUN = ("case-1:", "Reading", "Scoring", "Drawing", "Looking")


@pytest.mark.parametrize("words", OUTPUTS.values(), ids=OUTPUTS)
def test_what_is_no_place_for_results_is_refused_before_the_first_case(
    same_project: Path, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    monkeypatch.chdir(same_project)
    for bad in prepared(tmp_path, [kind for kind in BAD if kind is not a_folder]):
        ended = command(*words.format(bad).split())
        assert ended.code == 2, bad
        assert ended.last.startswith("necroseg: "), bad
        assert "Free some space" not in ended.err, bad
        assert not any(sign in ended.err for sign in BEGUN), bad


@pytest.mark.parametrize("words", FILE_OUTPUTS.values(), ids=FILE_OUTPUTS)
def test_a_device_in_the_place_of_a_result_is_not_replaced(
    project: Path, command: Command, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    monkeypatch.chdir(project)
    device = project / "device.nii.gz"
    os.mkfifo(device)
    ended = command(*words.format(device).split())
    assert ended.code == 2
    assert device.is_fifo()


REASONS = [
    (errno.EACCES, "Permission denied. Ask for access"),
    (errno.EIO, "Input/output error. The disk or the network drive fails"),
    (errno.EROFS, "Read-only file system. Choose a place that can be written to"),
    (errno.ENOSPC, "No space left on device. Free some space"),
    (errno.EDQUOT, "Disk quota exceeded. Your share of the disk is used up"),
]


@pytest.mark.parametrize("words", OUTPUTS.values(), ids=OUTPUTS)
def test_a_disk_that_takes_nothing_is_told_before_the_first_case(
    same_project: Path, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    monkeypatch.chdir(same_project)
    for number, said in REASONS:
        with monkeypatch.context() as broken:
            Faults(broken).refuse("write", number, where=str(tmp_path / "out"))
            ended = command(*words.format(tmp_path / "out").split())
        assert ended.code == 2
        assert said in ended.last
        assert not any(sign in ended.err for sign in BEGUN)
        assert not (tmp_path / "out").exists()


READERS = {
    "cohort.csv": "plan cohort.csv",
    "case-1/ceT1.nii.gz": "assist watershed case-1 --seed 0,0,0 --out new.nii.gz",
    "weights.safetensors": "export models/fast --out new",
    "checkpoint.safetensors": "train cohort.csv --out models/interrupted --resume",
    "study.json": "report study/first",
    "scores.csv": "report study/first",
    "labels/case-1.nii.gz": "train cohort.csv --out new --labels labels",
    "ranges.json": "augment case-1 --out new --augment ranges.json",
}


UNREAD = [
    (errno.EACCES, "may not be read: Permission denied"),
    (errno.EIO, "could not be read: Input/output error"),
    (errno.EBUSY, "Another program has it open: close it there"),
]


@pytest.mark.parametrize("name", READERS)
def test_a_file_that_may_not_be_read_is_not_called_damaged(
    project: Path, command: Command, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(project)
    (project / "ranges.json").write_text("{}")
    for number, said in UNREAD:
        with monkeypatch.context() as broken:
            Faults(broken).refuse("open", number, where=name)
            ended = command(*READERS[name].split())
        assert ended.code == 2
        assert said in ended.err
        assert name in ended.err
        assert not any(word in ended.err for word in ("damaged", "not a NIfTI", "is not a"))


@pytest.mark.parametrize(
    "suffix", [".nii", ".nii.gz", ".hdr", ".img", ".hdr.gz", ".tif", ".ome.tif", ".NII.GZ"]
)
@pytest.mark.parametrize("read", [read_image, read_mask])
def test_each_format_says_why_it_may_not_be_read(
    tmp_path: Path, faults: Faults, read: Callable[[Path], object], suffix: str
) -> None:
    path = tmp_path / f"image{suffix}"
    path.write_bytes(b"some text")
    for other in (".hdr", ".img", ".hdr.gz", ".img.gz"):
        (tmp_path / f"image{other}").write_bytes(b"some text")
    faults.refuse("open", errno.EACCES, where="image")
    with pytest.raises(FileError, match=r"may not be read: Permission denied"):
        read(path)


@pytest.mark.parametrize("half", [".hdr", ".img"])
def test_the_other_half_of_a_pair_may_not_be_read(tmp_path: Path, faults: Faults, half: str) -> None:
    image = nibabel.Nifti1Pair(np.zeros((2, 3, 4), np.uint8), np.eye(4))
    nibabel.save(image, tmp_path / "image.img")
    faults.refuse("open", errno.EIO, where=f"image{half}")
    with pytest.raises(FileError, match=rf"image\{half} could not be read: Input/output error"):
        read_image(tmp_path / "image.hdr")


def test_one_case_that_may_not_be_read_does_not_keep_the_others(
    project: Path, command: Command, faults: Faults
) -> None:
    faults.refuse("open", errno.EACCES, where="case-2/ceT1.nii.gz")
    ended = command("predict", project / "models/fast", project / "cohort.csv", "--out", project / "new")
    assert ended.code == 2
    assert "case-2: not done" in ended.err
    assert "may not be read: Permission denied" in ended.err
    assert sorted(path.name for path in (project / "new").glob("*.nii.gz")) == [
        "case-1.nii.gz",
        "case-3.nii.gz",
        "case-4.nii.gz",
    ]


def test_a_disk_that_fills_up_on_the_way_costs_no_computing(
    project: Path, command: Command, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_necroseg.core.prediction import predict_cohort

    read = predict_cohort.load_case

    def reading(files: object) -> object:
        # After the first case there is no room any more.
        faults.full(str(project / "new"))
        monkeypatch.setattr(predict_cohort, "load_case", None)
        return read(files)

    monkeypatch.setattr(predict_cohort, "load_case", reading)
    ended = command("predict", project / "models/fast", project / "cohort.csv", "--out", project / "new")
    assert ended.code == 2
    assert ended.err.count("No space left on device. Free some space") == 4
    assert [path.name for path in (project / "new").glob("*")] == []


def test_what_windows_calls_in_use_is_in_use(project: Path, command: Command, faults: Faults) -> None:
    faults.refuse("replace", errno.EACCES, where=str(project / "scores.csv"), winerror=32)
    ended = command(
        "score", project / "cohort.csv", project / "predictions/fast", "--csv", project / "scores.csv"
    )
    assert ended.code == 2
    assert "Another program has it open: close it there, and try again." in ended.last


def test_a_lack_of_memory_is_no_lack_of_space(
    project: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_necroseg.core.training import samples

    for error in (
        MemoryError("Unable to allocate 2.00 GiB"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
    ):

        def short(*_: object, error: Exception = error, **__: object) -> None:
            raise error

        monkeypatch.setattr(samples, "make_sample", short)
        ended = command("augment", project / "case-1", "--out", project / "new")
        assert ended.code == 2
        assert "not enough memory" in ended.last
        assert "space" not in ended.last
        assert not (project / "new").exists()


def test_a_name_that_no_file_can_have_is_a_sentence(project: Path, command: Command) -> None:
    ended = command("score", project / "cohort.csv", "predictions\ud800")
    assert ended.code == 2
    assert r"\ud800" in ended.last
