"""The runs of a study as a grid that fills in: a row per configuration, a column per fold."""

from collections.abc import Mapping, Sequence
from itertools import islice

from qtpy.QtCore import QModelIndex, Qt, Signal
from qtpy.QtGui import QColor, QPainter, QPalette, QPen, QResizeEvent
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLabel,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from napari_necroseg.core.config.study import Configuration
from napari_necroseg.core.study.run import Run
from napari_necroseg.jobs.study_status import RunStatus, StudyStatus, status_in_words
from napari_necroseg.widgets.shared.qt_parts import ROW_HEIGHT, WrappedLabel, below, given, lay

# Okabe and Ito's colours, told apart with any colour vision; each state has a sign of its own, too.
_COLOURS = {"running": "#56b4e9", "done": "#009e73", "failed": "#d55e00", "interrupted": "#f0e442"}
_INK = {"running": "#000000", "done": "#ffffff", "failed": "#ffffff", "interrupted": "#000000"}
# The part of a running run that is still to come.
_TO_COME = "#c6e4f7"
_SIGNS = {"waiting": "·", "running": "…", "done": "✓", "failed": "✗", "interrupted": "‖"}
_LEGEND = (
    ("waiting", "·", "waiting"),
    ("running", "45%", "running"),
    ("done", "87", "done: mean Dice in %"),
    ("failed", "✗", "failed"),
    ("interrupted", "‖", "interrupted"),
)
_MEAN_HELP = (
    "Mean Dice in %, each case counted once: over all cases with something to find, of the runs in this row "
    "that are done. The report averages by patient and seed."
)
_STATUS = Qt.ItemDataRole.UserRole
_LEAST_COLUMN_WIDTH, _MOST_ROWS_SEEN = 34, 12
# More cells take too long to draw, and nobody looks at them one by one.
_MOST_RUNS = 1200

_Row = tuple[Configuration, int]


class StudyGrid(QWidget):
    """One cell per run; `chosen` is emitted with the key of a run that was clicked."""

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.table = QTableWidget()
        self.table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setItemDelegate(_CellPainter(self.table))
        self.table.setToolTip(
            "One row per configuration, one column per fold that is left out; click a run to see it below."
        )
        columns, rows = given(self.table.horizontalHeader()), given(self.table.verticalHeader())
        columns.setMinimumSectionSize(_LEAST_COLUMN_WIDTH)
        columns.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        columns.setSectionsClickable(False)
        columns.setFixedHeight(ROW_HEIGHT)
        rows.setDefaultSectionSize(ROW_HEIGHT)
        rows.setSectionsClickable(False)
        self.table.currentItemChanged.connect(self._on_current)
        self._legend = QLabel(
            " ".join(_swatch(state, sign, meaning=meaning) for state, sign, meaning in _LEGEND)
        )
        self._legend.setWordWrap(True)
        self._rest = WrappedLabel()
        self._places: dict[str, tuple[int, int]] = {}
        self._rows: list[_Row] = []
        self._n_known = 0
        self._chosen = ""
        lay(self, below(self.table, self._rest, self._legend))

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802  # Qt's name
        """Make room for the scroll bar of many folds."""
        super().resizeEvent(event)
        self._fit_height()

    def show_status(self, status: StudyStatus) -> None:
        """Lay out a cell for each run of a study."""
        drawn = dict(islice(status.runs.items(), _MOST_RUNS))
        runs = {key: one.run for key, one in drawn.items()}
        self._rows = list(dict.fromkeys((run.configuration, run.seed) for run in runs.values()))
        row_of = {row: number for number, row in enumerate(self._rows)}
        self._places = {key: (row_of[run.configuration, run.seed], run.fold - 1) for key, run in runs.items()}
        folds = max((run.fold for run in runs.values()), default=0)
        self.table.blockSignals(True)
        self.table.clear()
        self.table.setRowCount(len(self._rows))
        self.table.setColumnCount(folds + 1)
        self._label(folds, has_seeds=any(run.seed for run in runs.values()))
        for key in drawn:
            self._draw(key, status)
        for row in range(len(self._rows)):
            self._draw_mean(row, status)
        if self._chosen in self._places:
            self.table.setCurrentCell(*self._places[self._chosen])
        self.table.blockSignals(False)
        self.setVisible(bool(self._rows))
        self._tell_rest(len(drawn), len(status.runs))
        self._fit_height()

    def refresh(self, key: str, status: StudyStatus) -> bool:
        """Draw a run again; False if it is a new one, for which all must be drawn."""
        if key in self._places:
            self._draw(key, status)
            self._draw_mean(self._places[key][0], status)
            return True
        if len(self._places) < _MOST_RUNS:
            return False
        if len(status.runs) > self._n_known:
            self._tell_rest(len(self._places), len(status.runs))
        return True

    def mark(self, key: str) -> None:
        """Frame the cell of the run that is shown below; `chosen` is not emitted."""
        self._chosen = key
        self.table.blockSignals(True)
        if key in self._places:
            self.table.setCurrentCell(*self._places[key])
        else:
            self.table.clearSelection()
        self.table.blockSignals(False)

    def text(self, run: Run) -> str:
        """Return what the cell of a run says; nothing for one that is not drawn."""
        place = self._places.get(run.key)
        item = None if place is None else self.table.item(*place)
        return "" if item is None else str(item.text())

    def means(self) -> Sequence[str]:
        """Return what the last column says, row by row."""
        last = self.table.columnCount() - 1
        items = (self.table.item(row, last) for row in range(self.table.rowCount()))
        return tuple("" if item is None else item.text() for item in items)

    def _tell_rest(self, n_drawn: int, n_known: int) -> None:
        self._n_known = n_known
        self._rest.setVisible(n_known > n_drawn)
        self._rest.say(f"Only the first {n_drawn} of these {n_known} runs are drawn.")

    def _label(self, folds: int, *, has_seeds: bool) -> None:
        for fold in range(folds):
            self._title(fold, str(fold + 1), help_text=f"Fold {fold + 1} is left out and scored.")
        self._title(folds, "Mean", help_text=_MEAN_HELP)
        for row, (configuration, seed) in enumerate(self._rows):
            title = configuration.heading
            header = QTableWidgetItem(f"{title} · {seed}" if has_seeds else title)
            header.setToolTip(f"{title}, seed {seed}")
            self.table.setVerticalHeaderItem(row, header)

    def _title(self, column: int, text: str, *, help_text: str) -> None:
        header = QTableWidgetItem(text)
        header.setToolTip(help_text)
        self.table.setHorizontalHeaderItem(column, header)

    def _draw(self, key: str, status: StudyStatus) -> None:
        one = status.runs[key]
        row, column = self._places[key]
        self._put(row, column, text=cell_text(one), help_text=status_in_words(one), one=one)

    def _draw_mean(self, row: int, status: StudyStatus) -> None:
        mean = status.mean_dice(*self._rows[row])
        n_failed = status.failed(*self._rows[row])
        text = "" if mean is None else f"{100 * mean:.1f}{' ⚠' if n_failed else ''}"
        lacks = f" The cases of {n_failed} runs that failed are not in it." if n_failed else ""
        self._put(row, self.table.columnCount() - 1, text=text, help_text=_MEAN_HELP + lacks)

    def _put(self, row: int, column: int, *, text: str, help_text: str, one: RunStatus | None = None) -> None:
        item = self.table.item(row, column)
        if item is None:
            item = QTableWidgetItem()
            self.table.setItem(row, column, item)
        item.setText(text)
        item.setToolTip(help_text)
        item.setData(_STATUS, one)

    def _fit_height(self) -> None:
        rows = min(max(1, self.table.rowCount()), _MOST_ROWS_SEEN)
        room = self.width() - given(self.table.verticalHeader()).sizeHint().width()
        is_wide = self.table.columnCount() * _LEAST_COLUMN_WIDTH > room
        bar = given(self.table.horizontalScrollBar()).sizeHint().height() if is_wide else 0
        self.table.setFixedHeight((rows + 1) * ROW_HEIGHT + bar + 4)

    def _on_current(self, item: QTableWidgetItem | None, _before: QTableWidgetItem | None) -> None:
        one: RunStatus | None = None if item is None else item.data(_STATUS)
        if one is not None:
            self.chosen.emit(one.run.key)


