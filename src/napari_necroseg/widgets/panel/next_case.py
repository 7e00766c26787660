"""Goes on to the next case that is not signed off, which is read and predicted ahead."""

from functools import partial
from pathlib import Path

from qtpy.QtCore import QObject

from napari_necroseg.core.language import tr
from napari_necroseg.jobs import ahead
from napari_necroseg.jobs.ahead import Prepared
from napari_necroseg.widgets.correct.dock import CorrectParts
from napari_necroseg.widgets.predict.dock import PredictParts
from napari_necroseg.widgets.shared.qt_parts import timer
from napari_necroseg.widgets.shared.worker import JobRunner

# The open case is drawn, and its masks are looked up, before the next one is read.
_WAIT_MS = 700
# After a stroke the next case is read when the hand has rested that long; it is not predicted any more.
_REST_MS = 3000


class NextCase(QObject):
    """Prepares the next case while nobody draws, and opens it.

    `goes_on`: whether to open it once the mask in hand is signed off.
    """

    def __init__(self, correct: CorrectParts, predict: PredictParts) -> None:
        super().__init__(correct)
        self._correct, self._predict = correct, predict
        self._workspace = correct.workspace
        self.goes_on = False
        self._is_drawn = False
        # The case that is prepared, and the model that it is predicted with.
        self._prepared: tuple[str, Path | None] | None = None
        # The case that was left, and what is to be said of its sign-off in the next one.
        self._remark = ("", "")
        self._runner = JobRunner(self)
        self._soon = timer(self, _WAIT_MS, act=self._prepare)
        self._later = timer(self, _REST_MS, act=self._prepare)
        self._runner.finished.connect(self._on_prepared)
        self._runner.cancelled.connect(self.look)
        correct.reviewing.signed.connect(self._on_signed)
        correct.reviewing.changed.connect(self.look)
        predict.runner.started.connect(self.stop)
        for happening in (predict.runner.finished, predict.runner.failed, predict.runner.cancelled):
            happening.connect(self.look)
        predict.model.chosen.connect(self.look)
        correct.listen(self._workspace.case_changed, self._on_case)
        correct.listen(self._workspace.journalling.drawn, self._on_drawn)

    def open(self) -> None:
        """Open the next case that is not signed off."""
        name = self._correct.reviewing.next_unsigned()
        if name is None:
            self._correct.panel.say(tr("All cases are signed off."))
        else:
            self.stop()
            self._workspace.case_wanted.emit(name)

    def look(self, *_: object) -> None:
        """Prepare the next case soon."""
        if not self._is_drawn:
            self._soon.start()

    def stop(self, *_: object) -> None:
        """Stop preparing; what is not ready then is begun anew."""
        if self._runner.is_busy:
            self._prepared = None
        self._soon.stop()
        self._later.stop()
        self._runner.cancel()

    def _prepare(self) -> None:
        workspace, cohort = self._workspace, self._workspace.cohort
        name, folder = self._correct.reviewing.next_unsigned(), workspace.folder
        run = None if self._is_drawn else self._predict.model.run()
        is_busy = self._runner.is_busy or self._predict.runner.is_busy or bool(workspace.opening)
        if cohort is None or name is None or folder is None or is_busy or (name, run) == self._prepared:
            return
        self._prepared = (name, run)
        job = partial(
            ahead.prepare,
            cohort[name],
            folder,
            ahead=workspace.ahead,
            run=run,
            config=self._predict.config(),
            warm=self._predict.warm,
        )
        self._runner.start(job)

    def _on_case(self) -> None:
        self.stop()
        self._is_drawn, self._prepared = False, None
        self._soon.start()
        case, (left, remark) = self._workspace.case, self._remark
        self._remark = ("", "")
        if remark and case is not None and case.name != left:
            back = partial(self._workspace.case_wanted.emit, left)
            self._correct.notice.tell(remark, button=tr("Go back"), act=back)

    def _on_drawn(self, *_: object) -> None:
        """Leave the processor to the person who draws."""
        self.stop()
        self._is_drawn = True
        self._later.start()

    def _on_prepared(self, prepared: Prepared) -> None:
        if prepared.prediction is not None:
            self._predict.offer(prepared.prediction)

    def _on_signed(self) -> None:
        case, reviewing = self._workspace.case, self._correct.reviewing
        goes_on, self.goes_on = self.goes_on, False
        # Somebody may have chosen another case meanwhile.
        if goes_on and case is not None and not self._workspace.opening:
            self._remark = (case.name, f"{case.name}:{reviewing.remark}" if "⚠" in reviewing.remark else "")
            self.open()
