"""The dock Scores: how well a prediction agrees with a reference, followed while one is drawn."""

from functools import partial
from pathlib import Path
from typing import Any

from napari.components import ViewerModel
from napari.layers import Labels
from qtpy.QtWidgets import QCheckBox

from napari_necroseg.core.config import TrainConfig
from napari_necroseg.core.project.model_folder import MODELS_FOLDER, trained_config
from napari_necroseg.core.scoring.published import published
from napari_necroseg.jobs import scores
from napari_necroseg.jobs.scores import ScoredCohort, ScoredLayers
from napari_necroseg.layerdata import source_of
from napari_necroseg.widgets.scores.cohort_scores import CohortScores
from napari_necroseg.widgets.scores.mask_choice import LiveOverlap, MaskChoice
from napari_necroseg.widgets.scores.plots import ScoreMap, SlicePlot, distances_of, errors_of
from napari_necroseg.widgets.shared import qt_parts
from napari_necroseg.widgets.shared.dock import Dock, DockParts
from napari_necroseg.widgets.shared.plane import (
    NAMES,
    Plane,
    go_to_slice,
    needed_plane,
    shown_axis,
    shown_plane,
)
from napari_necroseg.widgets.shared.qt_parts import WrappedLabel, beside, button, timer
from napari_necroseg.widgets.shared.score_table import STATES, ScoreTable
from napari_necroseg.widgets.shared.worker import JobRunner

# Distances and the other scores follow when the hand rests.
_REST_MS = 250


