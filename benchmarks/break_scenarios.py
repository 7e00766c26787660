"""What `break_it` breaks: commands on a tiny cohort, and what must be true of their files afterwards."""

import io
import json
import os
import random
import shutil
import subprocess
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import nibabel
import numpy as np
from safetensors.numpy import load_file

AFFINE = np.array([[-4.0, 0, 0, 10], [0, 0, -1.0, 20], [0, -1.0, 0, 30], [0, 0, 0, 1]])
SHAPE = (5, 16, 18)
WIDTHS = (4, 6, 8)
CASES = ("case-1", "case-2")
SMALL = ["--slices", "32", "--patch-side", "32", "--batch-size", "4", "--threads", "1", "--precision", "fp32"]
TRAIN = ["train", "cohort.csv", "--out", "run", "--steps", "4", *SMALL]
STUDY = [
    "study",
    ".",
    "--out",
    "study",
    "--configurations",
    "2d:ceT1",
    "--folds",
    "2",
    "--steps-per-run",
    "2",
]
STUDY += ["--workers", "1", "--threads", "1"]
# Any of these in what a command says tells that something was amiss with a file.
TOLD = (
    "damage",
    "changed",
    "checksum",
    "hash",
    "sha-256",
    "not ",
    "cannot",
    "could",
    "left out",
    "corrected",
)


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and what it said on standard error."""

    code: int
    text: str
    hung: bool


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command in a folder of its own.

    Parameters
    ----------
    name
        Of the trials.
    words
        Of the command line; none where a function of the core is run instead.
    begin
        Fills the folder.
    act
        Does it in that folder, or goes on after it was broken; returns the exit code.
    check_whole
        Says what is not whole at any moment; nothing if all is well.
    check_done
        Says what is wrong once it has been done.
    reads
        Files that it reads.
    """

    name: str
    words: tuple[str, ...]
    begin: Callable[[Path], None]
    act: Callable[[bool], int]
    check_whole: Callable[[Path], str]
    check_done: Callable[[Path], str]
    reads: tuple[str, ...] = ()

    def check_told(self, place: Path, name: str, outcome: Outcome) -> str:
        """Say whether a damaged file gave another result without a word."""
        if outcome.code != 0 or not self.check_done(place):
            return "held"
        if any(word in outcome.text.casefold() for word in TOLD):
            return "held"
        # Voxels and tables have no checksum: what was changed in them cannot be told from what was meant.
        has_checksum = not name.endswith((".csv", "seed.txt")) or "/runs/" in f"/{name}"
        return "wrong without a word" if has_checksum else "held"


