"""A table of scored cases: a row each, the worst first; a double click asks for the case."""

import math
from collections.abc import Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from napari_necroseg.core.scoring.scores import Scores
from napari_necroseg.widgets.shared.score_table import written

_COLUMNS = (
    ("dice", "Dice\n%", "Overlap with the reference."),
    ("hd95_mm", "HD95\nmm", "95 % of either surface is no further than this from the other."),
    ("volume_difference_ml", "ΔV\nmL", "Volume of the prediction minus that of the reference."),
)
# Before the name of a case; narrow, and explained where one points.
_MARKS = {"missed": "✗ ", "false_alarm": "! ", "nothing_to_find": "○ ", "scored": ""}
# With this a short name of a case is not cut off.
_WIDTH = 285
_ORDER = Qt.ItemDataRole.UserRole


class ScoredCases(QTableWidget):
    """Sorted by the column whose title was clicked; `case_wanted` is emitted with the name of a case."""

    case_wanted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, 1 + len(_COLUMNS), parent)
        for column, (title, help_text) in enumerate((("Case", ""), *(one[1:] for one in _COLUMNS))):
            header = QTableWidgetItem(title)
            header.setToolTip(help_text)
            self.setHorizontalHeaderItem(column, header)
        self.setWordWrap(False)
        # Names of cases most often differ at their ends.
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setToolTip(
            "Double-click a row to open the case; click a title to sort.\n"
            "✗ missed, ! false alarm, ○ nothing to find, ⚠ not scored."
        )
        self.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QTableWidget.SelectionBehavior.SelectRows)
        self.verticalHeader().hide()
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.verticalHeader().setDefaultSectionSize(24)
        self.setFixedHeight(180)
        self.setMinimumWidth(_WIDTH)
        self.horizontalHeader().setSortIndicator(1, Qt.SortOrder.AscendingOrder)
        self.setSortingEnabled(True)
        self.cellDoubleClicked.connect(lambda row, _column: self._want(row))

    def begin(self) -> None:
        """Forget the last scores."""
        self.setRowCount(0)

    def add(self, case: str, scores: Scores) -> None:
        """Add a row, where it belongs by the column that the table is sorted by.

        That is Dice at first: the lowest stays on top, missed zones first; what has none comes last.
        """
        row = self.rowCount()
        self.insertRow(row)
        self._put(row, case, scores)

    def add_unscored(self, case: str, reason: str) -> None:
        """Add a row for a case that has no scores; by Dice it stands on top, with the missed ones."""
        row = self.rowCount()
        self.insertRow(row)
        name = Cell(f"⚠ {case}", case)
        name.setToolTip(f"{case}: {reason}")
        last = {"dice": -math.inf}
        self._put_cells(row, [name, *(Cell("–", last.get(score, math.nan)) for score, *_ in _COLUMNS)])

    def fill(self, rows: Sequence[tuple[str, Scores]]) -> None:
        """Show these rows in place of all others; order, selection and what is in sight stay."""
        chosen, bar = self.chosen(), self.verticalScrollBar()
        scrolled = bar.value()
        self.setUpdatesEnabled(False)
        # Once, and not for each row.
        self.setSortingEnabled(False)
        # Qt looks at all rows for each cell that takes the place of another.
        self.setRowCount(0)
        self.setRowCount(len(rows))
        for row, (case, scores) in enumerate(rows):
            self._put(row, case, scores)
        self.setSortingEnabled(True)
        self.choose(chosen)
        self.updateGeometries()
        bar.setValue(scrolled)
        self.setUpdatesEnabled(True)

    def chosen(self) -> str:
        """Return the case whose row is selected; empty without any."""
        item = self.item(self.currentRow(), 0)
        return "" if item is None else str(item.data(_ORDER))

    def choose(self, case: str) -> None:
        """Select the row of a case; none if it has none."""
        rows = (row for row in range(self.rowCount()) if self.item(row, 0).data(_ORDER) == case)
        row = next(rows, None)
        if row is None:
            self.setCurrentItem(None)
        else:
            self.selectRow(row)

    def step(self, by: int) -> None:
        """Ask for the case so many rows below the one that is selected; without one, for the first."""
        row = self.currentRow() + by if self.currentRow() >= 0 else 0
        if 0 <= row < self.rowCount():
            self.selectRow(row)
            self._want(row)

    def _put(self, row: int, case: str, scores: Scores) -> None:
        name = Cell(f"{_MARKS[scores.state]}{case}", case)
        name.setToolTip(f"{case}: {scores}")
        self._put_cells(row, [name, *(_number(score, title, scores) for score, title, _ in _COLUMNS)])

    def _put_cells(self, row: int, cells: list["Cell"]) -> None:
        # Qt moves the row to where it belongs as soon as it gets that cell.
        last = self.horizontalHeader().sortIndicatorSection()
        for column in sorted(range(len(cells)), key=lambda column: column == last):
            self.setItem(row, column, cells[column])

    def _want(self, row: int) -> None:
        cell = self.item(row, 0)
        if cell is not None:
            self.case_wanted.emit(cell.data(_ORDER))


def _number(score: str, title: str, scores: Scores) -> "Cell":
    value = float(getattr(scores, score))
    unit = title.rpartition("\n")[2]
    text = written(score, unit, value).removesuffix(unit).strip()
    # A false alarm has a Dice of 0, too, and no zone that was overlooked.
    is_missed = score == "dice" and scores.state == "missed"
    cell = Cell(text, -math.inf if is_missed else value)
    cell.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    return cell


class Cell(QTableWidgetItem):
    """A cell that is sorted by what it stands for; what is undefined comes last."""

    def __init__(self, text: str, value: str | float) -> None:
        super().__init__(text)
        self.setData(_ORDER, value)

    def __lt__(self, other: QTableWidgetItem) -> bool:
        mine, its = (item.data(_ORDER) for item in (self, other))
        if isinstance(mine, float) and isinstance(its, float):
            return (math.isnan(mine), mine) < (math.isnan(its), its)
        return str(mine) < str(its)
