"""Corrects masks: begins a journal, takes back strokes that were not saved, signs a mask off."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np

from napari_necroseg.core.case import Cohort, Sequence
from napari_necroseg.core.errors import NecrosegError
from napari_necroseg.core.events import Event, Finished, Warned
from napari_necroseg.core.files import file_sha256
from napari_necroseg.core.masks.components import clean
from napari_necroseg.core.masks.reshape import grow, interpolate, smooth
from napari_necroseg.core.project import review as reviews
from napari_necroseg.core.project.journal import Journal, Recovered, put_aside
from napari_necroseg.core.project.journal_folder import JournalFolder, KeptStrokes
from napari_necroseg.core.project.review import (
    Review,
    Status,
    is_signed_off,
    read_review,
    statuses,
)
from napari_necroseg.core.volume import Voxels
from napari_necroseg.jobs.cases import MaskToSave, save_if_changed

# Somebody who does nothing for this long is not working on the mask.
_LONGEST_S = 60.0


def warm_up(stop: threading.Event) -> Iterator[Event]:
    """Use each tool on a tiny mask: the first use imports its library, which takes longer than the tool."""
    _use_all()
    yield Finished(result=None)


@cache
def _use_all() -> None:
    """Use the tools once in the life of the program."""
    mask = np.zeros((3, 4, 4), bool)
    mask[0, 1:3, 1:3] = mask[2, 1:3, 1:3] = True
    spacing = (1.0, 1.0, 1.0)
    for use in (interpolate, partial(smooth, mm=1.0), partial(grow, mm=1.0)):
        use(mask, spacing)
    clean(mask, fill_holes=True, largest=True)
    _click_on_nothing()


def _click_on_nothing() -> None:
    from napari_necroseg.core.assist.assist import assist
    from napari_necroseg.core.config import AssistConfig

    image = np.random.default_rng(0).random((4, 16, 16)).astype(np.float32)
    image[1:3, 5:11, 5:11] += 5
    # Air about the tiny zone is refused, which is as good.
    with suppress(NecrosegError):
        assist({Sequence.CET1: image}, (2, 8, 8), spacing_mm=(1.0, 1.0, 1.0), config=AssistConfig())


@dataclass(frozen=True, kw_only=True, eq=False)
class TakenBack:
    """Strokes of an earlier session that were taken back, and their journal, which goes on."""

    case: str
    kept: KeptStrokes
    journal: Journal
    found: Recovered

    def __str__(self) -> str:
        # A journal that was rewritten begins with the whole mask, and has no edits to count.
        edits = self.found.edits
        counted = "" if not edits else "1 edit, " if edits == 1 else f"{edits} edits, "
        text = f"Taken back: {counted}{self.kept.volume_ml:.2f} mL."
        if not self.found.loss:
            return text
        return f"{text} ⚠ {self.found.loss} The file as it was is kept ({self.kept.path.name}-damaged-001)."


@dataclass(frozen=True, kw_only=True)
class PutAside:
    """The new name of a journal that a person did not want."""

    name: str

    def __str__(self) -> str:
        return f"Put aside as {self.name}, in case you want it after all."


def take_back(
    folder: Callable[[], JournalFolder], case: str, *, kept: KeptStrokes, stop: threading.Event
) -> Iterator[Event]:
    """Recover the strokes of a session that ended without saving them, to the last edit."""
    journal, found = folder().take_back(kept.path)
    yield Finished(result=TakenBack(case=case, kept=kept, journal=journal, found=found))


def recover_own(
    folder: Callable[[], JournalFolder], case: str, *, kept: KeptStrokes, stop: threading.Event
) -> Iterator[Event]:
    """Take back unsaved strokes on the person's mask unasked; not on one that is signed off as it is."""
    place = folder()
    if place.labels is not None and is_signed_off(place.labels, case):
        yield Finished(result=None)
    else:
        yield from take_back(lambda: place, case, kept=kept, stop=stop)


