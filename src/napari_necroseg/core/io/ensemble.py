"""Several trained models that predict as one: a folder with ``ensemble.json``, which names its members."""

import os
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from napari_necroseg.core.errors import FileError, ModelError
from napari_necroseg.core.files import file_sha256, read_json, write_text

ENSEMBLE_NAME = "ensemble.json"
WEIGHTS_NAME = "weights.safetensors"
_MOST_BYTES = 1_000_000
_KIND = "a list of models that this version can read"


class Member(BaseModel):
    """A model of an ensemble: its folder, relative to the ensemble's, and the SHA-256 of its weights."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: Annotated[str, Field(min_length=1, max_length=1000)]
    weights_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Ensemble(BaseModel):
    """Models whose mean counts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: Literal[1] = 1
    members: Annotated[tuple[Member, ...], Field(min_length=1, max_length=5000)]


def write_ensemble(folder: Path, runs: Sequence[Path]) -> None:
    """Make a folder that stands for these models; they stay where they are.

    Raises
    ------
    ResourceError
        If it cannot be written.
    """
    members = tuple(
        Member(
            run=Path(os.path.relpath(run.resolve(), folder.resolve())).as_posix(),
            weights_sha256=file_sha256(run / WEIGHTS_NAME),
        )
        for run in runs
    )
    write_text(folder / ENSEMBLE_NAME, Ensemble(members=members).model_dump_json(indent=2) + "\n")


def expand_runs(runs: Sequence[Path]) -> list[Path]:
    """Return the folders of models, each ensemble replaced by its members.

    Raises
    ------
    ModelError
        If an ensemble cannot be read, or a member is gone or no longer the model that it was.
    """
    expanded: list[Path] = []
    for run in runs:
        expanded += _members(run) if (run / ENSEMBLE_NAME).is_file() else [run]
    return expanded


def distinct_runs(runs: Sequence[Path]) -> tuple[list[Path], str]:
    """Return the folders of models, each ensemble replaced by its members, and each model once.

    Two are the same if their weights are, to the bit: a copy, a link, a member of an ensemble that is named,
    too. Its mean with itself would be itself, and its uncertainty nothing.

    Returns
    -------
    list of Path, str
        The folders, and which models were given more than once, in a sentence; empty if none was.

    Raises
    ------
    ModelError
        As `expand_runs`.
    """
    first: dict[str, Path] = {}
    times: Counter[str] = Counter()
    of_place: dict[Path, str] = {}
    for run in expand_runs(runs):
        place = Path(os.path.realpath(run))
        if place not in of_place:
            weights = place / WEIGHTS_NAME
            # Whoever loads it says what is wrong with a folder that holds no model.
            of_place[place] = file_sha256(weights) if weights.is_file() else str(place)
        times[of_place[place]] += 1
        first.setdefault(of_place[place], run)
    repeated = [f"{first[key].name} ({n} times)" for key, n in times.items() if n > 1]
    named = ", ".join(repeated[:3]) + (", ..." if len(repeated) > 3 else "")
    words = f"Given more than once, and counted once: the model {named}." if repeated else ""
    return list(first.values()), words


def read_ensemble(folder: Path) -> Ensemble:
    """Read which models an ensemble stands for.

    Raises
    ------
    ModelError
        If the file is damaged or of another version.
    """
    path = folder / ENSEMBLE_NAME
    try:
        return Ensemble.model_validate(read_json(path, _KIND, _MOST_BYTES))
    except FileError as error:
        raise ModelError(str(error)) from error
    except ValidationError as error:
        raise ModelError(f"{path} is not {_KIND}.") from error


def _members(folder: Path) -> list[Path]:
    runs: list[Path] = []
    hashes: dict[Path, str] = {}
    for member in read_ensemble(folder).members:
        if "\0" in member.run:
            raise ModelError(f"The ensemble {folder.name} names a model that cannot be: {member.run!r}.")
        # Not `Path.resolve`, which raises where links lead to each other.
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
