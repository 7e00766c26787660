"""Writes the journal of a mask in a thread of its own, so that painting never waits for the disk.

Strokes that come while the disk is busy are joined, so that at most one record waits, however slow the disk
is. After a failure the whole mask is tried again until it can be written.
"""

import threading
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from napari_necroseg.core.errors import NecrosegError
from napari_necroseg.core.project.journal import UNSAFE, Journal, TakenOverError, put_aside
from napari_necroseg.core.project.journal_records import Box
from napari_necroseg.core.volume import Voxels

Begin = Callable[[Voxels], Journal]
Draft = Callable[[Path, Voxels | None], None]

# A longer delay is reported.
LATE_S = 2.0
RETRY_S = 2.0

# How long after a change the whole mask is written as a file that any program can read.
DRAFT_S = 8.0

# How often an idle thread checks whether the program has ended.
_LOOK_S = 0.5


class End(StrEnum):
    """The end of a journal that is no longer written."""

    KEEP = "keep"
    DISCARD = "discard"
    ASIDE = "aside"


class JournalWriter:
    """Keeps a copy of a mask as it is in its layer, and the journal on disk as that copy.

    `begin` makes the journal of a mask; it is called in the thread, and again if another program has taken
    the journal over. `voxels` ``(Z, Y, X)``, uint8, is the mask as it is now, which this object keeps and
    writes into. `tell` is called in the thread with a sentence if something cannot be written, and with an
    empty one as soon as it can be. `draft` writes the mask as a file that any program can read, and removes
    that file if there is no mask.
    """

    def __init__(
        self, begin: Begin, voxels: Voxels, *, tell: Callable[[str], None], draft: Draft | None = None
    ) -> None:
        self.voxels = voxels
        self.journal: Journal | None = None
        self.problem = ""
        self._begin, self._tell, self._draft = begin, tell, draft
        self._condition = threading.Condition()
        # Voxels that are not on disk (a box, or the whole mask), and since when they wait or are being
        # written.
        self._box: Box | None = None
        self._is_whole = True
        self._waits_since: float | None = time.monotonic()
        self._written_since: float | None = None
        self._retry_at = 0.0
        self._draft_at: float | None = None
        self._end: End | None = None
        # Not a daemon: all changes are written before the program ends.
        self._thread = threading.Thread(target=self._serve, name="necroseg-journal")
        self._thread.start()

    @property
    def seconds_behind(self) -> float:
        """How old the oldest change is that is not on disk yet; 0 if all are."""
        with self._condition:
            since = [one for one in (self._waits_since, self._written_since) if one is not None]
        return time.monotonic() - min(since) if since else 0.0

    @property
    def is_over(self) -> bool:
        """Whether the thread has ended."""
        return not self._thread.is_alive()

    def change(self, box: Box, part: Voxels) -> None:
        """Take the voxels ``(Z, Y, X)`` of a box, which are written as soon as the disk is free."""
        with self._condition:
            self.voxels[box] = part
            self._box = box if self._box is None else _joined(self._box, box)
            self._waits_since = self._waits_since or time.monotonic()
            self._condition.notify_all()

    def end(self, what: End) -> None:
        """Write the remaining changes, deal with the journal as said, and stop."""
        with self._condition:
            self._end = self._end or what
            self._condition.notify_all()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until all changes are on disk and, after `end`, the thread has stopped; False on a timeout."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while self.seconds_behind or (self._end is not None and self._thread.is_alive()):
            if deadline is not None and time.monotonic() >= deadline:
                return False
            if not self._thread.is_alive():
                return False
            time.sleep(0.002)
        return True

    def _serve(self) -> None:
        while True:
            with self._condition:
                while not (self._is_due() or self._is_over()):
                    self._condition.wait(_LOOK_S)
                is_last = self._is_over()
                work = self._take()
            self._write(*work)
            if is_last and (self.problem or not self.seconds_behind):
                break
        self._finish()

    def _is_due(self) -> bool:
        """Whether a change or a draft should be written now."""
        now = time.monotonic()
        is_draft_due = self._draft_at is not None and now >= self._draft_at
        return (self._waits_since is not None and now >= self._retry_at) or is_draft_due

    def _is_over(self) -> bool:
        return self._end is not None or not threading.main_thread().is_alive()

    def _take(self) -> tuple[Box | None, Voxels | None]:
        """Take the waiting change: a box and its voxels, the whole mask without a box, or nothing."""
        box, is_whole = self._box, self._is_whole
        self._box, self._is_whole = None, False
        self._written_since, self._waits_since = self._waits_since, None
        if is_whole or (box is not None and self.journal is not None and self.journal.is_large):
            return None, self.voxels.copy()
        return box, None if box is None else self.voxels[box].copy()

    def _write(self, box: Box | None, voxels: Voxels | None) -> None:
        try:
            if voxels is not None:
                self._journalled(box, voxels)
            self._write_draft(voxels is not None)
        except (NecrosegError, OSError, MemoryError) as error:
            self._failed(error)
            return
        with self._condition:
            self._written_since = None
        if self.problem:
            self.problem = ""
            self._tell("")

    def _journalled(self, box: Box | None, voxels: Voxels) -> None:
        if self.journal is None:
            self.journal = self._begin(voxels if box is None else self.voxels.copy())
        elif box is None:
            self.journal.restart(voxels)
        else:
            self.journal.append(box, voxels)

    def _write_draft(self, is_changed: bool) -> None:
        if self._draft is None or self.journal is None:
            return
        now = time.monotonic()
        if is_changed and self._draft_at is None:
            self._draft_at = now + DRAFT_S
        elif not is_changed and self._draft_at is not None and now >= self._draft_at:
            self._draft_at = None
            with self._condition:
                voxels = self.voxels.copy()
            self._draft(self.journal.path, voxels)

    def _failed(self, error: Exception) -> None:
        """Have the whole mask written next time, and report the reason once."""
        # Without a journal no stroke is on disk; with one, perhaps only the draft has failed.
        told = str(error)
        if self.journal is None and not told.startswith(UNSAFE):
            told = f"{UNSAFE}: {told}"
        if isinstance(error, TakenOverError) and self.journal is not None:
            self.journal.close()
            self.journal = None
        with self._condition:
            self._is_whole = True
            since = [one for one in (self._written_since, self._waits_since) if one is not None]
            self._waits_since = min(since, default=time.monotonic())
            self._written_since = None
            self._retry_at = time.monotonic() + RETRY_S
        is_new = not self.problem
        self.problem = told
        if is_new:
            self._tell(self.problem)

    def _finish(self) -> None:
        journal, end = self.journal, self._end
        if journal is None:
            return
        try:
            if end is End.DISCARD and not self.problem:
                journal.discard()
                if self._draft is not None:
                    self._draft(journal.path, None)
            else:
                journal.close()
                if end is End.ASIDE:
                    put_aside(journal.path)
        except (NecrosegError, OSError) as error:
            self._tell(str(error))


def _joined(one: Box, other: Box) -> Box:
    """Return the smallest box that holds both."""
    z, y, x = (slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(one, other, strict=True))
    return (z, y, x)
