"""The case that is open: its grid and notes, and what may be done with its masks."""

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QLabel, QWidget

from napari_necroseg.core.case import Case
from napari_necroseg.core.language import shown, tr
from napari_necroseg.widgets.shared.qt_parts import WrappedLabel, below, beside, button, lay


class CaseView(QWidget):
    """Steps to the previous and next case, the case's grid and notes, and buttons for its masks."""

    step_wanted = Signal(int)
    mask_wanted = Signal()
    save_wanted = Signal()
    copy_wanted = Signal()
    panes_wanted = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        back, on = tr("Open the case above in the table."), tr("Open the case below in the table.")
        self._previous = button(tr("◀ Previous"), back, act=lambda: self.step_wanted.emit(-1))
        self._next = button(tr("Next ▶"), on, act=lambda: self.step_wanted.emit(1))
        self._place = QLabel()
        self._place.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.name = WrappedLabel()
        self.name.setStyleSheet("font-weight: bold;")
        self.about, self.notes = WrappedLabel(), WrappedLabel()
        self._side_by_side = QCheckBox(tr("ceT1 and T2 side by side"))
        self._side_by_side.setChecked(True)
        self._side_by_side.setToolTip(tr("Off: both images lie on each other; hide the upper one to see T2."))
        help_text = tr("Add an empty mask on the grid of the ceT1 image, to draw on.")
        self._new = button(tr("New mask"), help_text, act=self.mask_wanted)
        help_text = tr(
            "Put the mask that is selected in the layer list, such as the reference, the tumour or a "
            "prediction, into your own mask, to change it there. Ctrl+Z takes it back."
        )
        self._copy = button(tr("Copy to my mask"), help_text, act=self.copy_wanted)
        help_text = tr(
            "Save what was drawn, on the grid of the ceT1 file. Earlier versions are kept beside it."
        )
        self._save = button(tr("Save masks"), help_text, act=self.save_wanted)
        self._steps = lay(QWidget(), beside(self._previous, self._place, self._next, wide=self._place))
        masks = below(beside(self._new, self._copy), self._save)
        parts = (self._steps, self.name, self.about, self.notes, self._side_by_side)
        lay(self, below(*parts, masks))
        self._side_by_side.toggled.connect(self.panes_wanted)

    def show_case(self, case: Case | None, place: int | None, *, total: int) -> None:
        """Show a case, `place` of `total` in the table (None: not in it), or that none is open."""
        self._previous.setEnabled(total > 0 and place != 0)
        self._next.setEnabled(total > 0 and place != total - 1)
        self._place.setText("" if place is None else tr("{place} of {total}", place=place + 1, total=total))
        for part in (self._new, self._copy, self._save, self._side_by_side):
            part.setEnabled(case is not None)
        self._steps.setVisible(total > 0)
        self.name.say(case.name if case else tr("No case is open."))
        self.about.say(_describe(case) if case else "")
        self.about.setVisible(case is not None)
        self.notes.say("\n".join(f"• {shown(note)}" for note in case.notes) if case else "")
        self.notes.setVisible(bool(case and case.notes))


def _describe(case: Case) -> str:
    slices, rows, columns = case.grid.shape
    thick, row_mm, column_mm = case.grid.spacing_mm
    sizes = tr(
        "{slices} slices of {thick:.2f} mm, {rows} × {columns} voxels of {row_mm:.2f} × {column_mm:.2f} mm.",
        slices=slices,
        thick=thick,
        rows=rows,
        columns=columns,
        row_mm=row_mm,
        column_mm=column_mm,
    )
    lacks = tr("It has no reference mask: scores and training need one.")
    return sizes if case.reference else f"{sizes} {lacks}"
