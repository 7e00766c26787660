"""The scores of all cases of a cohort that a model has predicted: a row each, the worst first."""

from collections.abc import Mapping
from pathlib import Path
from statistics import fmean

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QPixmap
from qtpy.QtWidgets import (
    QFormLayout,
    QLabel,
    QWidget,
)

from napari_necroseg.core.language import tr
from napari_necroseg.core.scoring.scores import Scores
from napari_necroseg.core.scoring.statistics import defined
from napari_necroseg.core.scoring.summary import Comparison, Summary
from napari_necroseg.widgets.shared.qt_parts import (
    NarrowCombo,
    Section,
    WrappedLabel,
    below,
    beside,
    button,
    lay,
)
from napari_necroseg.widgets.shared.score_table import ScoredCases, written

_NOTHING, _READER, _BY_READER = "nothing", "a second reader ...", "second reader: "


class CohortScores(Section):
    """Chooses a folder of predictions and shows their scores; a double click asks for the case.

    Signals: `wanted` when the folder is to be scored, `export_wanted` when all of it is to be written, too,
    `reader_wanted` when the folder of a second reader is to be named, `case_wanted` with the name of a case.
    """

    wanted = Signal()
    export_wanted = Signal()
    reader_wanted = Signal()
    case_wanted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("All cases of the cohort", parent)
        self.toggleButton().setToolTip("Score every case that a model has predicted in this project.")
        help_text = "Folders of saved predictions in this project, by model."
        self.folders = NarrowCombo(letters=8, help_text=help_text)
        help_text = "Compare every saved prediction with the reference of its case."
        self.start_button = button("Score all", help_text, act=self.wanted)
        help_text = (
            "Other predictions of the same cases, or a second reader's masks: what differs beyond chance?"
        )
        self.others = NarrowCombo(letters=8, help_text=help_text)
        self.others.activated.connect(self._on_other)
        help_text = (
            "Score all, and write tables (CSV, Markdown), figures and how it was made (JSON) into a folder."
        )
        self.export_button = button("Export ...", help_text, act=self.export_wanted)
        self.table = ScoredCases()
        self.table.case_wanted.connect(self.case_wanted)
        self.summary = WrappedLabel()
        self.pictures = [QLabel(), QLabel()]
        self._reader: Path | None = None
        self._dice: dict[str, float] = {}
        self._lay_out()
        self.show_folders(None)

    def show_folders(self, folder: Path | None) -> None:
        """List the folders of predictions of a project."""
        before = self.folders.currentText()
        root = None if folder is None else folder / "predictions"
        found = sorted(path for path in root.iterdir() if path.is_dir()) if root and root.is_dir() else []
        self.folders.clear()
        for path in found:
            self.folders.addItem(path.name, str(path))
        self.folders.setCurrentIndex(max(0, self.folders.findText(before)))
        self._show_others(found)
        self.start_button.setEnabled(bool(found))
        self.export_button.setEnabled(bool(found))

    def folder(self) -> Path | None:
        """Return the chosen folder."""
        chosen = self.folders.currentData()
        return None if chosen is None else Path(chosen)

    def other(self) -> tuple[Path | None, bool]:
        """Return the folder to compare with, and whether it is a second reader's."""
        chosen = self.others.currentData()
        return (None if chosen is None else Path(chosen)), self.others.currentText().startswith(_BY_READER)

    def set_reader(self, folder: Path | None) -> None:
        """Compare with the masks in this folder; None goes back to nothing."""
        self._reader = folder
        self._show_others([Path(self.folders.itemData(row)) for row in range(self.folders.count())])
        if folder is not None:
            self.others.setCurrentText(f"{_BY_READER}{folder.name}")

    def begin(self) -> None:
        """Forget the last scores."""
        self.table.begin()
        self._dice = {}
        self.summary.say("")
        for picture in self.pictures:
            picture.hide()

    def add(self, case: str, scores: Scores) -> None:
        """Add a row; see `ScoredCases.add`."""
        self.table.add(case, scores)
        self._dice[case] = scores.dice

    def add_unscored(self, case: str, reason: str) -> None:
        """Add a row for a case that has no scores."""
        self.table.add_unscored(case, reason)

    def show_pictures(self, pictures: Mapping[str, bytes]) -> None:
        """Show box plots and volumes; none where they could not be drawn."""
        for label, png in zip(self.pictures, pictures.values(), strict=False):
            pixmap = QPixmap()
            pixmap.loadFromData(png)
            label.setPixmap(
                pixmap.scaledToWidth(self.table.width(), Qt.TransformationMode.SmoothTransformation)
            )
            label.show()

    def show_summary(self, summary: Summary) -> None:
        """Sum up the scores, and compare them with the other folder's."""
        mean, low, high, median, std, first, third = (
            written("dice", "%", value=values["dice"])
            for values in (
                summary.mean,
                summary.mean_low,
                summary.mean_high,
                summary.median,
                summary.std,
                summary.quartile_1,
                summary.quartile_3,
            )
        )
        text = (
            f"Dice: mean {mean} (95 % interval {low} to {high}), median {median}, quartiles {first} and "
            f"{third}, standard deviation {std}; {summary.scored} scored, {summary.missed} missed, "
            f"{summary.false_alarms} false alarms, {summary.nothing_to_find} with nothing to find."
        )
        remarks = [f"⚠ {remark}" for remark in summary.remarks()]
        others = [line for one in summary.comparisons for line in (_in_words(one), *one.remarks)]
        self.table.mark_seen(summary.seen)
        apart = _means_apart(self._dice, summary.seen)
        self.summary.say("\n".join([*apart, text, *remarks, *others, *_of_reader(summary)]))
        for case in summary.without_prediction:
            self.add_unscored(case, "There is no prediction of this case.")

    def _show_others(self, folders: list[Path]) -> None:
        before = self.others.currentText()
        self.others.clear()
        self.others.addItem(_NOTHING, None)
        for path in folders:
            self.others.addItem(path.name, str(path))
        if self._reader is not None:
            self.others.addItem(f"{_BY_READER}{self._reader.name}", str(self._reader))
        self.others.addItem(_READER, None)
        self.others.setCurrentIndex(max(0, self.others.findText(before)))

    def _on_other(self, _index: int) -> None:
        if self.others.currentText() == _READER:
            self.others.setCurrentIndex(0)
            self.reader_wanted.emit()

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow("Predictions", self.folders)
        form.addRow("Compare with", self.others)
        buttons = beside(self.start_button, self.export_button, wide=self.start_button)
        helps = (
            "Each case as a point, median, quartiles, and whiskers to 1.5 times the box.",
            "Difference of the volumes over their mean, with its mean and the limits of agreement.",
        )
        for picture, help_text in zip(self.pictures, helps, strict=True):
            picture.setToolTip(help_text)
            picture.hide()
        parts = below(form, buttons, self.table, self.summary, *self.pictures)
        self.addWidget(lay(QWidget(), parts))


