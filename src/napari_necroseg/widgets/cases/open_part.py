"""The upper part of the dock Cases: everything that can be opened."""

from collections.abc import Callable
from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QGridLayout, QLabel, QMenu, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from napari_necroseg.widgets.cases.pair_form import PairForm
from napari_necroseg.widgets.shared import ask
from napari_necroseg.widgets.shared.section import Section


class OpenPart(QWidget):
    """Buttons and forms that ask for something to be opened."""

    table_wanted = Signal(Path)
    folder_wanted = Signal(Path)
    pair_wanted = Signal()
    phantom_wanted = Signal()
    phantoms_wanted = Signal(Path)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.pair = PairForm()
        self.pair.wanted.connect(self.pair_wanted)
        self._hint = QLabel(
            "Open a pair of ceT1 and T2 images, or a cohort of many cases. "
            "No images at hand? Make a numerical phantom."
        )
        self._hint.setWordWrap(True)
        self._pair_part = Section("Open one pair of files")
        self._pair_part.addWidget(self.pair)
        self._problems = QPlainTextEdit()
        self._problems.setReadOnly(True)
        self._problems.setMaximumHeight(110)
        self._problem_part = Section("Problems")
        self._problem_part.addWidget(self._problems)
        self._problem_part.hide()
        self._lay_out()

    def set_open(self, nothing_is_open: bool) -> None:
        """Show the hint and the form of the pair as long as nothing is open."""
        self._hint.setVisible(nothing_is_open)

    def show_problems(self, problems: tuple[str, ...]) -> None:
        """Show what is wrong with a folder of images."""
        self._problem_part.setVisible(bool(problems))
        self._problem_part.setText(f"Problems found in the folder ({len(problems)})")
        self._problems.setPlainText("\n".join(problems))
        if problems:
            self._problem_part.expand(animate=False)

    def _lay_out(self) -> None:
        buttons = QGridLayout()
        buttons.addWidget(self._button("Open cohort...", self._ask_table, _COHORT_HELP), 0, 0)
        buttons.addWidget(self._button("Find cases...", self._ask_folder, _FIND_HELP), 0, 1)
        buttons.addWidget(self._phantom_button(), 0, 2)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._hint)
        column.addLayout(buttons)
        column.addWidget(self._pair_part)
        column.addWidget(self._problem_part)

    def _button(self, text: str, slot: Callable[[], None], help_text: str) -> QPushButton:
        button = QPushButton(text)
        button.setToolTip(help_text)
        button.clicked.connect(slot)
        return button

    def _phantom_button(self) -> QPushButton:
        menu = QMenu(self)
        menu.addAction("Phantom case", self.phantom_wanted.emit)
        menu.addAction("Phantom cohort...", self._ask_phantom_folder)
        button = QPushButton("Phantom")
        button.setToolTip(_PHANTOM_HELP)
        button.setMenu(menu)
        return button

    def _ask_table(self) -> None:
        path = ask.ask_table(self)
        if path is not None:
            self.table_wanted.emit(path)

    def _ask_folder(self) -> None:
        path = ask.ask_folder(self, "Folder with the images of one or more cases")
        if path is not None:
            self.folder_wanted.emit(path)

    def _ask_phantom_folder(self) -> None:
        path = ask.ask_folder(self, "Empty folder for the phantom cohort")
        if path is not None:
            self.phantoms_wanted.emit(path)


_COHORT_HELP = "Open the table of a cohort (cohort.csv)."
_FIND_HELP = (
    "Find and pair the ceT1 and T2 images in a folder, and write the table cohort.csv. "
    "What is ambiguous is listed, never guessed."
)
_PHANTOM_HELP = (
    "Computer-made images of a spine with an ablated metastasis: "
    "to try things out, not to draw conclusions from."
)
