"""Tables of scores: all scores of one case with explanations, and a row for each case of a cohort."""

import math
from collections.abc import Collection, Mapping, Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QPalette
from qtpy.QtWidgets import QApplication, QTableWidget, QTableWidgetItem, QWidget

from napari_necroseg.core.language import tr
from napari_necroseg.core.scoring.overlap import Counts, dice, sensitivity, specificity
from napari_necroseg.core.scoring.published import COHORT, Published, published
from napari_necroseg.core.scoring.scores import DEFAULT_TOLERANCE_MM, Scores
from napari_necroseg.widgets.shared.qt_parts import ROW_HEIGHT, ReadOnlyTable, given

# The name of each score, its title, its unit, and its meaning.
_ROWS = (
    ("dice", "Dice", "%", "Overlap of the two masks: 100 % if they are the same, 0 % if they do not touch."),
    ("sensitivity", "Sensitivity", "%", "Share of the reference that the prediction found."),
    (
        "specificity",
        "Specificity, image",
        "%",
        "Share of all voxels outside the reference that the prediction left out. Near 100 % for any small "
        "zone, because most of the image is far from it.",
    ),
    (
        "specificity_box",
        "Specificity, box",
        "%",
        "The same, counted only in the box around the reference plus 10 mm: stricter.",
    ),
    (
        "specificity_patch",
        "Specificity, patch",
        "%",
        "The same, counted in 64 × 128 × 128 voxels about the middle of the reference, on 64 slices.",
    ),
    (
        "hd95_mm",
        "Hausdorff, 95 %",
        "mm",
        "95 % of the surface of either mask is no further than this from the other's; ∞ if one is empty.",
    ),
    (
        "assd_mm",
        "Surface distance",
        "mm",
        "Mean distance between the two surfaces, each element weighted by its area (ASSD).",
    ),
    (
        "nsd",
        "Surface within {mm:g} mm",
        "%",
        "Share of both surfaces that is no further than {mm:g} mm from the other (NSD).",
    ),
    (
        "centroid_distance_mm",
        "Distance of middles",
        "mm",
        "Distance between the centres of mass of the two masks.",
    ),
    ("lesions_found", "Lesions found", "", "Lesions of the reference that the prediction touches."),
    ("lesions_reference", "Lesions", "", "Parts of the reference that do not touch each other."),
    ("lesions_extra", "Extra lesions", "", "Parts of the prediction that touch no lesion of the reference."),
    ("reference_ml", "Volume, reference", "mL", "Volume of the reference."),
    ("prediction_ml", "Volume, prediction", "mL", "Volume of the prediction."),
    (
        "volume_difference_ml",
        "Volume difference",
        "mL",
        "Prediction minus reference; negative where the prediction is too small.",
    ),
    (
        "volume_difference_percent",
        "Relative difference",
        "%",
        "The volume difference in percent of the reference.",
    ),
)
_SHARES = ("dice", "sensitivity", "specificity", "specificity_box", "specificity_patch", "nsd")
_UNDEFINED = "–"
_WHY_UNDEFINED = "Undefined here: there is nothing to divide by, because a mask is empty."
STATES = {
    "scored": "",
    "missed": "The prediction is empty, the reference is not: the zone was missed.",
    "false_alarm": "The reference is empty, the prediction is not: a false alarm.",
    "nothing_to_find": "Both masks are empty: there was nothing to find, so no overlap is defined.",
}

# With these no title of a score is cut off.
_WIDTH, _WIDTH_WITH_READER = 280, 380
_SCORE, _VALUE, _PAPER, _READER, _AGAINST_READER = range(5)
_PAPER_HELP = (
    f"The paper's Table 1, {{what}}: {COHORT}, mean ± standard deviation. Other patients than yours, for "
    "orientation only; the paper does not say in which region it counted specificity."
)
_TITLES = {
    "Score": "",
    "Value": "The prediction against the reference.",
    "Paper": "",
    "Reader 2": "The second reader against the reference: how far two people agree.",
    "vs. reader 2": "The prediction against the second reader.",
}
_COLUMNS = (
    ("dice", "Dice\n%", "Overlap with the reference."),
    ("hd95_mm", "HD95\nmm", "95 % of either surface is no further than this from the other."),
    ("volume_difference_ml", "ΔV\nmL", "Volume of the prediction minus that of the reference."),
)

# Marks before the name of a case, explained in the tooltip.
_MARKS = {"missed": "✗ ", "false_alarm": "! ", "nothing_to_find": "○ ", "scored": ""}

