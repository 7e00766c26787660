"""For researchers: the augmentation preview, the study, and all options."""

from napari.components import ViewerModel

from napari_necroseg.core.language import tr
from napari_necroseg.widgets.augmentation.dock import AugmentationParts
from napari_necroseg.widgets.panel.step import Step
from napari_necroseg.widgets.shared.qt_parts import Section
from napari_necroseg.widgets.study.dock import StudyParts


class ResearchersStep(Step):
    """Holds what a reader of images does not need."""

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        docks = {tr("Augmentation preview"): AugmentationParts, tr("Study"): StudyParts}
        for title, kind in docks.items():
            parts = kind(viewer)
            self.add(parts)
            section = Section(title)
            section.addWidget(parts)
            self.body.addWidget(section)

    def main(self) -> None:
        """Have no main button: each part has its own."""
