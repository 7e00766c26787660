"""The review of a mask: the slices to check, the initials that sign it off, and the next case."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from napari.layers import Labels
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QGridLayout,
    QLineEdit,
    QWidget,
)

from napari_necroseg.core.case import Case
from napari_necroseg.core.labels_folder import LABELS_FOLDER, corrected_path
from napari_necroseg.core.language import ntr, shown, tr
from napari_necroseg.core.project.remembered import read_remembered, remember
from napari_necroseg.core.project.review import Review, Status, next_case
from napari_necroseg.jobs import correct
from napari_necroseg.jobs.correct import ReviewState, SignedElsewhere, SignedOff, ToSignOff
from napari_necroseg.layerdata import Role, source_of
from napari_necroseg.widgets.correct.checklist import Checklist
from napari_necroseg.widgets.correct.edited_mask import EditedMask
from napari_necroseg.widgets.shared import qt_parts
from napari_necroseg.widgets.shared.dock import DockParts
from napari_necroseg.widgets.shared.qt_parts import WrappedLabel, button, lay
from napari_necroseg.widgets.shared.worker import JobRunner
from napari_necroseg.widgets.shared.workspace import masks_to_save


class Reviewing(QObject):
    """Acts on the buttons of `SignOff`, `part`.

    `changed` is emitted when the cohort's statuses were read, `signed` when the mask in hand was signed off;
    `remark` says what was left out then, if anything.
    """

    changed = Signal()
    signed = Signal()

    def __init__(self, dock: DockParts, hand: EditedMask, *, check: Checklist) -> None:
        super().__init__(dock)
        self._dock, self._hand, self._check = dock, hand, check
        self._workspace = dock.workspace
        self.part = SignOff()
        self._statuses: Mapping[str, Status] = {}
        self._is_stale = False
        # The case that was open when its sign-off was last read first, and the mask that was signed then.
        self._known: tuple[Case | None, str] = (None, "")
        self.remark = ""
        self._is_asked = False
        self._quiet = JobRunner(dock)
        self.part.wanted.connect(self._on_wanted)
        self.part.step_wanted.connect(self.step)
        self.part.improve_wanted.connect(self.improve)
        self._quiet.finished.connect(self._on_progress)
        self._quiet.reported.connect(dock.panel.show_event)
        self._quiet.failed.connect(self._on_failed)

    @property
    def labels(self) -> Path | None:
        """The folder of the masks of the project that the open case is of, whichever is being opened."""
        folder = self._workspace.case_folder
        return None if folder is None else folder / LABELS_FOLDER

    @property
    def _is_of_cohort(self) -> bool:
        """Whether the open case is one of the open cohort, and not of another with cases of these names."""
        case, cohort = self._workspace.case, self._workspace.cohort
        is_of_folder = self._workspace.case_folder == self._workspace.folder
        return case is not None and cohort is not None and is_of_folder and case.name in cohort

    @property
    def statuses(self) -> Mapping[str, Status]:
        """How far each case of the cohort is, as far as it was read."""
        return self._statuses

    def next_unsigned(self) -> str | None:
        """Return the next case of the table that is not signed off; None if there is none."""
        cohort, case = self._workspace.cohort, self._workspace.case
        if cohort is None or not self._statuses:
            return None
        after = case.name if case is not None and self._is_of_cohort else None
        left = {
            name: Status.REVIEWED if status is Status.REVIEWED else Status.UNTOUCHED
            for name, status in self._statuses.items()
        }
        return next_case(cohort, left, after=after, status=Status.UNTOUCHED)

    def sign_off(self) -> bool:
        """Save the mask in hand, and sign it off with the initials; False if that cannot be begun.

        An empty mask is signed off at the second press.
        """
        case, labels, mask = self._workspace.case, self.labels, self._hand.mask
        reader = self.part.initials.text().strip()
        panel = self._dock.panel
        if case is None or labels is None or mask is None:
            panel.say(tr("A mask in hand, of a case in a project, can be signed off."))
        elif not reader.isalpha():
            panel.say(tr("Write your initials first, 1 to 8 letters."))
            self.part.mark_initials(True)
            self.part.initials.setFocus()
        elif not self._is_empty_confirmed(mask):
            panel.say(tr("The mask is empty: press again to sign off that there is no necrosis."))
        elif not self._dock.runner.is_busy:
            self.part.mark_initials(False)
            remember(initials=reader)
            wanted = self._to_sign_off(case, labels, mask=mask, reader=reader)
            self.remark = self._about_seen()
            return panel.run(partial(correct.sign_off, wanted), tr("Signing off {case} ...", case=case.name))
        return False

    def _on_wanted(self) -> None:
        self.sign_off()

    def on_signed_off(self, signed: SignedOff) -> None:
        """Update after a mask was signed off."""
        self._workspace.layers.mark_saved((signed.mask,))
        self._hand.signed_off(signed.review.case)
        self._known = (self._workspace.case, signed.review.mask_sha256 or "")
        self._is_asked = False
        review = signed.review
        said = tr("{case} is signed off by {reader}.", case=review.case, reader=review.reader)
        self._dock.panel.say(f"{said}{self.remark}")
        self._put_others_aside(review.case)
        # At once: reading how far all cases are takes a while.
        self._statuses = {**self._statuses, review.case: Status.REVIEWED}
        self._workspace.set_signed(_signed(review))
        self.look_up()
        self.signed.emit()

    def on_signed_elsewhere(self, found: SignedElsewhere) -> None:
        """Ask whether this mask takes the place of one that somebody signed off meanwhile."""
        review = found.review
        question = tr(
            "{case} was signed off in another window meanwhile: {signed}.",
            case=review.case,
            signed=_signed(review),
        )
        if qt_parts.ask_replace(self._dock, question):
            wanted = replace(found.wanted, over=review.mask_sha256 or "")
            case = review.case
            self._dock.panel.run(partial(correct.sign_off, wanted), tr("Signing off {case} ...", case=case))
        else:
            self._dock.panel.say(tr("The other mask stays; yours is not signed off."))
            self.look_up()

    def _is_empty_confirmed(self, mask: Labels) -> bool:
        """Whether a mask is not empty, or that it is was said at the last press."""
        was_asked, self._is_asked = self._is_asked, not np.asarray(mask.data).any()
        return was_asked or not self._is_asked

    def _put_others_aside(self, case: str) -> None:
        """Put strokes on other masks of the person for this case aside: they would go to the same file."""
        journalling = self._workspace.journalling
        for layer in journalling.unsaved():
            source = source_of(layer.metadata)
            if layer is not self._hand.mask and source is not None and source.role is Role.LABELS:
                journalling.settle(layer)
                journalling.forget(layer)
                self._dock.panel.warn(
                    tr("The strokes on {name} were put aside: another mask was signed off.", name=layer.name)
                )

    def _about_seen(self) -> str:
        """Say how many slices of the mask were not looked at; nothing if all were."""
        n, total = self._check.seen
        if n and n < total:
            return " " + ntr(
                "{n} slice of it was not looked at.", "{n} slices of it were not looked at.", total - n
            )
        if not total or n == total:
            return ""
        return " ⚠ " + ntr("Its slice was not looked at.", "None of its {n} slices was looked at.", total)

    def step(self, by: int) -> None:
        """Open the next case with the chosen status (1), or the one before (-1)."""
        cohort, case = self._workspace.cohort, self._workspace.case
        if cohort is None or not self._statuses:
            return
        after = case.name if case is not None and self._is_of_cohort else None
        name = next_case(cohort, self._statuses, after=after, status=self.part.status(), backwards=by < 0)
        if name is None:
            self._dock.panel.say(tr("No other case: {status}.", status=self.part.which.currentText()))
        else:
            self._workspace.case_wanted.emit(name)

    def improve(self) -> None:
        """Show the panel's step Model, or the dock Train, ready to go on from the model with these masks."""
        window = getattr(self._dock.viewer, "window", None)
        if window is not None and not self._workspace.has_panel:
            window.add_plugin_dock_widget("napari-necroseg", "Train")
        reviewed = tuple(name for name, status in self._statuses.items() if status is Status.REVIEWED)
        self._workspace.improvement_wanted.emit(reviewed)

    def look_up(self) -> None:
        """Read how far the review of the cohort is."""
        cohort, folder, case = self._workspace.cohort, self._workspace.folder, self._workspace.case
        if cohort is None or folder is None:
            self._statuses = {}
            return
        name = case.name if case is not None and self._is_of_cohort else ""
        job = partial(correct.look_up, cohort, folder / LABELS_FOLDER, case=name)
        self._is_stale = not self._quiet.start(job)

    def _to_sign_off(self, case: Case, labels: Path, *, mask: Labels, reader: str) -> ToSignOff:
        saves = masks_to_save(self._dock, [mask], folder=self._workspace.case_folder)
        assert saves is not None, "in a project nobody is asked where to"
        # Also where a hand has drawn on a prediction: what is signed off is the person's mask.
        path = corrected_path(labels, case.name)
        found = self._workspace.layers.find(case.name, [Role.PREDICTION])
        predicted = [one.data.copy() for one in found if isinstance(one, Labels) and one is not mask]
        return ToSignOff(
            case=case.name,
            labels=labels,
            reader=reader,
            mask=replace(saves[0], path=path),
            before=predicted[0] if predicted else self._hand.before,
            voxel_ml=case.grid.voxel_ml,
            seconds=self._hand.watch.lap(),
            over=self._known[1] if self._known[0] is case else "",
        )

    def _on_progress(self, progress: ReviewState) -> None:
        self._statuses = progress.statuses
        self.part.show_state(progress.review, progress.statuses)
        self._tell_signed(progress)
        self.changed.emit()
        self._once_more()

    def _tell_signed(self, progress: ReviewState) -> None:
        case, review = self._workspace.case, progress.review
        if case is None or case.name != progress.case or not self._is_of_cohort:
            return
        is_signed = progress.statuses.get(case.name) is Status.REVIEWED
        if self._known[0] is not case:
            self._known = (case, (review.mask_sha256 or "") if review is not None else "")
        self._workspace.set_signed(_signed(review) if review is not None and is_signed else "")

    def _on_failed(self, message: str) -> None:
        self.part.state.say(message)
        self._once_more()

    def _once_more(self) -> None:
        """Read again, if something was saved during the last reading."""
        if self._is_stale:
            self.look_up()


