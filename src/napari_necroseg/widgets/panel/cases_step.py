"""The step Cases: opens a folder, and lists its cases."""

from napari.components import ViewerModel

from napari_necroseg.core.language import tr
from napari_necroseg.widgets.cases.dock import CasesParts
from napari_necroseg.widgets.panel.step import MainAction, Step
from napari_necroseg.widgets.shared import qt_parts


class CasesStep(Step):
    """Opens a folder of cases, and lists what is in it."""

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self.cases = CasesParts(viewer)
        self.add(self.cases)
        self.body.addWidget(self.cases)

    def main(self) -> MainAction:
        """Open a folder."""
        return MainAction(text=tr("Open folder ..."), help=tr("Open a folder of cases."), act=self.ask_folder)

    def ask_folder(self) -> None:
        """Ask for a folder, and open it."""
        folder = qt_parts.ask_folder(self, tr("Folder with the images of one or more cases"))
        if folder is not None:
            self.cases.open_folder(folder)
