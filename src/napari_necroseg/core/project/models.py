"""Finds, names and describes the trained models of a project, and ensembles of several models."""

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from napari_necroseg.core.case_names import listed
from napari_necroseg.core.disk import is_locked
from napari_necroseg.core.errors import FileError, ModelError
from napari_necroseg.core.files import file_sha256, free_path, read_json, relative_path, write_text
from napari_necroseg.core.project.model_folder import (
    CHECKPOINT_NAME,
    MODELS_FOLDER,
    RECORD_NAME,
    WEIGHTS_NAME,
    lock_path,
    read_run_record,
    trained_config,
)

# Longer names of several models are shortened by a hash.
_LONGEST_NAME = 60

ENSEMBLE_NAME = "ensemble.json"
_MOST_ENSEMBLE_BYTES = 1_000_000
_ENSEMBLE_KIND = "a list of models that this version can read"


def find_runs(folder: Path | None) -> list[Path]:
    """Return the models in ``models/`` of a project folder, the newest first."""
    if folder is None or not (folder / MODELS_FOLDER).is_dir():
        return []
    runs = [path.parent for path in (folder / MODELS_FOLDER).glob(f"*/{WEIGHTS_NAME}")]
    return sorted(runs, key=lambda run: modified_s(run / WEIGHTS_NAME), reverse=True)


def find_ensembles(folder: Path | None) -> list[Path]:
    """Return the ensembles of a project's studies; each is a folder that names several models."""
    if folder is None:
        return []
    return sorted(path.parent for path in folder.glob(f"study/*/ensembles/*/{ENSEMBLE_NAME}"))


def is_single(run: Path) -> bool:
    """Whether a folder is that of one model, not of an ensemble."""
    return not (run / ENSEMBLE_NAME).is_file()


def members_of(run: Path) -> list[Path]:
    """Return the folders of an ensemble's models, whether they exist or not; none for a single model."""
    return [Path(run, member).resolve() for member in _member_names(run)]


def run_name(run: Path) -> str:
    """Return the name of a model for use in file names; that of an ensemble begins with its study."""
    is_ensemble = (run / ENSEMBLE_NAME).is_file()
    return f"{run.parents[1].name}-{run.name}" if is_ensemble else run.name


def mean_name(runs: Sequence[Path]) -> str:
    """Return the name of the mean of several models for use in file names; for one model its own name.

    It differs for other models, so that all masks in a folder are from the same ones. A hash replaces the end
    of a name that would be too long.
    """
    first, *others = (run_name(run) for run in runs)
    joined = "+".join([first, *sorted(others)])
    if not others or len(joined) <= _LONGEST_NAME:
        return joined
    return f"{first[:_LONGEST_NAME]}+{len(others)}-{hashlib.sha256(joined.encode()).hexdigest()[:8]}"


def run_title(run: Path) -> str:
    """Return the name of a model as a list shows it."""
    if not (run / ENSEMBLE_NAME).is_file():
        return run.name
    n = len(_member_names(run))
    return f"{run.parents[1].name}: {run.name} ({n} model{'' if n == 1 else 's'})"


def find_interrupted(models: Path | None) -> Path | None:
    """Return the folder of the most recently interrupted training in `models`.

    A training that another program is going on with does not count, nor does a finished model beside which a
    killed program left its checkpoint.
    """
    if models is None or not models.is_dir():
        return None
    found = sorted(models.glob(f"*/{CHECKPOINT_NAME}"), key=modified_s, reverse=True)
    cut_off = (path.parent for path in found if not (path.parent / RECORD_NAME).exists())
    return next((run for run in cut_off if not is_locked(lock_path(run))), None)


def describe_run(run: Path) -> str:
    """Describe a model by its ``run.json``; entries that cannot be read are left out."""
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
    """Describe an ensemble by its first model: all have the same settings."""
    config = trained_config(run / members[0])
    sequences = "" if config is None else " and ".join(str(sequence) for sequence in config.sequences)
    network = "" if config is None else f": {config.dimension.upper()}, {sequences}"
    return f"Ensemble of {len(members)} models of a study, whose mean counts{network}"


def find_weights(models: Path, sha256: str) -> Path | None:
    """Return the folder of the model in `models` whose ``run.json`` has this hash of the weights."""
    runs = (path.parent for path in models.glob(f"*/{RECORD_NAME}"))
    return next((run for run in runs if read_run_record(run).get("weights_sha256") == sha256), None)


def new_run_name(models: Path | None, dimension: str, *, sequences: tuple[str, ...]) -> str:
    """Return a free name for the next model in `models`."""
    name = f"{dimension}-{'-'.join(sequences)}"
    if models is None:
        return name
    return free_path(lambda number: models / f"{name}-{number}").name


