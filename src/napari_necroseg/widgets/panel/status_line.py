"""The status of the mask in work: its volume and diameter, and whether it is saved and signed."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from napari.layers import Labels
from qtpy.QtWidgets import QWidget

from napari_necroseg.core.language import number, shown, tr
from napari_necroseg.core.masks.components import Mask, Size, measure
from napari_necroseg.core.scoring.overlap import count, dice
from napari_necroseg.core.volume import Grid
from napari_necroseg.layerdata import Began, Role, source_of
from napari_necroseg.widgets.shared.dock import Listeners
from napari_necroseg.widgets.shared.qt_parts import WrappedLabel, below, lay, on_destroyed, timer
from napari_necroseg.widgets.shared.worker import NewestOnly
from napari_necroseg.widgets.shared.workspace import Workspace

# While one paints, the numbers follow about that often.
_FOLLOW_MS = 120


@dataclass(frozen=True, kw_only=True, eq=False)
class _Measured:
    """What was measured of a mask, and how far it agrees with a reference, if there is one."""

    mask: Labels
    size: Size
    dice: float | None = None
    reference_ml: float | None = None


class StatusLine(QWidget):
    """Two lines that are always in sight; they follow the mask in hand while it is drawn."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._workspace = workspace
        self.text, self.state = WrappedLabel(), WrappedLabel()
        self.text.setToolTip(tr("The mask in work: its volume and its longest diameter."))
        self.state.setToolTip(
            tr("Whether the mask is saved and signed off, and how it agrees with the expert's mask.")
        )
        lay(self, below(self.text, self.state))
        self._mask: Labels | None = None
        self._measured: _Measured | None = None
        self._work = NewestOnly(self, thread="necroseg-status")
        self._work.done.connect(self._on_measured)
        self._soon = timer(self, _FOLLOW_MS, act=self._measure)
        self._listeners = Listeners()
        for signal in (workspace.hand_changed, workspace.layers.saved, workspace.journalling.drawn):
            self._listeners.connect(signal, self.refresh)
        self._listeners.connect(workspace.case_changed, self.refresh)
        on_destroyed(self, self._work.stop_flag(), self._listeners.disconnect)
        self.refresh()

    def reopen(self) -> None:
        """Follow the mask again."""
        self._listeners.reconnect()
        self.refresh()

    def shut_down(self) -> None:
        """Follow no mask any more."""
        self._listeners.disconnect()
        self._watch(None)
        self._soon.stop()
        self._work.stop_flag()()

    def refresh(self, *_: object) -> None:
        """Show the state of the mask that is in hand now."""
        self._watch(self._workspace.in_hand)
        self._follow()
        self._show()

    def _watch(self, mask: Labels | None) -> None:
        if mask is self._mask:
            return
        for happening in ("paint", "labels_update", "set_data", "data", "name"):
            if self._mask is not None:
                getattr(self._mask.events, happening).disconnect(self._follow)
            if mask is not None:
                getattr(mask.events, happening).connect(self._follow)
        self._mask, self._measured = mask, None

    def _follow(self, *_: object) -> None:
        if self._mask is not None and not self._soon.isActive():
            self._soon.start()

    def _measure(self) -> None:
        """Measure a copy in a thread."""
        case, mask = self._workspace.case, self._mask
        if case is None or mask is None or mask.data.shape != case.grid.shape:
            return
        inside = np.asarray(mask.data) != 0
        found = self._workspace.layers.find(case.name, [Role.REFERENCE])
        references = [np.asarray(one.data) != 0 for one in found if isinstance(one, Labels)]
        reference = next(iter(references), None)
        self._work.ask(partial(_measured, mask, inside, grid=case.grid, reference=reference))

    def _on_measured(self, measured: _Measured) -> None:
        if measured.mask is self._mask:
            self._measured = measured
            self._show()

    def _show(self) -> None:
        case, mask, measured = self._workspace.case, self._mask, self._measured
        parts, state = [tr("No case is open.")], []
        if self._workspace.opening or self._workspace.screen.is_busy:
            # The layers of two cases change places; nothing is lost.
            return
        if case is not None and mask is None:
            parts = [case.name, tr("no mask")]
        elif case is not None and mask is not None:
            size = "" if measured is None else _size_in_words(measured.size)
            parts = [case.name, shown(mask.name), size]
            state = [self._state(mask), "" if measured is None else _scores_in_words(measured)]
        self.text.say(_joined(parts))
        self.state.say(_joined(state))

    def _state(self, mask: Labels) -> str:
        """Say whether the mask is saved, and by whom it is signed off."""
        layers, source = self._workspace.layers, source_of(mask.metadata)
        trouble = self._workspace.journalling.trouble
        if trouble:
            return "⚠ " + tr("not on disk")
        if source is not None and source.role is Role.LABELS and layers.is_untouched(mask):
            return tr("as predicted") if source.began is Began.PREDICTION else tr("nothing drawn")
        if not layers.is_saved(mask):
            return tr("in work, each stroke is kept")
        signed = self._workspace.signed
        return tr("signed off by {who}", who=signed) if signed else tr("saved, not signed off")


def _measured(mask: Labels, inside: Mask, *, grid: Grid, reference: Mask | None) -> _Measured:
    """Measure a mask; runs in the thread."""
    size = measure(inside, grid)
    if reference is None or reference.shape != inside.shape:
        return _Measured(mask=mask, size=size)
    reference_ml = int(np.count_nonzero(reference)) * grid.voxel_ml
    return _Measured(mask=mask, size=size, dice=dice(count(reference, inside)), reference_ml=reference_ml)


def _size_in_words(size: Size) -> str:
    if not size.components:
        return tr("empty")
    ml, mm = number(size.volume_ml, 2), number(size.longest_diameter_mm, 0)
    return tr("{ml} mL, longest {mm} mm", ml=ml, mm=mm)


def _joined(parts: list[str]) -> str:
    return " | ".join(part for part in parts if part)


def _scores_in_words(measured: _Measured) -> str:
    if measured.reference_ml is None:
        return ""
    ml = number(measured.reference_ml, 2)
    if measured.dice is None or np.isnan(measured.dice) or not measured.size.components:
        return tr("reference {ml} mL", ml=ml)
    return tr("Dice {dice}, reference {ml} mL", dice=number(measured.dice, 2), ml=ml)
