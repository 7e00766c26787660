"""Other models of the project that are averaged with the chosen one."""

from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QListWidget, QListWidgetItem, QWidget

from napari_necroseg.widgets.shared.runs import run_title
from napari_necroseg.widgets.shared.section import Section

_HELP = (
    "Ticked models predict, too, and the mean of all counts: the models of the folds of a study, say. How "
    "far they disagree is shown as uncertainty."
)


class EnsembleChoice(Section):
    """A list of models with ticks, folded away; hidden if there is none to choose."""

    chosen = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Average with other models", parent)
        self.toggleButton().setToolTip(_HELP)
        self._list = QListWidget()
        self._list.setFixedHeight(90)
        self._list.setToolTip(_HELP)
        self._list.itemChanged.connect(self._on_changed)
        self.addWidget(self._list)
        self.hide()

    def show_runs(self, runs: list[Path]) -> None:
        """List models; ticks stay where the model is still listed."""
        ticked = self.ticked()
        self._list.blockSignals(True)
        self._list.clear()
        for run in runs:
            item = QListWidgetItem(run_title(run))
            item.setData(Qt.ItemDataRole.UserRole, run)
            item.setFlags(Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsEnabled)
            item.setCheckState(Qt.CheckState.Checked if run in ticked else Qt.CheckState.Unchecked)
            self._list.addItem(item)
        self._list.blockSignals(False)
        self.setVisible(bool(runs))
        self._on_changed()

    def ticked(self) -> list[Path]:
        """Return the ticked models."""
        items = [self._list.item(row) for row in range(self._list.count())]
        return [
            item.data(Qt.ItemDataRole.UserRole)
            for item in items
            if item.checkState() == Qt.CheckState.Checked
        ]

    def _on_changed(self) -> None:
        n = len(self.ticked())
        self.setText("Average with other models" + (f" ({n} ticked)" if n else ""))
        self.chosen.emit()
