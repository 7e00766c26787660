"""The jobs of the dock Correct: a journal is begun, taken up again, or put aside."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from napari_necroseg.core.events import Event, Finished
from napari_necroseg.core.io.journal import Journal, journal_path
from napari_necroseg.core.volume import Voxels


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
