"""The jobs of the dock Correct: a journal is begun, a mask is signed off."""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from napari_necroseg.core.case import Cohort
from napari_necroseg.core.errors import NecrosegError
from napari_necroseg.core.events import Event, Finished, Progress, Warned
from napari_necroseg.core.masks.interpolate import interpolate
from napari_necroseg.core.masks.islands import fill_holes, keep_largest
from napari_necroseg.core.masks.reshape import grow, smooth
from napari_necroseg.core.project.journal import Journal
from napari_necroseg.core.project.journal_folder import JournalFolder
from napari_necroseg.core.project.labels import saved_voxels
from napari_necroseg.core.project.review import Review, Status, read_review, statuses, write_review
from napari_necroseg.core.volume import Grid, Voxels
from napari_necroseg.layerdata import Role
from napari_necroseg.widgets.shared import case_jobs
from napari_necroseg.widgets.shared.case_jobs import MaskToSave, SavedMasks

# A review is read and written again, in two threads.
_REVIEWS = threading.Lock()


@dataclass(frozen=True, kw_only=True, eq=False)
class Begun:
    """A mask to be taken in hand: its case, its journal, and its voxels ``(Z, Y, X)``."""

    case: str
    journal: Journal
    voxels: Voxels


def begin(
    folder: Callable[[], JournalFolder], case: str, voxels: Voxels, _stop: threading.Event
) -> Iterator[Event]:
    """Begin the journal of a mask; says at once if the folder cannot be written to."""
    journal = folder().begin(voxels, is_own=True, note={"layer": "my mask", "role": Role.LABELS})
    _warm_up()
    yield Finished(result=Begun(case=case, journal=journal, voxels=voxels))


def _warm_up() -> None:
    """Use each tool once on nothing much: what they import takes longer than they do."""
    mask = np.zeros((3, 4, 4), bool)
    mask[0, 1:3, 1:3] = mask[2, 1:3, 1:3] = True
    spacing = (1.0, 1.0, 1.0)
    for use in (interpolate, partial(smooth, mm=1.0), partial(grow, mm=1.0)):
        use(mask, spacing)
    fill_holes(keep_largest(mask))


@dataclass(frozen=True, kw_only=True, eq=False)
class ToSignOff:
    """A mask to be signed off.

    Parameters
    ----------
    case, labels, reader
        Whose mask it is, the folder of the project's masks, and the reader's initials.
    mask
        The mask and its file; it is saved first, unless the file holds the very same.
    before
        ``(Z, Y, X)``; the prediction, or what was begun with; None if neither is known.
    grid, seconds
        Of the case; the time spent since the last save of the review.
    """

    case: str
    labels: Path
    reader: str
    mask: MaskToSave
    before: Voxels | None
    grid: Grid
    seconds: float


@dataclass(frozen=True, kw_only=True, eq=False)
class SignedOff:
    """A mask that was signed off, and what was saved for it."""

    review: Review
    saved: SavedMasks

    def __str__(self) -> str:
        return f"{self.review.case} is signed off by {self.review.reader}."


@dataclass(frozen=True, kw_only=True)
class Progressed:
    """How far a case and its cohort are."""

    case: str
    review: Review | None
    statuses: Mapping[str, Status]


def sign_off(wanted: ToSignOff, stop: threading.Event) -> Iterator[Event]:
    """Save a mask if it is not, and write beside it who signed it off."""
    from napari_necroseg.core.scoring.changes import what_changed

    on_disk = saved_voxels(wanted.labels, wanted.case, wanted.grid)
    if on_disk is None or not np.array_equal(on_disk != 0, wanted.mask.voxels != 0):
        yield from (
            event for event in case_jobs.save_masks([wanted.mask], stop) if isinstance(event, Progress)
        )
    after = wanted.mask.voxels != 0
    changes = None
    if wanted.before is not None:
        changes = what_changed(wanted.before != 0, after, voxel_ml=wanted.grid.voxel_ml)
    with _REVIEWS:
        worked = read_review(wanted.labels, wanted.case).worked(wanted.seconds)
        review = worked.signed_off(wanted.mask.path, reader=wanted.reader, changes=changes)
        write_review(wanted.labels, review)
    yield Finished(result=SignedOff(review=review, saved=SavedMasks(masks=(wanted.mask,))))


def look_up(cohort: Cohort, labels: Path, case: str, _stop: threading.Event) -> Iterator[Event]:
    """Look how far the cases of a cohort are."""
    review = None
    if case in cohort.names:
        try:
            review = read_review(labels, case)
        except NecrosegError as error:
            yield Warned(message=str(error))
    yield Finished(result=Progressed(case=case, review=review, statuses=statuses(cohort, labels)))


def add_work(labels: Path, case: str, seconds: float) -> None:
    """Count the time of a case that was changed, and not signed off since."""
    with _REVIEWS:
        write_review(labels, read_review(labels, case).worked(seconds))
