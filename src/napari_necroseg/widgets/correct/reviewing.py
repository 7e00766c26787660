"""Signing off: the mask in hand, the state of the cohort, and what comes of the reviewed masks."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from napari.layers import Labels
from qtpy.QtCore import QObject, Signal

from napari_necroseg.core.case import Case
from napari_necroseg.core.io.corrected import LABELS_FOLDER
from napari_necroseg.core.io.review import Status, next_case
from napari_necroseg.layerdata import Role
from napari_necroseg.widgets.correct import jobs
from napari_necroseg.widgets.correct.hand import Hand
from napari_necroseg.widgets.correct.jobs import Progressed, SignedOff, ToSignOff
from napari_necroseg.widgets.correct.sign_off import SignOff
from napari_necroseg.widgets.shared.dock import Dock
from napari_necroseg.widgets.shared.saving import masks_to_save
from napari_necroseg.widgets.shared.worker import JobRunner


class Reviewing(QObject):
    """What the buttons of `SignOff` do, in a dock that holds a mask in hand.

    Attributes
    ----------
    part
        The buttons.
    changed
        Emitted when it was looked how far the cohort is.
    """

    changed = Signal()

    def __init__(self, dock: Dock, hand: Hand) -> None:
        super().__init__(dock)
        self._dock, self._hand = dock, hand
        self._workspace = dock.workspace
        self.part = SignOff()
        self._statuses: Mapping[str, Status] = {}
        self._is_stale = False
        self._quiet = JobRunner(dock)
        self.part.wanted.connect(self.sign_off)
        self.part.step_wanted.connect(self.step)
        self.part.improve_wanted.connect(self.improve)
        self._quiet.finished.connect(self._on_progress)
        self._quiet.event.connect(dock.panel.show_event)
        self._quiet.failed.connect(self._on_failed)

    @property
    def labels(self) -> Path | None:
        """The folder of the project's masks."""
        folder = self._workspace.folder
        return None if folder is None else folder / LABELS_FOLDER

    def sign_off(self) -> None:
        """Save the mask in hand, and sign it off with the initials."""
        case, labels, mask = self._workspace.case, self.labels, self._hand.mask
        reader = self.part.initials.text().strip()
        panel = self._dock.panel
        if case is None or labels is None or mask is None:
            panel.say("Press Start first: a mask in hand, of a case in a project, is signed off.")
        elif not reader.isalpha():
            panel.say("Write your initials first, 1 to 8 letters.")
        elif not self._dock.runner.is_busy:
            wanted = self._to_sign_off(case, labels, mask, reader)
            panel.run(partial(jobs.sign_off, wanted), f"Signing off {case.name} ...")

    def on_signed_off(self, signed: SignedOff) -> None:
        """Take in that a mask was signed off."""
        self._workspace.layers.mark_saved(signed.saved.masks)
        self._hand.signed_off(signed.review.case)
        self._dock.panel.say(str(signed))
        self.look_up()

    def step(self, by: int) -> None:
        """Open the next case with the chosen status (1), or the one before (-1)."""
        cohort, case = self._workspace.cohort, self._workspace.case
        if cohort is None or not self._statuses:
            return
        after = case.name if case is not None and case.name in cohort else None
        name = next_case(cohort, self._statuses, after=after, status=self.part.status(), backwards=by < 0)
        if name is None:
            self._dock.panel.say(f"No other case is {self.part.which.currentText()}.")
        else:
            self._workspace.case_wanted.emit(name)

    def improve(self) -> None:
        """Open the dock Train, ready to go on from the newest model with the reviewed masks."""
        window = getattr(self._dock.viewer, "window", None)
        if window is not None:
            window.add_plugin_dock_widget("napari-necroseg", "Train")
        reviewed = tuple(name for name, status in self._statuses.items() if status is Status.REVIEWED)
        self._workspace.improvement_wanted.emit(reviewed)

    def look_up(self) -> None:
        """Look how far the cohort is."""
        cohort, labels, case = self._workspace.cohort, self.labels, self._workspace.case
        if cohort is None or labels is None:
            self._statuses = {}
            return
        job = partial(jobs.look_up, cohort, labels, "" if case is None else case.name)
        self._is_stale = not self._quiet.start(job)

    def _to_sign_off(self, case: Case, labels: Path, mask: Labels, reader: str) -> ToSignOff:
        saves = masks_to_save(self._dock, [mask], self._workspace.case_folder)
        assert saves is not None, "in a project nobody is asked where to"
        found = self._workspace.layers.find(case.name, [Role.PREDICTION])
        predicted = [layer.data.copy() for layer in found if isinstance(layer, Labels)]
        return ToSignOff(
            case=case.name,
            labels=labels,
            reader=reader,
            mask=saves[0],
            before=predicted[0] if predicted else self._hand.before,
            grid=case.grid,
            seconds=self._hand.watch.lap(),
        )

    def _on_progress(self, progress: Progressed) -> None:
        self._statuses = progress.statuses
        self.part.show_state(progress.review, progress.statuses)
        self.changed.emit()
        self._once_more()

    def _on_failed(self, message: str) -> None:
        self.part.state.say(message)
        self._once_more()

    def _once_more(self) -> None:
        """Look again, if something has happened while it was looked."""
        if self._is_stale:
            self.look_up()
