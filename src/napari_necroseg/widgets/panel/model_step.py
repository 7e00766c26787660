"""The step Model: learns from the drawn masks, and predicts the other cases."""

from napari.components import ViewerModel

from napari_necroseg.core.language import tr
from napari_necroseg.widgets.panel.step import MainAction, Step
from napari_necroseg.widgets.train.dock import TrainParts


class ModelStep(Step):
    """Trains a model, and lists the models that are known."""

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self.train = TrainParts(viewer)
        self.add(self.train)
        self.body.addWidget(self.train)

    def main(self) -> MainAction:
        """Train a model."""
        return MainAction(text=tr("Learn"), help=tr("Train a model."), act=self.train.start)
