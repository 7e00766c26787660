"""A mask in the viewer whose every stroke goes into a journal, in a thread of its own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Labels
from qtpy.QtCore import QObject, Signal

from napari_necroseg.core.masks.components import Box
from napari_necroseg.core.masks.edits import changed_box
from napari_necroseg.core.project.journal_writer import Begin, Draft, End, JournalWriter
from napari_necroseg.core.volume import Voxels
from napari_necroseg.widgets.shared.qt_parts import timer

# An undo does not say what it changed, and is reported like a move to another slice: after both, the mask is
# compared soon.
_LOOK_MS = 100
# A long stroke is reported when it ends: the mask is compared while it is drawn, too.
_STROKE_MS = 400


class JournalledMask(QObject):
    """Follows one mask while it shows one case; voxels that are not 0 are mask.

    `told` is emitted with a sentence when strokes cannot be written, and empty once they could. See
    `JournalWriter` for `begin` and `draft`.
    """

    told = Signal(str)

    def __init__(self, mask: Labels, begin: Begin, *, draft: Draft | None, parent: QObject) -> None:
        super().__init__(parent)
        self.mask = mask
        self._boxes: list[Box] = []
        self._now = timer(self, 0, act=self._hand_over)
        self._soon = timer(self, _LOOK_MS, act=self.look)
        self._meanwhile = timer(self, _STROKE_MS, act=self.look)
        post = _Post()
        post.told.connect(self.told)
        # The thread holds it, so that it outlives this object if the thread does.
        self.writer = JournalWriter(begin, _inside(mask.data), tell=post.tell, draft=draft)
        for signal, slot in self._connections():
            signal.connect(slot)

    @property
    def path(self) -> Path | None:
        """The file of its journal; None until it was begun."""
        return None if self.writer.journal is None else self.writer.journal.path

    def look(self) -> None:
        """Hand over all voxels that have changed since the last call."""
        self._boxes = []
        if self.mask.data.shape == self.writer.voxels.shape:
            box = changed_box(self.writer.voxels, _inside(self.mask.data))
            if box is not None:
                self._change(box)

    def end(self, what: End) -> None:
        """Hand over the last changes, and follow the mask no longer."""
        for signal, slot in self._connections():
            signal.disconnect(slot)
        self.look()
        for one in (self._now, self._soon, self._meanwhile):
            one.stop()
        self.writer.end(what)

    def _connections(self) -> tuple[tuple[Any, Callable[..., None]], ...]:
        events = self.mask.events
        return (
            (events.paint, self._on_paint),
            (events.labels_update, self._on_part),
            (events.set_data, self._on_change),
            (events.data, self._on_change),
        )

    def _on_paint(self, event: Any) -> None:
        # napari may report a stroke before it has changed the mask.
        self._boxes += [box_of(atom) for atom in event.value]
        self._now.start()

    def _on_part(self, _event: Any) -> None:
        if not self._meanwhile.isActive():
            self._meanwhile.start()

    def _on_change(self, _event: Any) -> None:
        if not self._soon.isActive():
            self._soon.start()

    def _hand_over(self) -> None:
        boxes, self._boxes = self._boxes, []
        if self.mask.data.shape == self.writer.voxels.shape:
            for box in boxes:
                self._change(box)

    def _change(self, box: Box) -> None:
        self.writer.change(box, _inside(self.mask.data[box]))


class _Post(QObject):
    """Brings messages of the thread to the screen."""

    told = Signal(str)

    def tell(self, message: str) -> None:
        try:
            self.told.emit(message)
        except RuntimeError:
            # The program has ended, and Qt with it.
            return


def _inside(voxels: Voxels) -> Voxels:
    """Return 1 where a mask is, whichever labels it has, and 0 elsewhere."""
    return np.asarray(np.asarray(voxels) != 0).view(np.uint8)


def box_of(atom: Any) -> Box:
    """Return the box of an entry of napari's history, which names a box or indices along each axis."""
    slices = getattr(atom, "slice_key", None)
    if slices is None:
        slices = tuple(slice(int(index.min()), int(index.max()) + 1) for index in atom[0])
    first, second, third = slices
    return first, second, third
