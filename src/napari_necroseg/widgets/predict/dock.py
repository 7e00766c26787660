"""The dock Predict: apply trained models to the case that is open, and steer the outline."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from napari.components import ViewerModel
from napari.layers import Labels
from qtpy.QtWidgets import QCheckBox

from napari_necroseg.core.case import Case, Sequence
from napari_necroseg.core.config import PredictConfig
from napari_necroseg.core.language import tr
from napari_necroseg.core.masks.components import Size, volume_in_words
from napari_necroseg.core.project.model_folder import trained_config
from napari_necroseg.core.project.models import describe_run, mean_name, members_of, run_name
from napari_necroseg.jobs import cases, predict
from napari_necroseg.jobs.cases import SavedMasks
from napari_necroseg.jobs.predict import CasePrediction, Place, WarmModels
from napari_necroseg.layerdata import Role
from napari_necroseg.widgets.predict.choices import BatchList, EnsembleChoice, RegionChoice
from napari_necroseg.widgets.predict.outline import STEERS, LiveOutline, PredictionDefaults
from napari_necroseg.widgets.shared.config_form import ConfigForm
from napari_necroseg.widgets.shared.dock import Dock, DockParts
from napari_necroseg.widgets.shared.model_choice import ModelChoice
from napari_necroseg.widgets.shared.plane import Plane, go_to_slice, needed_plane
from napari_necroseg.widgets.shared.qt_parts import WrappedLabel, beside, button

_OUTLINE_VOXELS = 1
_FILLED_OPACITY = 0.5

_WARNINGS = {
    "image": " ⚠ The model was trained on this case, so its scores here are too good.",
    "patient": " ⚠ The model was trained on another case of this patient, so its scores here are too good.",
    "name": " ⚠ The model was trained on a case of this name; if it is this one, scores here are too good.",
    "no": "",
}

Key = tuple[str, Path | None]


class PredictParts(DockParts):
    """Predicts the necrosis zone of the open case; each prediction is a layer of its own."""

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__(viewer)
        help_text = "Trained models of the open project, the newest first, and the ensembles of its studies."
        self.model = ModelChoice(self.workspace, "Model", help_text=help_text, has_ensembles=True)
        self.ensemble = EnsembleChoice()
        self.place = RegionChoice(self.workspace)
        self.form = ConfigForm(PredictConfig(), plain=STEERS, hidden=("around",))
        self._recipe = PredictionDefaults(self.form)
        help_text = "Apply the model to the open case. The result is a new layer."
        self.start_button = button("Predict", help_text, act=self.start)
        help_text = "Go to the slice where the prediction is least sure, then to the next one."
        self.doubt_button = button("Next doubtful slice", help_text, act=self.show_next_doubt)
        self.fills = QCheckBox("Filled")
        self.fills.setToolTip("Show the predictions of this case filled instead of outlined.")
        self.keeps = QCheckBox(tr("Keep the earlier predictions"))
        self.keeps.setToolTip(tr("Show a new prediction of this case beside the earlier ones, not instead."))
        self.save_button = button(
            "Save prediction",
            "Save the newest prediction of this case, with your corrections, on the grid of the ceT1 file, "
            "and beside it how it was made (.json). An earlier file of that name is kept.",
            act=self.save,
        )
        self.result = WrappedLabel()
        self._about = WrappedLabel()
        # The description of the chosen model, read from its files when it is chosen.
        self._description = ""
        self._sequences: tuple[Sequence, ...] = ()
        self.batch = BatchList()
        self.warm = WarmModels()
        self._live = LiveOutline(self.workspace)
        self._doubts: list[int] = []
        self._doubts_axis = 0
        # Predictions whose case was closed meanwhile, or is not open yet: shown when it is opened. Cases of
        # one name, in two projects, are told apart by their image.
        self._waiting: dict[Key, CasePrediction] = {}
        self._build()
        self._connect()
        self.model.refill()

    def start(self) -> None:
        """Predict the open case once the part is known; while it waits for a click, give up."""
        run, case = self.model.run(), self.workspace.case
        if self.place.is_waiting:
            self.place.stop_waiting()
            self.panel.say("Nothing was clicked.")
        elif run is not None and case is not None and not self.runner.is_busy:
            then = partial(self._predict, run=run, case=case)
            if self.attempt(lambda: self.place.ask(case, then)) is False:
                self.panel.say(f"Click on the zone in {case.name}; press the button again to give up.")
        self._refresh()

    def start_all(self) -> None:
        """Predict every case of the cohort into the project's folder."""
        run, cohort, folder = self.model.run(), self.workspace.cohort, self.workspace.folder
        if run is None or cohort is None or folder is None or self.runner.is_busy:
            return
        runs = [run, *self.ensemble.ticked()]
        out = folder / "predictions" / mean_name(runs)
        self.batch.begin()
        job = partial(predict.predict_all, runs, cohort, config=self.config(), out=out, warm=self.warm)
        self.panel.run(job, f"Predicting {len(cohort)} cases ...")
        self._refresh()

    def save(self) -> None:
        """Save the newest prediction of the open case."""
        layers = self.predictions()[:1]
        if not layers:
            return
        saves = self.attempt(lambda: self.workspace.masks_to_save(self, layers))
        if saves:
            record = self._live.record(layers[0])
            self.panel.run(partial(cases.save_masks, [replace(saves[0], record=record)]), "Saving ...")
            self._refresh()

    def can_predict(self) -> bool:
        """Whether there is a model that reads what the open case has, as far as its record says."""
        run, case = self.model.run(), self.workspace.case
        if run is None or case is None:
            return False
        return all(sequence in case.sequences for sequence in self._sequences)

    def offer(self, prediction: CasePrediction) -> None:
        """Show a prediction that was made ahead when its case is opened."""
        self._waiting[_key(prediction.case)] = prediction

    def show_next_doubt(self) -> None:
        """Go to the next slice in the order of doubt; after the last one comes the first."""
        plane = self.attempt(lambda: needed_plane(self.viewer, "The way to the next doubtful slice"))
        if plane is None:
            return
        axis = plane.axis
        if not self._doubts or axis != self._doubts_axis:
            self._doubts, self._doubts_axis = self._live.doubtful_slices(axis), axis
        if self._doubts:
            go_to_slice(self.viewer, Plane(axis=axis, number=self._doubts.pop(0)))

    def _predict(self, place: Place, *, run: Path, case: Case) -> None:
        runs = [run, *self.ensemble.ticked()]
        self.batch.end()
        job = partial(predict.predict_case, runs, case, config=self.config(), place=place, warm=self.warm)
        self.panel.run(job, f"Predicting {case.name} ...")
        self._refresh()

    def _build(self) -> None:
        for widget in (self.model, self.ensemble, self._about, self.place, self.form, self.start_button):
            self.body.addWidget(widget)
        self.body.addWidget(self.result)
        self.body.addLayout(beside(self.doubt_button, self.fills, wide=self.doubt_button))
        self.body.addWidget(self.keeps)
        self.body.addWidget(self.save_button)
        self.body.addWidget(self.batch)

    def _connect(self) -> None:
        self.fills.toggled.connect(self._on_style)
        self.batch.wanted.connect(self.start_all)
        self.runner.reported.connect(self.batch.show_event)
        self.form.changed.connect(self._on_form)
        self.model.chosen.connect(self._on_model)
        self.ensemble.chosen.connect(self._follow_preset)
        self.ensemble.chosen.connect(self._refresh)
        self.runner.finished.connect(self._on_finished)
        for over in (self.runner.failed, self.runner.cancelled):
            over.connect(self._refresh)
        self.listen(self.workspace.run_changed, self.model.refill)
        self.listen(self.workspace.models_changed, self.model.look_again)
        self.listen(self.workspace.cohort_changed, self.model.refill)
        self.listen(self.workspace.case_changed, self._on_case)
        self.listen_to(self.viewer.layers.events, ("inserted", "removed"), slot=self._refresh)

    def config(self) -> PredictConfig:
        """Return the choices of the form."""
        config = self.form.config()
        assert isinstance(config, PredictConfig)
        return config

    def _on_model(self) -> None:
        run = self.model.run()
        self._description = "" if run is None else describe_run(run)
        trained = None if run is None else trained_config(next(iter(members_of(run)), run))
        self._sequences = () if trained is None else trained.sequences
        self.ensemble.show_runs(self.model.others())

    def _follow_preset(self) -> None:
        run = self.model.run()
        if run is not None:
            self._recipe.follow([run, *self.ensemble.ticked()])

    def _on_case(self) -> None:
        case = self.workspace.case
        waiting = None if case is None else self._waiting.pop(_key(case), None)
        self.place.stop_waiting()
        self._doubts = []
        if case is not None and waiting is not None and waiting.case.grid.matches(case.grid):
            self._show_waiting(waiting)
        self._refresh()

    def _show_waiting(self, waiting: CasePrediction) -> None:
        """Show a prediction that has waited, unless another model was chosen since."""
        if self.model.run() in (None, waiting.run):
            self._show(waiting)

    def _on_form(self) -> None:
        """Draw the shown outline anew with these choices, without another run of the network."""
        shown = self._live.shown
        size = self._live.steer(self._recipe.steering())
        if shown is not None and size is not None:
            self.result.say(_in_words(shown, size, left_out_ml=self._live.left_out_ml))
        elif shown is not None:
            self.result.say(
                "You have drawn on this prediction, so it stays as it is. Predict again to steer."
            )

    def _on_style(self, is_filled: bool) -> None:
        for layer in self.predictions():
            layer.contour = 0 if is_filled else _OUTLINE_VOXELS
            layer.opacity = _FILLED_OPACITY if is_filled else 1.0

    def _on_finished(self, result: object) -> None:
        match result:
            case CasePrediction():
                self._on_predicted(result)
            case SavedMasks():
                self.workspace.layers.mark_saved(result.masks)
                self.panel.say(str(result))
            case _:
                self.panel.say(str(result))
        self._refresh()

    def _on_predicted(self, prediction: CasePrediction) -> None:
        name = prediction.case.name
        if self.workspace.case is not prediction.case:
            self._waiting[_key(prediction.case)] = prediction
            self.panel.say(f"{name} is no longer open: its prediction is shown when you open it again.")
            return
        self._show(prediction)

    def _show(self, prediction: CasePrediction) -> None:
        self._doubts = []
        self.workspace.screen.start(self._added(prediction))

    def _added(self, prediction: CasePrediction) -> Iterator[None]:
        """Add the layers one by one, then apply the choices that were made in the meantime."""
        if not self.keeps.isChecked():
            drawn = self.workspace.journalling.unsaved()
            self.workspace.layers.drop_predictions(prediction.case.name, but=drawn)
            yield
        yield from self.workspace.layers.add_all(prediction.layers)
        if self.workspace.in_hand is not None:
            # That is the mask to draw on, not this one.
            self.viewer.layers.selection.active = self.workspace.in_hand
        for layer in self.predictions()[:1]:
            self._live.begin(prediction, layer)
        self._on_style(self.fills.isChecked())
        self._on_form()
        self._refresh()

    def predictions(self) -> list[Labels]:
        """Return the predictions of the open case, the newest first."""
        case = self.workspace.case
        if case is None:
            return []
        found = self.workspace.layers.find(case.name, [Role.PREDICTION])
        return [layer for layer in found if isinstance(layer, Labels)]

    def _refresh(self, *_: object) -> None:
        newest = next(iter(self.predictions()), None)
        self._live.follow(newest)
        if self._live.shown is None:
            self.result.say("")
        run, case = self.model.run(), self.workspace.case
        self._about.say(_advice(run, case is not None, description=self._description))
        title = f"Predict {_short(case.name)}" if case else "Predict"
        self.start_button.setText("Give up waiting for a click" if self.place.is_waiting else title)
        self.start_button.setEnabled(run is not None and case is not None and not self.runner.is_busy)
        self.save_button.setEnabled(bool(self.predictions()) and not self.runner.is_busy)
        self.doubt_button.setEnabled(self._live.shown is not None)
        has_project = self.workspace.cohort is not None and self.workspace.folder is not None
        self.batch.start_button.setEnabled(run is not None and has_project and not self.runner.is_busy)


def _key(case: Case) -> Key:
    """Tell a case from others, also from those of the same name in another project."""
    return case.name, case.origin.path


class Predict(Dock, PredictParts):
    """The dock Predict."""


def _in_words(shown: CasePrediction, size: Size, *, left_out_ml: float) -> str:
    case, model = shown.case.name, run_name(shown.run)
    text = f"{case}: {size}, by {model}."
    if size.components == 0:
        text = f"{case}: 0.00 mL, by {model}."
    if left_out_ml:
        text += f" Left out in smaller parts: {volume_in_words(left_out_ml)}."
    elif size.components == 0:
        text += " Nothing reached the threshold: try a lower one, or look at the probability layer."
    return text + _WARNINGS[shown.trained_on]


def _short(name: str) -> str:
    """Keep a long name from widening the dock."""
    return name if len(name) <= 28 else f"{name[:27]}…"


def _advice(run: Path | None, has_case: bool, *, description: str) -> str:
    if run is None:
        return "No model yet: train one in the dock Train, or choose the folder of one."
    return description if has_case else "Open a case in the dock Cases first."
