"""The jobs of the dock Correct: a journal is begun, taken up or put aside; a mask is signed off."""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from napari_necroseg.core.case import Cohort
from napari_necroseg.core.events import Event, Finished
from napari_necroseg.core.io.journal import Journal, journal_path
from napari_necroseg.core.io.review import Review, Status, read_review, statuses, write_review
from napari_necroseg.core.volume import Voxels
from napari_necroseg.widgets import _jobs
from napari_necroseg.widgets._jobs import MaskToSave, SavedMasks


@dataclass(frozen=True, kw_only=True, eq=False)
class Begun:
    """A mask in hand: its case, the journal that has its voxels, and how many edits were found in it.

    `voxels` is what is to be shown, `on_disk` what is saved of it, ``(Z, Y, X)``; `is_recovered` says that
    it is work of an earlier session.
    """

    case: str
    journal: Journal
    voxels: Voxels
    on_disk: Voxels
    edits: int = 0
    is_recovered: bool = False


@dataclass(frozen=True, kw_only=True)
class PutAside:
    """Work that was not wanted: its journal's new name."""

    name: str

    def __str__(self) -> str:
        return f"Put aside as {self.name}, in case you want it after all."


def begin(
    labels: Path, case: str, on_disk: Voxels, voxels: Voxels, _stop: threading.Event
) -> Iterator[Event]:
    """Begin the journal of a mask; says at once if the folder cannot be written to."""
    journal = Journal.begin(journal_path(labels, case), on_disk, case=case)
    journal.restart(voxels)
    yield Finished(result=Begun(case=case, journal=journal, voxels=voxels, on_disk=on_disk))


def take_back(labels: Path, case: str, on_disk: Voxels, _stop: threading.Event) -> Iterator[Event]:
    """Take up the work of a session that ended without saving it, to the last edit."""
    journal, found = Journal.resume(journal_path(labels, case), on_disk, case=case, any_base=True)
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


def put_aside(labels: Path, case: str, _stop: threading.Event) -> Iterator[Event]:
    """Give the journal another name: it is offered no more, and not lost."""
    path = journal_path(labels, case)
    number = 1
    while (aside := path.with_name(f"{path.name}-aside-{number:03d}")).exists():
        number += 1
    path.rename(aside)
    yield Finished(result=PutAside(name=aside.name))


@dataclass(frozen=True, kw_only=True, eq=False)
class ToSignOff:
    """A mask to be signed off.

    Parameters
    ----------
    case, labels, reader
        Whose mask it is, the folder of the project's masks, and the reader's initials.
    mask
        What is saved first; None if that is on disk already.
    path
        The file of the mask.
    before, after
        ``(Z, Y, X)``; the prediction, or what was begun with, and the mask. `before` may be None.
    voxel_ml, seconds
        Volume of a voxel; the time spent since the last save of the review.
    """

    case: str
    labels: Path
    reader: str
    mask: MaskToSave | None
    path: Path
    before: Voxels | None
    after: Voxels
    voxel_ml: float
    seconds: float


@dataclass(frozen=True, kw_only=True, eq=False)
class SignedOff:
    """A mask that was signed off, and what was saved for it."""

    review: Review
    saved: SavedMasks | None

    def __str__(self) -> str:
        return f"{self.review.case} is signed off by {self.review.reader}."


@dataclass(frozen=True, kw_only=True)
class Progressed:
    """How far a case and its cohort are."""

    review: Review | None
    statuses: Mapping[str, Status]


def sign_off(wanted: ToSignOff, stop: threading.Event) -> Iterator[Event]:
    """Save a mask if it is not, and write beside it who signed it off."""
    from napari_necroseg.core.scoring.changes import what_changed

    saved = None
    if wanted.mask is not None:
        *_, last = _jobs.save_masks([wanted.mask], stop)
        assert isinstance(last, Finished)
        saved = last.result
    changes = None
    if wanted.before is not None:
        changes = what_changed(wanted.before != 0, wanted.after != 0, voxel_ml=wanted.voxel_ml)
    worked = read_review(wanted.labels, wanted.case).worked(wanted.seconds)
    review = worked.signed_off(wanted.path, reader=wanted.reader, changes=changes)
    write_review(wanted.labels, review)
    yield Finished(result=SignedOff(review=review, saved=saved))


def look_up(cohort: Cohort, labels: Path, case: str, _stop: threading.Event) -> Iterator[Event]:
    """Look how far the cases of a cohort are."""
    review = read_review(labels, case) if case in cohort.names else None
    yield Finished(result=Progressed(review=review, statuses=statuses(cohort, labels)))


def add_work(labels: Path, case: str, seconds: float) -> None:
    """Count the time of a case that was worked on, and not signed off since."""
    write_review(labels, read_review(labels, case).worked(seconds))
