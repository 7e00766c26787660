"""Nothing that is drawn is lost: each edit goes into a journal, the whole mask into a draft now and then."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Labels
from qtpy.QtCore import QObject, QTimer, Signal

from napari_necroseg.core.errors import NecrosegError
from napari_necroseg.core.io.corrected import draft_path
from napari_necroseg.core.io.journal import Journal
from napari_necroseg.core.io.save import save_mask
from napari_necroseg.core.masks.boxes import Box
from napari_necroseg.core.masks.edit import changed_box
from napari_necroseg.core.volume import Origin, Voxels
from napari_necroseg.layerdata import source_of
from napari_necroseg.widgets.shared.live_overlap import box_of

# The draft is written if something has changed since the last one.
_DRAFT_MS = 8000
# An undo does not tell what it changed, and is told like a move to another slice: both are looked into soon.
_LOOK_MS = 100


class Safekeeping(QObject):
    """Follows one mask, and writes what changes in it, in a thread of its own.

    `failed` is emitted with a sentence when something could not be written.
    """

    failed = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._mask: Labels | None = None
        self._journal: Journal | None = None
        self._case = ""
        self._known: Voxels = np.zeros(0, np.uint8)
        self._on_disk: Voxels | None = None
        self._draft: _Draft | None = None
        self._is_drafted = True
        self._unchanged: Voxels = self._known
        self._has_failed = False
        self._boxes: list[Box] = []
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="necroseg-journal")
        self._now = _timer(self, 0, self._write_strokes)
        self._soon = _timer(self, _LOOK_MS, self._look)
        self._clock = QTimer(self)
        self._clock.setInterval(_DRAFT_MS)
        self._clock.timeout.connect(self._write_draft)

    @property
    def mask(self) -> Labels | None:
        """The mask that is kept safe."""
        return self._mask

    def begin(self, mask: Labels, journal: Journal, labels: Path, on_disk: Voxels | None) -> None:
        """Follow a mask of a case whose voxels the journal has already.

        `on_disk` is what is saved of it, ``(Z, Y, X)``; None if that is not known.
        """
        self.end()
        source = source_of(mask.metadata)
        assert source is not None, "a mask of a case"
        self._mask, self._journal, self._case = mask, journal, source.case
        self._known, self._on_disk = mask.data.copy(), on_disk
        self.begin_changes()
        self._draft = _Draft(draft_path(labels, source.case), source.origin)
        self._is_drafted = True
        mask.events.paint.connect(self._on_paint)
        mask.events.set_data.connect(self._on_change)
        mask.events.data.connect(self._on_change)
        self._clock.start()

    def end(self) -> None:
        """Follow it no longer; the journal stays, unless all of the mask is saved."""
        mask, journal, draft = self._mask, self._journal, self._draft
        if mask is None or journal is None or draft is None:
            return
        self._look()
        for timer in (self._now, self._soon, self._clock):
            timer.stop()
        mask.events.paint.disconnect(self._on_paint)
        mask.events.set_data.disconnect(self._on_change)
        mask.events.data.disconnect(self._on_change)
        self._mask = self._journal = self._draft = None
        is_saved = self._on_disk is not None and np.array_equal(self._known, self._on_disk)
        self._do(partial(_end, journal, draft, is_saved))

    def was_saved(self, voxels: Voxels) -> None:
        """Note that the mask is on disk with these voxels: the journal goes on from there."""
        journal, draft = self._journal, self._draft
        if journal is None or draft is None:
            return
        self._look()
        self._on_disk = voxels.copy()
        if np.array_equal(voxels, self._known):
            self._is_drafted = True
            self._do(partial(_rebase, journal, draft, self._known.copy()))

    @property
    def is_changed(self) -> bool:
        """Whether the mask is another than when it was taken in hand, or signed off."""
        return not np.array_equal(self._known, self._unchanged)

    def begin_changes(self) -> None:
        """Count changes from the mask as it is now."""
        self._unchanged = self._known.copy()

    def write(self, write: Callable[[], None]) -> None:
        """Write something else in the same thread, after what was handed over before."""
        self._do(write)

    def wait(self) -> None:
        """Wait until all that was handed over is on disk."""
        self._writer.submit(lambda: None).result()

    def _on_paint(self, event: Any) -> None:
        # napari may tell of a stroke before it has changed the mask.
        self._boxes += [box_of(atom) for atom in event.value]
        self._now.start()

    def _on_change(self, _event: Any) -> None:
        if not self._soon.isActive():
            self._soon.start()

    def _write_strokes(self) -> None:
        boxes, self._boxes = self._boxes, []
        for box in boxes:
            self._write(box)

    def _look(self) -> None:
        """Write whatever is different from what was written last."""
        self._boxes = []
        if self._is_of_case:
            assert self._mask is not None
            box = changed_box(self._known, self._mask.data)
            if box is not None:
                self._write(box)

    def _write(self, box: Box) -> None:
        mask, journal = self._mask, self._journal
        if mask is None or journal is None or not self._is_of_case:
            return
        # Somebody may have converted the layer to another type of numbers.
        part = mask.data[box].astype(self._known.dtype)
        self._known[box] = part
        self._is_drafted = False
        whole = None
        if journal.is_large or self._has_failed:
            self._has_failed, whole = False, self._known.copy()
        self._do(partial(_append, journal, box, part, whole))

    @property
    def _is_of_case(self) -> bool:
        """Whether the mask still shows the case that it was taken in hand for: a layer is used again."""
        source = None if self._mask is None else source_of(self._mask.metadata)
        return source is not None and source.case == self._case

    def _write_draft(self) -> None:
        if self._draft is None or self._journal is None:
            return
        if self._has_failed:
            # There may be room again: all of it once more.
            self._has_failed, self._is_drafted = False, False
            self._do(partial(self._journal.restart, self._known.copy()))
        if not self._is_drafted:
            self._is_drafted = True
            self._do(partial(self._draft.write, self._known.copy()))

    def _do(self, write: Callable[[], None]) -> None:
        self._writer.submit(write).add_done_callback(self._on_written)

    def _on_written(self, done: "Future[None]") -> None:
        """Called in the writer's thread; signals cross over to that of the screen."""
        error = done.exception()
        if error is None:
            return
        self._has_failed = True
        if isinstance(error, NecrosegError):
            self.failed.emit(str(error))
        else:
            self.failed.emit(f"Your edits could not be kept safe ({error}). Save the mask now.")


class _Draft:
    """The mask as it is, in a file that any program reads; it is no version of the person's, and replaced."""

    def __init__(self, path: Path, origin: Origin) -> None:
        self._path, self._origin = path, origin

    def write(self, voxels: Voxels) -> None:
        save_mask(self._path, voxels, self._origin)

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)


def _append(journal: Journal, box: Box, part: Voxels, whole: Voxels | None) -> None:
    if whole is not None:
        journal.restart(whole)
    else:
        journal.append(box, part)


def _rebase(journal: Journal, draft: "_Draft", voxels: Voxels) -> None:
    journal.rebase(voxels)
    draft.remove()


def _end(journal: Journal, draft: "_Draft", is_saved: bool) -> None:
    if is_saved:
        journal.discard()
        draft.remove()
    else:
        journal.close()


def _timer(parent: QObject, ms: int, slot: Callable[[], None]) -> QTimer:
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.setInterval(ms)
    timer.timeout.connect(slot)
    return timer
