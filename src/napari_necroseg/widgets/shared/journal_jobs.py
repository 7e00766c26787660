"""The jobs about journals: strokes that were not saved are taken back, or put aside."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from napari_necroseg.core.events import Event, Finished
from napari_necroseg.core.project.journal import Journal, Recovered, put_aside
from napari_necroseg.core.project.journal_folder import JournalFolder, KeptStrokes


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
