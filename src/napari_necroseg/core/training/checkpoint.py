"""Writes and reads checkpoints, from which an interrupted training goes on to the same weights."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError, safe_open
from torch import Tensor

from napari_necroseg.core.config import TrainConfig
from napari_necroseg.core.errors import FileError, ModelError, SettingsError
from napari_necroseg.core.files import check_readable, remove, write_bytes
from napari_necroseg.core.network.tensor_file import check_seal, sealed
from napari_necroseg.core.output import check_out_folder, is_temporary
from napari_necroseg.core.plan import Plan
from napari_necroseg.core.project.model_folder import (
    CHECKPOINT_NAME,
    HISTORY_NAME,
    RECORD_NAME,
    WEIGHTS_NAME,
    check_run_folder,
)

_HEADER_KEY = "napari-necroseg-checkpoint"

# A training may be resumed on other hardware and with more time; all other settings must be the same.
_MAY_DIFFER = ("device", "threads", "minutes")


class TrainingProgress(BaseModel):
    """How far a training is, and the settings, cases and start model that identify it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    config: TrainConfig
    cases: tuple[str, ...]
    # Of each case's voxels.
    case_sha256: Mapping[str, str]
    # SHA-256 of the weights that it was fine-tuned from; None for random weights.
    started_from: str | None
    iteration: int
    # Wall time, with the loading of the cases.
    seconds: float
    # The lines of ``history.csv`` below its header.
    history: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Checkpoint:
    """The state of a training after an iteration: its tensors, and how far it is."""

    tensors: dict[str, Tensor]
    progress: TrainingProgress


def save_checkpoint(run: Path, checkpoint: Checkpoint) -> None:
    """Replace the checkpoint of a run; if that fails, the last one stays."""
    record = checkpoint.progress.model_dump_json()
    write_bytes(run / CHECKPOINT_NAME, sealed(checkpoint.tensors, _HEADER_KEY, record=record))


def drop_checkpoint(run: Path) -> None:
    """Remove the checkpoint of a training that is over, and the folder if nothing else is in it."""
    remove(run / CHECKPOINT_NAME)
    if run.is_dir() and not any(run.iterdir()):
        run.rmdir()


def check_new(run: Path) -> None:
    """Refuse, before any work, a folder that is not empty, or that cannot be written into."""
    if (run / CHECKPOINT_NAME).exists():
        raise FileError(
            f"{run} holds a training that was interrupted; go on with --resume, or choose a new folder."
        )
    check_run_folder(run)


def check_resumable(run: Path) -> None:
    """Refuse, before any work, a folder with a finished training or with something else.

    A new or empty folder is accepted: the training may have been killed before its first checkpoint.
    """
    if (run / WEIGHTS_NAME).exists() and (run / RECORD_NAME).exists():
        raise FileError(f"The training in {run} is finished; there is nothing to resume.")
    check_out_folder(run)
    known = {CHECKPOINT_NAME, WEIGHTS_NAME, HISTORY_NAME}
    names = sorted(path.name for path in run.iterdir()) if run.is_dir() else []
    if any(name not in known and not is_temporary(name) for name in names):
        raise FileError(f"{run} holds no interrupted training; choose the folder of one.")


def load_checkpoint(run: Path, plan: Plan) -> Checkpoint | None:
    """Read the checkpoint of a run; None if the training was killed before it wrote one.

    A damaged one is a `ModelError`, one with other settings or cases than the plan a `SettingsError`.
    """
    path = run / CHECKPOINT_NAME
    if not path.exists():
        return None
    with _opened(path) as (file, progress):
        _check_same_training(run, progress, plan=plan)
        # Copies, because the training replaces the file.
        tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    check_seal(f"The checkpoint {path}", tensors, metadata=metadata, record=metadata[_HEADER_KEY])
    if not all(tensor.isfinite().all() for tensor in tensors.values()):
        raise ModelError(f"{path} holds values that are not numbers; start the training in a new folder.")
    return Checkpoint(tensors=tensors, progress=progress)


def read_progress(run: Path) -> TrainingProgress:
    """Read how far an interrupted training is; without a sound checkpoint, a `FileError` or `ModelError`."""
    path = run / CHECKPOINT_NAME
    if not path.exists():
        raise FileError(f"{run} holds no interrupted training; choose the folder of one.")
    with _opened(path) as (_, progress):
        return progress


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, TrainingProgress]]:
    check_readable(path)
    try:
        with safe_open(path, framework="pt") as file:
            header = (file.metadata() or {}).get(_HEADER_KEY, "")
            yield file, TrainingProgress.model_validate_json(header)
    except (SafetensorError, ValidationError) as error:
        raise ModelError(
            f"{path} is damaged or of another version; start the training anew in a new folder."
        ) from error


def check_same_voxels(run: Path, progress: TrainingProgress, *, case_sha256: Mapping[str, str]) -> None:
    """Refuse to resume a training with other images than it began with; name the first that differs."""
    changed = [name for name, digest in case_sha256.items() if progress.case_sha256.get(name) != digest]
    if changed or set(case_sha256) != set(progress.case_sha256):
        name = changed[0] if changed else min(set(progress.case_sha256) ^ set(case_sha256))
        raise SettingsError(
            f"The training in {run} began with other images or another mask of {name} (a corrected one is "
            "another, one that nobody has signed off counts only if asked for, and another version of numpy "
            "or scipy may round a resampled image differently); restore them, or start anew in a new folder."
        )


def _check_same_training(run: Path, progress: TrainingProgress, *, plan: Plan) -> None:
    was, wanted = (_comparable(config) for config in (progress.config, plan.config))
    different = sorted(name for name in was if was[name] != wanted[name])
    if different:
        name = different[0]
        raise SettingsError(
            f"The training in {run} was started with {name} {json.dumps(was[name])}, not "
            f"{json.dumps(wanted[name])}; resume it with the choices that it had."
        )
    if progress.cases != plan.cases:
        raise SettingsError(
            f"The training in {run} was started on other cases ({', '.join(progress.cases)}); resume it "
            "with these."
        )


def _comparable(config: TrainConfig) -> dict[str, Any]:
    return {name: value for name, value in config.model_dump(mode="json").items() if name not in _MAY_DIFFER}
