"""The upper part of the dock Cases: everything that can be opened."""

from functools import partial
from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QFormLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QPlainTextEdit,
    QPushButton,
    QWidget,
)

from napari_necroseg.core.case import CaseFiles, Sequence
from napari_necroseg.core.errors import FileError
from napari_necroseg.core.images.file_image import case_name_of, is_tiff
from napari_necroseg.widgets.shared import qt_parts
from napari_necroseg.widgets.shared.number_inputs import DecimalBox
from napari_necroseg.widgets.shared.qt_parts import Section, below, beside, browse_button, button, lay

_COHORT_HELP = "Open the table of a cohort (cohort.csv)."
_FIND_HELP = (
    "Find and pair the ceT1 and T2 images in a folder, and write the table cohort.csv. "
    "What is ambiguous is listed, never guessed."
)
_PHANTOM_HELP = (
    "Computer-made images of a spine with an ablated metastasis: "
    "to try things out, not to draw conclusions from."
)
_HELP = {
    "ceT1": "The contrast-enhanced T1 image. Masks are drawn and saved on its grid.",
    "T2": "The native T2 image of the same examination; may have another grid. Leave empty if there is none.",
    "Reference": "A mask of the necrosis zone, drawn by an expert. Leave empty if there is none.",
}


class OpenPanel(QWidget):
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
        """Show the hint as long as nothing is open."""
        self._hint.setVisible(nothing_is_open)

    def show_problems(self, problems: tuple[str, ...]) -> None:
        """Show the problems that were found in a folder of images."""
        self._problem_part.setVisible(bool(problems))
        self._problem_part.setText(f"Problems found in the folder ({len(problems)})")
        self._problems.setPlainText("\n".join(problems))
        if problems:
            self._problem_part.expand(animate=False)

    def _lay_out(self) -> None:
        table = button("Open cohort...", _COHORT_HELP, act=self._ask_table)
        folder = button("Find cases...", _FIND_HELP, act=self._ask_folder)
        buttons = beside(table, folder, self._phantom_button())
        lay(self, below(self._hint, buttons, self._pair_part, self._problem_part))

    def _phantom_button(self) -> QPushButton:
        menu = QMenu(self)
        menu.addAction("Phantom case", self.phantom_wanted.emit)
        menu.addAction("Phantom cohort...", self._ask_phantom_folder)
        made = button("Phantom", _PHANTOM_HELP)
        made.setMenu(menu)
        return made

    def _ask_table(self) -> None:
        path = qt_parts.ask_table(self)
        if path is not None:
            self.table_wanted.emit(path)

    def _ask_folder(self) -> None:
        path = qt_parts.ask_folder(self, "Folder with the images of one or more cases")
        if path is not None:
            self.folder_wanted.emit(path)

    def _ask_phantom_folder(self) -> None:
        path = qt_parts.ask_folder(self, "Empty folder for the phantom cohort")
        if path is not None:
            self.phantoms_wanted.emit(path)


class PairForm(QWidget):
    """Chooses the files of one case; `wanted` is emitted when they are to be opened."""

    wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._paths = {name: QLineEdit() for name in _HELP}
        self._spacing = [_spacing_box() for _ in range(3)]
        self._spacing_row = lay(QWidget(), beside(*self._spacing))
        self._form = QFormLayout(self)
        self._form.setContentsMargins(0, 0, 0, 0)
        for name, edit in self._paths.items():
            edit.setPlaceholderText("choose a file" if name == "ceT1" else "optional")
            edit.setToolTip(_HELP[name])
            edit.textChanged.connect(self._on_changed)
            browse = browse_button(f"Choose the file of {name}.", partial(self._browse, name))
            self._form.addRow(name, lay(QWidget(), beside(edit, browse)))
        self._spacing_row.setToolTip(
            "Spacing of the slices, rows and columns in mm, for TIFF files that do not state theirs. "
            "0 means: take it from the file."
        )
        self._form.addRow("Spacing", self._spacing_row)
        self._open = QPushButton("Open pair")
        self._open.clicked.connect(self.wanted)
        self._form.addRow(self._open)
        self._on_changed()

    def set_path(self, name: str, path: Path | None) -> None:
        """Fill in a file: ``ceT1``, ``T2`` or ``Reference``."""
        self._paths[name].setText("" if path is None else str(path))

    def files(self) -> CaseFiles:
        """Return the chosen files.

        Raises FileError if no ceT1 image is chosen, or a TIFF's spacing is given for some axes only.
        """
        cet1, t2, reference = (self._path(name) for name in _HELP)
        if cet1 is None:
            raise FileError("Choose the ceT1 image first: masks are drawn and saved on its grid.")
        sequences = {Sequence.CET1: cet1} | ({Sequence.T2: t2} if t2 else {})
        return CaseFiles(
            name=case_name_of(cet1), sequences=sequences, reference=reference, spacing_mm=self._spacing_mm()
        )

    def _spacing_mm(self) -> tuple[float, float, float] | None:
        z, y, x = (box.value() for box in self._spacing)
        if self._spacing_row.isHidden() or not (z or y or x):
            return None
        if not (z and y and x):
            raise FileError("Give the spacing of all three axes in mm, or of none.")
        return (z, y, x)

    def _path(self, name: str) -> Path | None:
        text = self._paths[name].text().strip()
        return Path(text) if text else None

    def _on_changed(self) -> None:
        paths = [path for name in _HELP if (path := self._path(name)) is not None]
        has_tiff = any(is_tiff(path) for path in paths)
        self._form.setRowVisible(self._spacing_row, has_tiff)
        self._spacing_row.setHidden(not has_tiff)
        self._open.setEnabled(self._path("ceT1") is not None)

    def _browse(self, name: str) -> None:
        near = next((str(path.parent) for key in _HELP if (path := self._path(key)) is not None), "")
        path = qt_parts.ask_image(self, f"Choose {name}", start=near)
        if path is not None:
            self.set_path(name, path)


def _spacing_box() -> DecimalBox:
    box = DecimalBox()
    box.setDecimals(4)
    box.setRange(0.0, 1000.0)
    box.setSingleStep(0.1)
    box.setSuffix(" mm")
    return box
