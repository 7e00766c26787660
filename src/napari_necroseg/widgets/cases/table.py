"""The table of a cohort: one row a case, and what each case has."""

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from napari_necroseg.core.case import CaseFiles, Cohort, Sequence

_COLUMNS = {
    "Case": "Name of the case. Double-click a row to open it.",
    "ceT1": "Contrast-enhanced T1 image: masks are drawn and saved on its grid.",
    "T2": "Native T2 image.",
    "Ref.": "Reference: the necrosis zone as an expert drew it. Needed for training and for scores.",
    "Tum.": "Mask of the metastasis.",
    "Status": "Your own remark, from the table's column 'status'.",
}
_YES, _NO = "✓", "–"


class CaseTable(QTableWidget):
    """Shows a cohort; `chosen` carries the name of the case that was double-clicked."""

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, len(_COLUMNS), parent)
        self.setHorizontalHeaderLabels(list(_COLUMNS))
        for column, help_text in enumerate(_COLUMNS.values()):
            self.horizontalHeaderItem(column).setToolTip(help_text)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(24)
        self.setMinimumHeight(180)
        self._fit_columns()
        self.itemDoubleClicked.connect(lambda item: self.chosen.emit(self.item(item.row(), 0).text()))

    def show_cohort(self, cohort: Cohort) -> None:
        """Fill the table."""
        self.setRowCount(len(cohort))
        for row, case in enumerate(cohort):
            for column, (text, help_text) in enumerate(_cells(case)):
                item = QTableWidgetItem(text)
                item.setToolTip(help_text)
                if 0 < column < len(_COLUMNS) - 1:
                    item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
                self.setItem(row, column, item)

    def mark(self, name: str) -> None:
        """Show which case is open."""
        for row in range(self.rowCount()):
            item = self.item(row, 0)
            is_open = item is not None and item.text() == name
            for column in range(self.columnCount()):
                cell = self.item(row, column)
                font = cell.font()
                font.setBold(is_open)
                cell.setFont(font)
            if is_open:
                self.selectRow(row)
                self.scrollToItem(item)

    def _fit_columns(self) -> None:
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setMinimumSectionSize(36)


def _cells(case: CaseFiles) -> list[tuple[str, str]]:
    files = [case.sequences.get(Sequence.CET1), case.sequences.get(Sequence.T2), case.reference, case.tumour]
    about = f"Patient {case.patient_or_name}."
    if case.days_since_rfa is not None:
        about += f" {case.days_since_rfa:g} days after the ablation."
    return [
        (case.name, f"{case.name}\n{about}\nDouble-click to open."),
        *((_NO, "None") if path is None else (_YES, str(path)) for path in files),
        (case.status, case.status),
    ]
