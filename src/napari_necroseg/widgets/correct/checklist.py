"""The slices of a mask to look at, the most doubtful first."""

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QLabel, QListWidget, QListWidgetItem, QWidget

from napari_necroseg.core.language import to_translate, tr
from napari_necroseg.widgets.shared.qt_parts import below, beside, button, lay

_HELP = to_translate("Slices of the mask to look at, the most doubtful first. ✓ was looked at.")
_HEIGHT = 96


class Checklist(QWidget):
    """A list of slices to check and a button for the next one; `wanted` is emitted with a slice."""

    wanted = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._axis = 0
        self._order: list[int] = []
        self._uncertainty: NDArray[np.floating] | None = None
        self._mask: NDArray[np.bool_] | None = None
        self._seen_across: dict[int, set[int]] = {}
        self.next_button = button(tr("Next to check"), f"{tr(_HELP)}\n{tr('Key: Shift+C')}", act=self.go_on)
        self.progress = QLabel()
        self.rows = QListWidget()
        self.rows.setToolTip(tr(_HELP))
        self.rows.setFixedHeight(_HEIGHT)
        self.rows.itemClicked.connect(lambda item: self.wanted.emit(item.data(Qt.ItemDataRole.UserRole)))
        lay(self, below(beside(self.next_button, self.progress, wide=self.next_button), self.rows))
        self.begin(None, None)

    def begin(self, uncertainty: NDArray[np.floating] | None, mask: NDArray[np.bool_] | None) -> None:
        """List the slices of another case by uncertainty and mask, both ``(Z, Y, X)``.

        Without an uncertainty the slices of the mask are listed in their order; without a mask, none.
        """
        self._uncertainty, self._mask, self._seen_across = uncertainty, mask, {}
        self._list_slices()

    def show_axis(self, axis: int) -> None:
        """List the slices across an axis of the case."""
        if axis != self._axis:
            self._axis = axis
            self._list_slices()

    def update_list(self, uncertainty: NDArray[np.floating] | None, mask: NDArray[np.bool_]) -> None:
        """List the slices of the same case anew; what was seen stays seen."""
        self._uncertainty, self._mask = uncertainty, mask
        self._list_slices()

    def see(self, number: int) -> None:
        """Note that a slice was seen."""
        if number not in self._seen:
            self._seen.add(number)
            if number in self._order:
                self._refresh()

    @property
    def axis(self) -> int:
        """The axis across the listed slices."""
        return self._axis

    def go_on(self) -> None:
        """Ask for the first slice that was not seen yet; after the last one for the first again."""
        left = [number for number in self._order if number not in self._seen] or self._order
        if left:
            self.wanted.emit(left[0])

    @property
    def seen(self) -> tuple[int, int]:
        """The number of slices that were seen, and of all listed ones."""
        return len(self._seen & set(self._order)), len(self._order)

    @property
    def _seen(self) -> set[int]:
        return self._seen_across.setdefault(self._axis, set())

    def _list_slices(self) -> None:
        inside: NDArray[np.bool_] = np.zeros(0, bool)
        doubts: NDArray[np.float64] = np.zeros(0)
        if self._mask is not None:
            in_slice = tuple(axis for axis in range(3) if axis != self._axis)
            inside = np.asarray(self._mask.any(axis=in_slice))
            doubts = np.zeros(len(inside))
            if self._uncertainty is not None:
                doubts = self._uncertainty.sum(axis=in_slice, dtype=np.float64)
        wanted = (doubts > 0) | inside
        self._order = [int(n) for n in np.argsort(-doubts, kind="stable") if wanted[n]]
        self._doubts = doubts / doubts.max() if len(doubts) and doubts.max() > 0 else doubts
        self._refresh()

    def _refresh(self) -> None:
        self.rows.clear()
        for number in self._order:
            mark = "✓" if number in self._seen else "  "
            doubt = ""
            if self._doubts.any():
                doubt = tr(", doubt {percent} %", percent=f"{100 * self._doubts[number]:.0f}")
            # Slices are counted from 1 wherever a person sees them.
            item = QListWidgetItem(f"{mark} " + tr("slice {number}", number=number + 1) + doubt)
            item.setData(Qt.ItemDataRole.UserRole, number)
            self.rows.addItem(item)
        n, total = self.seen
        self.progress.setText(tr("{n} of {total} seen", n=n, total=total))
        self.next_button.setEnabled(bool(self._order))
        for widget in (self.next_button, self.progress, self.rows):
            widget.setVisible(bool(self._order))
