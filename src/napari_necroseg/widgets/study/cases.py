"""The cases of a study, each predicted by the network that has not seen it; a double click opens one."""

from functools import partial
from pathlib import Path

import numpy as np
from napari.layers import Labels
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QWidget

from napari_necroseg.core.config.study import Configuration
from napari_necroseg.core.study.results import CaseResult
from napari_necroseg.core.study.run import Run
from napari_necroseg.jobs import study
from napari_necroseg.jobs.study import FoundPrediction
from napari_necroseg.layerdata import LayerData, Role
from napari_necroseg.widgets.shared.qt_parts import Section, WrappedLabel, below, beside, button, lay
from napari_necroseg.widgets.shared.score_table import ScoredCases
from napari_necroseg.widgets.shared.worker import NewestJob
from napari_necroseg.widgets.shared.workspace import Workspace

_HELP = (
    "Each case was predicted by the network of the fold that leaves it out (out of fold), so these scores "
    "say how well a new patient would be predicted."
)


class StudyCases(Section):
    """A choice of a configuration and its cases, the worst first; hidden until there are scores.

    `said` is emitted with a message, such as that a prediction is missing.
    """

    said = Signal(str)

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__("Cases, as predicted unseen", parent)
        self._workspace = workspace
        self._folder = self._table = Path()
        self._n_cases: int | None = None
        self._results: dict[tuple[Configuration, int], list[CaseResult]] = {}
        # The case that is being opened, and the run whose prediction is to be shown on it.
        self._awaited: tuple[str, Run] | None = None
        self.reading = NewestJob(self)
        self.reading.done.connect(self._on_found)
        self.reading.failed.connect(self.said)
        self.choice = QComboBox()
        self.choice.setToolTip("Whose predictions are listed.")
        self.choice.currentIndexChanged.connect(self._show)
        self.table = ScoredCases()
        self.table.case_wanted.connect(self.open)
        self.summary = WrappedLabel()
        self.toggleButton().setToolTip(_HELP)
        self._lay_out()
        self.expand()
        self.hide()

    def forget(self) -> None:
        """Show no scores."""
        self._awaited = None
        self.show_results(Path(), Path(), results=())

    def show_results(
        self, folder: Path, table: Path, *, results: tuple[CaseResult, ...], n_cases: int | None = None
    ) -> None:
        """Show the scores of a study in a folder, of the cohort in a table; the choice stays.

        `n_cases` is the number of the study's cases, if it is known: a mean over fewer says so.
        """
        self._folder, self._table, self._n_cases = folder, table, n_cases
        self._results = {}
        for one in results:
            self._results.setdefault((one.configuration, one.seed), []).append(one)
        before = self._chosen_row()
        has_seeds = any(seed for _, seed in self._results)
        self.choice.blockSignals(True)
        self.choice.clear()
        for configuration, seed in self._results:
            title = configuration.heading
            self.choice.addItem(f"{title}, seed {seed}" if has_seeds else title, (configuration, seed))
        rows = list(self._results)
        self.choice.setCurrentIndex(rows.index(before) if before in rows else 0)
        self.choice.blockSignals(False)
        self._show()
        self.setVisible(bool(results))

    def open(self, case: str) -> None:
        """Open a case with the prediction of the network that has not seen it."""
        self._awaited = None
        why_not = self._why_not(case)
        if why_not:
            self.said.emit(why_not)
            return
        self._awaited = (case, self._run(case))
        if self._is_open(case):
            self.follow_case()
            return
        self._workspace.case_wanted.emit(case)
        if self._workspace.opening != case:
            # It did not begin; the reason has been said.
            self._awaited = None

    def follow_case(self) -> None:
        """Read the prediction once its case is open; a different case that was opened gets none."""
        awaited, self._awaited = self._awaited, None
        case = self._workspace.case
        if awaited is None or case is None or case.name != awaited[0] or self._is_of_another_cohort():
            return
        self.reading.read(partial(study.read_prediction, self._folder, awaited[1], case=case))

    def _why_not(self, case: str) -> str:
        """Say why a case cannot be opened; nothing if it can."""
        cohort = self._workspace.cohort
        if self._is_of_another_cohort():
            return f"This study is of the cohort {self._table}; open that in the dock Cases first."
        if self._is_open(case):
            return ""
        if cohort is None or case not in cohort:
            return f"{case} is not in the cohort that is open."
        if len(self._workspace.case_wanted) == 0:
            return "Open the dock Cases, too: it reads and shows the case."
        return ""

    def _is_of_another_cohort(self) -> bool:
        """Whether the open cohort is not the study's; unknown if the study's table is gone."""
        table = self._workspace.cohort_path
        return table is None or (self._table.is_file() and table.resolve() != self._table)

    def _run(self, case: str) -> Run:
        one = next(one for one in self._chosen() if one.case == case)
        return Run(configuration=one.configuration, fold=one.fold, seed=one.seed)

    def _chosen(self) -> list[CaseResult]:
        row = self._chosen_row()
        return [] if row is None else self._results.get(row, [])

    def _chosen_row(self) -> tuple[Configuration, int] | None:
        # A tuple comes back from Qt as a list under some bindings.
        data = self.choice.currentData()
        return None if data is None else (data[0], data[1])

    def _is_open(self, case: str) -> bool:
        return self._workspace.case is not None and self._workspace.case.name == case

    def _show(self, *_: object) -> None:
        self.table.fill([(one.case, one.scores) for one in self._chosen()])
        values = [one.scores.dice for one in self._chosen() if one.scores.state in ("scored", "missed")]
        missed = sum(one.scores.state == "missed" for one in self._chosen())
        n = len(self._chosen())
        text = f"{n} cases" if self._n_cases in (None, n) else f"{n} of the {self._n_cases} cases"
        if values:
            text += f", mean Dice {100 * np.mean(values):.1f} %, median {100 * np.median(values):.1f} %"
        self.summary.say(f"{text}, {missed} missed." if missed else f"{text}.")

    def _on_found(self, found: FoundPrediction) -> None:
        if self._workspace.case is not found.case:
            return
        layers = self._workspace.layers
        shown = self._shown(found.layer, found.case.name) or layers.add(found.layer, is_saved=True)
        layers.viewer.layers.selection.active = shown

    def _shown(self, data: LayerData, case: str) -> Labels | None:
        """Return a layer that shows these very voxels already, if there is one."""
        voxels, kwargs, _ = data
        layers = self._workspace.layers.find(case, [Role.PREDICTION])
        same = (one for one in layers if isinstance(one, Labels) and one.name.startswith(kwargs["name"]))
        return next((one for one in same if np.array_equal(one.data, voxels)), None)

    def _lay_out(self) -> None:
        help_text = "Open the case before in the table, with its prediction."
        before = button("Previous", help_text, act=lambda: self.table.step(-1))
        help_text = "Open the next case in the table, with its prediction."
        after = button("Next", help_text, act=lambda: self.table.step(1))
        parts = below(self.choice, self.table, self.summary, beside(before, after))
        self.addWidget(lay(QWidget(), parts))