def modified_s(path: Path) -> float:
    """Return the time of a file's last change in seconds; 0 if it was removed meanwhile."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _member_names(run: Path) -> tuple[str, ...]:
    """Return the members as an ensemble's file names them; none for a single model or a damaged file."""
    try:
        stat = (run / ENSEMBLE_NAME).stat()
        return _names_in_file(run, stat.st_mtime_ns, _n_bytes=stat.st_size)
    except (OSError, ModelError):
        return ()


@lru_cache(maxsize=512)
def _names_in_file(run: Path, _modified_ns: int, *, _n_bytes: int) -> tuple[str, ...]:
    """Read each file once until it changes."""
    return tuple(member.run for member in read_ensemble(run).members)


class Member(BaseModel):
    """A model of an ensemble: its folder, relative to the ensemble's, and the SHA-256 of its weights."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: Annotated[str, Field(min_length=1, max_length=1000)]
    weights_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Ensemble(BaseModel):
    """The content of ``ensemble.json``: the models whose mean is the prediction."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: Literal[1] = 1
    members: Annotated[tuple[Member, ...], Field(min_length=1, max_length=5000)]


def write_ensemble(folder: Path, runs: Sequence[Path]) -> None:
    """Write the folder of an ensemble, which names its models; they stay where they are."""
    members = tuple(
        Member(
            run=relative_path(run.resolve(), folder),
            weights_sha256=file_sha256(run / WEIGHTS_NAME),
        )
        for run in runs
    )
    write_text(folder / ENSEMBLE_NAME, Ensemble(members=members).model_dump_json(indent=2) + "\n")


def expand_runs(runs: Sequence[Path]) -> list[Path]:
    """Return the folders of models, each ensemble replaced by its models.

    `ModelError` if an ensemble cannot be read, or one of its models is gone or has changed.
    """
    expanded: list[Path] = []
    for run in runs:
        expanded += _members(run) if (run / ENSEMBLE_NAME).is_file() else [run]
    return expanded


def distinct_runs(runs: Sequence[Path]) -> tuple[list[Path], str]:
    """Return the folders of models, each ensemble replaced by its models, and each model once.

    Models with identical weights count as one: copies, links, and models that an ensemble names, too. The
    mean of a model with itself would be the model, with an uncertainty of zero. With the folders comes a
    sentence on models that were given more than once, if any. Errors are those of `expand_runs`.
    """
    first: dict[str, Path] = {}
    times: Counter[str] = Counter()
    of_place: dict[Path, str] = {}
    for run in expand_runs(runs):
        place = Path(os.path.realpath(run))
        if place not in of_place:
            weights = place / WEIGHTS_NAME
            # Loading the model says what is wrong with a folder that holds none.
            of_place[place] = file_sha256(weights) if weights.is_file() else str(place)
        times[of_place[place]] += 1
        first.setdefault(of_place[place], run)
    repeated = [f"{first[key].name} ({n} times)" for key, n in times.items() if n > 1]
    named = listed(repeated)
    words = f"Given more than once, but used once: the model {named}." if repeated else ""
    return list(first.values()), words


def read_ensemble(folder: Path) -> Ensemble:
    """Read the file of an ensemble; `ModelError` if it is damaged or of another version."""
    path = folder / ENSEMBLE_NAME
    try:
        return Ensemble.model_validate(read_json(path, _ENSEMBLE_KIND, most_bytes=_MOST_ENSEMBLE_BYTES))
    except FileError as error:
        raise ModelError(str(error)) from error
    except ValidationError as error:
        raise ModelError(f"{path} is not {_ENSEMBLE_KIND}.") from error


def _members(folder: Path) -> list[Path]:
    runs: list[Path] = []
    hashes: dict[Path, str] = {}
    for member in read_ensemble(folder).members:
        if "\0" in member.run:
            raise ModelError(f"The ensemble {folder.name} names a model that cannot be: {member.run!r}.")
        # Not `Path.resolve`, which raises for links that lead to each other.
        run = Path(os.path.realpath(folder / member.run))
        try:
            hashes[run] = hashes.get(run) or file_sha256(run / WEIGHTS_NAME)
        except (OSError, FileError):
            hashes[run] = ""
        if hashes[run] != member.weights_sha256:
            raise ModelError(_why_not(folder, run))
        runs.append(run)
    return runs


def _why_not(folder: Path, run: Path) -> str:
    with suppress(OSError):
        if (run / ENSEMBLE_NAME).is_file():
            return (
                f"The ensemble {folder.name} names {run.name}, which is an ensemble itself; name its models "
                "in its place."
            )
    return (
        f"The ensemble {folder.name} names the model {run.name[:120]}, which is gone or has changed; choose "
        "its other models one by one, or make the ensemble again with `necroseg study`."
    )
