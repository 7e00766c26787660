"""Remembers, for the person at this computer, where the work was: projects, case, step and choices.

One JSON file in the user's config folder. It names the folders of projects, nothing of what is in them, and
can be cleared. What cannot be read is as if nothing had been remembered; what cannot be written is not kept.
"""

import threading
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from napari_necroseg.core.config import Config
from napari_necroseg.core.errors import NecrosegError
from napari_necroseg.core.files import read_json_quietly, user_config_folder, write_text

FILE_NAME = "remembered.json"
MOST_PROJECTS = 12
_MOST_BYTES = 1_000_000
_LOCK = threading.Lock()
Language = Literal["system", "de", "en"]


class Project(Config):
    """A project folder, and the case that was open in it last."""

    folder: Path
    case: Annotated[str, Field(max_length=1000)] = ""


class Remembered(Config):
    """What is remembered between two starts."""

    version: Literal[1] = 1
    # The newest first.
    projects: tuple[Project, ...] = ()
    # Models outside of these projects that were used, the newest first; and the one that was chosen last.
    models: tuple[Path, ...] = ()
    model: Path | None = None
    # The step of the panel, by its name in code.
    step: Annotated[str, Field(max_length=40)] = "cases"
    initials: Annotated[str, Field(max_length=8)] = ""
    language: Language = "system"
    # Whether mouse and keys are those of a reader's workstation; off, they are napari's own.
    reader_controls: bool = True
    # Whether napari's column of layers is folded away.
    hides_layers: bool = True
    brush_mm: Annotated[float | None, Field(gt=0, le=1000)] = None
    panel_width_px: Annotated[int | None, Field(ge=100, le=10_000)] = None


def read_remembered() -> Remembered:
    """Return what is remembered; nothing if there is no such file or it cannot be read."""
    with suppress(NecrosegError):
        return Remembered.checked(**read_json_quietly(_path(), _MOST_BYTES))
    return Remembered()


def remember(**choices: object) -> Remembered:
    """Change some of what is remembered, in the file, too; two windows each keep what the other changed."""
    with _LOCK:
        changed = read_remembered().changed(**choices)
        with suppress(NecrosegError, OSError):
            path = _path()
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, changed.model_dump_json(indent=1))
        return changed


def remember_project(folder: Path, case: str = "") -> Remembered:
    """Put a project first, with the case that is open in it."""
    before = read_remembered()
    others = [one for one in before.projects if one.folder != folder]
    if not case:
        case = next((one.case for one in before.projects if one.folder == folder), "")
    projects = (Project(folder=folder, case=case), *others)[:MOST_PROJECTS]
    return remember(projects=projects)


def forget() -> None:
    """Remove the file."""
    with suppress(OSError):
        _path().unlink(missing_ok=True)


def _path() -> Path:
    return user_config_folder() / FILE_NAME
