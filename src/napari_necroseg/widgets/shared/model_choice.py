"""The choice of a trained model: those of the project, and others by their folder."""

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QLabel, QWidget

from napari_necroseg.core.project.known_models import is_ready
from napari_necroseg.core.project.models import find_ensembles, find_runs, is_single, run_title
from napari_necroseg.widgets.shared import qt_parts
from napari_necroseg.widgets.shared.qt_parts import NarrowCombo, beside, browse_button, lay
from napari_necroseg.widgets.shared.workspace import Workspace


class ModelChoice(QWidget):
    """A list of the project's models, the newest first, with a button for others.

    `nothing` is a first entry that stands for no model; without it the newest is chosen. `has_ensembles`
    lists the ensembles of studies, too: each stands for several models.
    """

    chosen = Signal()

    def __init__(
        self,
        workspace: Workspace,
        title: str,
        *,
        help_text: str,
        nothing: str = "",
        has_ensembles: bool = False,
    ) -> None:
        super().__init__()
        self._has_ensembles = has_ensembles
        self._workspace = workspace
        self._nothing = nothing
        self._browsed: list[Path] = []
        self.combo = NarrowCombo(letters=8, help_text=help_text)
        self.combo.currentIndexChanged.connect(self.chosen)
        browse = browse_button("Choose the folder of another trained model.", self._browse)
        lay(self, beside(QLabel(title), self.combo, browse, wide=self.combo))

    def run(self) -> Path | None:
        """Return the folder of the chosen model."""
        run: Path | None = self.combo.currentData()
        return run

    def others(self) -> list[Path]:
        """Return the models of the list that are not chosen."""
        return [run for run in self._runs() if run is not None and run != self.run()]

    def choose(self, run: Path) -> None:
        """Choose a model of the list."""
        self.combo.setCurrentIndex(self._index(run))

    def choose_newest(self) -> None:
        """Choose the model that was trained or chosen last; nothing happens without any."""
        newest = next((run for run in self._runs() if run is not None), None)
        if newest is not None:
            self.choose(newest)

    def show_run(self, run: Path | None) -> None:
        """Choose a model, listed or not; None stands for the first entry."""
        if run is not None and self._index(run) < 0:
            self._browsed.insert(0, run)
            self.look_again()
        self.combo.setCurrentIndex(0 if run is None else self._index(run))

    def refill(self) -> None:
        """List the models anew: the one trained or chosen last comes first, then the browsed ones."""
        self._fill(keeps_choice=bool(self._nothing))

    def look_again(self) -> None:
        """List the models that are there now, and keep the choice unless it is gone."""
        self._fill(keeps_choice=True)

    def _fill(self, *, keeps_choice: bool) -> None:
        """List the models; `chosen` is emitted once, at the end."""
        before = self.run()
        last, folder = self._workspace.run, self._workspace.folder
        runs = [*([last] if last else []), *self._browsed, *find_runs(folder)]
        known = self._workspace.known_runs
        runs += [*find_ensembles(folder), *known] if self._has_ensembles else filter(is_single, known)
        self.combo.blockSignals(True)
        self.combo.clear()
        if self._nothing:
            self.combo.addItem(self._nothing, None)
        for run in dict.fromkeys(runs):
            self.combo.addItem(run_title(run), run)
        if self.combo.count():
            chosen = self._index(before) if keeps_choice else -1
            self.combo.setCurrentIndex(chosen if chosen >= 0 else self._first())
        self.combo.blockSignals(False)
        self.chosen.emit()

    def _first(self) -> int:
        """Return the entry to begin with: nothing, or the newest model that has learned for long enough."""
        if self._nothing or self._workspace.run is not None:
            return 0
        ready = (row for row, run in enumerate(self._runs()) if run is not None and is_ready(run))
        return next(ready, 0)

    def _index(self, run: Path | None) -> int:
        # Not `findData`: Qt finds the very object, not an equal path.
        return self._runs().index(run) if run in self._runs() else -1

    def _runs(self) -> list[Path | None]:
        return [self.combo.itemData(index) for index in range(self.combo.count())]

    def _browse(self) -> None:
        run = qt_parts.ask_folder(self, "Folder of a trained model", start=str(self._workspace.folder or ""))
        if run is not None:
            self._browsed.insert(0, run)
            self.refill()
            self.choose(run)
