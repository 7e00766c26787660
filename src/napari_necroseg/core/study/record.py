"""The records of a study on disk: what the study is, and how each run went."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from napari_necroseg.core.case import Whose
from napari_necroseg.core.cohort.seen_cases import ImageMark
from napari_necroseg.core.config import PredictConfig
from napari_necroseg.core.config.study import Configuration, StudyConfig
from napari_necroseg.core.errors import FileError, SettingsError
from napari_necroseg.core.files import read_json, write_text
from napari_necroseg.core.study.run import Run

STUDY_NAME = "study.json"
_MOST_BYTES = 50_000_000

# A study may move to other hardware, and it may grow.
_MAY_DIFFER = (
    "configurations",
    "seeds",
    "device",
    "threads",
    "spare_cores",
    "workers",
    "scheduler",
    "dashboard",
    # Its hash counts: the model may have been moved.
    "start_from",
)
_ADDRESS = re.compile(r"\b\w+://\S+")
# Everything before the last slash of a word, or of words in quotes: folders may be named after patients.
_FOLDERS = re.compile(r"(?<![^\s'\"(])(?!\d+/\d)[^\s'\"]*[\\/](?=[^\s\\/'\"])")

_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class StudyCase(BaseModel):
    """A case of a study."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Cases of one patient share a fold.
    patient: str
    # From 1.
    fold: int
    # Volume of its target, in millilitres, by which the folds are stratified.
    target_ml: float
    # Of the voxels of each of its images.
    images_sha256: dict[str, _Sha256]
    # Short signatures of its images, by which copies with other intensities are recognised; none in old
    # records.
    images_likeness: dict[str, str] = Field(default_factory=dict)
    # Of the voxels of its target; empty in old records.
    target_sha256: str = ""
    # The reference mask, relative to the study's folder where possible; it may be a corrected one instead of
    # the cohort's.
    target_file: str = ""
    # Where it is from: the cohort's table, or a project's labels, signed off or not; empty in old records.
    target_from: Whose | Literal[""] = ""

    @property
    def marks(self) -> tuple[ImageMark, ...]:
        """The hashes and signatures by which its images are recognised."""
        return tuple(
            ImageMark(sha256=digest, likeness=self.images_likeness.get(name, ""))
            for name, digest in self.images_sha256.items()
        )


class StudyRecord(BaseModel):
    """The record of a study: ``study.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Of this record; unknown ones are refused.
    format_version: Literal[1] = 1
    config: StudyConfig
    # The table of its cases, relative to the study's folder where that is possible.
    cohort: str
    cases: dict[str, StudyCase]
    # Of the software that worked on it last.
    versions: dict[str, str]
    # Of the weights that every run starts from; empty for random ones.
    start_from_sha256: str = ""
    # How its networks are applied; as in the paper if a record does not say so, whatever its preset.
    prediction: PredictConfig = PredictConfig()

    @property
    def folds(self) -> dict[str, int]:
        """The fold of each case."""
        return {name: case.fold for name, case in self.cases.items()}

    @property
    def patients(self) -> dict[str, str]:
        """The patient of each case."""
        return {name: case.patient for name, case in self.cases.items()}

    def config_in(self, folder: Path) -> StudyConfig:
        """Return the choices, with the path of the start model resolved from the study's folder."""
        start = self.config.start_from
        return self.config if start is None else self.config.changed(start_from=(folder / start).resolve())

    def going_on_with(self, earlier: "StudyRecord") -> "StudyRecord":
        """Return the record of the study that `earlier` began and that goes on with these choices.

        All configurations and seeds that were asked for before stay a part of it.

        Raises `SettingsError` if it would be another study.
        """
        _check_same_study(earlier, self)
        before, now = earlier.config, self.config
        config = now.changed(
            configurations=tuple(dict.fromkeys((*before.configurations, *now.configurations))),
            seeds=max(before.seeds, now.seeds),
        )
        return self.model_copy(update={"config": config})

    def fixed_choices(self) -> dict[str, Any]:
        """Return the choices that must stay the same while a study goes on."""
        config = self.config.model_dump(mode="json")
        same = {name: value for name, value in config.items() if name not in _MAY_DIFFER}
        return same | {"start_from_sha256": self.start_from_sha256}


