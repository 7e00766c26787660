"""What a person wants of the training that runs: a pause, or its end with the model as it is."""

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QWidget

from napari_necroseg.widgets.train.jobs import Wants


class Meanwhile(QWidget):
    """Two buttons that are there while a training runs.

    Attributes
    ----------
    wants
        What they tell the training that was begun last.
    pause, keep
        The buttons.
    kept
        Emitted when the training is to end with the model as it is.
    """

    kept = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.wants = Wants()
        self.pause = QPushButton("Pause")
        self.pause.setCheckable(True)
        self.pause.setToolTip("Let the training stand still, so that the computer is free.")
        self.pause.toggled.connect(self._on_pause)
        self.keep = QPushButton("Stop and keep")
        self.keep.setToolTip("End the training now, and keep the model as it is.")
        self.keep.clicked.connect(self._on_keep)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.pause)
        row.addWidget(self.keep)

    def show_busy(self, is_busy: bool) -> None:
        """Show the buttons while a training runs."""
        self.setVisible(is_busy)
        self.keep.setEnabled(is_busy)
        if not is_busy:
            self.pause.setChecked(False)

    def give_up(self) -> None:
        """Let a stop leave nothing; otherwise it is an interruption, such as the end of the program."""
        self.wants.leave.clear()

    def _on_pause(self, pauses: bool) -> None:
        """Let the training stand still after its step, or go on."""
        self.pause.setText("Go on" if pauses else "Pause")
        (self.wants.pause.set if pauses else self.wants.pause.clear)()

    def _on_keep(self) -> None:
        self.wants.keep.set()
        self.keep.setEnabled(False)
        self.kept.emit()
