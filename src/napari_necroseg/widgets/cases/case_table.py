"""A row for each case: which files it has, and how far it is."""

from collections.abc import Mapping

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QFontMetrics, QKeyEvent, QResizeEvent
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QWidget

from napari_necroseg.core.case import CaseFiles, Cohort, Sequence
from napari_necroseg.core.language import ntr, number, tr
from napari_necroseg.core.project.case_states import CaseState
from napari_necroseg.widgets.shared.qt_parts import ReadOnlyTable, given

YES, NO, DAMAGED, UNSAVED = "✓", "–", "✗", "⚠"
_NAME_ROLE = Qt.ItemDataRole.UserRole
_TITLE_PX = 10
_LEAST_HEIGHT_PX, _LEAST_NAME_PX = 180, 70


class CaseTable(ReadOnlyTable):
    """Shows a cohort; `chosen` carries the name of the case that was clicked, or chosen with Enter."""

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(_columns(), parent=parent)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setTabKeyNavigation(False)
        # The open case, and all cases, as they were marked last.
        self._marked: tuple[str, tuple[str, ...]] = ("", ())
        self.setMinimumHeight(_LEAST_HEIGHT_PX)
        self.setAccessibleName(tr("Cases"))
        self.head.setMinimumSectionSize(28)
        self.head.setDefaultAlignment(Qt.AlignmentFlag.AlignCenter)
        # The names of the cases need the room more than the titles.
        self.head.setStyleSheet(
            f"QHeaderView::section {{ font-size: {_TITLE_PX}px; font-weight: normal; padding: 1px; }}"
        )
        self.head.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.cellClicked.connect(lambda row, _column: self.chosen.emit(self.name_in(row)))
        self.itemDoubleClicked.connect(lambda item: self.chosen.emit(self.name_in(item.row())))

    @property
    def selected(self) -> str:
        """The name of the case whose row is selected; empty without one."""
        rows = {index.row() for index in self.selectedIndexes()}
        return self.name_in(rows.pop()) if len(rows) == 1 else ""

    def name_in(self, row: int) -> str:
        """Return the name of the case in a row."""
        return str(self.cell(row, 0).data(_NAME_ROLE))

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802  # Qt's name
        """Choose the selected case with Enter."""
        keys = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if event is not None and event.key() in keys and self.selected:
            self.chosen.emit(self.selected)
            return
        super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802  # Qt's name
        """Give the names what room the other columns leave, and never too little to tell them apart."""
        super().resizeEvent(event)
        self._fit_names()

    def _fit_columns(self) -> None:
        """Make the other columns as narrow as their titles and cells allow."""
        font = self.head.font()
        font.setPixelSize(_TITLE_PX)
        metrics = QFontMetrics(font)
        for column in range(1, self.columnCount()):
            title = metrics.horizontalAdvance(given(self.horizontalHeaderItem(column)).text())
            self.setColumnWidth(column, max(title + 8, self.sizeHintForColumn(column)))
        self._fit_names()

    def _fit_names(self) -> None:
        others = sum(self.columnWidth(column) for column in range(1, self.columnCount()))
        self.setColumnWidth(0, max(_LEAST_NAME_PX, given(self.viewport()).width() - others))

    def show_cohort(self, cohort: Cohort, states: Mapping[str, CaseState]) -> None:
        """Fill the table."""
        self.setRowCount(len(cohort))
        for row, case in enumerate(cohort):
            for column, (text, help_text) in enumerate(_cells(case, states.get(case.name))):
                align = None if column == 0 else Qt.AlignmentFlag.AlignCenter
                self.put(row, column, text=text, help_text=help_text, align=align)
            self.cell(row, 0).setData(_NAME_ROLE, case.name)
        self._fit_columns()

    def mark(self, name: str) -> None:
        """Show which case is open; another row may stay selected as long as that is the same one."""
        names = [self.name_in(row) for row in range(self.rowCount())]
        for row, in_row in enumerate(names):
            for column in range(self.columnCount()):
                cell = self.cell(row, column)
                font = cell.font()
                font.setBold(in_row == name)
                cell.setFont(font)
        if name in names and (name, tuple(names)) != self._marked:
            self.selectRow(names.index(name))
            self.scrollToItem(self.cell(names.index(name), 0))
        self._marked = (name, tuple(names))


