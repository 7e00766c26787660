"""Several trained models that predict as one: a folder with ``ensemble.json``, which names its members."""

import os
from collections.abc import Sequence
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
    runs = []
    for member in read_ensemble(folder).members:
        if "\0" in member.run:
            raise ModelError(f"The ensemble {folder.name} names a model that cannot be: {member.run!r}.")
        run = Path(folder, member.run).resolve()
        weights = run / WEIGHTS_NAME
        if not weights.is_file() or file_sha256(weights) != member.weights_sha256:
            raise ModelError(
                f"The ensemble {folder.name} names the model {run.name}, which is gone or has changed; "
                "choose its other models one by one, or make the ensemble again with `necroseg study`."
            )
        runs.append(run)
    return runs
