"""The head of the panel, which never scrolls: the project, and the case with its neighbours."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QLabel, QMenu, QPushButton, QSizePolicy, QWidget

from napari_necroseg.core.language import tr
from napari_necroseg.core.project.remembered import read_remembered, remember
from napari_necroseg.widgets.shared import qt_parts
from napari_necroseg.widgets.shared.dock import Listeners
from napari_necroseg.widgets.shared.qt_parts import NarrowCombo, below, beside, button, lay
from napari_necroseg.widgets.shared.workspace import Workspace

if TYPE_CHECKING:
    from napari_necroseg.core.project.case_states import CaseState

_SIGNED, _DRAWN, _PREDICTED, _UNSAVED, _NOTHING = "✓", "✎", "◌", "⚠", "\u2003"


class Header(QWidget):
    """Shows the project and the case, and steps through the cases."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._workspace = workspace
        self.project = QPushButton()
        self.project.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.menu = QMenu(self)
        self.menu.setToolTipsVisible(True)
        self.menu.aboutToShow.connect(self.fill_menu)
        self.project.setMenu(self.menu)
        marks = tr("✓ signed off, ✎ drawn, ◌ predicted, ⚠ not saved")
        help_text = tr("The open case; choose another one here.")
        self.case = NarrowCombo(letters=10, help_text=f"{help_text}\n{marks}")
        self.case.setAccessibleName(tr("Case"))
        self.previous_button = button("◀", tr("Open the previous case."), act=lambda: self.step(-1), width=36)
        self.next_button = button("▶", tr("Open the next case."), act=lambda: self.step(1), width=36)
        self.place = QLabel()
        cases = beside(self.previous_button, self.case, self.place, self.next_button, wide=self.case)
        lay(self, below(self.project, cases))
        self.case.activated.connect(self._on_chosen)
        self._listeners = Listeners()
        self._listeners.connect(workspace.cohort_changed, self._on_cohort)
        self._listeners.connect(workspace.case_changed, self._on_case)
        self._listeners.connect(workspace.states_changed, self._on_states)
        self._on_cohort()

    def reopen(self) -> None:
        """Follow the project again."""
        self._listeners.reconnect()
        self._on_cohort()

    def shut_down(self) -> None:
        """Hear nothing more of the project."""
        self._listeners.disconnect()

    def step(self, by: int) -> None:
        """Open the case that many rows further in the table."""
        names = self._names()
        row = self.case.currentIndex() + by
        if 0 <= row < len(names):
            self._workspace.case_wanted.emit(names[row])

    def fill_menu(self) -> None:
        """Fill the menu of projects."""
        self.menu.clear()
        self.menu.addAction(tr("Open folder ..."), self._ask_folder)
        projects = read_remembered().projects
        if projects:
            self.menu.addSeparator()
            for project in projects:
                made = self.menu.addAction(project.folder.name, partial(self._open, project.folder))
                if made is not None:
                    made.setToolTip(str(project.folder))
            self.menu.addSeparator()
            self.menu.addAction(tr("Clear the list"), lambda: remember(projects=()))

    def _ask_folder(self) -> None:
        projects = read_remembered().projects
        start = str(projects[0].folder.parent) if projects else ""
        title = tr("Folder with the images of one or more cases")
        folder = qt_parts.ask_folder(self, title, start=start)
        if folder is not None:
            self._open(folder)

    def _open(self, folder: Path) -> None:
        self._workspace.paths_wanted.emit((folder,))

    def _names(self) -> tuple[str, ...]:
        return self._workspace.cohort.names if self._workspace.cohort else ()

    def _on_chosen(self, row: int) -> None:
        self._workspace.case_wanted.emit(self._names()[row])

    def _on_cohort(self) -> None:
        folder = self._workspace.folder
        self.project.setText(self._title())
        choose = tr("Open another project.")
        self.project.setToolTip(choose if folder is None else f"{folder}\n{choose}")
        self.case.clear()
        self.case.addItems(self._names())
        self._on_states()
        self._on_case()

    def _title(self) -> str:
        if self._workspace.folder is not None:
            return self._workspace.folder.name
        return tr("One case, in no project") if self._workspace.cohort else tr("No project is open")

    def _on_states(self) -> None:
        for row, name in enumerate(self._names()):
            self.case.setItemText(row, f"{_mark(self._workspace.states.get(name))} {name}")

    def _on_case(self) -> None:
        case, names = self._workspace.case, self._names()
        row = names.index(case.name) if case is not None and case.name in names else -1
        self.case.setCurrentIndex(row)
        self.place.setText(tr("{place} of {total}", place=row + 1, total=len(names)) if row >= 0 else "")
        self.previous_button.setEnabled(row > 0)
        self.next_button.setEnabled(0 <= row < len(names) - 1)


def _mark(state: "CaseState | None") -> str:
    """Return one sign for how far a case is."""
    if state is None:
        return _NOTHING
    if state.unsaved:
        return _UNSAVED
    if state.is_signed:
        return _SIGNED
    return _DRAWN if state.drawn else _PREDICTED if state.predicted else _NOTHING