def _columns() -> dict[str, str]:
    return {
        tr("Case"): tr("Name of the case. Click a row to open it."),
        "ceT1": tr("Contrast-enhanced T1 image: masks are drawn and saved on its grid."),
        "T2": tr("Native T2 image."),
        tr("Expert"): tr("The necrosis zone as an expert drew it, for learning and for scores."),
        tr("Pred."): tr("Predicted by a model."),
        tr("Mine"): tr("Whether your own mask is drawn."),
        tr("Signed"): tr("Signed off: your mask is the final one."),
        tr("mL"): tr("Volume of your mask; in brackets, that of the newest prediction."),
    }


def _cells(case: CaseFiles, state: CaseState | None) -> list[tuple[str, str]]:
    state = state or CaseState()
    return [
        _name(case, state),
        *(_file(case, state, column=str(sequence)) for sequence in Sequence),
        _expert(case, state),
        (
            str(len(state.predicted)) if len(state.predicted) > 1 else _tick(state.predicted),
            _predicted(state),
        ),
        _drawn(state),
        (state.reader if state.is_signed else NO, _signed(state)),
        _volume(state),
    ]


def _name(case: CaseFiles, state: CaseState) -> tuple[str, str]:
    about = [case.name, tr("Patient {patient}.", patient=case.patient_or_name)]
    if case.days_since_rfa is not None:
        days = number(case.days_since_rfa)
        about.append(tr("{days} days after the ablation.", days=days))
    about += [case.status] if case.status else []
    about += [strokes_in_words(state)] if state.unsaved else []
    return case.name, "\n".join(about)


def _drawn(state: CaseState) -> tuple[str, str]:
    told = [strokes_in_words(state)] if state.unsaved else []
    told.append(str(state.drawn) if state.drawn else tr("Not drawn yet"))
    return UNSAVED if state.unsaved else _tick(state.drawn), "\n".join(told)


def strokes_in_words(state: CaseState) -> str:
    """Say how much of a case is drawn and not saved."""
    edits = sum(kept.edits for kept in state.unsaved)
    if any(kept.is_elsewhere for kept in state.unsaved):
        return tr("being drawn on in another window")
    return (
        ntr("1 stroke to take back", "{n} strokes to take back", edits)
        if edits
        else tr("a drawing to take back")
    )


def _file(case: CaseFiles, state: CaseState, *, column: str) -> tuple[str, str]:
    path = case.paths.get(column)
    if path is None:
        return NO, tr("None")
    damage = state.damaged.get(column, "")
    return (DAMAGED, damage) if damage else (YES, str(path))


def _expert(case: CaseFiles, state: CaseState) -> tuple[str, str]:
    cells = [_file(case, state, column=column) for column in ("reference", "tumour")]
    told = "\n".join((tr("Necrosis: {file}", file=cells[0][1]), tr("Tumour: {file}", file=cells[1][1])))
    if DAMAGED in (cells[0][0], cells[1][0]):
        return DAMAGED, told
    return cells[0][0], told


def _predicted(state: CaseState) -> str:
    if not state.predicted:
        return tr("Not predicted yet")
    return tr("Predicted by {models}", models=", ".join(state.predicted))


def _signed(state: CaseState) -> str:
    return tr("Signed off by {reader}", reader=state.reader) if state.is_signed else tr("Not signed off")


def _volume(state: CaseState) -> tuple[str, str]:
    if state.drawn_ml is not None:
        return number(state.drawn_ml, 2), tr("Volume of your mask")
    if state.predicted_ml is not None:
        return f"({number(state.predicted_ml, 2)})", tr("Volume of the newest prediction")
    return "", tr("Nothing is drawn or predicted yet")


def _tick(thing: object) -> str:
    return YES if thing else NO
