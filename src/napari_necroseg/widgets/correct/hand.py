"""The mask that is in hand: kept safe as it changes, and how long somebody has worked on it."""

from functools import partial
from pathlib import Path

from napari.layers import Labels
from qtpy.QtCore import QObject

from napari_necroseg.core.case import Case
from napari_necroseg.core.masks.edit import edit_between
from napari_necroseg.core.volume import Voxels
from napari_necroseg.widgets.correct import jobs
from napari_necroseg.widgets.correct.jobs import Begun
from napari_necroseg.widgets.correct.safekeeping import Safekeeping
from napari_necroseg.widgets.correct.stopwatch import Stopwatch
from napari_necroseg.widgets.shared.workspace import Workspace


class Hand(QObject):
    """Holds one mask, a person's own layer of the open case.

    Attributes
    ----------
    mask
        The layer; None while nothing is in hand.
    before
        ``(Z, Y, X)``; what was begun with. None for work that was taken back, whose beginning is not known.
    """

    def __init__(self, workspace: Workspace, parent: QObject) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self.keeping = Safekeeping(self)
        self.watch = Stopwatch()
        self.mask: Labels | None = None
        self.before: Voxels | None = None
        self._case = ""
        self._labels: Path | None = None

    def take(self, case: Case, voxels: Voxels, begun: Begun | None, labels: Path | None) -> Labels:
        """Put voxels into the person's own mask as one edit, take it in hand and return it.

        Parameters
        ----------
        case, voxels
            Whose mask, and what it is to hold, ``(Z, Y, X)``.
        begun, labels
            The journal that keeps it safe and the folder that it is in; None without a project.
        """
        mask = self._workspace.layers.new_mask(case)
        self.mask, self._case, self._labels = mask, case.name, labels
        self.put(voxels)
        if begun is not None and labels is not None:
            self.keeping.begin(mask, begun.journal, labels, begun.on_disk)
        self.before = None if begun is not None and begun.is_recovered else voxels.copy()
        self.watch.start()
        mask.events.paint.connect(self._on_work)
        return mask

    def put(self, voxels: Voxels) -> None:
        """Replace all of the mask by other voxels ``(Z, Y, X)``, as one edit that can be undone."""
        assert self.mask is not None, "something is in hand"
        edit = edit_between(self.mask.data, voxels)
        if edit is not None:
            self.mask.data_setitem(edit.indices(), edit.values())

    def let_go(self) -> None:
        """Hold nothing any more; what was not saved stays in the journal, and the time is counted."""
        if self.mask is None:
            return
        self.mask.events.paint.disconnect(self._on_work)
        seconds = self.watch.stop()
        labels, case = self._labels, self._case
        is_kept = self.keeping.mask is not None
        self.keeping.end()
        if is_kept and labels is not None and self.keeping.is_changed:
            self.keeping.write(partial(jobs.add_work, labels, case, seconds))
        self.mask = self.before = None

    def signed_off(self, case: str) -> None:
        """Note that the mask is signed off as it is, if it is of this case."""
        if self.mask is not None and case == self._case:
            self.keeping.begin_changes()

    def _on_work(self, *_: object) -> None:
        self.watch.touch()