def _means_apart(dice: Mapping[str, float], seen: frozenset[str]) -> list[str]:
    """Say the mean of unseen and of seen cases apart, if there are both: only the first is a test."""
    of_unseen = defined(value for case, value in dice.items() if case not in seen)
    of_seen = defined(value for case, value in dice.items() if case in seen)
    if not (of_unseen and of_seen):
        return []
    return [
        tr(
            "Dice on unseen cases ({n}): mean {unseen:.1f} %. On cases seen in training ({n_seen}, marked "
            "◆): {seen:.1f} %.",
            n=len(of_unseen),
            unseen=100 * fmean(of_unseen),
            n_seen=len(of_seen),
            seen=100 * fmean(of_seen),
        )
    ]


def _in_words(comparison: Comparison) -> str:
    dice = next(change for change in comparison.changes if change.score == "dice")
    if not dice.patients:
        return f"{comparison.other} has no case in common with these."
    changed = ", ".join(
        f"{one.case} {100 * one.first:.0f} to {100 * one.other:.0f} %" for one in comparison.most_changed
    )
    return (
        f"{comparison.other} on {comparison.cases} of these cases: Dice better in {dice.better} and worse in "
        f"{dice.worse} of {dice.patients} patients, median difference {100 * dice.median_difference:+.1f} "
        f"points, p = {dice.p:.3f} (Wilcoxon), {dice.p_holm:.3f} after Holm's correction for all scores. "
        f"Changed most: {changed or 'none'}."
    )


def _of_reader(summary: Summary) -> list[str]:
    judged = summary.against_second_reader
    if judged is None:
        return []
    mean = f"Against the second reader, the predictions' mean Dice is {100 * judged.mean['dice']:.1f} %"
    return [f"{mean} ({judged.total} cases).", *judged.remarks()]
