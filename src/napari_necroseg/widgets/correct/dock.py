"""The dock Correct: a mask by hand, kept safe with every stroke, checked slice by slice, and signed off."""

from functools import partial

import numpy as np
from napari.components import ViewerModel
from napari.layers import Labels
from qtpy.QtWidgets import QComboBox, QLabel

from napari_necroseg.core.case import Case
from napari_necroseg.core.masks.components import Mask
from napari_necroseg.core.project.journal import Journal
from napari_necroseg.core.volume import Voxels
from napari_necroseg.jobs import correct
from napari_necroseg.jobs.correct import JournalBegun, PutAside, SignedOff, TakenBack
from napari_necroseg.layerdata import Role
from napari_necroseg.widgets.correct.brush import Brush
from napari_necroseg.widgets.correct.edit_tools import EditTools
from napari_necroseg.widgets.correct.edited_mask import EditedMask
from napari_necroseg.widgets.correct.first_mask import FirstMask
from napari_necroseg.widgets.correct.review import Checklist, Reviewing
from napari_necroseg.widgets.shared.dock import Dock, DockParts
from napari_necroseg.widgets.shared.kept_strokes import KeptStrokesPart
from napari_necroseg.widgets.shared.plane import Plane, go_to_slice, needed_plane, shown_plane
from napari_necroseg.widgets.shared.qt_parts import Section, WrappedLabel, beside, button

_ROLES = {
    "newest prediction": Role.PREDICTION,
    "my mask": Role.LABELS,
    "reference": Role.REFERENCE,
}
_EMPTY = "nothing"
_IN_HAND = "In hand: draw away."
_KEYS = (
    "Keys while the mask is the active layer: 2 brush, 1 eraser, 4 bucket, 3 polygon, Ctrl+Z undo. "
    "With Shift: I fill between slices, S smooth, G grow, J shrink, H holes, K largest, D remove part, "
    "N and B copy to the next and the previous slice, E and X erase and swap in a box, C next to check."
)


