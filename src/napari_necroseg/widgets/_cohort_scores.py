"""The scores of all cases of a cohort that a model has predicted: a row each, the worst first."""

import math
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

from napari_necroseg.core.scoring.scores import Scores
from napari_necroseg.widgets._prose import Prose
from napari_necroseg.widgets._score_table import written

_COLUMNS = (
    ("dice", "Dice", "%"),
    ("sensitivity", "Sens.", "%"),
    ("hd95_mm", "HD95", "mm"),
    ("volume_difference_ml", "Volume", "mL"),
)
_STATES = {
    "missed": "missed",
    "false_alarm": "false alarm",
    "nothing_to_find": "nothing to find",
    "scored": "",
}
_ORDER = Qt.ItemDataRole.UserRole


class CohortScores(QCollapsible):
    """Chooses a folder of predictions and shows their scores; a double click asks for the case.

    Signals: `wanted` when the folder is to be scored, `case_wanted` with the name of a case.
    """

    wanted = Signal()
    case_wanted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("All cases of the cohort", parent)
        self.toggleButton().setToolTip("Score every case that a model has predicted in this project.")
        self.folders = QComboBox()
        self.folders.setToolTip("Folders of saved predictions in this project, by model.")
        self.folders.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.folders.setMinimumContentsLength(8)
        self.start_button = QPushButton("Score all")
        self.start_button.setToolTip("Compare every saved prediction with the reference of its case.")
        self.start_button.clicked.connect(self.wanted)
        self.table = QTableWidget(0, 1 + len(_COLUMNS))
        self.table.setHorizontalHeaderLabels(["Case", *(title for _, title, _ in _COLUMNS)])
        self.table.setToolTip("Double-click a row to open the case; click a title to sort.")
        self.table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QTableWidget.SelectionBehavior.SelectRows)
        self.table.verticalHeader().hide()
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.table.setFixedHeight(180)
        self.table.setSortingEnabled(True)
        self.table.cellDoubleClicked.connect(self._on_double_click)
        self.summary = Prose()
        self._lay_out()

    def show_folders(self, folder: Path | None) -> None:
        """List the folders of predictions of a project."""
        before = self.folders.currentText()
        root = None if folder is None else folder / "predictions"
        found = sorted(path for path in root.iterdir() if path.is_dir()) if root and root.is_dir() else []
        self.folders.clear()
        for path in found:
            self.folders.addItem(path.name, str(path))
        self.folders.setCurrentIndex(max(0, self.folders.findText(before)))
        self.start_button.setEnabled(bool(found))

    def folder(self) -> Path | None:
        """Return the chosen folder."""
        chosen = self.folders.currentData()
        return None if chosen is None else Path(chosen)

    def begin(self) -> None:
        """Forget the last scores."""
        self.table.setRowCount(0)
        self.summary.say("")

    def add(self, case: str, scores: Scores) -> None:
        """Add a row; the lowest Dice stays on top, missed zones first; what has none comes last."""
        self.table.setSortingEnabled(False)
        row = self.table.rowCount()
        self.table.insertRow(row)
        state = _STATES[scores.state]
        self.table.setItem(row, 0, _Cell(f"{case} ({state})" if state else case, case))
        for column, (name, _, unit) in enumerate(_COLUMNS, start=1):
            value = float(getattr(scores, name))
            text = written(name, unit, value)
            # A false alarm has a Dice of 0, too, and no zone that was overlooked.
            is_missed = name == "dice" and scores.state == "missed"
            self.table.setItem(row, column, _Cell(text, -math.inf if is_missed else value))
        self.table.setSortingEnabled(True)
        self.table.sortItems(1)

    def show_summary(self, summary: Any) -> None:
        """Say what the cases come to."""
        mean, low, high = (values["dice"] for values in (summary.mean, summary.mean_low, summary.mean_high))
        interval = "" if math.isnan(low) else f" (95 % interval {100 * low:.1f} to {100 * high:.1f} %)"
        self.summary.say(
            f"Mean Dice {written('dice', '%', mean)}{interval}, median "
            f"{written('dice', '%', summary.median['dice'])}; {summary.scored} scored, {summary.missed} "
            f"missed, {summary.false_alarms} false alarms, {summary.nothing_to_find} with nothing to find."
        )

    def _on_double_click(self, row: int, _column: int) -> None:
        cell = self.table.item(row, 0)
        if cell is not None:
            self.case_wanted.emit(cell.data(_ORDER))

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.addWidget(self.folders, 1)
        row.addWidget(self.start_button)
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(row)
        column.addWidget(self.table)
        column.addWidget(self.summary)
        self.addWidget(content)


class _Cell(QTableWidgetItem):
    """A cell that is sorted by what it stands for; what is undefined comes last."""

    def __init__(self, text: str, value: str | float) -> None:
        super().__init__(text)
        self.setData(_ORDER, value)

    def __lt__(self, other: QTableWidgetItem) -> bool:
        mine, its = (item.data(_ORDER) for item in (self, other))
        if isinstance(mine, float) and isinstance(its, float):
            return (math.isnan(mine), mine) < (math.isnan(its), its)
        return str(mine) < str(its)
