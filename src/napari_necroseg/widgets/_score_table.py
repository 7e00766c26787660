"""The scores of one case as a table with explanations."""

import math

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from napari_necroseg.core.scoring.scores import Scores

# Name of the score, how it is written, its unit, and what it means.
_ROWS = (
    ("dice", "Dice", "%", "Overlap of the two masks: 100 % if they are the same, 0 % if they do not touch."),
    ("sensitivity", "Sensitivity", "%", "Share of the reference that the prediction found."),
    (
        "specificity",
        "Specificity, image",
        "%",
        "Share of all voxels outside the reference that the prediction left out. Near 100 % for any small "
        "zone, because most of the image is far from it.",
    ),
    (
        "specificity_box",
        "Specificity, box",
        "%",
        "The same, counted only in the box around the reference plus 10 mm: stricter.",
    ),
    (
        "specificity_patch",
        "Specificity, patch",
        "%",
        "The same, counted in 64 × 128 × 128 voxels about the middle of the reference, on 64 slices.",
    ),
    (
        "hd95_mm",
        "Hausdorff, 95 %",
        "mm",
        "95 % of the surface of either mask is no further than this from the other's; ∞ if one is empty.",
    ),
    (
        "assd_mm",
        "Surface distance",
        "mm",
        "Mean distance between the two surfaces, each element weighted by its area (ASSD).",
    ),
    (
        "nsd",
        "Surface within 2 mm",
        "%",
        "Share of both surfaces that is no further than 2 mm from the other (NSD).",
    ),
    (
        "centroid_distance_mm",
        "Distance of middles",
        "mm",
        "Distance between the centres of mass of the two masks.",
    ),
    ("lesions_found", "Lesions found", "", "Lesions of the reference that the prediction touches."),
    ("lesions_reference", "Lesions", "", "Parts of the reference that do not touch each other."),
    ("lesions_extra", "Extra lesions", "", "Parts of the prediction that touch no lesion of the reference."),
    ("reference_ml", "Volume, reference", "mL", "Volume of the reference."),
    ("prediction_ml", "Volume, prediction", "mL", "Volume of the prediction."),
    (
        "volume_difference_ml",
        "Volume difference",
        "mL",
        "Prediction minus reference; negative where the prediction is too small.",
    ),
    (
        "volume_difference_percent",
        "Relative difference",
        "%",
        "The volume difference in percent of the reference.",
    ),
)
_SHARES = ("dice", "sensitivity", "specificity", "specificity_box", "specificity_patch", "nsd")
_UNDEFINED = "–"
_WHY_UNDEFINED = "Undefined here: there is nothing to divide by, because a mask is empty."

STATES = {
    "scored": "",
    "missed": "The prediction is empty, the reference is not: the zone was missed.",
    "false_alarm": "The reference is empty, the prediction is not: a false alarm.",
    "nothing_to_find": "Both masks are empty: there was nothing to find, so no overlap is defined.",
}


class ScoreTable(QTableWidget):
    """One row a score; hover to read what it means."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(len(_ROWS), 2, parent)
        self.setHorizontalHeaderLabels(["Score", "Value"])
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(24)
        self.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.horizontalHeader().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.setFixedHeight(24 * (len(_ROWS) + 1) + 10)
        self.show_scores(None)

    def show_scores(self, scores: Scores | None) -> None:
        """Show scores; None empties the values."""
        self.has_scores = scores is not None
        for row, (name, title, unit, help_text) in enumerate(_ROWS):
            value = None if scores is None else getattr(scores, name)
            is_undefined = value is not None and math.isnan(value)
            title_item, value_item = QTableWidgetItem(title), QTableWidgetItem(written(name, unit, value))
            title_item.setToolTip(help_text)
            value_item.setToolTip(f"{_WHY_UNDEFINED}\n{help_text}" if is_undefined else help_text)
            value_item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self.setItem(row, 0, title_item)
            self.setItem(row, 1, value_item)

    def copy(self) -> None:
        """Copy the table to the clipboard, with tabs, as spreadsheets take it."""
        rows = range(self.rowCount())
        text = "\n".join(f"{self.item(row, 0).text()}\t{self.item(row, 1).text()}" for row in rows)
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(text)


def written(name: str, unit: str, value: float | None) -> str:
    """Write a score for a person: ratios in percent, what is undefined as a dash."""
    if value is None:
        return ""
    if math.isnan(value):
        return _UNDEFINED
    if math.isinf(value):
        return f"∞ {unit}"
    if not unit:
        return str(value)
    sign = "+" if name.startswith("volume_difference") and value > 0 else ""
    if unit == "%":
        # One wrong voxel in a thousand matters for specificity, and "100.0 %" would hide it.
        digits = 2 if name.startswith("specificity") else 1
        return f"{sign}{value * (100 if name in _SHARES else 1):.{digits}f} %"
    return f"{sign}{value:.2f} {unit}"
