"""The list of all models that are known on this computer, one of which is in use."""

import math
import time
from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QWidget

from napari_necroseg.core.language import number, tr
from napari_necroseg.core.project.known_models import KnownModel
from napari_necroseg.core.project.models import run_title
from napari_necroseg.jobs.models import ModelsView
from napari_necroseg.widgets.shared import qt_parts
from napari_necroseg.widgets.shared.qt_parts import ROW_HEIGHT, ReadOnlyTable, below, button, lay

_MOST_ROWS = 7
_LEAST_ROWS = 2


class ModelList(QWidget):
    """A row for each model, the newest first; a click on one chooses it.

    `chosen`: emitted with the folder of the model that a person chose. `added`: with a folder to look into.
    """

    chosen = Signal(object)
    added = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._models: tuple[KnownModel, ...] = ()
        self.table = ReadOnlyTable(_columns())
        self.table.setSelectionMode(ReadOnlyTable.SelectionMode.SingleSelection)
        self.table.setSelectionBehavior(ReadOnlyTable.SelectionBehavior.SelectRows)
        self.table.setAccessibleName(tr("Models known on this computer"))
        self.table.cellClicked.connect(lambda row, _: self._choose(row))
        self.table.cellActivated.connect(lambda row, _: self._choose(row))
        help_text = tr("Add a model from elsewhere: the folder that holds its weights.safetensors.")
        self.add_button = button(tr("Add a model folder ..."), help_text, act=self._ask)
        lay(self, below(self.table, self.add_button))

    def show_models(self, view: ModelsView) -> None:
        """List the models, and mark the one in use."""
        self._models = view.models
        self.table.setRowCount(len(view.models))
        for row, model in enumerate(view.models):
            self._fill(row, model, is_used=model == view.used)
        n_rows = min(_MOST_ROWS, max(_LEAST_ROWS, len(view.models)))
        self.table.setFixedHeight(self.table.head.sizeHint().height() + n_rows * ROW_HEIGHT + 6)
        self.table.setVisible(bool(view.models))

    def _fill(self, row: int, model: KnownModel, *, is_used: bool) -> None:
        name = run_title(model.run)
        texts = (
            f"✓ {name}" if is_used else name,
            time.strftime(tr("%Y-%m-%d"), time.localtime(model.made_s)),
            str(model.cases or ""),
            "" if math.isnan(model.dice) else number(model.dice, 2),
        )
        help_text = _explained(model, is_used=is_used)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        for column, text in enumerate(texts):
            self.table.put(row, column, text=text, help_text=help_text, align=right if column else None)
            cell = self.table.cell(row, column)
            if not model.is_ready:
                cell.setForeground(self.table.palette().placeholderText())
            font = cell.font()
            font.setBold(is_used)
            cell.setFont(font)

    def _choose(self, row: int) -> None:
        self.chosen.emit(self._models[row].run)

    def _ask(self) -> None:
        folder: Path | None = qt_parts.ask_folder(self, tr("Folder of a trained model"))
        if folder is not None:
            self.added.emit(folder)


def _columns() -> dict[str, str]:
    return {
        tr("Model"): tr("The name of the model; ✓ marks the one in use. Click a row to use that model."),
        tr("Date"): tr("When it was made."),
        tr("Cases"): tr("How many cases it has learned from."),
        tr("Dice"): tr("How well it agrees with the masks of cases that it has not seen; 1 is perfect."),
    }


def _explained(model: KnownModel, *, is_used: bool) -> str:
    lines = [tr("This model is in use.") if is_used else tr("Click to use this model.")]
    if not model.is_ready:
        lines.append(tr("It learned for {n} steps only: too short to be of use.", n=model.iterations))
    if model.project:
        lines.append(tr("Made in the project {name}.", name=model.project))
    if model.sequences:
        lines.append(tr("It reads {names}.", names=" + ".join(model.sequences)))
    if model.unseen:
        lines.append(
            tr("Dice {dice:.2f} on {n} cases that it has not seen.", dice=model.dice, n=model.unseen)
        )
    return "\n".join([*lines, str(model.run)])
