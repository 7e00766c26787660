"""The step Draw & check: the mask of the open case, from the first click to the signature."""

from napari.components import ViewerModel

from napari_necroseg.core.language import tr
from napari_necroseg.widgets.correct.dock import CorrectParts
from napari_necroseg.widgets.panel.step import MainAction, Step
from napari_necroseg.widgets.predict.dock import PredictParts


class DrawStep(Step):
    """Predicts, corrects and signs off the mask of the open case."""

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self.correct, self.predict = CorrectParts(viewer), PredictParts(viewer)
        for parts in (self.correct, self.predict):
            self.add(parts)
            self.body.addWidget(parts)

    def main(self) -> MainAction:
        """Sign the mask off."""
        return MainAction(
            text=tr("Sign off and next"),
            help=tr("Sign the mask off, and open the next case."),
            act=self.correct.reviewing.sign_off,
        )
