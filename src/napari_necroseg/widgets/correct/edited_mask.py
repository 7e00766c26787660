"""The mask that is being edited: its beginning, whether it was changed, and the time of work on it."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from napari.layers import Labels
from qtpy.QtCore import QObject, Signal

from napari_necroseg.core.case import Case
from napari_necroseg.core.project.review import add_time, add_work
from napari_necroseg.core.volume import Voxels
from napari_necroseg.jobs.correct import Stopwatch
from napari_necroseg.layerdata import source_of
from napari_necroseg.widgets.shared.case_layers import put_voxels
from napari_necroseg.widgets.shared.qt_parts import timer
from napari_necroseg.widgets.shared.workspace import Workspace

# A crash loses no more of the time of work than this.
_NOTE_MS = 20_000


class EditedMask(QObject):
    """Holds one mask in hand, the person's layer of the open case; the workspace journals its strokes.

    `before`, ``(Z, Y, X)``, is the mask as it began; None for strokes that were taken back. `failed` is
    emitted with a sentence when the time of work could not be noted, `rested` when the mask has changed and
    the hand rests.
    """

    failed = Signal(str)
    rested = Signal()

    def __init__(self, workspace: Workspace, parent: QObject) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self.watch = Stopwatch()
        self.mask: Labels | None = None
        self.before: Voxels | None = None
        self._unchanged: Voxels | None = None
        self._case = ""
        self._labels: Path | None = None
        self._notes = ThreadPoolExecutor(max_workers=1, thread_name_prefix="necroseg-review")
        self._note_soon = timer(self, _NOTE_MS, act=self._note_time)

    def take(self, case: Case, mask: Labels, *, before: Voxels | None, labels: Path | None) -> None:
        """Take a mask of a case in hand; `labels` is the folder of the project's masks, if there is one."""
        self.mask, self._case, self._labels = mask, case.name, labels
        self.before = None if before is None else before.copy()
        self._begin_changes()
        self.watch.start()
        mask.events.paint.connect(self._on_work)
        self._workspace.set_hand(mask)

    def put(self, voxels: Voxels) -> None:
        """Replace all voxels ``(Z, Y, X)`` of the mask, as one edit that can be undone."""
        assert self.mask is not None, "something is in hand"
        put_voxels(self.mask, voxels)

    def begin_with(self, before: Voxels) -> None:
        """Note that the mask, on which nobody has drawn, begins with other voxels."""
        self.before = before
        self._begin_changes()

    def resume(self, *, before: Voxels | None) -> None:
        """Note that strokes were taken back; `before` is what they began with, if that is known."""
        self.before = before
        self._workspace.hand_changed.emit()

    def let_go(self) -> None:
        """Let go of the mask; unsaved strokes stay in the journal, and the time of work is noted."""
        mask, labels = self.mask, self._labels
        if mask is None:
            return
        mask.events.paint.disconnect(self._on_work)
        self._note_soon.stop()
        self._workspace.set_hand(None)
        seconds = self.watch.stop()
        if labels is not None and self._is_changed(mask):
            # Written in a thread: a network drive may take a while.
            self._note(partial(add_work, labels, self._case, seconds=seconds))
        self.mask = self.before = self._unchanged = None

    def wait(self) -> None:
        """Wait until the notes about the work are on disk."""
        self._notes.submit(lambda: None).result()

    def signed_off(self, case: str) -> None:
        """Note that the mask is signed off as it is, if it is of this case."""
        if self.mask is not None and case == self._case:
            self._begin_changes()

    def _begin_changes(self) -> None:
        """Count changes from the mask as it is now."""
        assert self.mask is not None, "something is in hand"
        self._unchanged = np.asarray(self.mask.data) != 0

    def _is_changed(self, mask: Labels) -> bool:
        source = source_of(mask.metadata)
        # The layer may show another case already.
        is_of_case = source is not None and source.case == self._case
        return (
            is_of_case and self._unchanged is not None and not np.array_equal(self._unchanged, mask.data != 0)
        )

    def _on_noted(self, note: "Future[None]") -> None:
        """Called in the thread; the signal crosses over to that of the screen."""
        error = note.exception()
        if error is not None:
            self.failed.emit(f"The time of your work could not be noted: {error}")

    def _on_work(self, *_: object) -> None:
        self.watch.touch()
        if not self._note_soon.isActive():
            self._note_soon.start()

    def _note_time(self) -> None:
        """Note the time so far, so that a crash does not lose it."""
        mask, labels = self.mask, self._labels
        if mask is not None and labels is not None and self._is_changed(mask):
            self._note(partial(add_time, labels, self._case, seconds=self.watch.lap()))

    def _note(self, work: Callable[[], None]) -> None:
        self._notes.submit(work).add_done_callback(self._on_noted)