# With this a short name of a case is not cut off.
_CASES_WIDTH = 285
_SEEN = "◆ "
_ORDER = Qt.ItemDataRole.UserRole
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class ScoreTable(ReadOnlyTable):
    """A row for each score: its value, the paper's, and a second reader's; hover to read its meaning."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(_TITLES, rows=len(_ROWS), parent=parent)
        self.setFixedHeight(ROW_HEIGHT * (len(_ROWS) + 1) + 10)
        self.show_scores(None)
        self.show_paper("2D, ceT1 and T2", published())

    def show_scores(
        self, scores: Scores | None, reader: Scores | None = None, *, against_reader: Scores | None = None
    ) -> None:
        """Show scores, and those of a second reader if there are any; None empties the values."""
        self.has_scores = scores is not None
        tolerance = DEFAULT_TOLERANCE_MM if scores is None else scores.nsd_tolerance_mm
        for row, (name, title, unit, help_text) in enumerate(_ROWS):
            self._set(row, _SCORE, text=title.format(mm=tolerance), help_text=help_text.format(mm=tolerance))
            for column, one in ((_VALUE, scores), (_READER, reader), (_AGAINST_READER, against_reader)):
                value = None if one is None else getattr(one, name)
                is_undefined = value is not None and math.isnan(value)
                why = f"{_WHY_UNDEFINED}\n" if is_undefined else ""
                self._set(
                    row,
                    column,
                    text=written(name, unit, value=value),
                    help_text=why + help_text.format(mm=tolerance),
                )
        # Side by side they would not fit into a dock.
        self.setColumnHidden(_PAPER, reader is not None)
        for column in (_READER, _AGAINST_READER):
            self.setColumnHidden(column, reader is None)
        self.setMinimumWidth(_WIDTH if reader is None else _WIDTH_WITH_READER)

    def show_overlap(self, counts: Counts, *, voxel_ml: float) -> None:
        """Show the scores that follow from counts at once; the others turn faint until they are computed."""
        now = {
            "dice": dice(counts),
            "sensitivity": sensitivity(counts),
            "specificity": specificity(counts),
            "reference_ml": counts.reference * voxel_ml,
            "prediction_ml": counts.prediction * voxel_ml,
            "volume_difference_ml": (counts.prediction - counts.reference) * voxel_ml,
        }
        faint = self.palette().brush(QPalette.ColorGroup.Disabled, QPalette.ColorRole.Text)
        for row, (name, _, unit, _) in enumerate(_ROWS):
            for column in (_VALUE, _READER, _AGAINST_READER):
                item = self.cell(row, column)
                if column == _VALUE and name in now:
                    item.setText(written(name, unit, value=now[name]))
                else:
                    item.setForeground(faint)

    def show_paper(self, what: str, values: Mapping[str, Published]) -> None:
        """Show the paper's scores of a configuration."""
        given(self.horizontalHeaderItem(_PAPER)).setToolTip(_PAPER_HELP.format(what=what))
        for row, (name, *_) in enumerate(_ROWS):
            text = str(values[name]) if name in values else ""
            self._set(row, _PAPER, text=text, help_text=_PAPER_HELP.format(what=what) if text else "")

    def copy(self) -> None:
        """Copy the visible columns to the clipboard, separated by tabs, as spreadsheets take them."""
        columns = [column for column in range(self.columnCount()) if not self.isColumnHidden(column)]
        lines = [[given(self.horizontalHeaderItem(column)).text() for column in columns]]
        lines += [[self.cell(row, column).text() for column in columns] for row in range(self.rowCount())]
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText("\n".join("\t".join(line) for line in lines))

    def _set(self, row: int, column: int, *, text: str, help_text: str) -> None:
        self.put(row, column, text=text, help_text=help_text, align=None if column == _SCORE else _RIGHT)


def written(name: str, unit: str, *, value: float | None) -> str:
    """Write a score for a person: ratios in percent, undefined ones as a dash."""
    if value is None:
        return ""
    if math.isnan(value):
        return _UNDEFINED
    if math.isinf(value):
        return f"∞ {unit}"
    if not unit:
        return str(value)
    sign = "+" if name.startswith("volume_difference") and value > 0 else ""
    if unit == "%":
        # One wrong voxel in a thousand matters for specificity, and "100.0 %" would hide it.
        digits = 2 if name.startswith("specificity") else 1
        return f"{sign}{value * (100 if name in _SHARES else 1):.{digits}f} %"
    return f"{sign}{value:.2f} {unit}"