def _signed(review: Review) -> str:
    return "" if review.date is None else f"{review.reader}, {review.date:%Y-%m-%d}"


class SignOff(QWidget):
    """Buttons to sign off the mask in hand and to go to another case.

    `step_wanted` is emitted with 1 or -1 for the next or the previous case with the chosen status,
    `improve_wanted` when the model is to be trained on the reviewed masks.
    """

    wanted = Signal()
    step_wanted = Signal(int)
    improve_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.initials = QLineEdit(read_remembered().initials)
        self.initials.setMaxLength(8)
        self.initials.setPlaceholderText(tr("initials"))
        self.initials.setToolTip(tr("Your initials, 1 to 8 letters; they are written beside the mask."))
        self.sign_button = button(
            tr("Sign off"),
            tr(
                "Save the mask into the project's labels, an earlier version being kept, and write beside it "
                "who signed it off, when, the time spent, and what changed against what you began with."
            ),
            act=self.wanted,
        )
        self.previous_button = button("◀", "", act=lambda: self.step_wanted.emit(-1))
        self.next_button = button(tr("Next case ▶"), "", act=lambda: self.step_wanted.emit(1))
        self.which = QComboBox()
        for status in (Status.UNTOUCHED, Status.IN_WORK, Status.REVIEWED):
            self.which.addItem(shown(status), status)
        self.which.addItem(tr("any"), None)
        self.which.setToolTip(tr("Go to cases with this status."))
        help_text = tr("Go on from the model in use with the masks that are signed off.")
        self.improve_button = button(tr("Improve the model with these"), help_text, act=self.improve_wanted)
        self.state = WrappedLabel()
        self._lay_out()

    @property
    def has_initials(self) -> bool:
        """Whether there are initials to sign off with; a frame about the field asks for them."""
        return self.initials.text().strip().isalpha()

    def mark_initials(self, is_missing: bool) -> None:
        """Draw a frame about the field while initials are missing."""
        self.initials.setStyleSheet("border: 2px solid #d29922;" if is_missing else "")

    def status(self) -> Status | None:
        """Return the status to look for; None for any."""
        chosen = self.which.currentData()
        return None if chosen is None else Status(chosen)

    def show_state(self, review: Review | None, statuses: Mapping[str, Status]) -> None:
        """Show how far the review of the open case and of the cohort is."""
        counts = Counter(statuses.values())
        cohort = ", ".join(f"{counts[status]} {shown(status)}" for status in Status if counts[status])
        lines = [] if review is None else [_in_words(review, statuses.get(review.case, review.status))]
        self.state.say("\n".join([*lines, *([tr("All cases: {counts}.", counts=cohort)] if cohort else [])]))
        self.improve_button.setEnabled(counts[Status.REVIEWED] > 0)
        for step in (self.previous_button, self.next_button):
            step.setEnabled(len(statuses) > 1)

    def _lay_out(self) -> None:
        grid = QGridLayout()
        grid.addWidget(self.initials, 0, 0)
        grid.addWidget(self.sign_button, 0, 1, 1, 2)
        grid.addWidget(self.previous_button, 1, 0)
        grid.addWidget(self.next_button, 1, 1)
        grid.addWidget(self.which, 1, 2)
        grid.addWidget(self.improve_button, 2, 0, 1, 3)
        grid.addWidget(self.state, 3, 0, 1, 3)
        lay(self, grid)
        self.previous_button.setMaximumWidth(60)
        self.initials.setMaximumWidth(90)


def _in_words(review: Review, status: Status) -> str:
    spent = tr(", {n:.1f} min of work", n=review.seconds / 60) if review.seconds else ""
    if status is not Status.REVIEWED or review.date is None:
        return f"{review.case}: {shown(status)}{spent}."
    text = tr(
        "{case}: signed off by {reader}, {date}{spent}.",
        case=review.case,
        reader=review.reader,
        date=review.date.strftime(tr("%Y-%m-%d")),
        spent=spent,
    )
    changes = review.changes
    if changes is None:
        return text
    slices = len(changes.slices)
    if not changes.before_ml:
        return f"{text} {tr('Drawn from nothing: {ml:.2f} mL.', ml=changes.after_ml)}"
    overlap = "–" if changes.dice is None else tr("{n:.2f}", n=changes.dice)
    changed = ntr(
        "Against what it began with: Dice {dice}, {before:.2f} to {after:.2f} mL, {n} slice changed.",
        "Against what it began with: Dice {dice}, {before:.2f} to {after:.2f} mL, {n} slices changed.",
        slices,
        dice=overlap,
        before=changes.before_ml,
        after=changes.after_ml,
    )
    return f"{text} {changed}"