class ScoresParts(DockParts):
    """Scores one mask against another, again whenever one of them changes."""

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__(viewer)
        self.masks = MaskChoice(self.workspace.layers)
        self.table = ScoreTable()
        self.plot = SlicePlot()
        help_text = "Go to the slice with most in error, then to the next one."
        self.worst_button = button("Worst slice", help_text, act=self.show_worst)
        self.shows_errors = QCheckBox("Show errors")
        self.shows_errors.setToolTip(
            "A layer with what was missed in orange and what is extra in blue; it follows while you draw."
        )
        self.shows_distances = QCheckBox("Show distances")
        self.shows_distances.setToolTip(
            "The contour of the reference, by how far the prediction's surface is from it: dark blue near, "
            "yellow 10 mm and more; the value under the cursor is in mm."
        )
        self.message = WrappedLabel()
        self.cohort = CohortScores()
        self._scored: ScoredLayers | None = None
        self._worst: list[int] = []
        # The axis across the slices of the plot: of the plane that is shown, or was before 3D.
        self._axis = shown_axis(self.viewer) or 0
        self._errors = ScoreMap(self.workspace, errors_of)
        self._distances = ScoreMap(self.workspace, distances_of)
        self._live = LiveOverlap()
        self._quiet = JobRunner(self)
        # napari may report a stroke before it has changed the mask: it is counted once napari is done.
        self._soon = timer(self, 0, act=self._follow)
        self._rest = timer(self, _REST_MS, act=self._score)
        self._watched: list[Labels] = []
        self._judged: Labels | None = None
        self._is_stale = False
        self._build()
        self._connect()
        self._on_layers()
        self._on_cohort()
        self._on_hand()

    def shut_down(self) -> None:
        """Also stop following the two masks."""
        self._rest.stop()
        self._soon.stop()
        self._quiet.cancel()
        self._watch([])
        super().shut_down()

    def score_cohort(self) -> None:
        """Score all predictions of the chosen folder."""
        self._score_cohort(None)

    def export_cohort(self) -> None:
        """Score them, and write tables and figures into a folder that the person chooses."""
        folder = qt_parts.ask_folder(self, "Folder for tables and figures")
        if folder is not None:
            self._score_cohort(folder)

    def show_worst(self) -> None:
        """Go to the next slice in the order of errors; after the last one comes the first."""
        if not self._worst and self._scored is not None:
            self._worst = self._scored.slices[self._axis].worst_first()
        if self._worst and self._go_to(self._worst[0]):
            self._worst.pop(0)

    def _go_to(self, number: int) -> bool:
        """Go to a slice of the plane that is shown; in 3D say why not, and return False."""
        if self.attempt(lambda: needed_plane(self.viewer, "The way to a slice")) is None:
            return False
        go_to_slice(self.viewer, Plane(axis=self._axis, number=number))
        return True

    def _score_cohort(self, export: Path | None) -> None:
        folder, table = self.cohort.folder(), self.workspace.cohort_path
        if folder is None or table is None or self.runner.is_busy:
            return
        other, is_reader = self.cohort.other()
        self.cohort.begin()
        job = partial(
            scores.score_cohort,
            table,
            folder,
            tolerance_mm=self.masks.tolerance.value(),
            other=other,
            is_reader=is_reader,
            export=export,
        )
        self.panel.run(job, f"Scoring {folder.name} ...")

    def _build(self) -> None:
        help_text = "Copy the scores to the clipboard, to paste them into a spreadsheet."
        copy = button("Copy table", help_text, act=self.table.copy)
        for widget in (self.masks, self.message, self.table, self.plot):
            self.body.addWidget(widget)
        self.body.addLayout(beside(self.shows_errors, self.shows_distances))
        self.body.addLayout(beside(self.worst_button, copy, wide=self.worst_button))
        self.body.addWidget(self.cohort)

    def _connect(self) -> None:
        self.masks.chosen.connect(self._on_choice)
        self.masks.tolerated.connect(self._rest.start)
        self._quiet.finished.connect(self._on_scored)
        self._quiet.failed.connect(self._on_score_failed)
        self.cohort.wanted.connect(self.score_cohort)
        self.cohort.export_wanted.connect(self.export_cohort)
        self.cohort.reader_wanted.connect(self._ask_reader)
        self.cohort.case_wanted.connect(self.workspace.case_wanted.emit)
        self.runner.reported.connect(self._on_event)
        self.runner.finished.connect(self._on_cohort_scored)
        self.listen(self.workspace.cohort_changed, self._on_cohort)
        self.plot.chosen.connect(self._go_to)
        self.shows_errors.toggled.connect(self._show_maps)
        self.shows_distances.toggled.connect(self._show_maps)
        self.listen(self.workspace.case_changed, self._on_case)
        self.listen(self.workspace.hand_changed, self._on_hand)
        self.listen_to(self.viewer.dims.events, ("current_step", "order", "ndisplay"), slot=self._on_slice)
        happenings = ("inserted", "removed", "reordered", "renamed")
        self.listen_to(self.viewer.layers.events, happenings, slot=self._on_layers)

    def _on_layers(self, *_: object) -> None:
        self.masks.refill(self.workspace.case)

    def _on_hand(self) -> None:
        """Follow the mask that the person works on, when that is another one."""
        mask = self.workspace.in_hand
        if mask is not self._judged:
            self._judged = mask
            self.masks.judge(mask)

    def _on_case(self) -> None:
        self._errors.forget()
        self._distances.forget()
        self.cohort.show_folders(self.workspace.folder)
        self._on_layers()

    def _on_cohort(self) -> None:
        # A scoring that runs is of another cohort.
        self.runner.cancel()
        self.cohort.begin()
        self.cohort.set_reader(None)
        self.cohort.show_folders(self.workspace.folder)

    def _on_event(self, event: Any) -> None:
        if event.event == "case":
            self.cohort.add(event.case, event.result)
        elif event.event == "failed":
            self.cohort.add_unscored(event.case, event.reason)

    def _on_cohort_scored(self, scored: ScoredCohort) -> None:
        self.cohort.show_summary(scored.summary)
        self.cohort.show_pictures(scored.pictures)
        where = "" if scored.export is None else f" Tables and figures are in {scored.export.name}."
        needs = "" if scored.pictures else ' Figures need matplotlib: pip install "napari-necroseg[figures]".'
        self.panel.say(f"Scored.{where}{needs}")

    def _ask_reader(self) -> None:
        self.cohort.set_reader(
            qt_parts.ask_folder(self, "Folder with a second reader's masks, named like the cases")
        )

    def _on_slice(self, *_: object) -> None:
        plane = shown_plane(self.viewer)
        if plane is not None and plane.axis != self._axis:
            self._axis, self._worst = plane.axis, []
            self._show_slices()
        self.plot.show_slice(None if plane is None else plane.number)

    def _on_choice(self) -> None:
        self._watch(self.masks.masks())
        self._live.forget()
        self._show_paper()
        self._rest.start()

    def _watch(self, layers: list[Labels]) -> None:
        for layer in self._watched:
            layer.events.paint.disconnect(self._on_stroke)
            layer.events.data.disconnect(self._on_edit)
            layer.events.set_data.disconnect(self._on_edit)
        self._watched = list(dict.fromkeys(layers))
        for layer in self._watched:
            layer.events.paint.connect(self._on_stroke)
            layer.events.data.connect(self._on_edit)
            layer.events.set_data.connect(self._on_edit)

    def _on_stroke(self, event: Any) -> None:
        self._live.note(event.source, event.value)
        self._soon.start()
        self._rest.start()

    def _follow(self) -> None:
        counts = self._live.follow()
        if counts is not None and self._scored is not None:
            self.table.show_overlap(counts, voxel_ml=self._scored.errors.grid.voxel_ml)

    def _on_edit(self, event: Any) -> None:
        """Handle a change that is no stroke: an undo, an assignment, or only a move to another slice."""
        if self._live.is_same(event.source):
            return
        self._live.forget()
        self._rest.start()

    def _score(self) -> None:
        """Score copies of both masks in a thread; if a scoring runs, once more after it."""
        if self._quiet.is_busy:
            self._is_stale = True
            return
        problem = self.masks.problem()
        if problem:
            self.message.say(problem)
            self._show(None)
            return
        self._is_stale = False
        self._live.begin(self.masks.reference.layer(), self.masks.prediction.layer())
        self._quiet.start(partial(scores.score_layers, self.masks.to_score()))

    def _on_scored(self, scored: ScoredLayers) -> None:
        self._show(scored)
        self.message.say(STATES[scored.scores.state])
        self._live.counted(scored.counts)
        if self._is_stale:
            self._rest.start()

    def _show(self, scored: ScoredLayers | None) -> None:
        self._scored, self._worst = scored, []
        if scored is None:
            self.table.show_scores(None)
        else:
            self.table.show_scores(scored.scores, scored.reader, against_reader=scored.against_reader)
        self._show_slices()
        self._show_maps()

    def _show_slices(self) -> None:
        slices = None if self._scored is None else self._scored.slices[self._axis]
        self.plot.show_scores(slices, f"{NAMES[self._axis]} slice")
        self.worst_button.setEnabled(slices is not None and bool(slices.worst_first()))

    def _show_maps(self, *_: object) -> None:
        self._errors.show(self.shows_errors.isChecked(), self._scored)
        self._distances.show(self.shows_distances.isChecked(), self._scored)

    def _show_paper(self) -> None:
        """Show the paper's numbers of the configuration that made the prediction, else of its best."""
        layer, folder = self.masks.prediction.layer(), self.workspace.folder
        source = None if layer is None else source_of(layer.metadata)
        config = None if source is None or folder is None else _config_of(folder / MODELS_FOLDER, source.run)
        if config is None:
            self.table.show_paper("2D, ceT1 and T2", published())
        else:
            what = f"{config.dimension.upper()}, {' and '.join(config.sequences)}"
            self.table.show_paper(what, published(config.dimension, config.sequences))

    def _on_score_failed(self, message: str) -> None:
        self._show(None)
        self.message.say(message)


class Scores(Dock, ScoresParts):
    """The dock Scores."""


def _config_of(models: Path, run: str) -> TrainConfig | None:
    """Return the choices of a model, or of the first of several whose mean is shown (see `mean_name`)."""
    return trained_config(models / run) or trained_config(models / run.partition("+")[0])
