"""The head of the panel, which never scrolls: the project, and the case with its neighbours."""

from qtpy.QtWidgets import QLabel, QWidget

from napari_necroseg.core.language import tr
from napari_necroseg.widgets.shared.qt_parts import NarrowCombo, below, beside, button, lay
from napari_necroseg.widgets.shared.workspace import Workspace


class Header(QWidget):
    """Shows the project and the case, and steps through the cases."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._workspace = workspace
        self.project = QLabel(tr("No project is open."))
        self.case = NarrowCombo(letters=10, help_text=tr("The open case; choose another one here."))
        self.previous_button = button("◀", tr("Open the previous case."), act=lambda: self.step(-1), width=36)
        self.next_button = button("▶", tr("Open the next case."), act=lambda: self.step(1), width=36)
        self.place = QLabel()
        cases = beside(self.previous_button, self.case, self.place, self.next_button, wide=self.case)
        lay(self, below(self.project, cases))
        self.case.activated.connect(self._on_chosen)
        workspace.cohort_changed.connect(self._on_cohort)
        workspace.case_changed.connect(self._on_case)
        self._on_cohort()

    def step(self, by: int) -> None:
        """Open the case that many rows further in the table."""
        names = self._names()
        row = self.case.currentIndex() + by
        if 0 <= row < len(names):
            self._workspace.case_wanted.emit(names[row])

    def _names(self) -> tuple[str, ...]:
        return self._workspace.cohort.names if self._workspace.cohort else ()

    def _on_chosen(self, row: int) -> None:
        self._workspace.case_wanted.emit(self._names()[row])

    def _on_cohort(self) -> None:
        folder = self._workspace.folder
        self.project.setText(tr("No project is open.") if folder is None else folder.name)
        self.project.setToolTip("" if folder is None else str(folder))
        self.case.clear()
        self.case.addItems(self._names())
        self._on_case()

    def _on_case(self) -> None:
        case, names = self._workspace.case, self._names()
        row = names.index(case.name) if case is not None and case.name in names else -1
        self.case.setCurrentIndex(row)
        self.place.setText(tr("{place} of {total}", place=row + 1, total=len(names)) if row >= 0 else "")
        self.previous_button.setEnabled(row > 0)
        self.next_button.setEnabled(0 <= row < len(names) - 1)
