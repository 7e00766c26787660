"""Takes work back that would be lost: strokes of an earlier session, and a mask that was removed."""

from collections.abc import Callable
from functools import partial

import numpy as np
from napari.layers import Labels
from qtpy.QtCore import QObject, Signal

from napari_necroseg.core.case import Case
from napari_necroseg.core.language import number, tr
from napari_necroseg.core.project.journal_folder import KeptStrokes
from napari_necroseg.core.volume import Voxels
from napari_necroseg.jobs import correct
from napari_necroseg.jobs.correct import TakenBack
from napari_necroseg.layerdata import Began
from napari_necroseg.widgets.correct.edited_mask import EditedMask
from napari_necroseg.widgets.shared.dock import DockParts
from napari_necroseg.widgets.shared.kept_strokes import KeptStrokesPart
from napari_necroseg.widgets.shared.notice import Notice
from napari_necroseg.widgets.shared.qt_parts import timer
from napari_necroseg.widgets.shared.worker import JobRunner

# The journal of a mask that was removed is closed by then, unless the disk is slow.
_TRY_MS, _TRIES = 100, 30
Hold = Callable[[Case, Labels], None]


class Recovery(QObject):
    """Takes unsaved strokes on the person's mask back when their case is opened, and says so in `notice`.

    `kept` offers what is not taken back unasked: strokes on other layers, on a mask that is signed off or was
    changed on disk since, and those in another window. `hold` takes a mask in hand. `recovered` is emitted
    when the mask in hand has changed.
    """

    recovered = Signal()

    def __init__(self, parts: DockParts, hand: EditedMask, *, kept: KeptStrokesPart, hold: Hold) -> None:
        super().__init__(parts)
        self._parts, self._hand, self._kept, self._hold = parts, hand, kept, hold
        self._workspace = parts.workspace
        self.notice = Notice()
        self._quiet = JobRunner(self)
        self._again = timer(self, _TRY_MS, act=self.bring_removed_back)
        self._tries_left = 0
        self._before: Voxels | None = None
        self._removed: Labels | None = None
        self._quiet.finished.connect(self._on_recovered)
        self._quiet.failed.connect(self._on_failed)

    def begin(self, *, is_due: bool) -> None:
        """Look for strokes of the case that was just opened, if it is these parts' task."""
        self.notice.clear()
        self._removed = self._before = None
        self._kept.is_held = is_due and self._workspace.case is not None

    @property
    def has_removed(self) -> bool:
        """Whether a mask was removed that can be brought back."""
        return self._removed is not None

    def give_up(self) -> None:
        """Take nothing back unasked any more: somebody is drawing."""
        if not self._quiet.is_busy:
            self._kept.is_held = False

    def close(self) -> None:
        """Stop: the dock is closed."""
        self._quiet.cancel()

    def look(self) -> None:
        """Take unsaved strokes back, once after a case was opened."""
        case, offered = self._workspace.case, self._offered()
        is_due, self._kept.is_held = self._kept.is_held, False
        if case is not None and offered is not None and is_due and self._may_take(offered):
            self._kept.is_held = True
            folder = self._workspace.journalling.folder_later()
            self._quiet.start(partial(correct.recover_own, folder, case.name, kept=offered))
        self._kept.refresh()

    def _may_take(self, offered: KeptStrokes) -> bool:
        """Whether nothing newer stands in the way: a mask on disk, or strokes of this session."""
        mask = self._hand.mask
        is_drawn = self._workspace.journalling.of(mask) is not None
        is_free = mask is not None and not is_drawn and not self._quiet.is_busy
        return is_free and not offered.is_changed_since

    def put_back(self, case: Case, taken: TakenBack) -> None:
        """Show strokes that were taken back; the person's mask stays in hand."""
        journalling, before, in_hand = self._workspace.journalling, self._hand.before, self._hand.mask
        mask = journalling.put_back(case, taken.kept, journal=taken.journal, found=taken.found)
        if not taken.kept.is_own or mask is not self._workspace.layers.mine(case.name):
            return
        if mask is not in_hand:
            self._hold(case, mask)
        is_known = mask is in_hand and taken.kept.note.get("began", "") == Began.PREDICTION
        self._hand.resume(before=before if is_known else None)
        self.recovered.emit()

    def offer_removed(self, mask: Labels) -> None:
        """Offer to bring back a mask that was just removed from the viewer."""
        self._removed, self._tries_left = mask, _TRIES
        self.notice.tell(
            tr("Mask removed. Take it back?"), button=tr("Take it back"), act=self.bring_removed_back
        )

    def bring_removed_back(self) -> None:
        """Bring the removed mask back, from its journal if it has one."""
        case, mask, offered = self._workspace.case, self._removed, self._offered()
        if case is None or mask is None:
            return
        is_drawn = not self._workspace.layers.is_saved(mask)
        if offered is None and is_drawn and self._tries_left:
            # Its journal is just being closed.
            self._tries_left -= 1
            self._again.start()
            return
        if offered is not None:
            folder = self._workspace.journalling.folder_later()
            self._quiet.start(partial(correct.take_back, folder, case.name, kept=offered))
            return
        self._removed = None
        # The very same layer: it is saved, or begun with a prediction, as it was.
        self._workspace.layers.viewer.add_layer(mask)
        self._hold(case, mask)

    def _offered(self) -> KeptStrokes | None:
        kept = self._workspace.journalling.kept
        return next((one for one in kept if one.is_own and not one.is_elsewhere and not one.problem), None)

    def _on_recovered(self, taken: TakenBack | None) -> None:
        case, mask = self._workspace.case, self._hand.mask
        self._kept.is_held = False
        if taken is None:
            self._kept.refresh()
        elif case is None or case.name != taken.case:
            taken.journal.close()
        elif self._removed is not None:
            self._removed = None
            self.put_back(case, taken)
        else:
            self._before = None if mask is None else np.array(mask.data)
            self.put_back(case, taken)
            self._tell(taken)

    def _tell(self, taken: TakenBack) -> None:
        """Say what was taken back unasked; damage is said in full."""
        if taken.found.loss:
            self._parts.panel.say(str(taken))
        ml = number(taken.kept.volume_ml, 2)
        self.notice.tell(
            tr("Taken back: work of an earlier session that was not saved, {ml} mL.", ml=ml),
            button=tr("Put aside"),
            act=self._put_aside,
        )

    def _put_aside(self) -> None:
        """Go back to the mask from before the strokes, which are kept under another name."""
        mask, before, journalling = self._hand.mask, self._before, self._workspace.journalling
        if mask is None or before is None or before.shape != mask.data.shape:
            return
        journalling.settle(mask)
        self._workspace.layers.redraw(mask, before)
        journalling.forget(mask)
        self._before = None
        self._parts.panel.say(tr("Put aside; the file is kept under another name."))
        self.recovered.emit()

    def _on_failed(self, message: str) -> None:
        self._kept.is_held = False
        self._kept.refresh()
        self._parts.panel.warn(message)