def set_aside(kept: KeptStrokes, stop: threading.Event) -> Iterator[Event]:
    """Rename a journal, so that it is no longer offered and not lost."""
    yield Finished(result=PutAside(name=put_aside(kept.path).name))


@dataclass(frozen=True, kw_only=True, eq=False)
class ToSignOff:
    """A mask to be signed off."""

    # Its case, the folder of the project's masks, and the reader's initials.
    case: str
    labels: Path
    reader: str
    mask: MaskToSave
    # ``(Z, Y, X)``; the prediction, or the mask that was started from; None if neither is known.
    before: Voxels | None
    # The volume of a voxel, and the time spent since the review was last written.
    voxel_ml: float
    seconds: float
    # The SHA-256 of the signed mask that this one may take the place of; empty if none is known here.
    over: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class SignedOff:
    """A mask that is on disk and signed off, and its review."""

    review: Review
    mask: MaskToSave

    def __str__(self) -> str:
        return f"{self.review.case} is signed off by {self.review.reader}."


@dataclass(frozen=True, kw_only=True, eq=False)
class SignedElsewhere:
    """The sign-off of a mask that somebody else has put into the project since the case was opened here."""

    wanted: ToSignOff
    review: Review


def sign_off(wanted: ToSignOff, stop: threading.Event) -> Iterator[Event]:
    """Save a mask, unless its file holds the very same one, and write the sign-off beside it.

    Another mask that was signed off meanwhile stays, and the result is a `SignedElsewhere`.
    """
    from napari_necroseg.core.scoring.corrections import what_changed

    there = _signed_there(wanted)
    if there is not None and there.mask_sha256 != wanted.over:
        yield Finished(result=SignedElsewhere(wanted=wanted, review=there))
        return
    yield from save_if_changed(wanted.mask)
    before, after, changes = wanted.before, wanted.mask.voxels != 0, None
    if before is not None:
        changes = what_changed(before != 0, after, voxel_ml=wanted.voxel_ml)
    review = reviews.sign_off(
        wanted.labels,
        wanted.case,
        mask=wanted.mask.path,
        reader=wanted.reader,
        seconds=wanted.seconds,
        changes=changes,
    )
    yield Finished(result=SignedOff(review=review, mask=wanted.mask))


def _signed_there(wanted: ToSignOff) -> Review | None:
    """Return the sign-off of the mask that is on disk, if that is signed off as it is."""
    try:
        review = read_review(wanted.labels, wanted.case)
    except NecrosegError:
        return None
    is_there = review.status is Status.REVIEWED and wanted.mask.path.is_file()
    return review if is_there and file_sha256(wanted.mask.path) == review.mask_sha256 else None


@dataclass(frozen=True, kw_only=True)
class ReviewState:
    """The review of a case, and the status of each case of its cohort."""

    case: str
    review: Review | None
    statuses: Mapping[str, Status]


def look_up(cohort: Cohort, labels: Path, *, case: str, stop: threading.Event) -> Iterator[Event]:
    """Look up the review of a case, and the status of each case of a cohort."""
    review = None
    if case in cohort.names:
        try:
            review = read_review(labels, case)
        except NecrosegError as error:
            yield Warned(message=str(error))
    yield Finished(result=ReviewState(case=case, review=review, statuses=statuses(cohort, labels)))


class Stopwatch:
    """Counts the seconds of work: the time between one action and the next, without long pauses.

    `clock`: a monotonic clock in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: float | None = None
        self._seconds = 0.0

    def start(self) -> None:
        """Start from zero."""
        self._last, self._seconds = self._clock(), 0.0

    def touch(self) -> None:
        """Note that something was done; a pause counts for a minute at most."""
        if self._last is not None:
            now = self._clock()
            self._seconds += min(now - self._last, _LONGEST_S)
            self._last = now

    def stop(self) -> float:
        """Return the seconds of work, and stop counting."""
        seconds, self._seconds, self._last = self._seconds, 0.0, None
        return seconds

    def lap(self) -> float:
        """Return the seconds of work so far, and start from zero."""
        self.touch()
        seconds, self._seconds = self._seconds, 0.0
        return seconds
