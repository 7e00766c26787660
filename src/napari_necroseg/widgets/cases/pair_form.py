"""Three files make a case: the form to choose them."""

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QWidget,
)

from napari_necroseg.core.case import CaseFiles, Sequence
from napari_necroseg.core.errors import FileError
from napari_necroseg.core.io.file_image import TIFF_SUFFIXES, case_name_of, image_suffix
from napari_necroseg.widgets.shared import ask
from napari_necroseg.widgets.shared.numbers import DecimalBox

_HELP = {
    "ceT1": "The contrast-enhanced T1 image. Masks are drawn and saved on its grid.",
    "T2": "The native T2 image of the same examination; may have another grid. Leave empty if there is none.",
    "Reference": "A mask of the necrosis zone, drawn by an expert. Leave empty if there is none.",
}


class PairForm(QWidget):
    """Chooses the files of one case; `wanted` is emitted when they are to be opened."""

    wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._paths = {name: QLineEdit() for name in _HELP}
        self._spacing = [_spacing_box(0.0) for _ in range(3)]
        self._spacing_row = _row(self._spacing)
        self._form = QFormLayout(self)
        self._form.setContentsMargins(0, 0, 0, 0)
        for name, edit in self._paths.items():
            edit.setPlaceholderText("choose a file" if name == "ceT1" else "optional")
            edit.setToolTip(_HELP[name])
            edit.textChanged.connect(self._on_changed)
            self._form.addRow(name, _row([edit, self._browse_button(name)]))
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

        Raises
        ------
        FileError
            If no ceT1 image is chosen, or a TIFF's spacing is given for some axes only.
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
        has_tiff = any(image_suffix(path) in TIFF_SUFFIXES for path in paths)
        self._form.setRowVisible(self._spacing_row, has_tiff)
        self._spacing_row.setHidden(not has_tiff)
        self._open.setEnabled(self._path("ceT1") is not None)

    def _browse_button(self, name: str) -> QPushButton:
        button = QPushButton("...")
        button.setFixedWidth(32)
        button.setToolTip(f"Choose the file of {name}.")
        button.clicked.connect(lambda: self._browse(name))
        return button

    def _browse(self, name: str) -> None:
        near = next((str(path.parent) for key in _HELP if (path := self._path(key)) is not None), "")
        path = ask.ask_image(self, f"Choose {name}", near)
        if path is not None:
            self.set_path(name, path)


def _spacing_box(value: float) -> DecimalBox:
    box = DecimalBox()
    box.setDecimals(4)
    box.setRange(0.0, 1000.0)
    box.setSingleStep(0.1)
    box.setSuffix(" mm")
    box.setValue(value)
    return box


def _row(widgets: "list[DecimalBox] | list[QWidget]") -> QWidget:
    holder = QWidget()
    row = QHBoxLayout(holder)
    row.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        row.addWidget(widget)
    return holder
