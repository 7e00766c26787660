"""The status of the mask in work: its volume and diameter, and whether it is saved and signed."""

from qtpy.QtWidgets import QLabel, QWidget

from napari_necroseg.widgets.shared.qt_parts import below, lay
from napari_necroseg.widgets.shared.workspace import Workspace


class StatusLine(QWidget):
    """One line that is always in sight."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._workspace = workspace
        self.text = QLabel()
        lay(self, below(self.text))
