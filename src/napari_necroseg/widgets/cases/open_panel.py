"""What can be opened: a drop area while nothing is open, and small ways to open the rest."""

from functools import partial
from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFormLayout, QLineEdit, QMenu, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from napari_necroseg.core.case import CaseFiles, Sequence
from napari_necroseg.core.errors import FileError
from napari_necroseg.core.images.file_image import case_name_of, is_tiff
from napari_necroseg.core.language import tr
from napari_necroseg.core.project.remembered import Project, read_remembered
from napari_necroseg.widgets.shared import qt_parts
from napari_necroseg.widgets.shared.number_inputs import DecimalBox
from napari_necroseg.widgets.shared.qt_parts import Section, below, beside, browse_button, button, given, lay

_MOST_RECENT = 4
_DROP_STYLE = (
    "QPushButton { border: 2px dashed #8a93a3; border-radius: 8px; padding: 14px; font-size: 15px; }"
    "QPushButton:hover, QPushButton:focus { border-color: #1f6feb; }"
)


def last_parent() -> str:
    """Return where a dialog for another project begins: beside the last one; empty if none is remembered."""
    projects = read_remembered().projects
    return str(projects[0].folder.parent) if projects else ""


class OpenPanel(QWidget):
    """A drop area and buttons that ask for something to be opened.

    `continued` carries the last project. While something is open only the small buttons are there.
    """

    table_wanted = Signal(Path)
    folder_wanted = Signal(Path)
    pair_wanted = Signal()
    example_wanted = Signal()
    continued = Signal(Path)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.pair = PairForm()
        self.pair.wanted.connect(self.pair_wanted)
        self.drop_area = QPushButton(
            tr("Drop a folder of cases here,\nor one case with ceT1 and T2\n\nor click to choose a folder")
        )
        self.drop_area.setStyleSheet(_DROP_STYLE)
        self.drop_area.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Expanding)
        self.drop_area.setMinimumHeight(90)
        self.drop_area.setToolTip(
            tr("Folders, tables and images may be dropped anywhere on the window. Images are paired by name.")
        )
        self.drop_area.clicked.connect(self.ask_folder)
        self.continue_button = button("", tr("Open the last project where you left it."))
        self.continue_button.setStyleSheet("font-weight: bold; padding: 7px;")
        self.continue_button.clicked.connect(self.go_on)
        self.folder_button = button(
            tr("Open folder ..."),
            tr("Find and pair the images in a folder. What is ambiguous is asked, never guessed."),
            act=self.ask_folder,
        )
        # The last project, and whether there is a button of its own for it.
        self.last: Project | None = None
        self._has_continue = True
        self._recent = QVBoxLayout()
        self._pair_part = Section(tr("Open one pair of files"))
        self._pair_part.addWidget(self.pair)
        self._pair_part.hide()
        self._lay_out()
        self.set_open(True)

    def set_open(self, nothing_is_open: bool) -> None:
        """Show the drop area and the last projects as long as nothing is open."""
        policy = QSizePolicy.Policy
        self.setSizePolicy(policy.Preferred, policy.Expanding if nothing_is_open else policy.Maximum)
        self.drop_area.setVisible(nothing_is_open)
        self._small.setVisible(nothing_is_open)
        self.folder_button.setVisible(not nothing_is_open)
        self.more_button.setVisible(not nothing_is_open)
        if nothing_is_open:
            self._show_recent()
        else:
            self.continue_button.hide()
            self._recent_part.hide()

    @property
    def continue_text(self) -> str:
        """What is said where one goes on with the last project."""
        return self.continue_button.text()

    def leave_main_to_panel(self) -> None:
        """Leave it to the panel's main button to go on with the last project."""
        self._has_continue = False
        self.continue_button.hide()

    def ask_folder(self) -> None:
        """Ask for a folder."""
        title = tr("Folder with the images of one or more cases")
        path = qt_parts.ask_folder(self, title, start=last_parent())
        if path is not None:
            self.folder_wanted.emit(path)

    def _lay_out(self) -> None:
        example_help = tr(
            "Computed images of a spine with an ablated metastasis (a phantom): to try things out, not to "
            "draw conclusions from."
        )
        ways = (
            (tr("One pair ..."), tr("Choose the files of one case one by one."), self._toggle_pair),
            (tr("Table ..."), tr("Open the table of a project (cohort.csv)."), self._ask_table),
            (tr("Example"), example_help, self.example_wanted.emit),
        )
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        for text, help_text, act in ways:
            given(menu.addAction(text, act)).setToolTip(help_text)
        self.more_button = button(tr("More"), tr("Open something else."))
        self.more_button.setMenu(menu)
        self._recent_part = lay(QWidget(), self._recent)
        small = (button(text, help_text, act=act) for text, help_text, act in ways)
        self._small = lay(QWidget(), beside(*small))
        opened = beside(self.folder_button, self.more_button, wide=self.folder_button)
        parts = (
            self.drop_area,
            self.continue_button,
            self._recent_part,
            self._small,
            opened,
            self._pair_part,
        )
        made = below(*parts)
        made.setStretchFactor(self.drop_area, 1)
        lay(self, made)

    def _show_recent(self) -> None:
        """List the last projects that are there."""
        while (item := self._recent.takeAt(0)) is not None:
            row = item.widget()
            if row is not None:
                row.deleteLater()
        known = read_remembered().projects
        self.last, *others = known or (None,)
        self.continue_button.setVisible(self.last is not None and self._has_continue)
        self.folder_button.setVisible(self.last is not None)
        self._recent_part.setVisible(bool(others))
        if self.last is not None:
            name, case = self.last.folder.name, self.last.case
            text = tr("Continue with {project}, {case}", project=name, case=case)
            self.continue_button.setText(text if case else tr("Continue with {project}", project=name))
            self.continue_button.setToolTip(str(self.last.folder))
        for project in others[:_MOST_RECENT]:
            row = button(tr("Open {project}", project=project.folder.name), str(project.folder))
            row.clicked.connect(partial(self._on_recent, project.folder))
            self._recent.addWidget(row)

    def _on_recent(self, folder: Path, _checked: bool = False) -> None:
        self.folder_wanted.emit(folder)

    def go_on(self, *_: object) -> None:
        """Go on with the last project."""
        if self.last is not None:
            self.continued.emit(self.last.folder)

    def _toggle_pair(self, *_: object) -> None:
        is_shown = self._pair_part.isVisible()
        self._pair_part.setVisible(not is_shown)
        if not is_shown:
            self._pair_part.expand(animate=False)

    def _ask_table(self, *_: object) -> None:
        path = qt_parts.ask_table(self, start=last_parent())
        if path is not None:
            self.table_wanted.emit(path)


