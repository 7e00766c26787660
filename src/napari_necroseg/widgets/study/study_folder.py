"""The folder of a study: a new name, or a study of the project that is there already."""

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QLabel, QWidget

from napari_necroseg.core.case_names import FORBIDDEN, check_case_name
from napari_necroseg.core.project.models import modified_s
from napari_necroseg.core.study.folds import FOLDS_NAME
from napari_necroseg.core.study.record import STUDY_NAME
from napari_necroseg.widgets.shared import qt_parts
from napari_necroseg.widgets.shared.qt_parts import NarrowCombo, beside, browse_button, given, lay

STUDIES_FOLDER = "study"
_HELP = (
    "Name of the study: a folder of that name is made in the project's folder study. Choose one that is "
    "there to see it, or to go on with it."
)


class StudyFolder(QWidget):
    """A name that is typed or chosen; `changed` is emitted when it stands for another folder."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._project: Path | None = None
        self._root: Path | None = None
        self._name = ""
        self._before: tuple[Path | None, str] | None = None
        self.combo = NarrowCombo(letters=8, help_text=_HELP)
        self.combo.setEditable(True)
        # A completer would turn study-1 into study-10 while one types.
        self.combo.setCompleter(None)
        self.combo.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        # A half-typed name may be that of another study: an existing one counts once typing has ended.
        self.combo.currentTextChanged.connect(self._on_text)
        self.combo.activated.connect(self.settle)
        given(self.combo.lineEdit()).editingFinished.connect(self.settle)
        browse = browse_button("Choose another study, or another folder for new ones.", self._browse)
        lay(self, beside(QLabel("Study"), self.combo, browse, wide=self.combo))

    def folder(self) -> Path | None:
        """Return the folder that the name stands for; None without a project, or for no proper name."""
        return None if self._root is None or self.problem() else self._root / self._name

    def has_study(self) -> bool:
        """Whether a study is there already."""
        return self._is_study(self._name)

    def problem(self) -> str:
        """Say what is wrong with the name; empty if it can be used, or is that of an existing study."""
        if not self._name:
            return "Give the study a name."
        if check_case_name(self._name) is not None and not self.has_study():
            return f"The study cannot be called {self._name!r}: leave out {' '.join(FORBIDDEN)} and the like."
        return ""

    def settle(self, *_: object) -> None:
        """Take over the name as it is typed now."""
        text = str(self.combo.currentText())
        self._name = text if self._is_study(text) else text.strip()
        now = self.folder(), self.problem()
        if now != self._before:
            self._before = now
            self.changed.emit()

    def show_project(self, project: Path | None) -> None:
        """List the studies of a project, and choose the newest; nothing changes if it is the same project."""
        if project is not None and project == self._project:
            self._fill(self._name)
            return
        self._project = project
        self._root = None if project is None else project / STUDIES_FOLDER
        self._fill("")

    def choose(self, folder: Path) -> None:
        """Choose a study, or the folder that new ones go to."""
        is_study = (folder / STUDY_NAME).is_file()
        self._root = folder.parent if is_study else folder
        self._before = None
        self._fill(folder.name if is_study else "")

    def _fill(self, name: str) -> None:
        """List what is there, the newest first, and a name for a new one."""
        found = _studies(self._root)
        self.combo.blockSignals(True)
        self.combo.clear()
        self.combo.addItems(list(dict.fromkeys((*found, _new_name(self._root)))))
        self.combo.setCurrentText(name or self.combo.itemText(0))
        self.combo.blockSignals(False)
        self.settle()

    def _on_text(self, text: str) -> None:
        if not self._is_study(text) and not self._is_study(text.strip()):
            self.settle()

    def _is_study(self, name: str) -> bool:
        # A name in this very folder, not a path to another.
        is_name = bool(name) and Path(name).name == name
        return self._root is not None and is_name and (self._root / name / STUDY_NAME).is_file()

    def _browse(self) -> None:
        folder = qt_parts.ask_folder(self, "A study, or the folder for new ones", start=str(self._root or ""))
        if folder is not None:
            self.choose(folder)


def _studies(root: Path | None) -> list[str]:
    """Return the names of studies that were begun or checked in a folder, the newest first."""
    if root is None or not root.is_dir():
        return []
    found = {path.parent.name: path for name in (FOLDS_NAME, STUDY_NAME) for path in root.glob(f"*/{name}")}
    return sorted(found, key=lambda name: modified_s(found[name]), reverse=True)


def _new_name(root: Path | None) -> str:
    number = 1
    while root is not None and not _is_free(root / f"study-{number}"):
        number += 1
    return f"study-{number}"


def _is_free(folder: Path) -> bool:
    """Whether a new study can have this folder: it is empty, or holds only the folds of a check."""
    try:
        return {path.name for path in folder.iterdir()} <= {FOLDS_NAME}
    except FileNotFoundError:
        return True
    except OSError:
        return False
