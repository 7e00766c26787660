"""Remembers, for the person at this computer, where the work was: projects, case, step and choices.

One JSON file in the user's config folder. It names the folders of projects, nothing of what is in them, and
can be cleared. What cannot be read is as if it had not been remembered; what cannot be written is not kept.
"""

import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from napari_necroseg.core.config import AugmentConfig, Config
from napari_necroseg.core.disk import file_lock
from napari_necroseg.core.errors import NecrosegError
from napari_necroseg.core.files import read_json_quietly, user_config_folder, write_text

FILE_NAME = "remembered.json"
MOST_PROJECTS = 12
_MOST_BYTES = 1_000_000
_LOCK = threading.Lock()
_LOCK_NAME = ".remembered.lock"
_LONGEST_WAIT_S = 0.05
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
    # Whether each image says which sequence, slice and side it shows.
    captions: bool = True
    # Whether napari's column of layers is folded away.
    hides_layers: bool = True
    # The ranges that were chosen in the augmentation preview.
    augment: AugmentConfig | None = None
    # How long learning may take.
    minutes: Annotated[float | None, Field(gt=0, le=100_000)] = None
    brush_mm: Annotated[float | None, Field(gt=0, le=1000)] = None
    panel_width_px: Annotated[int | None, Field(ge=100, le=10_000)] = None


def read_remembered() -> Remembered:
    """Return what is remembered; what is damaged, or from a later version, is left out."""
    record = read_json_quietly(_path(), _MOST_BYTES)
    with suppress(NecrosegError):
        return Remembered.checked(**record)
    return Remembered.checked(**{name: value for name, value in record.items() if _is_sound(name, value)})


def remember(**choices: object) -> Remembered:
    """Change some of what is remembered, in the file, too; two windows each keep what the other changed."""
    return _change(lambda _: choices)


def remember_project(folder: Path, case: str = "") -> Remembered:
    """Put a project first, with the case that is open in it."""
    # The next start may be in another folder.
    return _change(partial(_with_project, Project(folder=folder.absolute(), case=case)))


def forget() -> None:
    """Remove the file."""
    with suppress(OSError):
        _path().unlink(missing_ok=True)


def _is_sound(name: str, value: Any) -> bool:
    try:
        Remembered.checked(**{name: value})
    except NecrosegError:
        return False
    return True


def _change(choose: Callable[[Remembered], dict[str, object]]) -> Remembered:
    with _LOCK, ExitStack() as stack:
        # Of two windows that change it at once, the second waits; not for long, since a person waits for it.
        with suppress(NecrosegError):
            lock = _path().with_name(_LOCK_NAME)
            stack.enter_context(file_lock(lock, "Remembering", wait_s=_LONGEST_WAIT_S))
        before = read_remembered()
        changed = before.changed(**choose(before))
        with suppress(NecrosegError):
            write_text(_path(), changed.model_dump_json(indent=1))
        return changed


def _with_project(project: Project, before: Remembered) -> dict[str, object]:
    known = {one.folder: one for one in before.projects}
    earlier = known.pop(project.folder, project)
    first = project if project.case else earlier
    return {"projects": (first, *known.values())[:MOST_PROJECTS]}


def _path() -> Path:
    return user_config_folder() / FILE_NAME