class PairForm(QWidget):
    """Chooses the files of one case; `wanted` is emitted when they are to be opened."""

    wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        helps = {
            "ceT1": tr("The contrast-enhanced T1 image. Masks are drawn and saved on its grid."),
            "T2": tr("The native T2 image of the same examination; may have another grid. May stay empty."),
            "Reference": tr("A mask of the necrosis zone, drawn by an expert. May stay empty."),
        }
        titles = {"ceT1": "ceT1", "T2": "T2", "Reference": tr("Expert")}
        self._paths = {name: QLineEdit() for name in helps}
        self._spacing = [_spacing_box() for _ in range(3)]
        self._spacing_row = lay(QWidget(), beside(*self._spacing))
        self._form = QFormLayout(self)
        self._form.setContentsMargins(0, 0, 0, 0)
        for name, edit in self._paths.items():
            edit.setPlaceholderText(tr("choose a file") if name == "ceT1" else tr("optional"))
            edit.setToolTip(helps[name])
            edit.textChanged.connect(self._on_changed)
            choose = tr("Choose the file of {sequence}.", sequence=titles[name])
            browse = browse_button(choose, partial(self._browse, name))
            self._form.addRow(titles[name], lay(QWidget(), beside(edit, browse)))
        self._spacing_row.setToolTip(
            tr(
                "Spacing of the slices, rows and columns in mm, for TIFF files that do not state theirs. 0 "
                "means: take it from the file."
            )
        )
        self._form.addRow(tr("Spacing"), self._spacing_row)
        self._open = QPushButton(tr("Open pair"))
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
        cet1, t2, reference = (self._path(name) for name in self._paths)
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
        paths = [path for name in self._paths if (path := self._path(name)) is not None]
        has_tiff = any(is_tiff(path) for path in paths)
        self._form.setRowVisible(self._spacing_row, has_tiff)
        self._spacing_row.setHidden(not has_tiff)
        self._open.setEnabled(self._path("ceT1") is not None)

    def _browse(self, name: str) -> None:
        chosen = (path for key in self._paths if (path := self._path(key)) is not None)
        near = next((str(path.parent) for path in chosen), last_parent())
        path = qt_parts.ask_image(self, tr("Choose {sequence}", sequence=name), start=near)
        if path is not None:
            self.set_path(name, path)


def _spacing_box() -> DecimalBox:
    box = DecimalBox()
    box.setDecimals(4)
    box.setRange(0.0, 1000.0)
    box.setSingleStep(0.1)
    box.setSuffix(" mm")
    return box
