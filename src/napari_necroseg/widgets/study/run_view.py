"""One run of a study: what has become of it, its loss curve, and the way to do it again."""

from functools import partial
from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from napari_necroseg.widgets.shared.curve import LossCurve
from napari_necroseg.widgets.shared.prose import Prose
from napari_necroseg.widgets.study import jobs
from napari_necroseg.widgets.study.board import Points, RunStanding
from napari_necroseg.widgets.study.jobs import Curve
from napari_necroseg.widgets.study.reading import Reading
from napari_necroseg.widgets.study.words import standing_in_words


class StudyRunView(QWidget):
    """Hidden until a run is chosen; `again_wanted` is emitted with the key of a failed run to do again.

    Attributes
    ----------
    key
        Of the run that is shown; empty without any.
    """

    again_wanted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.key = ""
        self.reading = Reading(self)
        self.reading.done.connect(self._on_read)
        self.details = Prose()
        self.curve = LossCurve()
        self.again_button = QPushButton("Run again")
        self.again_button.setToolTip("Try this run again, and no other; what is there of it already is kept.")
        self.again_button.clicked.connect(lambda: self.again_wanted.emit(self.key))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        for widget in (self.details, self.again_button, self.curve):
            column.addWidget(widget)
        self.forget()

    def forget(self) -> None:
        """Show no run."""
        self.key = ""
        self.hide()

    def show_run(self, one: RunStanding, points: Points, folder: Path | None, *, may_run: bool) -> None:
        """Show a run: the points that were followed, or what its files in the study's folder hold."""
        self.key = one.run.key
        self.curve.clear()
        for iteration, loss in points:
            self.curve.add(iteration, loss)
        self.follow(one, may_run=may_run)
        self.reading.forget()
        if folder is not None and one.state != "running":
            self.reading.read(partial(jobs.read_curve, folder, one.run.key))

    def follow(self, one: RunStanding, *, may_run: bool) -> None:
        """Say what has become of the run that is shown; its curve stays."""
        self.details.say(standing_in_words(one))
        self.again_button.setVisible(one.state == "failed")
        self.again_button.setEnabled(may_run)
        self.curve.setVisible(one.state == "running" or bool(self.curve.points))
        self.show()

    def _on_read(self, read: Curve) -> None:
        if read.key != self.key or not read.losses:
            return
        self.curve.clear()
        for iteration, loss in read.losses:
            self.curve.add(iteration, loss)
        for iteration, dice in read.dice:
            self.curve.add_dice(iteration, dice)
        self.curve.show()
