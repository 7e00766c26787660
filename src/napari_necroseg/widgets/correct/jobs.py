"""The jobs of the dock Correct: a journal is begun, taken up or put aside; a mask is signed off."""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from napari_necroseg.core.case import Cohort
from napari_necroseg.core.errors import FileError, NecrosegError
from napari_necroseg.core.events import Event, Finished, Progress, Warned
from napari_necroseg.core.io.corrected import corrected_path, draft_path
from napari_necroseg.core.io.journal import Journal, check_free, journal_path
from napari_necroseg.core.io.recovery import OtherBaseError, recover
from napari_necroseg.core.io.review import Review, Status, read_review, statuses, write_review
from napari_necroseg.core.masks.interpolate import interpolate
from napari_necroseg.core.masks.islands import fill_holes, keep_largest
from napari_necroseg.core.masks.reshape import grow, smooth
from napari_necroseg.core.volume import Grid, Voxels
from napari_necroseg.widgets.shared import case_jobs
from napari_necroseg.widgets.shared.case_jobs import MaskToSave, SavedMasks

# A review is read and written again, in two threads.
_REVIEWS = threading.Lock()


@dataclass(frozen=True, kw_only=True, eq=False)
class Begun:
    """A mask in hand: its case, the journal that has its voxels, and how many edits were found in it.

    `voxels` is what is to be shown, `on_disk` what is saved of it, if anything, both ``(Z, Y, X)``;
    `is_recovered` says that it is work of an earlier session.
    """

    case: str
    journal: Journal
    voxels: Voxels
    on_disk: Voxels | None
    edits: int = 0
    is_recovered: bool = False


@dataclass(frozen=True, kw_only=True)
class PutAside:
    """Work that was not wanted: its journal's new name."""

    name: str

    def __str__(self) -> str:
        return f"Put aside as {self.name}, in case you want it after all."


def begin(labels: Path, case: str, grid: Grid, voxels: Voxels, _stop: threading.Event) -> Iterator[Event]:
    """Begin the journal of a mask; says at once if the folder cannot be written to."""
    on_disk = saved_voxels(labels, case, grid)
    journal = Journal.begin(journal_path(labels, case), _or_empty(on_disk, grid), case=case)
    journal.restart(voxels)
    _warm_up()
    yield Finished(result=Begun(case=case, journal=journal, voxels=voxels, on_disk=on_disk))


def take_back(labels: Path, case: str, grid: Grid, _stop: threading.Event) -> Iterator[Event]:
    """Take up the work of a session that ended without saving it, to the last edit."""
    on_disk = saved_voxels(labels, case, grid)
    path = journal_path(labels, case)
    journal, found = Journal.resume(path, _or_empty(on_disk, grid), case=case, any_base=True)
    _warm_up()
    yield Finished(
        result=Begun(
            case=case,
            journal=journal,
            voxels=found.voxels,
            on_disk=on_disk,
            edits=found.edits,
            is_recovered=True,
        )
    )


def saved_voxels(labels: Path, case: str, grid: Grid) -> Voxels | None:
    """Read the mask of a case that is on disk, ``(Z, Y, X)`` on its grid; None if that cannot be done."""
    from napari_necroseg.core.io.onto import read_mask_on

    path = corrected_path(labels, case)
    if not path.exists():
        return None
    try:
        mask = read_mask_on(path, grid, is_own=True)
    except NecrosegError:
        return None
    return None if mask.was_resampled else np.array(mask.volume.voxels, dtype=np.uint8)


def _or_empty(voxels: Voxels | None, grid: Grid) -> Voxels:
    return np.zeros(grid.shape, np.uint8) if voxels is None else voxels


def _warm_up() -> None:
    """Use each tool once on nothing much: what they import takes longer than they do."""
    mask = np.zeros((3, 4, 4), bool)
    mask[0, 1:3, 1:3] = mask[2, 1:3, 1:3] = True
    spacing = (1.0, 1.0, 1.0)
    for use in (interpolate, partial(smooth, mm=1.0), partial(grow, mm=1.0)):
        use(mask, spacing)
    fill_holes(keep_largest(mask))


def put_aside(labels: Path, case: str, _stop: threading.Event) -> Iterator[Event]:
    """Give the journal another name: it is offered no more, and not lost."""
    path = journal_path(labels, case)
    check_free(path)
    number = 1
    while (aside := path.with_name(f"{path.name}-aside-{number:03d}")).exists():
        number += 1
    try:
        path.rename(aside)
    except OSError as error:
        raise FileError(f"{path.name} could not be put aside: {error.strerror}.") from error
    yield Finished(result=PutAside(name=aside.name))


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
    """How far a case and its cohort are, and what is left of an earlier session's work, in words."""

    case: str
    review: Review | None
    statuses: Mapping[str, Status]
    left: str | None


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


def look_up(
    cohort: Cohort, labels: Path, case: str, grid: Grid | None, _stop: threading.Event
) -> Iterator[Event]:
    """Look how far the cases of a cohort are, and whether work on the open one was left unsaved."""
    review = None
    if case in cohort:
        try:
            review = read_review(labels, case)
        except NecrosegError as error:
            yield Warned(message=str(error))
    left = None if grid is None else left_work(labels, case, grid)
    yield Finished(result=Progressed(case=case, review=review, statuses=statuses(cohort, labels), left=left))


def left_work(labels: Path, case: str, grid: Grid) -> str | None:
    """Say what an earlier session left unsaved; None for nothing, or for what was saved after all."""
    path = journal_path(labels, case)
    if not path.exists():
        return None
    on_disk = saved_voxels(labels, case, grid)
    try:
        check_free(path)
        found = recover(path, _or_empty(on_disk, grid), case=case)
    except OtherBaseError:
        return (
            f"Work on {case} from an earlier session was not saved, and the mask on disk was changed since. "
            "Taken back, it takes that one's place (Ctrl+Z goes back to it)."
        )
    except NecrosegError as error:
        return str(error)
    if found.is_saved and on_disk is not None:
        for leftover in (path, draft_path(labels, case)):
            leftover.unlink(missing_ok=True)
        return None
    return f"Work on {case} from an earlier session was not saved ({found.edits} edits)."


def add_work(labels: Path, case: str, seconds: float) -> None:
    """Count the time of a case that was changed, and not signed off since."""
    with _REVIEWS:
        write_review(labels, read_review(labels, case).worked(seconds))