class CorrectParts(DockParts):
    """Takes one mask in hand; nothing else of the case is changed."""

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__(viewer)
        self.origin = QComboBox()
        self.origin.setToolTip("What to begin with; the copy is yours, the original stays as it is.")
        help_text = "Take a mask in hand: your own layer, to be drawn on."
        self.start_button = button("Start", help_text, act=self.start)
        self.kept = KeptStrokesPart(self)
        self.found, self.back_button = self.kept.found, self.kept.back_button
        self.aside_button = self.kept.aside_button
        self.about = WrappedLabel()
        self.brush = Brush(self.workspace)
        self.tools = EditTools(self.workspace)
        self.first = FirstMask(self.workspace)
        self.check = Checklist()
        self.hand = EditedMask(self.workspace, self)
        self.reviewing = Reviewing(self, self.hand)
        self._wanted_origin = ""
        # Whether the mask is being begun with the proposal of a first mask.
        self._takes_first = False
        self._build()
        self._connect()
        self._on_case()

    def shut_down(self) -> None:
        """Let go of the mask; unsaved strokes stay in the journal."""
        self._let_go()
        self.first.drop()
        self.first.close_thread()
        self.first.wire.close_thread()
        self.hand.wait()
        super().shut_down()

    def start(self) -> None:
        """Take a mask in hand, beginning with the chosen one."""
        case = self.workspace.case
        if case is None or self.runner.is_busy or not self.workspace.journalling.is_open:
            return
        voxels = self._first_voxels(case)
        if self.hand.mask is not None:
            self.hand.put(voxels)
            self.hand.before = voxels.copy()
            self.panel.say(f"Begun anew with {self.origin.currentText()}. Ctrl+Z takes it back.")
        else:
            self._begin(case, voxels)

    def _begin(self, case: Case, voxels: Voxels) -> None:
        journalling = self.workspace.journalling
        if journalling.of(self.workspace.layers.mine(case.name)) is not None:
            # It was drawn on already, so that it is journalled, if the disk allows it.
            self._hold(case, voxels)
            self._on_held(f"In hand. ⚠ {journalling.trouble}" if journalling.trouble else _IN_HAND)
            return
        job = partial(correct.begin, journalling.folder_later(), case.name, voxels=voxels)
        self.panel.run(job, "Taking in hand ...")
        self._refresh()

    def _build(self) -> None:
        self.body.addLayout(beside(QLabel("Begin with"), self.origin, self.start_button, wide=self.origin))
        for widget in (self.kept, self.about):
            self.body.addWidget(widget)
        parts = {
            "First mask without a model": self.first,
            "Brush": self.brush,
            "Tools": self.tools,
            "Check": self.check,
            "Sign off": self.reviewing.part,
        }
        for title, part in parts.items():
            section = Section(title)
            section.addWidget(part)
            if part is not self.first:
                section.expand()
            self.body.addWidget(section)
        keys = WrappedLabel(_KEYS)
        keys.setStyleSheet("font-size: 10px; color: gray;")
        self.body.addWidget(keys)

    def _connect(self) -> None:
        self.origin.activated.connect(self._on_origin)
        self.tools.said.connect(self.panel.say)
        self.first.said.connect(self.panel.say)
        self.first.accepted.connect(self._on_first_mask)
        self.check.wanted.connect(self._go_to)
        self.hand.failed.connect(self.panel.warn)
        self.runner.finished.connect(self._on_finished)
        self.runner.failed.connect(self._on_over)
        self.runner.cancelled.connect(self._on_over)
        self.reviewing.changed.connect(self._refresh)
        self.listen(self.workspace.case_changed, self._on_case)
        self.listen(self.workspace.cohort_changed, self._on_cohort)
        self.listen(self.workspace.journalling.changed, self._refresh)
        self.listen(self.workspace.layers.leaving, self._let_go)
        self.listen(self.viewer.dims.events.current_step, self._on_slice)
        self.listen_to(self.viewer.dims.events, ("order", "ndisplay"), slot=self._on_plane)
        self.listen_to(self.viewer.layers.events, ("inserted", "removed"), slot=self._on_layers)

    def _first_voxels(self, case: Case) -> Voxels:
        role = _ROLES.get(self.origin.currentText())
        mine = self.workspace.layers.mine(case.name)
        if role is Role.LABELS and mine is not None:
            return np.array(mine.data)
        for layer in [] if role is None else self.workspace.layers.find(case.name, [role]):
            if isinstance(layer, Labels):
                return np.asarray(layer.data != 0).astype(np.uint8)
        return np.zeros(case.grid.shape, np.uint8)

    def _hold(self, case: Case, voxels: Voxels, *, journal: Journal | None = None) -> None:
        """Put voxels into the person's mask as one edit, and take it in hand."""
        journalling = self.workspace.journalling
        mask = self.workspace.layers.new_mask(case)
        with journalling.by_program():
            self.hand.take(case, mask, before=voxels, labels=self.reviewing.labels)
            self.hand.put(voxels)
        if journal is not None:
            journalling.hold(mask, journal)
        self._use(case, mask)

    def _use(self, case: Case, mask: Labels) -> None:
        """Give the mask in hand its brush, tools and slices to check."""
        self.brush.hold(mask)
        self.tools.edit(mask)
        mask.bind_key("Shift-C", lambda _: self.check.go_on(), overwrite=True)
        self.viewer.layers.selection.active = mask
        mask.mode = "paint"
        found = self.workspace.layers.find(case.name, [Role.UNCERTAINTY])
        self.check.begin(found[0].data if found else None, mask.data != 0)
        self._on_slice()
        self._refresh()

    def _on_held(self, message: str) -> None:
        if self._takes_first:
            self.first.give_up()
        self._takes_first = False
        self.panel.say(message)

    def _put_back(self, case: Case, taken: TakenBack) -> None:
        """Show the strokes that were taken back; the person's mask is taken in hand again."""
        mask = self.workspace.journalling.put_back(case, taken.kept, journal=taken.journal, found=taken.found)
        if taken.kept.is_own and mask is self.workspace.layers.mine(case.name):
            self._let_go()
            self.hand.take(case, mask, before=None, labels=self.reviewing.labels)
            self._use(case, mask)
        self.panel.say(str(taken))

    def _on_first_mask(self, mask: Mask) -> None:
        """Add a proposal to the mask in hand, or begin a mask with it."""
        case = self.workspace.case
        if case is None or mask.shape != case.grid.shape:
            return
        if self.hand.mask is not None:
            self.hand.put(np.where(mask & (self.hand.mask.data == 0), 1, self.hand.mask.data))
            self.first.give_up()
            self.panel.say("Added to the mask in hand. Ctrl+Z takes it back.")
        elif self.runner.is_busy or self._is_left or not self.workspace.journalling.is_open:
            self.panel.say("Not yet: decide about the work that was left, or wait for what is running.")
        else:
            self._takes_first = True
            self._begin(case, mask.astype(np.uint8))

    def _let_go(self) -> None:
        self.hand.let_go()
        self.brush.hold(None)
        self.tools.edit(None)
        self.check.begin(None, None)

    def _go_to(self, number: int) -> None:
        if self.attempt(lambda: needed_plane(self.viewer, "The list of slices")) is not None:
            go_to_slice(self.viewer, Plane(axis=self.check.axis, number=number))

    def _on_slice(self, *_: object) -> None:
        plane = shown_plane(self.viewer)
        if plane is not None:
            self.check.show_axis(plane.axis)
            self.check.see(plane.number)
        self.hand.watch.touch()

    def _on_plane(self, *_: object) -> None:
        self.brush.follow_plane()
        self._on_slice()

    def _on_finished(self, result: object) -> None:
        case = self.workspace.case
        match result:
            case JournalBegun() if case is not None and case.name == result.case:
                self._hold(case, result.voxels, journal=result.journal)
                self._on_held(_IN_HAND)
            case TakenBack() if case is not None and case.name == result.case:
                self._put_back(case, result)
            case JournalBegun(journal=journal):
                # Of a case that is no longer open: the journal holds no stroke yet.
                journal.discard()
            case TakenBack(journal=journal):
                journal.close()
            case PutAside():
                self.workspace.journalling.look_up()
                self.panel.say(str(result))
            case SignedOff():
                self.reviewing.on_signed_off(result)
            case _:
                self.panel.say(str(result))
                self.reviewing.look_up()
        self._takes_first = False
        self._refresh()

    def _on_over(self, *_: object) -> None:
        """Update after a job without a result: a proposal stays a proposal."""
        self._takes_first = False
        self.reviewing.look_up()
        self._refresh()

    def _on_origin(self, _index: int) -> None:
        """Keep the person's choice while layers come and go; without one, the first is chosen."""
        self._wanted_origin = self.origin.currentText()

    def _on_case(self) -> None:
        self._let_go()
        self.first.drop()
        self._wanted_origin = ""
        self.reviewing.look_up()
        self._refresh()

    def _on_cohort(self) -> None:
        self.reviewing.look_up()

    def _on_layers(self, *_: object) -> None:
        if self.hand.mask is not None and self.hand.mask not in self.viewer.layers:
            self._let_go()
        self.brush.refill()
        self._refresh()

    def _refresh(self, *_: object) -> None:
        case = self.workspace.case
        self._offer_origins(case)
        is_left = self._is_left and self.hand.mask is None
        self.start_button.setEnabled(case is not None and not is_left and not self.runner.is_busy)
        self.about.say("Open a case in the dock Cases first." if case is None else "")
        self.about.setVisible(case is None)

    @property
    def _is_left(self) -> bool:
        """Whether there are unsaved strokes on the person's mask to decide about first."""
        return any(one.is_own and not one.is_elsewhere for one in self.workspace.journalling.kept)

    def _offer_origins(self, case: Case | None) -> None:
        find = self.workspace.layers.find
        offered = [title for title, role in _ROLES.items() if case is not None and find(case.name, [role])]
        offered.append(_EMPTY)
        if [self.origin.itemText(row) for row in range(self.origin.count())] != offered:
            self.origin.clear()
            self.origin.addItems(offered)
            self.origin.setCurrentIndex(max(0, self.origin.findText(self._wanted_origin)))


class Correct(Dock, CorrectParts):
    """The dock Correct."""
