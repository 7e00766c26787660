"""A first mask without a model: one click, whose mask goes straight into the person's own."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from napari.layers import Image, Labels
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QFormLayout, QWidget
from superqt import QLabeledDoubleSlider

from napari_necroseg.core.case import Case, Sequence
from napari_necroseg.core.config import AssistConfig
from napari_necroseg.core.errors import NecrosegError
from napari_necroseg.core.language import number, shown, to_translate, tr
from napari_necroseg.core.masks.components import Mask
from napari_necroseg.core.volume import Voxels
from napari_necroseg.layerdata import Role
from napari_necroseg.widgets.correct.live_wire import LiveWireTool, ProposalLayer
from napari_necroseg.widgets.shared.case_layers import put_voxels
from napari_necroseg.widgets.shared.number_inputs import mm_spin
from napari_necroseg.widgets.shared.plane import ClickOnce, Index
from napari_necroseg.widgets.shared.qt_parts import below, beside, button, lay
from napari_necroseg.widgets.shared.worker import NewestOnly
from napari_necroseg.widgets.shared.workspace import Workspace

_METHODS = {
    "graph-cut": to_translate(
        "the cheapest cut between what is like the click and what is not; strokes refine it"
    ),
    "region-growing": to_translate(
        "all that is like the click and reached from it; the tolerance follows the slider"
    ),
    "watershed": to_translate("the steepest edge between the click and what surrounds it"),
    "random-walker": to_translate("where a walker that avoids edges meets the click first"),
    "fuzzy-c-means": to_translate("the kind of tissue that was clicked, in both sequences together"),
    "live-wire": to_translate("a contour that follows the edge between your clicks, slice by slice"),
}
_WIRE = "live-wire"
_MOST_TOLERANCE = 6.0
_REFINE_HELP = to_translate(
    "Paint what is missing, erase what is wrong, and press this: what the click found is made anew with your "
    "strokes obeyed."
)
_CLICK_HELP = to_translate(
    "Click on the zone in an image, and its outline is looked for. Ctrl+Z takes it back."
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Proposal:
    """The mask that a click gave, and what strokes have taken out of it."""

    case: Case
    mask: Mask
    outside: Mask | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class _Put:
    """The mask in hand before and after a proposal was put into it."""

    base: Voxels
    after: Voxels


class FirstMask(QWidget):
    """Puts the mask of a click into the mask in hand; `said` is emitted with a message.

    Another click adds; another choice of method replaces what the last click gave, unless somebody has drawn
    since. `changed` is emitted when
    a click is waited for, or no longer.
    """

    said = Signal(str)
    changed = Signal()

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._seed: tuple[int, int, int] | None = None
        self._put: _Put | None = None
        # Whether the result that is waited for is of a click, not of another choice of method.
        self._is_new_click = False
        self.preview = ProposalLayer(workspace)
        self.click = ClickOnce(workspace)
        self.wire = LiveWireTool(workspace, self.preview)
        self._work = NewestOnly(self)
        self._stop = threading.Event()
        self.method = QComboBox()
        for row, (name, help_text) in enumerate(_METHODS.items()):
            self.method.addItem(name)
            self.method.setItemData(row, tr(help_text), Qt.ItemDataRole.ToolTipRole)
        self.method.setToolTip(tr("How what belongs to the click is told from the rest; point at an entry."))
        self.radius_mm = mm_spin(
            30.0,
            most=150.0,
            step=5.0,
            help_text=tr("Nothing further from the click becomes part of the mask."),
        )
        self.is_automatic = QCheckBox(tr("found"))
        self.is_automatic.setChecked(True)
        self.is_automatic.setToolTip(tr("Find the tolerance from the contrast of the outline."))
        self.tolerance = QLabeledDoubleSlider()
        self.tolerance.setOrientation(Qt.Orientation.Horizontal)
        self.tolerance.setRange(0.05, _MOST_TOLERANCE)
        self.tolerance.setValue(1.0)
        self.tolerance.setToolTip(
            tr("How much a voxel may differ from those at the click; in the unit of noise.")
        )
        self.click_button = button(tr("Click on the zone"), tr(_CLICK_HELP), act=self.start)
        self.refine_button = button(tr("Refine"), tr(_REFINE_HELP), act=self.refine)
        self.options = QWidget()
        self._lay_out()
        self._connect()
        self.refresh()

    @property
    def is_waiting(self) -> bool:
        """Whether a click on the zone, or the clicks of a live-wire, are waited for."""
        return self.click.is_waiting or self.wire.is_on

    @property
    def is_looking(self) -> bool:
        """Whether the zone that was clicked is being looked for."""
        return self._work.is_busy

    def start(self) -> None:
        """Wait for a click, or for those of a live-wire; while it waits, give up."""
        case = self._workspace.case
        if self.is_waiting:
            self.click.stop()
            self.wire.stop()
            self.said.emit(tr("Nothing was clicked."))
        elif case is not None and self._workspace.in_hand is not None:
            try:
                self._wait(case)
            except NecrosegError as error:
                self.said.emit(shown(error))
        self.refresh()

    def drop(self) -> None:
        """Stop waiting and looking, and forget the last click: another mask is in hand."""
        self._stop.set()
        self._work.forget()
        self.click.stop()
        self.wire.stop()
        self.preview.remove()
        self._seed = self._put = None
        self.refresh()

    def refine(self) -> None:
        """Look again, with the strokes that were painted since the click."""
        case, mask, put = self._workspace.case, self._workspace.in_hand, self._put
        if case is None or mask is None or put is None or self._seed is None:
            return
        now, then = np.asarray(mask.data) != 0, put.after != 0
        if np.array_equal(now, then):
            self.said.emit(tr("Paint what is missing, or erase what is wrong, first."))
            return
        self._propose(case, (now & ~then, then & ~now))

    def close_thread(self) -> None:
        """End the thread: the dock is closed."""
        self._stop.set()
        self._work.stop_flag()()

    def refresh(self) -> None:
        """Enable the buttons that can be used now."""
        self.click_button.setText(tr("Give up") if self.is_waiting else tr("Click on the zone"))
        self.click_button.setEnabled(self._workspace.in_hand is not None)
        self.refine_button.setEnabled(self._put is not None and self._seed is not None)
        is_wire = self.method.currentText() == _WIRE
        for widget in (self.radius_mm, self.is_automatic):
            widget.setEnabled(not is_wire)
        self.tolerance.setEnabled(not is_wire and not self.is_automatic.isChecked())
        self.changed.emit()

    def _wait(self, case: Case) -> None:
        if self.method.currentText() == _WIRE:
            self.wire.start(case, self._images(case))
            self.said.emit(tr("Click along the edge; a double click closes the contour, Escape gives up."))
        else:
            self.click.wait(case, partial(self._on_click, case))
            self.said.emit(tr("Click on the zone in {case}.", case=case.name))

    def _on_click(self, case: Case, index: Index) -> None:
        z, y, x = (round(place) for place in index)
        self._seed, self._is_new_click, self._put = (z, y, x), True, None
        self._propose(case, None)

    def _propose(self, case: Case, strokes: tuple[Mask, Mask] | None) -> None:
        assert self._seed is not None
        self._stop = threading.Event()
        config = AssistConfig.checked(
            method=self.method.currentText(),
            radius_mm=self.radius_mm.value(),
            tolerance=None if self.is_automatic.isChecked() else self.tolerance.value(),
        )
        work = partial(
            _proposed,
            case,
            self._images(case),
            seed=self._seed,
            config=config,
            strokes=strokes,
            stop=self._stop,
        )
        self.said.emit(tr("Looking ..."))
        self._work.ask(work)
        self.refresh()

    def _on_done(self, proposal: Proposal | None) -> None:
        mask = self._workspace.in_hand
        if proposal is None or mask is None or proposal.case is not self._workspace.case:
            return
        before = np.count_nonzero(mask.data)
        self._add(mask, proposal.mask, outside=proposal.outside)
        voxel_ml = proposal.case.grid.voxel_ml
        found = number(np.count_nonzero(proposal.mask) * voxel_ml, 2)
        if self._is_new_click and before:
            added = number((np.count_nonzero(mask.data) - before) * voxel_ml, 2)
            told = tr(
                "{found} mL were found, {added} mL of it new. Ctrl+Z takes it back.", found=found, added=added
            )
        else:
            told = tr("{found} mL were found. Ctrl+Z takes it back.", found=found)
        self.said.emit(told)
        self._is_new_click = False
        self.refresh()

    def _add(self, mask: Labels, found: Mask, *, outside: Mask | None = None) -> None:
        """Add what was found to a mask as one edit; another choice for the same click replaces it."""
        put, base = self._put, np.array(mask.data)
        if put is not None and outside is not None:
            # Refined: the strokes are in what was found.
            base = np.where(outside, 0, put.base).astype(base.dtype)
        elif put is not None and np.array_equal(put.after, base):
            if not np.array_equal(put.base, put.after):
                mask.undo()
            base = put.base
        put_voxels(mask, np.where(found & (base == 0), 1, base).astype(base.dtype))
        if not mask.visible:
            mask.visible = True
        self._put = _Put(base=base, after=np.array(mask.data))

    def _on_wire(self, found: Mask) -> None:
        """Add a contour; each stays, whatever comes after it."""
        mask = self._workspace.in_hand
        if mask is not None:
            self._put = self._seed = None
            self._add(mask, found)
            self._put = None
            self.said.emit(tr("The contour is in the mask. Ctrl+Z takes it back."))

    def _on_wire_closed(self) -> None:
        self.preview.remove()
        if self._workspace.in_hand is not None:
            self._workspace.layers.viewer.layers.selection.active = self._workspace.in_hand
        self.refresh()

    def _on_choice(self, *_: object) -> None:
        """Make the proposal anew with another choice."""
        case = self._workspace.case
        if case is not None and self._seed is not None and self.method.currentText() != _WIRE:
            self._propose(case, None)
        self.refresh()

    def _images(self, case: Case) -> Mapping[Sequence, Voxels]:
        """Return the images of a case that are shown."""
        find = self._workspace.layers.find
        images = {
            sequence: [layer for layer in find(case.name, [Role(sequence)]) if isinstance(layer, Image)]
            for sequence in Sequence
        }
        return {sequence: layers[0].data for sequence, layers in images.items() if layers}

    def _connect(self) -> None:
        self.method.currentIndexChanged.connect(self._on_choice)
        self.tolerance.valueChanged.connect(self._on_choice)
        self.is_automatic.toggled.connect(self._on_choice)
        self.radius_mm.editingFinished.connect(self._on_choice)
        self.wire.drawn.connect(self._on_wire)
        self.wire.closed.connect(self._on_wire_closed)
        self.wire.said.connect(self.said)
        self._work.done.connect(self._on_done)
        self._work.failed.connect(self.said)

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow("Method", self.method)
        form.addRow("Within", self.radius_mm)
        form.addRow("Tolerance", beside(self.tolerance, self.is_automatic, wide=self.tolerance))
        lay(self.options, below(form, self.refine_button))
        lay(self, below(self.click_button, self.options))


def _proposed(
    case: Case,
    images: Mapping[Sequence, Voxels],
    *,
    seed: tuple[int, int, int],
    config: AssistConfig,
    strokes: tuple[Mask, Mask] | None,
    stop: threading.Event,
) -> Proposal | None:
    """Compute the mask of a click; None if it was stopped. Runs in the thread."""
    from napari_necroseg.core.assist.assist import assist
    from napari_necroseg.core.assist.scene import Strokes

    painted = None if strokes is None else Strokes(inside=strokes[0], outside=strokes[1])
    mask: Any = assist(
        images, seed, spacing_mm=case.grid.spacing_mm, config=config, strokes=painted, stop=stop
    )
    outside = None if strokes is None else strokes[1]
    return None if mask is None else Proposal(case=case, mask=mask, outside=outside)