class RunState(BaseModel):
    """The record of a run that ended: ``runs/<key>.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: Literal[1] = 1
    configuration: Configuration
    fold: int
    seed: int
    # ``done`` or ``failed``; a run without this file is waiting or was interrupted.
    state: Literal["done", "failed"]
    # Why it failed, in a sentence.
    reason: str = ""
    # The training cases, and those that it is scored on.
    training: tuple[str, ...]
    validation: tuple[str, ...]
    weights_sha256: str = ""
    # Of the mask of each case that it is scored on.
    predictions_sha256: dict[str, _Sha256] = Field(default_factory=dict)
    # Of its scores (`results.results_sha256`); empty in old records.
    scores_sha256: str = ""
    iterations: int = 0
    # By phase: ``reading``, ``training``, ``predicting``, ``scoring``.
    seconds: dict[str, float] = Field(default_factory=dict)
    # Over its scored cases that have something to find, and how many these are; None without any.
    mean_dice: float | None = None
    scored: int = 0
    # The device and software that it ran on.
    device: str = ""
    threads: int = 0
    versions: dict[str, str] = Field(default_factory=dict)

    @property
    def run(self) -> Run:
        """The run that it is about."""
        return Run(configuration=self.configuration, fold=self.fold, seed=self.seed)


def _check_same_study(earlier: StudyRecord, record: StudyRecord) -> None:
    """Refuse to mix two studies in one folder."""
    before, now = earlier.fixed_choices(), record.fixed_choices()
    different = sorted(name for name in before if before[name] != now[name])
    if different:
        name = different[0]
        raise SettingsError(
            f"The study in this folder has {name} {before[name]}, not {now[name]}; go on with its own "
            "choices, or choose a new folder."
        )
    if earlier.prediction != record.prediction:
        raise SettingsError(
            "The networks of the study in this folder were applied in another way, by an earlier version of "
            "this program; go on with that version, or choose a new folder."
        )
    changed = [name for name in {**earlier.cases, **record.cases} if not _is_same(earlier, record, name=name)]
    if changed:
        raise SettingsError(
            f"The study in this folder was begun with another {changed[0]} (its image, mask, patient or "
            "fold, or whether it takes part; masks that nobody has signed off count with --unsigned alone); "
            "restore it, or choose a new folder."
        )


def _is_same(earlier: StudyRecord, record: StudyRecord, *, name: str) -> bool:
    before, now = earlier.cases.get(name), record.cases.get(name)
    if before is None or now is None:
        return False
    # A mask may be signed off meanwhile; earlier versions recorded neither who drew it nor signatures.
    unlike = {"target_from": before.target_from, "images_likeness": before.images_likeness}
    return before == now.model_copy(update=unlike)


def write_record(path: Path, record: BaseModel) -> None:
    """Write a record as JSON, atomically."""
    write_text(path, record.model_dump_json(indent=2) + "\n")


def write_state(out: Path, state: RunState) -> None:
    """Write the record of a run, without the folders in its reason, since the file may travel."""
    kept = state.model_copy(update={"reason": without_paths(state.reason)})
    write_record(state_path(out, state.run), kept)


def without_paths(text: str) -> str:
    """Return a message without folders and addresses, which may name people and computers."""
    return _FOLDERS.sub("", _ADDRESS.sub("(address)", text))


def state_path(out: Path, run: Run) -> Path:
    """Return the path of the record of a run."""
    return out / "runs" / f"{run.key}.json"


def scores_path(out: Path, run: Run) -> Path:
    """Return the path of the scores of a run."""
    return out / "runs" / f"{run.key}.csv"


def read_study(folder: Path) -> StudyRecord:
    """Read the record of a study.

    Raises `FileError` if the folder holds none, or its record is damaged or of another version.
    """
    path = folder / STUDY_NAME
    if not path.is_file():
        raise FileError(
            f"{folder} holds no study (no {STUDY_NAME}); name the folder that `necroseg study` wrote."
        )
    return _read(path, StudyRecord)


def read_states(folder: Path) -> Mapping[str, RunState]:
    """Read the records of all runs of a study that ended, by key.

    Raises `FileError` if a record is damaged, or of another version.
    """
    # Files that a killed process left half-written begin with a dot.
    paths = (path for path in sorted((folder / "runs").glob("*.json")) if not path.name.startswith("."))
    found = (_read(path, RunState) for path in paths)
    return {state.run.key: state for state in found}


_Record = TypeVar("_Record", bound=BaseModel)


def _read(path: Path, of_kind: type[_Record]) -> _Record:
    try:
        return of_kind.model_validate(read_json(path, "a record of a study", most_bytes=_MOST_BYTES))
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        what = f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
        raise FileError(
            f"{path} is damaged or of another version ({what}); restore it, or remove it to do that part "
            "again."
        ) from error
