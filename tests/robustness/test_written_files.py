"""The files of a case when the disk fails or the program is killed while they are replaced.

Whoever looks at them afterwards finds the earlier set or the new one: a mask with a record that is true of
it, no map of another mask beside it, and whatever a person has drawn.
"""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest

from napari_necroseg.core.disk import Disk, disk
from napari_necroseg.core.errors import NecrosegError
from napari_necroseg.core.project.case_files import CaseOutput, write_case
from napari_necroseg.core.project.provenance import MaskState, provenance_of
from napari_necroseg.core.volume import Grid, Origin

SHAPE = (3, 5, 5)
GRID = Grid(SHAPE, np.array([[-4.0, 0, 0, 0], [0, 0, -0.8, 0], [0, -0.9, 0, 0], [0, 0, 0, 1]]))
# What the program asks of the disk when it writes.
OPERATIONS = ("write", "fsync", "replace", "unlink")
# More than there are.
MOST_OPERATIONS = 60
EARLIER = ("made", "drawn on", "of an earlier version")


def predict(folder: Path, number: int, *maps: str) -> None:
    """Write what the model of this number says of the case a: as many voxels, as many tenths."""
    mask = np.zeros(SHAPE, np.uint8)
    mask.ravel()[:number] = 1
    record = {"case": "a", "model": f"m{number}", "trained_on": "image" if number == 1 else "no"}
    written = {name: np.full(SHAPE, number / 10, np.float16) for name in maps}
    write_case(
        CaseOutput(path=folder / "a.nii.gz", mask=mask, origin=Origin(GRID), record=record, maps=written)
    )


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk of the machine need not be waited for: nobody pulls its plug."""
    monkeypatch.setattr(disk, "fsync", lambda _file: None)


def set_up(folder: Path, earlier: str) -> None:
    """Write the earlier files, of the first model."""
    folder.mkdir()
    predict(folder, 1, "probability", "uncertainty")
    mask, record = folder / "a.nii.gz", folder / "a.json"
    if earlier == "drawn on":
        image = nibabel.load(mask)
        voxels = np.asarray(image.dataobj).copy()
        voxels[-1, -1, -1] = 1
        nibabel.save(nibabel.Nifti1Image(voxels, image.affine), mask)
    elif earlier == "of an earlier version":
        made = json.loads(record.read_text())
        del made["files"]
        record.write_text(json.dumps(made))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def check(folder: Path, earlier: str, drawn: bytes) -> int:
    """Check that the files are of one model, and return its number."""
    made = provenance_of(folder / "a.nii.gz")
    inside = int(np.count_nonzero(nibabel.load(folder / "a.nii.gz").get_fdata()))
    number = 2 if inside == 2 and earlier != "drawn on" else 1
    if earlier == "drawn on":
        number = 2 if made.state is MaskState.AS_WRITTEN else 1
        assert drawn in contents(folder).values()
    states = {"made": MaskState.AS_WRITTEN, "drawn on": MaskState.CHANGED}
    assert made.state is (MaskState.AS_WRITTEN if number == 2 else states.get(earlier, MaskState.UNTOLD))
    assert made.stored["model"] == f"m{number}"
    assert made.stored["trained_on"] == {1: "image", 2: "no"}[number]
    for name in ("probability", "uncertainty"):
        path = folder / f"a_{name}.nii.gz"
        if path.exists():
            assert np.allclose(nibabel.load(path).get_fdata(), number / 10, atol=1e-3)
    return number


def fail_at(monkeypatch: pytest.MonkeyPatch, number: int, *, code: int, goes_on: bool) -> list[str]:
    """Let the operation of this number fail, and those that write after it, too, if it goes on."""
    asked: list[str] = []
    for name in OPERATIONS:
        real = getattr(Disk(), name)

        def fails(*arguments: object, name: str = name, real: object = real) -> object:
            asked.append(name)
            is_later = goes_on and len(asked) > number and name == "write"
            if len(asked) == number or is_later:
                raise OSError(code, os.strerror(code))
            return None if name == "fsync" else real(*arguments)  # type: ignore[operator]

        monkeypatch.setattr(disk, name, fails)
    return asked


@pytest.mark.parametrize(
    ("earlier", "code", "goes_on"),
    [
        ("made", errno.ENOSPC, True),
        ("drawn on", errno.ENOSPC, True),
        ("drawn on", errno.EIO, False),
        ("of an earlier version", errno.EACCES, False),
    ],
)
def test_a_disk_that_fails_leaves_the_earlier_files_or_the_new_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, earlier: str, code: int, goes_on: bool
) -> None:
    numbers, told, done = [], set(), False
    for number in range(1, MOST_OPERATIONS):
        folder = tmp_path / str(number)
        set_up(folder, earlier)
        before = contents(folder)
        with monkeypatch.context() as patch:
            asked = fail_at(patch, number, code=code, goes_on=goes_on)
            try:
                predict(folder, 2, "probability")
                done = len(asked) < number
            except NecrosegError as error:
                told.add(os.strerror(code) in str(error))
                # Nothing at all has changed then: not a byte, and no file more.
                assert contents(folder) == before
        numbers.append(check(folder, earlier, before["a.nii.gz"]))
        if done:
            break
    assert done
    assert told == {True}
    assert set(numbers) == {1, 2}


# A process that is warm forks another one for each operation, which ends at once when it asks for that.
KILLED = """
import json, os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import test_written_files as tests
from napari_necroseg.core.disk import Disk, disk

