"""Signing off: the mask in hand, the state of the cohort, and what comes of the reviewed masks."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from napari.layers import Labels

from napari_necroseg.core.case import Case
from napari_necroseg.core.io.corrected import LABELS_FOLDER, corrected_path
from napari_necroseg.core.io.review import Status, next_case
from napari_necroseg.layerdata import Role
from napari_necroseg.widgets import _correct_jobs
from napari_necroseg.widgets._correct_jobs import Progressed, SignedOff, ToSignOff
from napari_necroseg.widgets._dock import Dock
from napari_necroseg.widgets._hand import Hand
from napari_necroseg.widgets._saving import masks_to_save
from napari_necroseg.widgets._sign_off import SignOff
from napari_necroseg.widgets._worker import JobRunner


class Reviewing:
    """What the buttons of `SignOff` do, in a dock that holds a mask in hand.

    Attributes
    ----------
    part
        The buttons.
    """

    def __init__(self, dock: Dock, hand: Hand) -> None:
        self._dock, self._hand = dock, hand
        self._workspace = dock.workspace
        self.part = SignOff()
        self._statuses: Mapping[str, Status] = {}
        self._quiet = JobRunner(dock)
        self.part.wanted.connect(self.sign_off)
        self.part.step_wanted.connect(self.step)
        self.part.improve_wanted.connect(self.improve)
        self._quiet.finished.connect(self._on_progress)
        self._quiet.failed.connect(self.part.state.say)

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
            panel.run(partial(_correct_jobs.sign_off, wanted), f"Signing off {case.name} ...")

    def on_signed_off(self, signed: SignedOff) -> None:
        """Take in that a mask was signed off."""
        if signed.saved is not None:
            self._workspace.layers.mark_saved(signed.saved.masks)
        self._hand.keeping.is_changed = False
        self._dock.panel.say(str(signed))
        self.look_up()

    def step(self, by: int) -> None:
        """Open the next case with the chosen status (1), or the one before (-1)."""
        cohort, case = self._workspace.cohort, self._workspace.case
        if cohort is None or not self._statuses:
            return
        after = case.name if case is not None and case.name in cohort.names else None
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
        if cohort is not None and labels is not None:
            name = "" if case is None else case.name
            self._quiet.start(partial(_correct_jobs.look_up, cohort, labels, name))

    def _to_sign_off(self, case: Case, labels: Path, mask: Labels, reader: str) -> ToSignOff:
        path = corrected_path(labels, case.name)
        is_saved = path.exists() and mask not in self._workspace.layers.unsaved()
        saves = None if is_saved else masks_to_save(self._dock, [mask], self._workspace.folder)
        found = self._workspace.layers.find(case.name, [Role.PREDICTION])
        predicted = [layer.data.copy() for layer in found if isinstance(layer, Labels)]
        return ToSignOff(
            case=case.name,
            labels=labels,
            reader=reader,
            mask=saves[0] if saves else None,
            path=path,
            before=predicted[0] if predicted else self._hand.before,
            after=mask.data.copy(),
            voxel_ml=case.grid.voxel_ml,
            seconds=self._hand.watch.lap(),
        )

    def _on_progress(self, progress: Progressed) -> None:
        self._statuses = progress.statuses
        self.part.show_state(progress.review, progress.statuses)
