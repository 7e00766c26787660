"""Lays out the folder of a trained model: the names of its files, its lock, its record, and its result."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from napari_necroseg.core.case import Whose
from napari_necroseg.core.config import TrainConfig
from napari_necroseg.core.disk import file_lock
from napari_necroseg.core.errors import FileError
from napari_necroseg.core.files import read_json_quietly, remove
from napari_necroseg.core.output import check_out_folder, sweep

# The folder of a project or study that holds the folders of its models.
MODELS_FOLDER = "models"
WEIGHTS_NAME = "weights.safetensors"
HISTORY_NAME = "history.csv"
RECORD_NAME = "run.json"
# There while a training runs, and after one that was interrupted.
CHECKPOINT_NAME = "checkpoint.safetensors"
# A case takes some 2,000 bytes; a file this large is no record. It is read in the viewer's own thread.
_MOST_RECORD_BYTES = 10_000_000
_PatchSide = Annotated[int, Field(ge=1, le=4096)]
_Width = Annotated[int, Field(ge=1, le=4096)]


class RunRecord(BaseModel):
    """How a model was trained: stored in the header of its weights, and readable in ``run.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Of this record; a program refuses versions that it does not know.
    format_version: Literal[1] = 1
    config: TrainConfig
    cases: tuple[str, ...]
    patch_shape: tuple[_PatchSide, _PatchSide, _PatchSide]
    widths: Annotated[tuple[_Width, ...], Field(min_length=1, max_length=8)]
    device: str  # Torch's name.
    threads: int
    iterations: int
    seconds: float
    loss: float  # As last reported.
    versions: dict[str, str]  # Of this program and of the packages that the numbers depend on.
    # Of the voxels of each case, as the network sees them.
    case_sha256: dict[str, str] = Field(default_factory=dict)
    # Of every image that this model, or a model that it was fine-tuned from, was trained on: a case with one
    # of them is not new to the model, whatever its name.
    images_sha256: tuple[str, ...] = ()
    # Short signatures of these images (`core.cohort.duplicates`), by which a copy in other intensities is
    # recognised; none in older records.
    images_likeness: tuple[str, ...] = ()
    # Of the patients of all these cases (`core.cohort.seen_cases`); none in older records.
    patients_sha256: tuple[str, ...] = ()
    # SHA-256 of the weights of the model that it was fine-tuned from.
    started_from: str | None = None
    earlier_cases: tuple[str, ...] = ()  # The cases that the start model was trained on.
    device_name: str = ""  # The processor or graphics card; empty in older records.
    number_format: str = ""  # Of the convolutions; empty in older records.
    # Names of the cases that it was scored on during the training.
    validation: tuple[str, ...] = ()
    # Where the mask of each of these cases and of each training case is from.
    masks: dict[str, Whose] = Field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TrainedRun:
    """The result of a training; it is read in the viewer, without PyTorch."""

    run: Path  # The folder of the model.
    cases: int  # Number of training cases.
    parameters: int  # Number of trained weights.
    iterations: int
    seconds: float
    loss: float  # As last reported.

    def __str__(self) -> str:
        return (
            f"Trained on {self.cases} cases for {self.iterations} iterations ({self.seconds / 60:.1f} min), "
            f"last loss {self.loss:.3f}; the model is in {self.run}."
        )


def check_run_folder(run: Path) -> None:
    """Refuse, before hours of work, a folder that is a file, is not empty, or cannot be written into.

    No model is ever overwritten.
    """
    check_out_folder(run)
    if run.is_dir() and any(run.iterdir()):
        raise FileError(
            f"The folder {run} is not empty; choose a new folder, so that no earlier model is lost."
        )


def lock_path(run: Path) -> Path:
    """Return the file beside a model's folder that is locked while a training writes into the folder."""
    place = run.absolute()
    return place.with_name(f".{place.name}.lock")


def read_run_record(run: Path) -> dict[str, object]:
    """Return the entries of a model's ``run.json``, unchecked; none if it cannot be read."""
    return read_json_quietly(run / RECORD_NAME, _MOST_RECORD_BYTES)


def trained_config(run: Path) -> TrainConfig | None:
    """Return the settings that a model was trained with; None if they cannot be read."""
    try:
        return TrainConfig.model_validate(read_run_record(run).get("config"))
    except ValidationError:
        return None


def discard_interrupted(run: Path) -> None:
    """Remove the files of an interrupted training, and its folder if that is empty then.

    `FileError` if another program is going on with the training.
    """
    with file_lock(lock_path(run), f"The training in {run}"):
        if not run.is_dir():
            return
        sweep(run)
        remove(run / CHECKPOINT_NAME)
        if not any(run.iterdir()):
            run.rmdir()


def learned_cases(run: Path) -> tuple[str, ...]:
    """Return the names of the cases that a model was trained on, in earlier trainings, too."""
    record = read_run_record(run)
    lists = [record.get(name) for name in ("cases", "earlier_cases")]
    return tuple(str(name) for names in lists if isinstance(names, list) for name in names)
