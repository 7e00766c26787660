"""Tells what each case of a project has: masks drawn, signed and predicted, and work that is not saved."""

from collections.abc import Generator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from napari_necroseg.core.case import CaseFiles, Cohort, Sequence
from napari_necroseg.core.case_names import name_among, names_in
from napari_necroseg.core.errors import FileError, NecrosegError
from napari_necroseg.core.events import Event, Progress
from napari_necroseg.core.grids.orient import working_grid
from napari_necroseg.core.images.damage import damage_of
from napari_necroseg.core.images.read import read_grid, read_mask
from napari_necroseg.core.labels_folder import JOURNAL_SUFFIX, LABELS_FOLDER
from napari_necroseg.core.language import said
from napari_necroseg.core.project.journal_folder import JOURNALS_FOLDER, JournalFolder, KeptStrokes
from napari_necroseg.core.project.review import Status, read_review, statuses

PREDICTIONS_FOLDER = "predictions"


@dataclass(frozen=True, kw_only=True)
class CaseState:
    """What a case has."""

    status: Status = Status.UNTOUCHED
    # Initials of whoever signed its mask off, as it is now.
    reader: str = ""
    # The person's own mask on disk, and its volume.
    drawn: Path | None = None
    drawn_ml: float | None = None
    # The models that have predicted it, the newest first, and the volume of the newest mask.
    predicted: tuple[str, ...] = ()
    predicted_ml: float | None = None
    # Strokes that are saved nowhere else.
    unsaved: tuple[KeptStrokes, ...] = ()
    # Why files cannot be read, by their columns of the table.
    damaged: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_signed(self) -> bool:
        """Whether the mask is signed off as it is now."""
        return self.status is Status.REVIEWED


def look_at_cases(
    cohort: Cohort, folder: Path | None, *, open_case: str = ""
) -> Generator[Event, None, dict[str, CaseState]]:
    """Look at what each case has, in the order of the table.

    `folder`: of the project; None for cases in none. `open_case`: the case on the screen, whose strokes are
    not looked for.
    Yields `Progress`; the states by the names of the cases are the generator's return value.
    """
    project = None if folder is None else _Project(cohort, folder)
    states = {}
    for done, files in enumerate(cohort):
        yield Progress(done=done, total=len(cohort), message=said("Looking at {name} ...", name=files.name))
        state = CaseState(damaged=_damaged(files))
        if project is not None:
            state = project.look_at(files, state, is_open=files.name == open_case)
        states[files.name] = state
    return states


def first_unsigned(cohort: Cohort, folder: Path | None, *, wanted: str = "") -> str:
    """Return the case to begin with: the wanted one, else the first that is not signed off, else the first.

    A wanted case that is signed off gives way to one that is not, and one that cannot be read to the next.
    """
    names = cohort.names
    of_case = {} if folder is None else statuses(cohort, folder / LABELS_FOLDER)
    unsigned = [name for name in names if of_case.get(name) is not Status.REVIEWED]
    order = [*([wanted] if wanted in (unsigned or names) else []), *unsigned, *names]
    sound = (name for name in order if not any(map(damage_of, cohort[name].sequences.values())))
    return next(sound, next(iter(order), ""))


class _Project:
    """The files of a project; each folder is listed once."""

    def __init__(self, cohort: Cohort, folder: Path) -> None:
        self.labels = folder / LABELS_FOLDER
        self.statuses = statuses(cohort, self.labels)
        self.drawn = names_in(self.labels)
        self.predictions = _predictions(folder / PREDICTIONS_FOLDER)

    def look_at(self, files: CaseFiles, state: CaseState, *, is_open: bool) -> CaseState:
        status = self.statuses[files.name]
        name = name_among(self.drawn, f"{files.name}.nii.gz")
        drawn = None if name is None else self.labels / name
        masks = sorted(_predicted(files.name, self.predictions), key=_modified_ns, reverse=True)
        return replace(
            state,
            status=status,
            reader=_reader(self.labels, files.name) if status is Status.REVIEWED else "",
            drawn=drawn,
            drawn_ml=None if drawn is None else volume_ml(drawn),
            predicted=tuple(mask.parent.name for mask in masks),
            predicted_ml=volume_ml(masks[0]) if masks else None,
            unsaved=() if is_open else self._unsaved(files),
        )

    def _unsaved(self, files: CaseFiles) -> tuple[KeptStrokes, ...]:
        """Return the strokes that are not saved; the image is opened only if there is a journal."""
        others = self.labels / JOURNALS_FOLDER / files.name
        has_own = name_among(self.drawn, f"{files.name}{JOURNAL_SUFFIX}") is not None
        if not has_own and not (others.is_dir() and any(others.glob(f"*{JOURNAL_SUFFIX}"))):
            return ()
        with suppress(NecrosegError, OSError):
            path = files.sequences[Sequence.CET1]
            grid, _ = read_grid(path, spacing_mm=files.spacing_mm, channel=files.channel(Sequence.CET1))
            place = JournalFolder.of_project(self.labels, files.name, grid=working_grid(grid))
            return place.kept(tidies=False)
        return ()


def volume_ml(mask: Path) -> float | None:
    """Return the volume of a mask of this program; None if it cannot be read. Each file is read once."""
    try:
        found = mask.stat()
    except OSError:
        return None
    return _volume_ml(mask, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=8192)
def _volume_ml(mask: Path, _modified_ns: int, _n_bytes: int) -> float | None:
    try:
        volume = read_mask(mask, is_own=True).volume
    except NecrosegError:
        return None
    return int(np.count_nonzero(volume.voxels)) * volume.grid.voxel_ml


def _damaged(files: CaseFiles) -> dict[str, str]:
    found = {column: damage_of(path) for column, path in files.paths.items()}
    return {column: sentence for column, sentence in found.items() if sentence}


def _predictions(folder: Path) -> dict[Path, dict[str, str]]:
    """Return the names of the files in the folder of each model; each folder is listed once."""
    if not folder.is_dir():
        return {}
    with suppress(OSError):
        return {run: names_in(run) for run in sorted(folder.iterdir()) if run.is_dir()}
    return {}


def _predicted(case: str, predictions: Mapping[Path, Mapping[str, str]]) -> list[Path]:
    named = ((run, name_among(there, f"{case}.nii.gz")) for run, there in predictions.items())
    return [run / name for run, name in named if name is not None]


def _modified_ns(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_mtime_ns
    return 0


def _reader(labels: Path, case: str) -> str:
    with suppress(FileError):
        return read_review(labels, case).reader
    return ""