def fresh(place: Path) -> Path:
    """Return an empty folder in the place of what there is."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    return place


def be_a_command(
    command: Command, place: Path, said: Path, breaks: Callable[[], None], *, go_on: bool
) -> NoReturn:
    """Run in a fork: what is said goes to a file, and nothing returns from here."""
    code = 1
    try:
        descriptor = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(null, 1)
        os.dup2(descriptor, 2)
        sys.stdout = io.TextIOWrapper(io.FileIO(1, "w"), encoding="utf-8", write_through=True)
        sys.stderr = io.TextIOWrapper(io.FileIO(2, "w"), encoding="utf-8", write_through=True)
        os.chdir(place)
        breaks()
        code = command.act(go_on)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def in_shell(command: Command, place: Path, streams: str, *, seconds: float) -> str:
    """Run a command in a shell that breaks its streams; say what is wrong with how it ended."""
    said = place.with_name("said")
    program = [sys.executable, "-m", "napari_necroseg.cli", *command.words]
    line = " ".join(f"'{word}'" for word in program)
    # The exit code is that of the command, not of what reads it.
    script = f"set -o pipefail; exec 2>'{said}'; {line} {streams}; echo $? > '{said}.code'"
    try:
        subprocess.run(
            ["bash", "-c", script], cwd=place, timeout=seconds, check=False, stdout=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        return "hang"
    text = said.read_text(encoding="utf-8", errors="replace")
    code = int(said.with_name("said.code").read_text())
    if "Traceback" in text or "Exception ignored" in text:
        return f"traceback: {text.strip().splitlines()[-1][:200]}"
    return "held" if code in (0, 2, 141) else f"exit code {code}: {text.strip()[-200:]}"


def open_to_all(place: Path) -> None:
    """Let everybody read and write a folder."""
    for path in (place, *place.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)


def damage(path: Path, generator: random.Random) -> None:
    """Change a file as transfers, disks and editors do."""
    content = bytearray(path.read_bytes())
    place = generator.randrange(len(content))
    match generator.randrange(7):
        case 0:
            content[place] ^= 1 << generator.randrange(8)
        case 1:
            del content[place:]
        case 2:
            content[place:] = bytes(len(content) - place)
        case 3:
            content[place : place + 4] = generator.randbytes(4)
        case 4:
            content[place : place + 4] = b"\xff\xff\xff\x7f"
        case 5:
            content[place:place] = content[max(0, place - 512) : place]
        case _:
            # In the first hundred bytes are the headers.
            content[generator.randrange(min(100, len(content)))] = generator.randrange(256)
    path.write_bytes(content)


def prepare(material: Path) -> dict[str, Command]:
    """Make the cohort and models that the trials begin with, unless they are there; return the commands."""
    _make_small()
    from napari_necroseg.cli import main

    project = material / "project"
    if not (material / "complete").exists():
        fresh(material)
        _write_cohort(project)
        here = Path.cwd()
        try:
            os.chdir(project)
            _must(main(["prepare", "."]))
            for name, seed in (("a", "0"), ("b", "1")):
                words = ["train", "cohort.csv", "--out", f"models/{name}", "--steps", "80", "--seed", seed]
                _must(main([*words, *SMALL]))
            for name in ("a", "b"):
                out = f"predictions/{name}"
                _must(main(["predict", f"models/{name}", "cohort.csv", "--out", out, *_WRITTEN]))
            _must(main(["score", "cohort.csv", "predictions/a", "--export", "scores"]))
            _must(main(TRAIN))
            _must(main(STUDY))
        finally:
            os.chdir(here)
        (material / "complete").touch()
    return {one.name: one for one in _commands(project)}


_WRITTEN = ("--probability", "--uncertainty", "--threads", "1")


def _commands(project: Path) -> list[Command]:
    cases = tuple(f"{case}/{name}.nii.gz" for case in CASES[:1] for name in ("ceT1", "T2", "necrosis"))
    model = ("models/a/weights.safetensors", "models/a/run.json")
    return [
        _command(
            project, "prepare", ["prepare", "."], ("cohort.csv", cases[0]), _cohort_is_read, _cohort_is_read
        ),
        replace(
            _command(
                project, "train", TRAIN, ("cohort.csv", *cases), _run_is_whole(project), _run_is(project)
            ),
            act=_train,
        ),
        replace(
            _command(
                project,
                "resume",
                (),
                ("run/checkpoint.safetensors",),
                _run_is_whole(project),
                _run_is(project),
            ),
            begin=lambda place: _begin_interrupted(project, place),
            act=_train_on,
        ),
        replace(
            _command(
                project,
                "predict",
                ["predict", "models/a", "cohort.csv", "--out", "out", *_WRITTEN],
                ("cohort.csv", *cases[:2], *model, "out/case-1.json"),
                lambda place: _sets_are_whole(project, place / "out"),
                lambda place: _masks_differ(project / "predictions/a", place / "out"),
            ),
            begin=lambda place: _begin_over_another(project, place),
        ),
        _command(
            project,
            "score",
            ["score", "cohort.csv", "predictions/a", "--export", "again"],
            ("cohort.csv", "predictions/a/case-1.nii.gz", "predictions/a/case-1.json"),
            _tables_are_whole,
            lambda place: _bytes_differ(project / "scores/scores.csv", place / "again/scores.csv"),
        ),
        replace(
            _command(
                project,
                "study",
                STUDY,
                ("cohort.csv", *cases),
                _tables_are_whole,
                lambda place: _study_differs(project, place),
            ),
            begin=lambda place: _copy(project, place, without=("study",)),
        ),
        _command(
            project,
            "report",
            ["report", "study"],
            tuple(
                f"study/{name}"
                for name in (
                    "study.json",
                    "folds.csv",
                    "scores.csv",
                    "runs/2d-ceT1_fold-1_seed-0.csv",
                    "runs/2d-ceT1_fold-1_seed-0.json",
                )
            ),
            _tables_are_whole,
            lambda place: _study_differs(project, place),
        ),
        _command(
            project,
            "augment",
            ["augment", "case-1", "--out", "samples", "--n", "2"],
            cases,
            _images_open,
            lambda place: "" if any((place / "samples").iterdir()) else "no samples",
        ),
        _command(
            project,
            "assist",
            ["assist", "region-growing", "case-1", "--seed=2,10,22", "--out", "mask.nii.gz"],
            cases[:2],
            _images_open,
            lambda place: "" if (place / "mask.nii.gz").is_file() else "no mask",
        ),
        replace(
            _command(project, "sign-off", (), (), _label_is_whole, _label_is_signed),
            begin=lambda place: _begin_label(project, place),
            act=_sign_off,
        ),
        replace(
            _command(
                project, "journal", (), ("labels/case-1.journal",), _strokes_are_there, _strokes_are_there
            ),
            begin=lambda place: _copy(project, place, without=("study", "models", "run")),
            act=_draw,
            reads=(),
        ),
    ]


def _command(
    project: Path,
    name: str,
    words: list[str] | tuple[str, ...],
    reads: tuple[str, ...],
    check_whole: Callable[[Path], str],
    check_done: Callable[[Path], str],
) -> Command:
    def act(_: bool) -> int:
        from napari_necroseg.cli import main

        return main(list(words))

    return Command(
        name=name,
        words=tuple(words),
        begin=lambda place: _copy(project, place, without=("run",) if name == "train" else ()),
        act=act,
        check_whole=check_whole,
        check_done=check_done,
        reads=reads,
    )


def _train(go_on: bool) -> int:
    from napari_necroseg.cli import main

    if go_on and Path("run/weights.safetensors").exists() and Path("run/run.json").exists():
        return 0
    return main([*TRAIN, "--resume"] if go_on else TRAIN)


def _train_on(_: bool) -> int:
    return _train(go_on=True)


def _sign_off(_: bool) -> int:
    from napari_necroseg.cli._console import present

    return present(_signing, as_json=False)


def _signing() -> Any:
    from napari_necroseg.core.cohort.load import load_case
    from napari_necroseg.core.cohort.table import read_cohort
    from napari_necroseg.core.events import Finished
    from napari_necroseg.core.labels_folder import corrected_path
    from napari_necroseg.core.project.case_files import save_mask_version
    from napari_necroseg.core.project.review import read_review, write_review

    labels = Path("labels")
    case = load_case(read_cohort(Path("cohort.csv"))["case-1"])
    assert case.reference is not None
    path = corrected_path(labels, "case-1")
    save_mask_version(path, np.roll(case.reference.voxels, 1, axis=2), origin=case.origin)
    write_review(labels, read_review(labels, "case-1").worked(1.0).signed_off(path, reader="AB"))
    yield Finished(result={})


def _draw(go_on: bool) -> int:
    from napari_necroseg.cli._console import present

    return 0 if go_on else present(_drawing, as_json=False)


def _drawing() -> Any:
    from napari_necroseg.core.events import Finished
    from napari_necroseg.core.labels_folder import journal_path
    from napari_necroseg.core.project.journal import Journal

    mask = np.zeros(SHAPE, np.uint8)
    acknowledged = os.open("acknowledged", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    with Journal.begin(journal_path(Path("labels"), "case-1"), mask, case="case-1") as journal:
        for number in range(12):
            box = _box(number)
            mask[box] = 1
            journal.append(box, mask[box])
            os.write(acknowledged, b".")
            if number == 6:
                journal.restart(mask)
    yield Finished(result={})


def _box(number: int) -> tuple[slice, slice, slice]:
    return slice(number % 4, number % 4 + 1), slice(number, number + 3), slice(number, number + 5)


def _strokes_are_there(place: Path) -> str:
    from napari_necroseg.core.labels_folder import journal_path
    from napari_necroseg.core.project.journal import recover

    acknowledged = place / "acknowledged"
    count = len(acknowledged.read_bytes()) if acknowledged.exists() else 0
    if not count:
        return ""
    mask = np.zeros(SHAPE, np.uint8)
    found = recover(journal_path(place / "labels", "case-1"), mask, case="case-1").voxels
    for number in range(count):
        mask[_box(number)] = 1
    return "" if (found >= mask).all() else f"of {count} strokes some are lost"


def _make_small() -> None:
    """Let all networks be tiny, and checkpoints be written after each step."""
    import napari_necroseg.core.study.run_job as of_study
    from napari_necroseg.core.plan import make_plan
    from napari_necroseg.core.training import start, train

    def small(*arguments: Any, **choices: Any) -> Any:
        return replace(make_plan(*arguments, **choices), widths=WIDTHS)

    for module in (start, of_study):
        module.make_plan = small
    train._SECONDS_BETWEEN_CHECKPOINTS = train._SECONDS_BETWEEN_EVENTS = 0.0


def _write_cohort(project: Path) -> None:
    for number, name in enumerate(CASES):
        generator = np.random.default_rng(number)
        mask = np.zeros(SHAPE, np.uint8)
        mask[1:4, 4 + number : 11, 5:12] = 1
        (project / name).mkdir(parents=True)
        for sequence, level, contrast in (("ceT1", 100, -60.0), ("T2", 300, 90.0)):
            voxels = np.round(level + contrast * mask + generator.normal(0, 6, SHAPE)).astype(np.int16)
            nibabel.save(nibabel.Nifti1Image(voxels, AFFINE), project / name / f"{sequence}.nii.gz")
        nibabel.save(nibabel.Nifti1Image(mask, AFFINE), project / name / "necrosis.nii.gz")


def _must(code: int) -> None:
    if code:
        sys.exit("break_it: the material could not be made; the lines above say why.")


def _copy(project: Path, place: Path, *, without: tuple[str, ...] = ()) -> None:
    shutil.copytree(
        project,
        place,
        dirs_exist_ok=True,
        ignore=lambda folder, _: without if Path(folder) == project else (),
    )


def _begin_interrupted(project: Path, place: Path) -> None:
    """A training that was closed after its second step."""
    kept = project.with_name("interrupted")
    if not kept.exists():
        child = os.fork()
        if not child:
            import signal

            from napari_necroseg.core import files

            _copy(project, kept, without=("run", "study"))
            seen = 0

            def replace_counted(source: Path, target: Path) -> None:
                nonlocal seen
                source.replace(target)
                seen += target.name == "checkpoint.safetensors"
                if seen == 2:
                    os.kill(os.getpid(), signal.SIGKILL)

            files.disk.replace = replace_counted
            os.chdir(kept)
            _train(False)
            os._exit(0)
        os.waitpid(child, 0)
    _copy(kept, place)


def _begin_over_another(project: Path, place: Path) -> None:
    _copy(project, place, without=("study", "run"))
    shutil.copytree(project / "predictions/b", place / "out")


def _begin_label(project: Path, place: Path) -> None:
    _copy(project, place, without=("study", "models", "run"))
    (place / "labels").mkdir()
    shutil.copy(place / "case-1/necrosis.nii.gz", place / "labels/case-1.nii.gz")


def _cohort_is_read(place: Path) -> str:
    from napari_necroseg.core.cohort.table import read_cohort
    from napari_necroseg.core.errors import NecrosegError

    try:
        return "" if set(CASES) <= set(read_cohort(place / "cohort.csv").names) else "cases are missing"
    except NecrosegError as error:
        return f"cohort.csv: {error}"


def _run_is_whole(project: Path) -> Callable[[Path], str]:
    def check(place: Path) -> str:
        is_there = (place / "run/weights.safetensors").exists() and (place / "run/run.json").exists()
        return _run_is(project)(place) if is_there else ""

    return check


def _run_is(project: Path) -> Callable[[Path], str]:
    def check(place: Path) -> str:
        if not (place / "run/weights.safetensors").exists():
            return "no weights"
        wanted, found = (load_file(folder / "run/weights.safetensors") for folder in (project, place))
        same = wanted.keys() == found.keys() and all(
            np.array_equal(wanted[key], found[key]) for key in wanted
        )
        return ("" if same else "other weights") or _leftovers(place / "run")

    return check


def _sets_are_whole(project: Path, out: Path) -> str:
    """Each case is wholly of one model as far as a reader can tell."""
    from napari_necroseg.core.project.provenance import provenance_of

    for case in CASES:
        mask = out / f"{case}.nii.gz"
        if not mask.exists():
            continue
        found = _voxels(mask)
        of_model = [
            name
            for name in "ab"
            if np.array_equal(found, _voxels(project / "predictions" / name / mask.name))
        ]
        if not of_model:
            return f"{case}: the mask is of neither model"
        believed = provenance_of(mask).record.get("model", of_model[0])
        if believed not in of_model:
            return f"{case}: the mask of {of_model[0]} with a record of {believed} that is believed"
    return _images_open(out)


def _masks_differ(wanted: Path, found: Path) -> str:
    for case in CASES:
        for name in (f"{case}.nii.gz", f"{case}_probability.nii.gz"):
            if not (found / name).exists():
                return f"{name} is missing"
            if not np.array_equal(_voxels(wanted / name), _voxels(found / name)):
                return f"{name} differs"
    return _leftovers(found)


def _leftovers(folder: Path) -> str:
    left = [
        path.name for path in folder.iterdir() if path.name.startswith(".") or path.name.endswith(".lock")
    ]
    return f"left behind: {', '.join(left)}" if left else ""


def _images_open(place: Path) -> str:
    for path in place.rglob("*.nii.gz"):
        if path.name.startswith("."):
            continue
        try:
            np.asanyarray(nibabel.load(path).dataobj)
        except (OSError, EOFError, ValueError, nibabel.filebasedimages.ImageFileError) as error:
            return f"{path.name} is half-written: {error}"
    return ""


def _tables_are_whole(place: Path) -> str:
    for path in place.rglob("*.json"):
        if not path.name.startswith("."):
            try:
                json.loads(path.read_text(encoding="utf-8"))
            except ValueError as error:
                return f"{path.name} is half-written: {error}"
    return ""


def _bytes_differ(wanted: Path, found: Path) -> str:
    if not found.exists():
        return f"{found.name} is missing"
    return "" if wanted.read_bytes() == found.read_bytes() else f"{found.name} differs"


def _study_differs(project: Path, place: Path) -> str:
    return _bytes_differ(project / "study/scores.csv", place / "study/scores.csv") or _leftovers(
        place / "study"
    )


def _label_is_whole(place: Path) -> str:
    from napari_necroseg.core.cohort.table import read_cohort
    from napari_necroseg.core.project.review import Status, statuses

    is_signed = statuses(read_cohort(place / "cohort.csv"), place / "labels")["case-1"] is Status.REVIEWED
    expert = _voxels(place / "case-1/necrosis.nii.gz")
    masks = [_voxels(path) for path in (place / "labels").glob("case-1*.nii.gz")]
    if not any(np.array_equal(mask, expert) for mask in masks):
        return "the earlier mask is lost"
    is_new = not np.array_equal(_voxels(place / "labels/case-1.nii.gz"), expert)
    return _images_open(place / "labels") or ("signed without the mask" if is_signed and not is_new else "")


def _label_is_signed(place: Path) -> str:
    from napari_necroseg.core.cohort.table import read_cohort
    from napari_necroseg.core.project.review import Status, statuses

    is_signed = statuses(read_cohort(place / "cohort.csv"), place / "labels")["case-1"] is Status.REVIEWED
    return _label_is_whole(place) if is_signed else "not signed"


def _voxels(path: Path) -> np.ndarray:
    return np.asanyarray(nibabel.load(path).dataobj)
