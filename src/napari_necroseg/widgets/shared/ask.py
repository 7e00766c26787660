"""Questions to the person: which file, which folder, and what becomes of unsaved edits."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from qtpy.QtWidgets import QFileDialog, QMessageBox, QWidget

IMAGES = "Images (*.nii *.nii.gz *.hdr *.img *.tif *.tiff);;All files (*)"
TABLES = "Cohort tables (*.csv);;All files (*)"
PRESETS = "Augmentations (*.json)"
MASKS = "NIfTI masks (*.nii.gz *.nii)"

Answer = Literal["save", "later", "discard", "cancel"]


def ask_about_unsaved(parent: QWidget, names: Sequence[str]) -> Answer:
    """Ask what becomes of masks that were not saved, before a case or the window is left."""
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle("Unsaved masks")
    box.setText(f"Not saved yet: {', '.join(names)}.")
    box.setInformativeText(
        "Save before going on? “Keep for later” offers the strokes when the case is opened again; “Discard” "
        "does not, and puts them aside under another name."
    )
    buttons = QMessageBox.StandardButton
    box.setStandardButtons(buttons.Save | buttons.Discard | buttons.Cancel)
    later = box.addButton("Keep for later", QMessageBox.ButtonRole.AcceptRole)
    box.setDefaultButton(buttons.Save)
    chosen = box.exec()
    if box.clickedButton() is later:
        return "later"
    answers: dict[int, Answer] = {int(buttons.Save.value): "save", int(buttons.Discard.value): "discard"}
    return answers.get(int(chosen), "cancel")


def ask_discard(parent: QWidget, question: str) -> bool:
    """Ask whether something that cannot be brought back may go."""
    buttons = QMessageBox.StandardButton
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle("Discard")
    box.setText(question)
    box.setInformativeText("It cannot be brought back.")
    box.setStandardButtons(buttons.Discard | buttons.Cancel)
    box.setDefaultButton(buttons.Cancel)
    return int(box.exec()) == int(buttons.Discard.value)


def ask_image(parent: QWidget, title: str, start: str = "") -> Path | None:
    """Ask for an image file."""
    return _path(QFileDialog.getOpenFileName(parent, title, start, IMAGES)[0])


def ask_table(parent: QWidget) -> Path | None:
    """Ask for the table of a cohort."""
    return _path(QFileDialog.getOpenFileName(parent, "Open a cohort", "", TABLES)[0])


def ask_preset(parent: QWidget) -> Path | None:
    """Ask for a saved augmentation."""
    return _path(QFileDialog.getOpenFileName(parent, "Load an augmentation", "", PRESETS)[0])


def ask_folder(parent: QWidget, title: str, start: str = "") -> Path | None:
    """Ask for a folder."""
    return _path(QFileDialog.getExistingDirectory(parent, title, start))


def ask_where_to_save(parent: QWidget, title: str, start: str, kinds: str = MASKS) -> Path | None:
    """Ask for the name of a new file."""
    return _path(QFileDialog.getSaveFileName(parent, title, start, kinds)[0])


def _path(text: str) -> Path | None:
    return Path(text) if text else None
