"""Corrects masks: begins a journal, takes back strokes that were not saved, signs a mask off."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from napari_necroseg.core.case import Cohort
from napari_necroseg.core.errors import NecrosegError
from napari_necroseg.core.events import Event, Finished, Progress, Warned
from napari_necroseg.core.masks.components import clean
from napari_necroseg.core.masks.reshape import grow, interpolate, smooth
from napari_necroseg.core.project.journal import Journal, Recovered, put_aside
from napari_necroseg.core.project.journal_folder import JournalFolder, KeptStrokes
from napari_necroseg.core.project.labels import saved_voxels
from napari_necroseg.core.project.review import Review, Status, read_review, statuses, write_review
from napari_necroseg.core.volume import Grid, Voxels
from napari_necroseg.jobs import cases
from napari_necroseg.jobs.cases import MaskToSave, SavedMasks
from napari_necroseg.layerdata import Role

# Who does nothing for so long does something else.
_LONGEST_S = 60.0

# A review is read and written again, in two threads.
_REVIEWS = threading.Lock()


class Stopwatch:
    """Counts seconds of work.

    Parameters
    ----------
    clock
        Seconds that only go forwards.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: float | None = None
        self._seconds = 0.0

    def start(self) -> None:
        """Begin with nothing."""
        self._last, self._seconds = self._clock(), 0.0

    def touch(self) -> None:
        """Note that something was done; what was done long after the last thing counts a minute."""
        if self._last is not None:
            now = self._clock()
            self._seconds += min(now - self._last, _LONGEST_S)
            self._last = now

    def stop(self) -> float:
        """Return the seconds of work, and count no longer."""
        seconds, self._seconds, self._last = self._seconds, 0.0, None
        return seconds

    def lap(self) -> float:
        """Return the seconds of work, and begin again with nothing."""
        self.touch()
        seconds, self._seconds = self._seconds, 0.0
        return seconds


@dataclass(frozen=True, kw_only=True, eq=False)
class JournalBegun:
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
    yield Finished(result=JournalBegun(case=case, journal=journal, voxels=voxels))


def _warm_up() -> None:
    """Use each tool once on nothing much: what they import takes longer than they do."""
    mask = np.zeros((3, 4, 4), bool)
    mask[0, 1:3, 1:3] = mask[2, 1:3, 1:3] = True
    spacing = (1.0, 1.0, 1.0)
    for use in (interpolate, partial(smooth, mm=1.0), partial(grow, mm=1.0)):
        use(mask, spacing)
    clean(mask, fill_holes=True, largest=True)


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
class ReviewState:
    """How far a case and its cohort are."""

    case: str
    review: Review | None
    statuses: Mapping[str, Status]


def sign_off(wanted: ToSignOff, stop: threading.Event) -> Iterator[Event]:
    """Save a mask if it is not, and write beside it who signed it off."""
    from napari_necroseg.core.scoring.corrections import what_changed

    on_disk = saved_voxels(wanted.labels, wanted.case, wanted.grid)
    if on_disk is None or not np.array_equal(on_disk != 0, wanted.mask.voxels != 0):
        yield from (event for event in cases.save_masks([wanted.mask], stop) if isinstance(event, Progress))
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
    yield Finished(result=ReviewState(case=case, review=review, statuses=statuses(cohort, labels)))


def add_work(labels: Path, case: str, seconds: float) -> None:
    """Count the time of a case that was changed, and not signed off since."""
    with _REVIEWS:
        write_review(labels, read_review(labels, case).worked(seconds))


@dataclass(frozen=True, kw_only=True, eq=False)
class TakenBack:
    """Strokes of an earlier session, and their journal, which goes on; of which case they are."""

    case: str
    kept: KeptStrokes
    journal: Journal
    found: Recovered

    def __str__(self) -> str:
        # A journal that was written anew begins with the whole mask: there are no edits to count then.
        edits = self.found.edits
        counted = "" if not edits else "1 edit, " if edits == 1 else f"{edits} edits, "
        text = f"Taken back: {counted}{self.kept.volume_ml:.2f} mL."
        if not self.found.loss:
            return text
        return f"{text} ⚠ {self.found.loss} The file as it was is kept ({self.kept.path.name}-damaged-001)."


@dataclass(frozen=True, kw_only=True)
class PutAside:
    """Strokes that were not wanted: their journal's new name."""

    name: str

    def __str__(self) -> str:
        return f"Put aside as {self.name}, in case you want it after all."


def take_back(
    folder: Callable[[], JournalFolder], case: str, kept: KeptStrokes, _stop: threading.Event
) -> Iterator[Event]:
    """Take up the strokes of a session that ended without saving them, to the last edit."""
    journal, found = folder().take_back(kept.path)
    yield Finished(result=TakenBack(case=case, kept=kept, journal=journal, found=found))


def set_aside(kept: KeptStrokes, _stop: threading.Event) -> Iterator[Event]:
    """Give a journal another name: it is offered no more, and not lost."""
    yield Finished(result=PutAside(name=put_aside(kept.path).name))