def kill_at(number):
    asked = []
    for name in tests.OPERATIONS:
        def killed(*arguments, name=name, real=getattr(Disk(), name)):
            asked.append(name)
            if len(asked) == number:
                if name == "write":
                    file, content = arguments
                    real(file, content[: len(content) // 2])
                os._exit(9)
            return None if name == "fsync" else real(*arguments)
        setattr(disk, name, killed)

disk.fsync = lambda file: None
root = Path(sys.argv[2])
for earlier in tests.EARLIER:
    (root / earlier).mkdir()
    for number in range(1, tests.MOST_OPERATIONS):
        folder = root / earlier / str(number)
        tests.set_up(folder, earlier)
        child = os.fork()
        if not child:
            kill_at(number)
            tests.predict(folder, 2, "probability")
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.waitstatus_to_exitcode(status) != 9:
            break
    print(number)
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """Folders in which the program was killed, one operation later each, by what was there before."""
    root = tmp_path_factory.mktemp("killed")
    words = [sys.executable, "-c", KILLED, str(Path(__file__).parent), str(root)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    lasts = dict(zip(EARLIER, map(int, done.stdout.split()), strict=True))
    assert all(15 < last < MOST_OPERATIONS - 1 for last in lasts.values())
    return {earlier: [root / earlier / str(n) for n in range(1, last)] for earlier, last in lasts.items()}


@pytest.mark.skipif(sys.platform == "win32", reason="processes are forked on Unix only")
@pytest.mark.parametrize("earlier", EARLIER)
def test_a_program_that_is_killed_leaves_the_earlier_files_or_the_new_ones(
    killed: dict[str, list[Path]], earlier: str
) -> None:
    folders = killed[earlier]
    drawn = (folders[0] / "a.nii.gz").read_bytes()
    numbers = [check(folder, earlier, drawn) for folder in folders]
    assert set(numbers) == {1, 2}
    assert numbers == sorted(numbers)
    for folder in folders:
        predict(folder, 2, "probability")
        assert check(folder, earlier, drawn) == 2
        assert (folder / "a_probability.nii.gz").exists()
        # What was just being written then is swept up.
        assert not [name for name in contents(folder) if name.startswith(".")]
        kept = [content for content in contents(folder).values() if content == drawn]
        assert len(kept) == (0 if earlier == "made" else 1)
