"""For researchers: augmentation preview, study, and all options of training, prediction and scores."""

from collections.abc import Callable
from functools import partial

from napari.components import ViewerModel
from qtpy.QtWidgets import QWidget

from napari_necroseg.core.language import tr
from napari_necroseg.widgets.panel.step import Step
from napari_necroseg.widgets.shared.dock import DockParts
from napari_necroseg.widgets.shared.qt_parts import Section, WrappedLabel, below, lay


class ResearchersStep(Step):
    """Holds what a reader of images does not need; each part is built when it is first opened."""

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = viewer
        self.sections: dict[str, LazySection] = {}
        self.body.addWidget(WrappedLabel(tr("Every option of the method, in the words of machine learning.")))
        for name, title, help_text in _titles():
            section = LazySection(title, help_text, build=partial(self._built, name))
            self.sections[name] = section
            self.body.addWidget(section)
        self.body.addStretch(1)

    def main(self) -> None:
        """Have no main button: each part has its own."""

    def _built(self, name: str) -> QWidget:
        parts = _parts(name)(self._viewer)
        self.add(parts)
        return lay(QWidget(), below(parts, parts.panel))


class LazySection(Section):
    """A collapsible part whose content is built when it is first opened."""

    def __init__(self, title: str, help_text: str, *, build: Callable[[], QWidget]) -> None:
        super().__init__(title)
        self.toggleButton().setToolTip(help_text)
        self._build: Callable[[], QWidget] | None = build
        self.toggled.connect(self._on_toggled)

    def _on_toggled(self, is_open: bool) -> None:
        if is_open and self._build is not None:
            self.addWidget(self._build())
            self._build = None


def _titles() -> tuple[tuple[str, str, str], ...]:
    return (
        (
            "augmentation",
            tr("Augmentation preview"),
            tr("See how training samples are varied, and choose that for the next training."),
        ),
        ("train", tr("Training, all options"), tr("Choose cases, network, losses and everything else.")),
        ("predict", tr("Prediction, all options"), tr("Average models, predict a part, steer the outline.")),
        (
            "scores",
            tr("Scores of all cases"),
            tr("Score masks and whole folders of predictions; export tables."),
        ),
        ("study", tr("Study"), tr("Cross-validate configurations, on this computer or a cluster.")),
    )


def _parts(name: str) -> type[DockParts]:
    """Return the parts of a dock; they are imported only here, since together they take long."""
    if name == "augmentation":
        from napari_necroseg.widgets.augmentation.dock import AugmentationParts

        return AugmentationParts
    if name == "train":
        from napari_necroseg.widgets.train.dock import TrainParts

        return TrainParts
    if name == "predict":
        from napari_necroseg.widgets.predict.dock import PredictParts

        return PredictParts
    if name == "scores":
        from napari_necroseg.widgets.scores.dock import ScoresParts

        return ScoresParts
    from napari_necroseg.widgets.study.dock import StudyParts

    return StudyParts
