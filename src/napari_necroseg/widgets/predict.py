"""The dock Predict: apply a trained model to the case that is open."""

from functools import partial
from pathlib import Path
from typing import Any

from napari.layers import Labels
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLabel, QPushButton

from napari_necroseg.core.config import PredictConfig
from napari_necroseg.core.errors import NecrosegError
from napari_necroseg.layerdata import Role
from napari_necroseg.widgets import _ask, _jobs
from napari_necroseg.widgets._dock import Dock
from napari_necroseg.widgets._forms import ConfigForm
from napari_necroseg.widgets._jobs import CasePrediction, SavedMasks
from napari_necroseg.widgets._prose import Prose
from napari_necroseg.widgets._runs import describe_run, find_runs
from napari_necroseg.widgets._saving import masks_to_save


class Predict(Dock):
    """Predicts the necrosis zone of the open case; each prediction is a layer of its own."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.models = QComboBox()
        self.models.setToolTip("Trained models of the open project, the newest first.")
        self.form = ConfigForm(PredictConfig(), plain=("threshold",))
        self.start_button = QPushButton("Predict")
        self.start_button.setToolTip("Apply the model to the open case. The result is a new layer.")
        self.models.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.save_button = QPushButton("Save prediction")
        self.save_button.setToolTip(
            "Save the newest prediction of this case, with your corrections, on the grid of the ceT1 file. "
            "An earlier file of that name is kept beside it."
        )
        self.result = Prose()
        self._about = Prose()
        self._browsed: list[Path] = []
        # Predictions whose case was closed meanwhile, by the case's name: shown when it is opened again.
        self._waiting: dict[str, CasePrediction] = {}
        self._build()
        self._connect()
        self._on_runs()

    def start(self) -> None:
        """Predict the open case; pressed again while a prediction runs, it does nothing."""
        run, case = self.models.currentData(), self.workspace.case
        if run is None or case is None:
            return
        try:
            config = PredictConfig.checked(**self.form.config().model_dump())
        except NecrosegError as error:
            self.panel.say(str(error))
            return
        self.panel.run(partial(_jobs.predict_case, run, case, config), f"Predicting {case.name} ...")
        self._refresh()

    def save(self) -> None:
        """Save the newest prediction of the open case."""
        layers = self._predictions()[:1]
        if not layers:
            return
        try:
            saves = masks_to_save(self, layers, self.workspace.folder)
        except NecrosegError as error:
            self.panel.say(str(error))
            return
        if saves:
            self.panel.run(partial(_jobs.save_masks, saves), "Saving ...")
            self._refresh()

    def _build(self) -> None:
        browse = QPushButton("...")
        browse.setFixedWidth(32)
        browse.setToolTip("Choose the folder of another trained model.")
        browse.clicked.connect(self._browse)
        row = QHBoxLayout()
        row.addWidget(QLabel("Model"))
        row.addWidget(self.models, 1)
        row.addWidget(browse)
        self.body.addLayout(row)
        for widget in (self._about, self.form, self.start_button, self.result, self.save_button):
            self.body.addWidget(widget)

    def _connect(self) -> None:
        self.start_button.clicked.connect(self.start)
        self.save_button.clicked.connect(self.save)
        self.models.currentIndexChanged.connect(self._refresh)
        self.runner.finished.connect(self._on_finished)
        for over in (self.runner.failed, self.runner.cancelled):
            over.connect(self._refresh)
        self.listen(self.workspace.run_changed, self._on_runs)
        self.listen(self.workspace.cohort_changed, self._on_runs)
        self.listen(self.workspace.case_changed, self._on_case)
        for happening in ("inserted", "removed"):
            self.listen(getattr(self.viewer.layers.events, happening), self._refresh)

    def _on_runs(self) -> None:
        """Fill the list of models; a model that was just trained is chosen."""
        last = self.workspace.run
        runs = [*([last] if last else []), *self._browsed, *find_runs(self.workspace.folder)]
        self.models.blockSignals(True)
        self.models.clear()
        for run in dict.fromkeys(runs):
            self.models.addItem(run.name, run)
        self.models.blockSignals(False)
        self._refresh()

    def _browse(self) -> None:
        run = _ask.ask_folder(self, "Folder of a trained model", str(self.workspace.folder or ""))
        if run is not None:
            self._browsed.insert(0, run)
            self._on_runs()
            self.models.setCurrentIndex(self.models.findData(run))

    def _on_case(self) -> None:
        case = self.workspace.case
        waiting = None if case is None else self._waiting.get(case.name)
        self.result.say("")
        if case is not None and waiting is not None and waiting.case.grid.matches(case.grid):
            del self._waiting[case.name]
            self._show(waiting)
        self._refresh()

    def _on_finished(self, result: object) -> None:
        match result:
            case CasePrediction():
                self._on_predicted(result)
            case SavedMasks():
                self.workspace.layers.mark_saved(result.masks)
                self.panel.say(str(result))
        self._refresh()

    def _on_predicted(self, prediction: CasePrediction) -> None:
        name = prediction.case.name
        if self.workspace.case is not prediction.case:
            self._waiting[name] = prediction
            self.panel.say(f"{name} is no longer open: its prediction is shown when you open it again.")
            return
        self._show(prediction)

    def _show(self, prediction: CasePrediction) -> None:
        self.workspace.screen.start(self.workspace.layers.add_all(prediction.layers))
        text = f"{prediction.case.name}: {prediction.volume_ml:.2f} mL, by {prediction.run.name}."
        if prediction.volume_ml == 0:
            text += " Nothing reached the threshold: try a lower one, or look at the probability layer."
        if prediction.was_trained_on:
            text += " ⚠ The model was trained on this case, so its scores here are too good."
        self.result.say(text)

    def _predictions(self) -> list[Labels]:
        case = self.workspace.case
        if case is None:
            return []
        found = self.workspace.layers.find(case.name, [Role.PREDICTION])
        return [layer for layer in found if isinstance(layer, Labels)]

    def _refresh(self, *_: object) -> None:
        run, case = self.models.currentData(), self.workspace.case
        self._about.say(_advice(run, case is not None))
        self.start_button.setText(f"Predict {_short(case.name)}" if case else "Predict")
        self.start_button.setEnabled(run is not None and case is not None and not self.runner.is_busy)
        self.save_button.setEnabled(bool(self._predictions()) and not self.runner.is_busy)


def _short(name: str) -> str:
    """Keep a long name from widening the dock."""
    return name if len(name) <= 28 else f"{name[:27]}…"


def _advice(run: Path | None, has_case: bool) -> str:
    if run is None:
        return "No model yet: train one in the dock Train, or choose the folder of one."
    return describe_run(run) if has_case else "Open a case in the dock Cases first."
