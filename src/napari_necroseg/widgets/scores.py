"""The dock Scores: how well a prediction agrees with a reference, followed while one is drawn."""

from functools import partial
from typing import Any
from weakref import ref

from napari.layers import Labels
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QCheckBox, QFormLayout, QHBoxLayout, QLabel, QPushButton, QWidget

from napari_necroseg.core.volume import Grid
from napari_necroseg.layerdata import COLOURS, Role, case_source, errors_layer, source_of
from napari_necroseg.widgets import _jobs
from napari_necroseg.widgets._cohort_scores import CohortScores
from napari_necroseg.widgets._dock import Dock
from napari_necroseg.widgets._jobs import ScoredLayers
from napari_necroseg.widgets._layer_choice import LayerChoice
from napari_necroseg.widgets._prose import Prose
from napari_necroseg.widgets._score_table import STATES, ScoreTable
from napari_necroseg.widgets._slice_plot import SlicePlot
from napari_necroseg.widgets._worker import JobRunner

# Drawing emits dozens of events a second; the scores follow when the hand rests.
_REST_MS = 250
_ERROR_OPACITY = 0.6
_EDITS = ("paint", "data", "set_data")


class Scores(Dock):
    """Scores one mask against another, again whenever one of them changes."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.reference = LayerChoice(self.workspace.layers)
        self.prediction = LayerChoice(self.workspace.layers)
        self.table = ScoreTable()
        self.plot = SlicePlot()
        self.worst_button = QPushButton("Worst slice")
        self.worst_button.setToolTip("Go to the slice with most in error, then to the next one.")
        self.shows_errors = QCheckBox("Show errors")
        self.shows_errors.setToolTip(
            "A layer with what was missed in orange and what is extra in blue; it follows while you draw."
        )
        self.message = Prose()
        self.cohort = CohortScores()
        self._scored: ScoredLayers | None = None
        self._worst: list[int] = []
        self._errors: ref[Labels] | None = None
        self._quiet = JobRunner(self)
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST_MS)
        self._watched: list[Labels] = []
        self._is_stale = False
        self._build()
        self._connect()
        self._on_layers()
        self._on_cohort()

    def shut_down(self) -> None:
        """Also stop looking at the two masks."""
        self._rest.stop()
        self._quiet.cancel()
        self._watch([])
        super().shut_down()

    def score_cohort(self) -> None:
        """Score all predictions of the chosen folder."""
        folder, table = self.cohort.folder(), self.workspace.cohort_path
        if folder is not None and table is not None and not self.runner.is_busy:
            self.cohort.begin()
            self.panel.run(partial(_jobs.score_cohort, table, folder), f"Scoring {folder.name} ...")

    def show_worst(self) -> None:
        """Go to the next slice in the order of errors; after the last one comes the first."""
        if not self._worst and self._scored is not None:
            self._worst = self._scored.slices.worst_first()
        if self._worst:
            self.viewer.dims.set_current_step(0, self._worst.pop(0))

    def _build(self) -> None:
        self.reference.setToolTip("The mask that counts as right, such as an expert's.")
        self.prediction.setToolTip("The mask that is judged.")
        form = QFormLayout()
        form.addRow("Reference", _with_swatch(self.reference, COLOURS[Role.REFERENCE]))
        form.addRow("Prediction", _with_swatch(self.prediction, COLOURS[Role.PREDICTION]))
        row = QHBoxLayout()
        row.addWidget(self.worst_button, 1)
        row.addWidget(self.shows_errors)
        copy = QPushButton("Copy table")
        copy.setToolTip("Copy the scores to the clipboard, to paste them into a spreadsheet.")
        copy.clicked.connect(self.table.copy)
        self.body.addLayout(form)
        self.body.addWidget(self.message)
        self.body.addWidget(self.table)
        self.body.addWidget(self.plot)
        self.body.addLayout(row)
        self.body.addWidget(copy)
        self.body.addWidget(self.cohort)

    def _connect(self) -> None:
        self.reference.chosen.connect(self._on_choice)
        self.prediction.chosen.connect(self._on_choice)
        self._rest.timeout.connect(self._score)
        self._quiet.finished.connect(self._on_scored)
        self._quiet.failed.connect(self._on_score_failed)
        self.cohort.wanted.connect(self.score_cohort)
        self.cohort.case_wanted.connect(self.workspace.case_wanted.emit)
        self.runner.event.connect(self._on_event)
        self.runner.finished.connect(self._on_cohort_scored)
        self.listen(self.workspace.cohort_changed, self._on_cohort)
        self.plot.chosen.connect(lambda number: self.viewer.dims.set_current_step(0, number))
        self.worst_button.clicked.connect(self.show_worst)
        self.shows_errors.toggled.connect(self._show_errors)
        self.listen(self.workspace.case_changed, self._on_case)
        self.listen(self.viewer.dims.events.current_step, self._on_slice)
        for happening in ("inserted", "removed", "reordered", "renamed"):
            self.listen(getattr(self.viewer.layers.events, happening), self._on_layers)

    def _on_layers(self, *_: object) -> None:
        """Follow the layers; where no mask is chosen, choose those of the open case."""
        self.reference.refill()
        self.prediction.refill()
        case = self.workspace.case
        if case is None:
            return
        find = self.workspace.layers.find
        if self.reference.layer() is None:
            self.reference.choose(_first(find(case.name, [Role.REFERENCE, Role.LABELS])))
        if self.prediction.layer() is None:
            self.prediction.choose(_first(find(case.name, [Role.PREDICTION])))

    def _on_case(self) -> None:
        self._errors = None
        self.cohort.show_folders(self.workspace.folder)
        self._on_layers()

    def _on_cohort(self) -> None:
        self.cohort.begin()
        self.cohort.show_folders(self.workspace.folder)

    def _on_event(self, event: Any) -> None:
        if event.event == "case":
            self.cohort.add(event.case, event.result)

    def _on_cohort_scored(self, summary: Any) -> None:
        self.cohort.show_summary(summary)
        self.panel.say("Scored.")

    def _on_slice(self, *_: object) -> None:
        self.plot.show_slice(self.viewer.dims.current_step[0])

    def _on_choice(self) -> None:
        self._watch(
            [layer for layer in (self.reference.layer(), self.prediction.layer()) if layer is not None]
        )
        self._rest.start()

    def _watch(self, layers: list[Labels]) -> None:
        for layer in self._watched:
            for edit in _EDITS:
                getattr(layer.events, edit).disconnect(self._on_edit)
        self._watched = list(dict.fromkeys(layers))
        for layer in self._watched:
            for edit in _EDITS:
                getattr(layer.events, edit).connect(self._on_edit)

    def _on_edit(self, _event: Any) -> None:
        self._rest.start()

    def _score(self) -> None:
        """Score copies of both masks in a thread; if one is under way, once more after it."""
        if self._quiet.is_busy:
            self._is_stale = True
            return
        reference, prediction = self.reference.layer(), self.prediction.layer()
        grid = None if reference is None or prediction is None else _common_grid(reference, prediction)
        problem = _problem(reference, prediction, grid)
        if problem or reference is None or prediction is None or grid is None:
            self.message.say(problem)
            self._show(None)
            return
        self._is_stale = False
        self._quiet.start(partial(_jobs.score_layers, reference.data.copy(), prediction.data.copy(), grid))

    def _on_scored(self, scored: ScoredLayers) -> None:
        self._show(scored)
        self.message.say(STATES[scored.scores.state])
        if self._is_stale:
            self._rest.start()

    def _show(self, scored: ScoredLayers | None) -> None:
        self._scored, self._worst = scored, []
        self.table.show_scores(None if scored is None else scored.scores)
        self.plot.show_scores(None if scored is None else scored.slices)
        self.worst_button.setEnabled(scored is not None and bool(scored.slices.worst_first()))
        self._show_errors(self.shows_errors.isChecked())

    def _show_errors(self, wanted: bool) -> None:
        """Add, bring up to date or remove the layer of errors; one that the person drew on is left alone."""
        layer = None if self._errors is None else self._errors()
        layers, case, scored = self.workspace.layers, self.workspace.case, self._scored
        if not wanted or scored is None or case is None:
            if layer is not None and layer in self.viewer.layers:
                self.viewer.layers.remove(layer)
            self._errors = None
        elif layer is None or layer not in self.viewer.layers:
            active = self.viewer.layers.selection.active
            made = layers.add(errors_layer(scored.errors, case_source(case, Role.ERRORS)), is_saved=True)
            made.contour, made.opacity = 0, _ERROR_OPACITY
            self._errors = ref(made)
            # What was being drawn on is still what one draws on.
            self.viewer.layers.selection.active = active
        else:
            layers.keep_up(layer, scored.errors.voxels)

    def _on_score_failed(self, message: str) -> None:
        self._show(None)
        self.message.say(message)


def _common_grid(reference: Labels, prediction: Labels) -> Grid | None:
    """The grid that both masks lie on; a mask that the person added to the viewer has no grid of its own."""
    sources = [source_of(layer.metadata) for layer in (reference, prediction)]
    grids = [source.grid for source in sources if source is not None]
    shapes = {layer.data.shape for layer in (reference, prediction)}
    if not grids or shapes != {grids[0].shape} or not all(grid.matches(grids[0]) for grid in grids):
        return None
    return grids[0]


def _problem(reference: Labels | None, prediction: Labels | None, grid: Grid | None) -> str:
    if reference is None or prediction is None:
        return "Choose a reference and a prediction: two masks of the case that is open."
    if reference is prediction:
        return "Choose two different masks: this one agrees with itself."
    if grid is None:
        return "These two masks do not lie on the same grid, so they cannot be compared voxel by voxel."
    return ""


def _first(layers: list[Any]) -> Labels | None:
    return next((layer for layer in layers if isinstance(layer, Labels)), None)


def _with_swatch(choice: QWidget, colour: str) -> QWidget:
    """A choice with the colour that its mask has in the viewer."""
    holder, swatch = QWidget(), QLabel()
    swatch.setFixedSize(12, 12)
    swatch.setStyleSheet(f"border: 2px solid {colour}; background: transparent;")
    row = QHBoxLayout(holder)
    row.setContentsMargins(0, 0, 0, 0)
    row.addWidget(swatch)
    row.addWidget(choice, 1)
    return holder