class ScoredCases(ReadOnlyTable):
    """Sorted by the column whose title was clicked; `case_wanted` is emitted with the name of a case."""

    case_wanted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__({"Case": ""} | dict(one[1:] for one in _COLUMNS), parent=parent)
        self.setWordWrap(False)
        # Names of cases most often differ at their ends.
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setToolTip(
            "Double-click a row to open the case; click a title to sort.\n"
            "✗ missed, ! false alarm, ○ nothing to find, ⚠ not scored."
        )
        self.setSelectionBehavior(QTableWidget.SelectionBehavior.SelectRows)
        self.setFixedHeight(180)
        self.setMinimumWidth(_CASES_WIDTH)
        self.head.setSortIndicator(1, Qt.SortOrder.AscendingOrder)
        self.setSortingEnabled(True)
        self.cellDoubleClicked.connect(lambda row, _column: self._want(row))

    def begin(self) -> None:
        """Forget the last scores."""
        self.setRowCount(0)

    def add(self, case: str, scores: Scores) -> None:
        """Add a row in the order of the sorted column: by Dice at first, missed on top, undefined last."""
        row = self.rowCount()
        self.insertRow(row)
        self._put(row, case, scores=scores)

    def add_unscored(self, case: str, reason: str) -> None:
        """Add a row for a case that has no scores; by Dice it stands on top, with the missed ones."""
        row = self.rowCount()
        self.insertRow(row)
        name = Cell(f"⚠ {case}", case)
        name.setToolTip(f"{case}: {reason}")
        last = {"dice": -math.inf}
        self._put_cells(row, [name, *(Cell("–", last.get(score, math.nan)) for score, *_ in _COLUMNS)])

    def mark_seen(self, cases: Collection[str]) -> None:
        """Mark the rows of cases that the model was trained on: their scores are too good."""
        for row in range(self.rowCount()):
            cell = self.cell(row, 0)
            if cell.data(_ORDER) in cases and not cell.text().startswith(_SEEN):
                cell.setText(f"{_SEEN}{cell.text()}")
                cell.setToolTip(f"{cell.toolTip()}\n{tr('Seen in training: too good.')}")

    def fill(self, rows: Sequence[tuple[str, Scores]]) -> None:
        """Replace all rows; order, selection and scroll position stay."""
        chosen, bar = self.chosen(), given(self.verticalScrollBar())
        scrolled = bar.value()
        self.setUpdatesEnabled(False)
        # Once, and not for each row.
        self.setSortingEnabled(False)
        # Qt looks at all rows for each cell that takes the place of another.
        self.setRowCount(0)
        self.setRowCount(len(rows))
        for row, (case, scores) in enumerate(rows):
            self._put(row, case, scores=scores)
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
        rows = (row for row in range(self.rowCount()) if self.cell(row, 0).data(_ORDER) == case)
        row = next(rows, None)
        if row is None:
            self.setCurrentItem(None)
        else:
            self.selectRow(row)

    def step(self, by: int) -> None:
        """Ask for the case `by` rows below the one that is selected; without one, for the first."""
        row = self.currentRow() + by if self.currentRow() >= 0 else 0
        if 0 <= row < self.rowCount():
            self.selectRow(row)
            self._want(row)

    def _put(self, row: int, case: str, *, scores: Scores) -> None:
        name = Cell(f"{_MARKS[scores.state]}{case}", case)
        name.setToolTip(f"{case}: {scores}")
        self._put_cells(row, [name, *(_number(score, title, scores=scores) for score, title, _ in _COLUMNS)])

    def _put_cells(self, row: int, cells: list["Cell"]) -> None:
        # Qt moves the row to where it belongs as soon as it gets that cell.
        last = self.head.sortIndicatorSection()
        for column in sorted(range(len(cells)), key=lambda column: column == last):
            self.setItem(row, column, cells[column])

    def _want(self, row: int) -> None:
        cell = self.item(row, 0)
        if cell is not None:
            self.case_wanted.emit(cell.data(_ORDER))


def _number(score: str, title: str, *, scores: Scores) -> "Cell":
    value = float(getattr(scores, score))
    unit = title.rpartition("\n")[2]
    text = written(score, unit, value=value).removesuffix(unit).strip()
    # A false alarm has a Dice of 0, too, but overlooked no zone.
    is_missed = score == "dice" and scores.state == "missed"
    cell = Cell(text, -math.inf if is_missed else value)
    cell.setTextAlignment(_RIGHT)
    return cell


class Cell(QTableWidgetItem):
    """A cell that is sorted by its value, not by its text; undefined values come last."""

    def __init__(self, text: str, value: str | float) -> None:
        super().__init__(text)
        self.setData(_ORDER, value)

    def __lt__(self, other: QTableWidgetItem) -> bool:
        mine, its = (item.data(_ORDER) for item in (self, other))
        if isinstance(mine, float) and isinstance(its, float):
            return (math.isnan(mine), mine) < (math.isnan(its), its)
        return str(mine) < str(its)
