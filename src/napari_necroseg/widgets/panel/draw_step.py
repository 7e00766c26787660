"""The step Draw & check: the mask of the open case, from the first click to the signature."""

from functools import partial

import numpy as np
from napari.components import ViewerModel
from napari.layers import Labels
from qtpy.QtWidgets import QLabel, QScrollArea, QWidget

from napari_necroseg.core.errors import NecrosegError
from napari_necroseg.core.language import shown, tr
from napari_necroseg.core.project.predictions import saved_prediction
from napari_necroseg.jobs import cases
from napari_necroseg.jobs.cases import SavedMasks
from napari_necroseg.widgets.correct.dock import CorrectParts
from napari_necroseg.widgets.panel.next_case import NextCase
from napari_necroseg.widgets.panel.step import MainAction, Step
from napari_necroseg.widgets.predict.dock import PredictParts
from napari_necroseg.widgets.scores.dock import ScoresParts
from napari_necroseg.widgets.shared.qt_parts import Section, below, beside, button, lay, timer
from napari_necroseg.widgets.view.contour_list import ContourList

# Three slices; the others are scrolled.
_LIST_HEIGHT = 58

# Impatient presses on the main button are not meant for the case that has just come.
_SETTLE_MS = 600


class DrawStep(Step):
    """Predicts, corrects and signs off the mask of the open case."""

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self.correct, self.predict = CorrectParts(viewer), PredictParts(viewer)
        self.scores: ScoresParts | None = None
        self.workspace = self.correct.workspace
        for parts in (self.correct, self.predict):
            self.add(parts)
        self.next_case = NextCase(self.correct, self.predict)
        self.again_button = button(
            tr("Predict again"),
            tr("Predict this case with the chosen model; a mask that you drew on stays."),
            act=self.predict.start,
        )
        self.empty_button = button(
            tr("No necrosis: sign off empty"),
            tr("Sign off that there is no zone in this case, and open the next one."),
            act=self.sign_off,
        )
        self.scores_section = Section(tr("Scores"))
        # The case that the model could not predict.
        self._failed = ""
        self._settling = timer(self, _SETTLE_MS, act=self._on_settled)
        self._drawn_soon = timer(self, 0, act=self._on_changed)
        self._lay_out()
        self._connect()

    def main(self) -> MainAction:
        """Begin the mask, sign it off, or go on: whatever comes next."""
        first, mask = self.correct.first, self.workspace.in_hand
        if self.workspace.case is None:
            wanted = partial(self.workspace.step_wanted.emit, "cases")
            return MainAction(text=tr("Open a case"), help=tr("Go to the list of cases."), act=wanted)
        if first.is_waiting:
            help_text = tr("Click into the zone in an image; press this to give up.")
            return MainAction(text=tr("Click into the zone ... (give up)"), help=help_text, act=first.start)
        is_busy = (
            self._settling.isActive() or first.is_looking or any(parts.runner.is_busy for parts in self.parts)
        )
        if is_busy or (mask is None and not self.correct.recovery.has_removed):
            return MainAction(text=tr("One moment ..."), help=tr("Something is being done."))
        if mask is None:
            back = self.correct.recovery.bring_removed_back
            return MainAction(text=tr("Take the mask back"), help=tr("It was removed."), act=back)
        return self._next_for(mask)

    def _next_for(self, mask: Labels) -> MainAction:
        """Return what comes next for the mask in hand."""
        if not np.asarray(mask.data).any() and not self.workspace.signed:
            return self._to_begin()
        if self.workspace.case_folder is None:
            if self.workspace.layers.is_saved(mask):
                return MainAction(text=tr("The mask is saved"), help=tr("This case is in no project."))
            help_text = tr("This case is in no project: choose where the mask is saved.")
            return MainAction(text=tr("Save the mask ..."), help=help_text, act=self.save)
        if self.workspace.signed and self.workspace.layers.is_saved(mask):
            return self._to_go_on()
        return self._to_sign()

    def sign_off(self) -> None:
        """Sign the mask off, and go on to the next case."""
        if self.correct.reviewing.sign_off():
            self.next_case.goes_on = True
        part = self.correct.reviewing.part
        if not part.has_initials and part.initials.isEnabled():
            self._ask_for(part.initials)

    def save(self) -> None:
        """Save the mask of a case in no project, where the person chooses."""
        mask = self.workspace.in_hand
        if mask is None or self.correct.runner.is_busy:
            return
        try:
            saves = self.workspace.masks_to_save(self, [mask])
        except NecrosegError as error:
            self.correct.panel.say(shown(error))
            return
        if saves:
            self.correct.panel.run(partial(cases.save_masks, saves), tr("Saving ..."))

    def shown(self) -> None:
        """Have the mask in hand here, not in another dock."""
        if not self.correct.is_shut:
            self.correct.claim()

    def reopen(self) -> None:
        """Hear the viewer again."""
        super().reopen()
        self.next_case.look()

    def shut_down(self) -> None:
        """Stop all jobs."""
        self.next_case.stop()
        super().shut_down()

    def _ask_for(self, field: QWidget) -> None:
        """Bring a field into view, which is to be filled in first."""
        area = self.parent()
        while area is not None and not isinstance(area, QScrollArea):
            area = area.parent()
        if area is not None:
            area.ensureWidgetVisible(field)
        field.setFocus()

    def _to_begin(self) -> MainAction:
        case = self.workspace.case
        is_tried = bool(self.predict.predictions()) or (case is not None and case.name == self._failed)
        if not is_tried and self.predict.can_predict():
            help_text = tr("Let the chosen model outline the zone.")
            return MainAction(text=tr("Predict"), help=help_text, act=self.predict.start)
        help_text = tr("Press this, then click into the zone in an image: its outline is looked for.")
        return MainAction(text=tr("Click on the zone"), help=help_text, act=self.correct.first.start)

    def _to_go_on(self) -> MainAction:
        if self.correct.reviewing.next_unsigned() is None:
            return MainAction(text=tr("All cases are signed off"), help=tr("There is no case left to check."))
        help_text = tr("This mask is signed off. Open the next case that is not.")
        return MainAction(text=tr("Next case"), help=help_text, act=self.next_case.open)

    def _to_sign(self) -> MainAction:
        if self.correct.reviewing.next_unsigned() is None:
            help_text = tr("Save the mask, and sign it off with your initials.")
            return MainAction(text=tr("Sign off"), help=help_text, act=self.sign_off)
        help_text = tr("Save the mask, sign it off with your initials, and open the next case.")
        return MainAction(text=tr("Sign off and next"), help=help_text, act=self.sign_off)

    def _lay_out(self) -> None:
        correct, part = self.correct, self.correct.reviewing.part
        self.contours = ContourList(self.workspace)
        initials = beside(QLabel(tr("Sign off as")), part.initials, self.empty_button, None)
        top = below(
            correct.notice,
            correct.kept,
            correct.about,
            correct.tools.row,
            correct.brush.size_row,
            self.contours,
            beside(self.again_button, correct.anew_button),
            correct.check,
            initials,
        )
        top.setContentsMargins(4, 4, 4, 4)
        top.setSpacing(5)
        correct.check.rows.setFixedHeight(_LIST_HEIGHT)
        self.body.addLayout(top)
        self.scores_section.toggled.connect(self._on_scores)
        self.body.addWidget(self.scores_section)
        more = (
            (tr("Click on the zone: method and tolerance"), correct.first.options),
            (tr("Tools and brush"), lay(QWidget(), below(correct.tools.settings, correct.brush.bounds))),
            (tr("Prediction"), self.predict),
            (tr("Cases by status"), part),
        )
        for title, widget in more:
            section = Section(title)
            section.addWidget(widget)
            self.body.addWidget(section)
        self.body.addStretch(1)
        self.body.setSpacing(0)

    def _connect(self) -> None:
        correct, workspace = self.correct, self.workspace
        correct.first.changed.connect(self._on_changed)
        correct.hand.rested.connect(self._on_changed)
        correct.reviewing.changed.connect(self._on_changed)
        correct.runner.finished.connect(self._on_saved)
        self.predict.model.chosen.connect(self._on_model)
        self.predict.runner.failed.connect(self._on_failed)
        self.correct.reviewing.part.initials.returnPressed.connect(self._on_initials)
        correct.listen(workspace.hand_changed, self._on_changed)
        correct.listen(workspace.journalling.drawn, self._on_drawn)
        correct.listen(workspace.case_changed, self._on_case)
        correct.listen(workspace.files_changed, self._on_files)
        self._on_changed()

    def _on_model(self) -> None:
        self._failed = ""
        self._on_changed()

    def _on_failed(self, *_: object) -> None:
        """Offer the click on the zone after a prediction that failed."""
        self._failed = "" if self.workspace.case is None else self.workspace.case.name
        self._on_changed()

    def _on_initials(self) -> None:
        """Sign off at Enter, if that is what comes next."""
        main = self.main()
        if main.act == self.sign_off:
            self.sign_off()

    def _on_case(self) -> None:
        """Take no press for a while: it was meant for the case before."""
        self._settling.start(_SETTLE_MS)
        self._on_changed()

    def _on_settled(self) -> None:
        if self.workspace.screen.is_busy or self.workspace.opening:
            self._settling.start(_SETTLE_MS)
        self._on_changed()

    def _on_drawn(self, *_: object) -> None:
        # napari may report a stroke before it has changed the mask.
        self._drawn_soon.start()

    def _on_changed(self, *_: object) -> None:
        mask = self.workspace.in_hand
        is_empty = mask is not None and not np.asarray(mask.data).any()
        in_project = self.workspace.case_folder is not None
        self.empty_button.setVisible(is_empty and in_project and not self.workspace.signed)
        self.again_button.setEnabled(mask is not None and self.predict.model.run() is not None)
        self.correct.reviewing.part.initials.setEnabled(in_project)
        self.changed.emit()

    def _on_files(self) -> None:
        """Open the case anew if its prediction was written meanwhile, and nobody has begun a mask."""
        case, folder, mask = self.workspace.case, self.workspace.case_folder, self.workspace.in_hand
        if case is None or folder is None or mask is None or self.correct.first.is_waiting:
            return
        is_begun = np.asarray(mask.data).any() or not self.workspace.layers.is_untouched(mask)
        if is_begun or self.predict.predictions() or self.workspace.opening:
            return
        if saved_prediction(folder, case.name) is not None:
            self.workspace.case_wanted.emit(case.name)

    def _on_saved(self, result: object) -> None:
        if isinstance(result, SavedMasks):
            self.workspace.layers.mark_saved(result.masks)
            self._on_changed()

    def _on_scores(self, is_open: bool) -> None:
        """Build the table of scores when it is first asked for."""
        if is_open and self.scores is None:
            self.scores = ScoresParts(self.workspace.layers.viewer)
            self.add(self.scores)
            self.scores_section.addWidget(self.scores)
            self.scores_section.addWidget(self.scores.panel)
            self.scores_section.expand()