class _CellPainter(QStyledItemDelegate):
    """Paints a run in the colour of its state, filled by its progress; the chosen one has a frame."""

    def paint(self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex) -> None:  # noqa: PLR0917  # Qt's order
        """Paint one cell."""
        assert painter is not None
        one: RunStatus | None = index.data(_STATUS)
        area = option.rect.adjusted(0, 0, -1, -1)
        ink = option.palette.color(QPalette.ColorRole.WindowText)
        if one is not None and one.state in _COLOURS:
            ink = QColor(_INK[one.state])
            if one.state == "running":
                painter.fillRect(area, QColor(_TO_COME))
                painter.fillRect(area.adjusted(0, 0, round((one.share - 1) * area.width()), 0), _fill(one))
            else:
                painter.fillRect(area, _fill(one))
        painter.setPen(ink)
        painter.drawText(area, Qt.AlignmentFlag.AlignCenter, str(index.data() or ""))
        if one is not None and option.state & QStyle.StateFlag.State_Selected:
            painter.setPen(QPen(option.palette.color(QPalette.ColorRole.WindowText), 2))
            painter.drawRect(area.adjusted(1, 1, -1, -1))


def _fill(one: RunStatus) -> QColor:
    return QColor(_COLOURS[one.state])


def cell_text(one: RunStatus) -> str:
    """Return the text of a run's cell: its Dice, its progress, its estimated time, or a sign."""
    if one.state == "done" and one.mean_dice is not None:
        return f"{100 * one.mean_dice:.0f}"
    if one.state == "running" and one.share:
        return f"{one.share:.0%}"
    if one.state == "waiting" and one.plan is not None and one.plan.estimated_s is not None:
        return _brief(one.plan.estimated_s)
    return _SIGNS.get(one.state, "")


def _brief(seconds: float) -> str:
    """Write a time span with three or four characters."""
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= (1.95 if unit == "d" else 0.95) * size:
            amount = seconds / size
            return f"{amount:.0f}{unit}" if amount >= 9.5 or unit == "m" else f"{amount:.1f}{unit}"
    return f"{seconds:.0f}s"


def _swatch(state: str, sign: str, *, meaning: str) -> str:
    colours: Mapping[str, str] = _COLOURS
    style = f"background-color:{colours[state]};color:{_INK[state]}" if state in colours else ""
    return f'<span style="{style}">&nbsp;{sign}&nbsp;</span>&nbsp;{meaning.replace(" ", "&nbsp;")}'
