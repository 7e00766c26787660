"""The progress of a study: the grid, a sentence on all runs, and one of them with its curve."""

from collections.abc import Collection, Iterable, Mapping
from functools import partial
from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

from napari_necroseg.core.events import Event
from napari_necroseg.core.study.record import RunState
from napari_necroseg.core.study.run import Run, RunAdvanced, RunStarted
from napari_necroseg.jobs import study
from napari_necroseg.jobs.study import Curve
from napari_necroseg.jobs.study_status import Points, RunStatus, StudyStatus, status_in_words, total_in_words
from napari_necroseg.widgets.shared.loss_curve import LossCurve
from napari_necroseg.widgets.shared.qt_parts import WrappedLabel, below, button, lay, timer
from napari_necroseg.widgets.shared.worker import NewestJob
from napari_necroseg.widgets.study.grid import StudyGrid

# A study that goes on reports all its runs at once; the total is not drawn for each.
_MS_BETWEEN_TOTALS = 100


class StudyProgress(QWidget):
    """Follows the runs of the study in `folder`; `moved` is emitted with the share of the job done."""

    moved = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.folder: Path | None = None
        self.status = StudyStatus()
        self.grid = StudyGrid()
        self.said = WrappedLabel()
        self.run_view = StudyRunView()
        # Whether the run below the grid was clicked; otherwise it is the last one that began.
        self._is_chosen = False
        self._may_run = False
        # Whether some runs have no cell in the grid yet.
        self._has_new = False
        self._totals = timer(self, _MS_BETWEEN_TOTALS, act=self._on_time)
        self.grid.chosen.connect(self._on_chosen)
        lay(self, below(self.grid, self.said, self.run_view))

    def show_runs(
        self, runs: Iterable[Run], states: Mapping[str, RunState], *, interrupted: Iterable[str] = ()
    ) -> None:
        """Show runs as the files of a study say."""
        self.status.show(runs, states, interrupted=interrupted)
        self._redraw()

    def begin(self, only: Collection[str] = ()) -> None:
        """Begin a job that does these runs, or all that are left."""
        self._is_chosen = bool(only)
        self.status.begin(only)

    def take(self, event: Event) -> bool:
        """Follow an event; False if it is not about a run."""
        key = self.status.take(event)
        if key is None:
            return False
        self._has_new = not self.grid.refresh(key, self.status) or self._has_new
        self._follow(event, key)
        if not self._totals.isActive():
            self._totals.start()
        return True

    def end(self) -> None:
        """Mark runs that were running as interrupted."""
        self.status.interrupt()
        self._redraw()

    def forget(self) -> None:
        """Show no run."""
        self.status.forget()
        self.run_view.forget()
        self._redraw()

    def allow(self, may_run: bool) -> None:
        """Say whether the run that is shown may be done again."""
        self._may_run = may_run
        one = self.status.runs.get(self.run_view.key)
        if one is not None:
            self.run_view.follow(one, may_run=may_run)

    def show_chosen(self) -> None:
        """Show the run below the grid anew, from its files."""
        one = self.status.runs.get(self.run_view.key)
        self.grid.mark(self.run_view.key)
        if one is None:
            self.run_view.forget()
        else:
            points = self.status.points(one.run.key)
            self.run_view.show_run(one, points, folder=self.folder, may_run=self._may_run)

    def _on_chosen(self, key: str) -> None:
        self._is_chosen = True
        self.run_view.key = key
        self.show_chosen()

    def _follow(self, event: Event, key: str) -> None:
        """Show a run as it goes on: the one that was clicked, or else the last one that began."""
        one = self.status.runs[key]
        if isinstance(event, RunStarted) and (key == self.run_view.key or not self._is_chosen):
            self.run_view.show_run(one, (), folder=None, may_run=False)
            self.grid.mark(key)
        elif key == self.run_view.key:
            self.run_view.follow(one, may_run=False)
            if isinstance(event, RunAdvanced) and event.loss is not None:
                self.run_view.curve.add(event.iteration, event.loss)

    def _on_time(self) -> None:
        if self._has_new:
            self._redraw()
        else:
            self._tell_total()

    def _redraw(self) -> None:
        self._has_new = False
        self.grid.show_status(self.status)
        self._tell_total()

    def _tell_total(self) -> None:
        self._totals.stop()
        total = self.status.total()
        self.said.say(total_in_words(total) if total.runs else "")
        self.moved.emit(total.share)


class StudyRunView(QWidget):
    """Shows the run with this `key`; `again_wanted` is emitted with the key of a failed run to do again."""

    again_wanted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.key = ""
        self.reading = NewestJob(self)
        self.reading.done.connect(self._on_read)
        self.details = WrappedLabel()
        self.curve = LossCurve()
        help_text = "Try this run again, and no other; what is there of it already is kept."
        self.again_button = button("Run again", help_text, act=lambda: self.again_wanted.emit(self.key))
        lay(self, below(self.details, self.again_button, self.curve))
        self.forget()

    def forget(self) -> None:
        """Show no run."""
        self.key = ""
        self.hide()

    def show_run(self, one: RunStatus, points: Points, *, folder: Path | None, may_run: bool) -> None:
        """Show a run with the points of its loss, or those in its files once it is over."""
        self.key = one.run.key
        self.curve.clear()
        for iteration, loss in points:
            self.curve.add(iteration, loss)
        self.follow(one, may_run=may_run)
        self.reading.forget()
        if folder is not None and one.state != "running":
            self.reading.read(partial(study.read_curve, folder, one.run.key))

    def follow(self, one: RunStatus, *, may_run: bool) -> None:
        """Update the text of the run that is shown; its curve stays."""
        self.details.say(status_in_words(one))
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
