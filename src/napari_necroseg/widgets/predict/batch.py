"""Predicting all cases of a project with one button."""

from functools import partial
from pathlib import Path

from napari.components import ViewerModel
from qtpy.QtCore import Signal

from napari_necroseg.core.config import PredictConfig, train_preset, usual_prediction
from napari_necroseg.core.events import CaseDone
from napari_necroseg.core.language import ntr
from napari_necroseg.core.project.model_folder import trained_config
from napari_necroseg.core.project.models import members_of
from napari_necroseg.jobs import predict
from napari_necroseg.jobs.models import predictions_folder
from napari_necroseg.jobs.predict import WarmModels
from napari_necroseg.widgets.shared.dock import DockParts
from napari_necroseg.widgets.shared.qt_parts import WrappedLabel
from napari_necroseg.widgets.shared.quiet_panel import QuietJobPanel


class BatchParts(DockParts):
    """Predicts every case of the open project that the model in use has not predicted yet.

    `predicted`: emitted when all are done.
    """

    panel_type = QuietJobPanel
    panel: QuietJobPanel
    predicted = Signal()

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__(viewer)
        self.result = WrappedLabel()
        self._warm = WarmModels()
        self.runner.reported.connect(self._on_event)
        self.runner.finished.connect(self._on_finished)

    @property
    def is_busy(self) -> bool:
        """Whether it predicts."""
        return self.runner.is_busy

    def start(self, run: Path) -> None:
        """Predict with a model, as its preset wants it."""
        cohort, folder = self.workspace.cohort, self.workspace.folder
        if cohort is None or folder is None or self.is_busy:
            return
        self.result.say("")
        out = predictions_folder(folder, [run])
        job = partial(predict.predict_all, [run], cohort, config=_usual(run), out=out, warm=self._warm)
        words = ntr("Predicting {n} case ...", "Predicting {n} cases ...", len(cohort))
        self.panel.run(job, words)

    def _on_event(self, event: object) -> None:
        if isinstance(event, CaseDone):
            self.workspace.files_changed.emit()

    def _on_finished(self, result: object) -> None:
        done, failed = getattr(result, "done", 0), getattr(result, "failed", 0)
        words = ntr("{n} case is predicted.", "{n} cases are predicted.", done)
        if failed:
            words += " " + ntr("{n} case could not be.", "{n} cases could not be.", failed)
        self.result.say(words)
        self.predicted.emit()


def _usual(run: Path) -> PredictConfig:
    """Return the choices that the preset of a model, or of the first of an ensemble, asks for."""
    trained = trained_config(next(iter(members_of(run)), run))
    return usual_prediction(trained or train_preset("paper"))
