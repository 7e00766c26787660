"""The trained models of a project folder, as far as a list of them needs to know."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from napari_necroseg.core.errors import ModelError
from napari_necroseg.core.file_lock import file_lock, is_locked
from napari_necroseg.core.files import remove
from napari_necroseg.core.io.ensemble import ENSEMBLE_NAME, read_ensemble
from napari_necroseg.core.io.runrecord import RECORD_NAME, lock_path, read_run_record, trained_config
from napari_necroseg.core.output import sweep

WEIGHTS = "weights.safetensors"
# Folders are named by several models up to this length.
_LONGEST_NAME = 60
# There while a training runs, and after one that was interrupted.
_CHECKPOINT = "checkpoint.safetensors"


def find_runs(folder: Path | None) -> list[Path]:
    """Return the models in ``models/`` of a project folder, the newest first."""
    if folder is None or not (folder / "models").is_dir():
        return []
    runs = [path.parent for path in (folder / "models").glob(f"*/{WEIGHTS}")]
    return sorted(runs, key=lambda run: modified_s(run / WEIGHTS), reverse=True)


def find_ensembles(folder: Path | None) -> list[Path]:
    """Return the ensembles of a project's studies: each is a folder that stands for several models."""
    if folder is None:
        return []
    return sorted(path.parent for path in folder.glob(f"study/*/ensembles/*/{ENSEMBLE_NAME}"))


def members_of(run: Path) -> list[Path]:
    """Return the models that an ensemble stands for, whether they are there or not; none for a model."""
    return [Path(run, member).resolve() for member in _member_names(run)]


def run_name(run: Path) -> str:
    """Return a model's name as part of a file's; that of an ensemble names its study, too."""
    is_ensemble = (run / ENSEMBLE_NAME).is_file()
    return f"{run.parents[1].name}-{run.name}" if is_ensemble else run.name


def mean_name(runs: Sequence[Path]) -> str:
    """Return the name of what several models say together, as part of a file's; of one it is its own.

    Other models have another name, so that the masks of a folder are all of the same models; a hash stands
    for names that would be too long.
    """
    first, *others = (run_name(run) for run in runs)
    joined = "+".join([first, *sorted(others)])
    if not others or len(joined) <= _LONGEST_NAME:
        return joined
    return f"{first[:_LONGEST_NAME]}+{len(others)}-{hashlib.sha256(joined.encode()).hexdigest()[:8]}"


def run_title(run: Path) -> str:
    """Return a model's name for a list of models."""
    if not (run / ENSEMBLE_NAME).is_file():
        return run.name
    n = len(_member_names(run))
    return f"{run.parents[1].name}: {run.name} ({n} model{'' if n == 1 else 's'})"


def find_interrupted(models: Path | None) -> Path | None:
    """Return the folder of the training in `models` that was interrupted last.

    One that another program goes on with is not meant. A program that was killed just after it had written a
    model leaves the checkpoint beside it.
    """
    if models is None or not models.is_dir():
        return None
    found = sorted(models.glob(f"*/{_CHECKPOINT}"), key=modified_s, reverse=True)
    cut_off = (path.parent for path in found if not (path.parent / RECORD_NAME).exists())
    return next((run for run in cut_off if not is_locked(lock_path(run))), None)


def discard_interrupted(run: Path) -> None:
    """Remove what an interrupted training left, and its folder if nothing else is in it.

    Raises
    ------
    FileError
        If another program goes on with it.
    """
    with file_lock(lock_path(run), f"The training in {run}"):
        if not run.is_dir():
            return
        sweep(run)
        remove(run / _CHECKPOINT)
        if not any(run.iterdir()):
            run.rmdir()


def describe_run(run: Path) -> str:
    """Say what a model was trained on, by its ``run.json``; what cannot be read is left out."""
    members = _member_names(run)
    if members:
        return _describe_ensemble(run, members)
    record = read_run_record(run)
    config = record.get("config")
    cases = record.get("cases")
    parts = []
    if isinstance(config, dict):
        sequences = config.get("sequences")
        parts.append(str(config.get("dimension", "")).upper())
        parts.append(" and ".join(str(s) for s in sequences) if isinstance(sequences, list) else "")
    if isinstance(cases, list):
        parts.append(f"trained on {len(cases)} case{'s' if len(cases) != 1 else ''}")
    if isinstance(record.get("iterations"), int):
        parts.append(f"{record['iterations']} iterations")
    if isinstance(record.get("weights_sha256"), str):
        parts.append(f"weights {str(record['weights_sha256'])[:12]}")
    return ", ".join(part for part in parts if part)


def _describe_ensemble(run: Path, members: tuple[str, ...]) -> str:
    """Say what the models of an ensemble have in common."""
    config = trained_config(run / members[0])
    sequences = "" if config is None else " and ".join(str(sequence) for sequence in config.sequences)
    network = "" if config is None else f": {config.dimension.upper()}, {sequences}"
    return f"Ensemble of {len(members)} models of a study, whose mean counts{network}"


def learned_cases(run: Path) -> tuple[str, ...]:
    """Return the names of the cases that a model was trained on, earlier trainings included."""
    record = read_run_record(run)
    lists = [record.get(name) for name in ("cases", "earlier_cases")]
    return tuple(str(name) for names in lists if isinstance(names, list) for name in names)


def find_weights(models: Path, sha256: str) -> Path | None:
    """Return the folder of the model in `models` whose weights have this hash, by its ``run.json``."""
    runs = (path.parent for path in models.glob(f"*/{RECORD_NAME}"))
    return next((run for run in runs if read_run_record(run).get("weights_sha256") == sha256), None)


def new_run_name(models: Path | None, dimension: str, sequences: tuple[str, ...]) -> str:
    """Return a name for the next model that no folder in `models` has."""
    name = f"{dimension}-{'-'.join(sequences)}"
    if models is None:
        return name
    number = 1
    while (models / f"{name}-{number}").exists():
        number += 1
    return f"{name}-{number}"


def modified_s(path: Path) -> float:
    """Return when a file was written, in seconds; long ago if it was removed meanwhile."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _member_names(run: Path) -> tuple[str, ...]:
    """Return the members as the file of an ensemble names them; none for a model, or a damaged file."""
    try:
        stat = (run / ENSEMBLE_NAME).stat()
        return _names_in_file(run, stat.st_mtime_ns, stat.st_size)
    except (OSError, ModelError):
        return ()


@lru_cache(maxsize=512)
def _names_in_file(run: Path, _modified_ns: int, _n_bytes: int) -> tuple[str, ...]:
    """Read each file once for as long as it stays the same."""
    return tuple(member.run for member in read_ensemble(run).members)
