"""The training of a project that was interrupted: gone on with, or discarded."""

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QWidget

from napari_necroseg.core.errors import NecrosegError
from napari_necroseg.widgets.shared import ask
from napari_necroseg.widgets.shared.runs import discard_interrupted, find_interrupted


class Interrupted(QWidget):
    """Two buttons about the training that was interrupted last; hidden where there is none.

    Attributes
    ----------
    run
        Its folder; None where there is none.
    go_on, discard
        The buttons.
    discarded
        Emitted with a message when it was discarded, or could not be.
    """

    discarded = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.run: Path | None = None
        self.go_on = QPushButton()
        self.go_on.setToolTip(
            "This training was interrupted. Go on from its last save, with its own choices and cases."
        )
        self.discard = QPushButton("Discard")
        self.discard.setToolTip("Remove what the interrupted training has learned.")
        self.discard.clicked.connect(self._on_discard)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.go_on, 1)
        row.addWidget(self.discard)

    def look(self, models: Path | None) -> None:
        """Look whether a training in this folder was interrupted."""
        self.show_run(find_interrupted(models))

    def show_run(self, run: Path | None) -> None:
        """Name a training, or none."""
        self.run = run
        self.go_on.setText("" if run is None else f"Go on with {run.name}")

    def _on_discard(self) -> None:
        run = self.run
        if run is None or not ask.ask_discard(self, f"Discard what the training {run.name} has learned?"):
            return
        try:
            discard_interrupted(run)
        except NecrosegError as error:
            self.discarded.emit(str(error))
            return
        self.discarded.emit(f"Discarded {run.name}.")
