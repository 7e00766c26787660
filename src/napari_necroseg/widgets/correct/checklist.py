"""Where to look next: slices by the model's doubt, and which of them were looked at."""

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

_HELP = (
    "Slices to check, the most doubtful first: by the sum of the uncertainty of the newest prediction "
    "(the deviation between several models, if there were several). ✓ was looked at."
)
_HEIGHT = 96


class Checklist(QWidget):
    """A list of slices, and the way to the next one to look at; `wanted` is emitted with a slice."""

    wanted = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._axis = 0
        self._order: list[int] = []
        self._uncertainty: NDArray[np.floating] | None = None
        self._mask: NDArray[np.bool_] | None = None
        self._seen_across: dict[int, set[int]] = {}
        self.next_button = QPushButton("Next to check")
        self.next_button.setToolTip(f"{_HELP}\nKey: Shift+C")
        self.next_button.clicked.connect(self.go_on)
        self.progress = QLabel()
        self.rows = QListWidget()
        self.rows.setToolTip(_HELP)
        self.rows.setFixedHeight(_HEIGHT)
        self.rows.itemClicked.connect(lambda item: self.wanted.emit(item.data(Qt.ItemDataRole.UserRole)))
        row = QHBoxLayout()
        row.addWidget(self.next_button, 1)
        row.addWidget(self.progress)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(row)
        column.addWidget(self.rows)
        self.begin(None, None)

    def begin(self, uncertainty: NDArray[np.floating] | None, mask: NDArray[np.bool_] | None) -> None:
        """List the slices of another case.

        Parameters
        ----------
        uncertainty
            ``(Z, Y, X)``; None for a case without a prediction: the slices of the mask in their order then.
        mask
            ``(Z, Y, X)``; None empties the list.
        """
        self._uncertainty, self._mask, self._seen_across = uncertainty, mask, {}
        self._list_slices()

    def show_axis(self, axis: int) -> None:
        """List the slices across an axis of the case, those of the plane that is shown."""
        if axis != self._axis:
            self._axis = axis
            self._list_slices()

    def see(self, number: int) -> None:
        """Note that a slice is seen."""
        if number in self._order and number not in self._seen:
            self._seen.add(number)
            self._refresh()

    @property
    def axis(self) -> int:
        """The axis that the listed slices lie across."""
        return self._axis

    def go_on(self) -> None:
        """Ask for the first slice that was not looked at; after the last one for the first again."""
        left = [number for number in self._order if number not in self._seen] or self._order
        if left:
            self.wanted.emit(left[0])

    @property
    def seen(self) -> tuple[int, int]:
        """How many slices were looked at, and how many there are to look at."""
        return len(self._seen), len(self._order)

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
            doubt = f", doubt {100 * self._doubts[number]:.0f} %" if self._doubts.any() else ""
            item = QListWidgetItem(f"{mark} slice {number}{doubt}")
            item.setData(Qt.ItemDataRole.UserRole, number)
            self.rows.addItem(item)
        self.progress.setText(f"{len(self._seen)} of {len(self._order)} seen")
        self.next_button.setEnabled(bool(self._order))
