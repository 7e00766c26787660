"""The dock Correct: the mask of the open case, kept safe with every stroke, checked and signed off."""

from functools import partial

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Labels
from qtpy.QtWidgets import QLabel, QMenu, QPushButton

from napari_necroseg.core.case import Case
from napari_necroseg.core.language import tr
from napari_necroseg.core.volume import Voxels
from napari_necroseg.jobs import correct
from napari_necroseg.jobs.correct import PutAside, SignedElsewhere, SignedOff, TakenBack
from napari_necroseg.layerdata import Role, source_of
from napari_necroseg.widgets.correct.brush import Brush
from napari_necroseg.widgets.correct.checklist import Checklist
from napari_necroseg.widgets.correct.edit_tools import EditTools
from napari_necroseg.widgets.correct.edited_mask import EditedMask
from napari_necroseg.widgets.correct.first_mask import FirstMask
from napari_necroseg.widgets.correct.recovery import Recovery
from napari_necroseg.widgets.correct.review import Reviewing
from napari_necroseg.widgets.shared.dock import Dock, DockParts
from napari_necroseg.widgets.shared.kept_strokes import KeptStrokesPart
from napari_necroseg.widgets.shared.plane import Plane, go_to_slice, needed_plane, shown_plane
from napari_necroseg.widgets.shared.qt_parts import Section, WrappedLabel, timer
from napari_necroseg.widgets.shared.tools import ToolEntry
from napari_necroseg.widgets.shared.worker import JobRunner

# The list of slices follows when the hand rests.
_REST_MS = 500
# Masks that a person works on; other layers only show something, or are an expert's.
_WORKED_ON = (Role.LABELS, Role.PREDICTION)


class CorrectParts(DockParts):
    """Keeps the person's mask of the open case in hand; nothing else of the case is changed."""

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__(viewer)
        self.kept = KeptStrokesPart(self)
        self.found, self.back_button = self.kept.found, self.kept.back_button
        self.aside_button = self.kept.aside_button
        self.about = WrappedLabel()
        self.anew_button = QPushButton(tr("Begin anew with"))
        self.anew_button.setToolTip(tr("Replace the mask in hand; Ctrl+Z takes it back."))
        self.anew_menu = QMenu(self.anew_button)
        self.anew_button.setMenu(self.anew_menu)
        self.brush = Brush(self.workspace)
        self.tools = EditTools(self.workspace)
        self.first = FirstMask(self.workspace)
        self.check = Checklist()
        self.hand = EditedMask(self.workspace, self)
        self.reviewing = Reviewing(self, self.hand, check=self.check)
        self._click_tool = ToolEntry(
            name="click",
            title=tr("Click on the zone"),
            key="Shift-W",
            help=tr("Click on the zone in an image, and its outline is looked for."),
            icon="click",
            act=self.first.start,
        )
        self.recovery = Recovery(self, self.hand, kept=self.kept, hold=self._hold)
        self.notice = self.recovery.notice
        self._warm = JobRunner(self)
        self._rest = timer(self, _REST_MS, act=self._list_slices)
        # The number of voxels in the mask when a tool said something of it.
        self._said_of: int | None = None
        # Whether another case is taking the place of this one.
        self._is_leaving = False
        self._take_soon = timer(self, 0, act=self._take)
        self._build()
        self._connect()
        self.claim()

    def claim(self) -> None:
        """Take masks in hand from now on, in place of another dock."""
        if not self.workspace.has_hand(self):
            self.workspace.claim_hand(self)

    def reopen(self) -> None:
        """Hear the viewer again, and take the mask in hand."""
        super().reopen()
        self.claim()

    def shut_down(self) -> None:
        """Let go of the mask; unsaved strokes stay in the journal."""
        self._let_go()
        self.first.drop()
        self.first.close_thread()
        self.first.wire.close_thread()
        self.tools.leave()
        self.workspace.tools.leave(self._click_tool)
        self.hand.wait()
        self.recovery.close()
        self._warm.cancel()
        had_hand = self.workspace.has_hand(self)
        super().shut_down()
        if had_hand:
            self.workspace.claim_hand(None)

    def begin_anew(self, what: str, voxels: Voxels) -> None:
        """Replace the mask in hand, as one edit that can be undone."""
        if self.hand.mask is not None:
            self.hand.put(voxels)
            self.hand.before = voxels.copy()
            self._on_said(tr("Begun anew with {what}. Ctrl+Z takes it back.", what=what))

    def _build(self) -> None:
        for widget in (self.notice, self.kept, self.about):
            self.body.addWidget(widget)
        parts = {
            tr("First mask without a model"): self.first,
            tr("Brush"): self.brush,
            tr("Tools"): self.tools,
            tr("Check"): self.check,
            tr("Sign off"): self.reviewing.part,
        }
        for title, part in parts.items():
            section = Section(title)
            section.addWidget(part)
            if part is not self.first:
                section.expand()
            self.body.addWidget(section)
        self.body.addWidget(self.anew_button)
        self.body.addWidget(QLabel())

    def _connect(self) -> None:
        self.anew_menu.aboutToShow.connect(self.offer_beginnings)
        for part in (self.tools, self.first):
            part.said.connect(self._on_said)
        self.check.wanted.connect(self._go_to)
        self.hand.failed.connect(self.panel.warn)
        self.runner.finished.connect(self._on_finished)
        for over in (self.runner.failed, self.runner.cancelled):
            over.connect(self._on_over)
        self.recovery.recovered.connect(self._list_slices)
        self.reviewing.changed.connect(self._refresh)
        workspace, viewer = self.workspace, self.viewer
        self.listen(workspace.hand_claimed, self._on_claimed)
        self.listen(workspace.hand_changed, self.tools.row.follow_hand)
        self.listen(workspace.tools.changed, self.tools.row.refill)
        self.listen(viewer.events.theme, self.tools.row.colour)
        self.listen(workspace.case_changed, self._on_case)
        self.listen(workspace.cohort_changed, self._on_cohort)
        self.listen(workspace.journalling.changed, self.recovery.look)
        self.listen(workspace.journalling.drawn, self._on_drawn)
        self.listen(workspace.layers.leaving, self._on_leaving)
        self.listen(workspace.layers.redrawn, self._follow_prediction)
        self.listen(viewer.dims.events.current_step, self._on_slice)
        self.listen_to(viewer.dims.events, ("order", "ndisplay"), slot=self._on_plane)
        self.listen(viewer.layers.events.inserted, self._on_inserted)
        self.listen(viewer.layers.events.removed, self._on_removed)

    def offer_beginnings(self) -> None:
        """Fill the menu with what the mask can begin anew with."""
        self.anew_menu.clear()
        case = self.workspace.case
        if case is None or self.hand.mask is None:
            return
        find = self.workspace.layers.find
        roles = ((tr("the prediction"), Role.PREDICTION), (tr("the reference"), Role.REFERENCE))
        for title, role in roles:
            found = [one for one in find(case.name, [role]) if isinstance(one, Labels)]
            for layer in [one for one in found if one is not self.hand.mask][:1]:
                voxels = np.asarray(layer.data != 0).astype(np.uint8)
                self.anew_menu.addAction(title, partial(self.begin_anew, title, voxels))
        nothing = tr("nothing")
        empty = np.zeros(case.grid.shape, np.uint8)
        self.anew_menu.addAction(nothing, partial(self.begin_anew, nothing, empty))

    def _on_said(self, message: str) -> None:
        """Show what a tool has done, until the mask is changed again."""
        mask = self.hand.mask
        self._said_of = None if mask is None else int(np.count_nonzero(mask.data))
        self.panel.say(message)

    def _forget_said(self, inside: int | None) -> None:
        """Take the message of a tool away, if the mask is no longer as it says."""
        if self._said_of is not None and inside != self._said_of:
            self._said_of = None
            self.panel.say("")

    def _on_claimed(self, parts: object) -> None:
        if parts is None and not self.is_shut:
            self.claim()
        elif parts is self:
            self._on_case()
        else:
            self._let_go()
            self.first.drop()
            self._refresh()

    def _on_cohort(self) -> None:
        """Say no longer what was said of a case of another project."""
        if self.panel.message:
            self.panel.say("")
        self.reviewing.look_up()

    def _on_leaving(self) -> None:
        """Let the mask go: its layer is about to show another case."""
        self._is_leaving = True
        self._let_go()

    def _on_case(self) -> None:
        self._is_leaving = False
        self._let_go()
        self.first.drop()
        self._forget_said(None)
        self.recovery.begin(is_due=self.workspace.has_hand(self))
        self.reviewing.look_up()
        case = self.workspace.case
        if case is not None and self.workspace.has_hand(self):
            self._hold(case, self.workspace.layers.mine(case.name) or self.workspace.layers.new_mask(case))
            self._warm.start(correct.warm_up)
        self._refresh()

    def _hold(self, case: Case, mask: Labels) -> None:
        """Take a mask in hand, with its brush, tools and slices to check, in place of another."""
        self._let_go()
        newest = next(iter(self.workspace.layers.find(case.name, [Role.PREDICTION])), None)
        if isinstance(newest, Labels) and newest is not mask:
            self._follow(mask, newest)
        self.hand.take(case, mask, before=np.array(mask.data), labels=self.reviewing.labels)
        self.brush.hold(mask)
        self.tools.edit(mask)
        self.workspace.tools.join(self._click_tool)
        self.workspace.tools.bind(mask)
        mask.bind_key("Shift-C", lambda _: self.check.go_on(), overwrite=True)
        self.viewer.layers.selection.active = mask
        self.check.begin(None, None)
        mask.events.paint.connect(self._on_rest)
        mask.events.set_data.connect(self._on_rest)
        self._list_slices()
        self.first.refresh()
        self.reviewing.look_up()
        self._refresh()

    def _let_go(self) -> None:
        mask = self.hand.mask
        if mask is not None:
            mask.events.paint.disconnect(self._on_rest)
            mask.events.set_data.disconnect(self._on_rest)
        self._rest.stop()
        self.hand.let_go()
        self.brush.hold(None)
        self.tools.edit(None)
        self.check.begin(None, None)

    def _on_drawn(self, layer: Labels) -> None:
        """Take the mask that a hand draws on in hand, whoever made it."""
        case, source, before = self.workspace.case, source_of(layer.metadata), self.hand.mask
        self.recovery.give_up()
        if case is None or source is None or source.role not in _WORKED_ON or layer is before:
            return
        if not self.workspace.has_hand(self) or source.case != case.name:
            return
        mode = layer.mode
        self.first.drop()
        self._hold(case, layer)
        layer.mode = mode
        if before is not None and source.role is Role.LABELS and self.workspace.layers.is_untouched(before):
            # There is one mask of the person in a case. napari is still at work with the stroke.
            timer(self, 0, act=partial(self._drop, before)).start()

    def _drop(self, mask: Labels) -> None:
        if mask in self.viewer.layers and mask is not self.hand.mask:
            self.viewer.layers.remove(mask)

    def _on_inserted(self, event: object) -> None:
        self.brush.refill()
        layer = getattr(event, "value", None)
        self._follow_prediction(layer)
        source = source_of(layer.metadata) if isinstance(layer, Image) else None
        if source is not None and source.role is Role.UNCERTAINTY:
            self._list_slices()
        if self.hand.mask is None and not self._is_leaving:
            # The workspace does not know yet whose mask it is.
            self._take_soon.start()

    def _take(self) -> None:
        """Take a mask in hand that was made after the last one was removed."""
        case = self.workspace.case
        mine = None if case is None else self.workspace.layers.mine(case.name)
        is_free = self.hand.mask is None and self.workspace.has_hand(self) and not self._is_leaving
        if case is not None and mine is not None and is_free:
            self.recovery.notice.clear()
            self._hold(case, mine)

    def _follow_prediction(self, layer: object) -> None:
        """Show a new or steered prediction in the mask in hand, if nobody has drawn on that."""
        mask, case = self.hand.mask, self.workspace.case
        source = source_of(layer.metadata) if isinstance(layer, Labels) else None
        if mask is None or case is None or source is None or not isinstance(layer, Labels):
            return
        is_other = layer is not mask and not self.workspace.layers.panes.is_mirror(layer)
        if (
            source.role is Role.PREDICTION
            and source.case == case.name
            and is_other
            and self._follow(mask, layer)
        ):
            self.hand.begin_with(np.array(mask.data))
            self._list_slices()

    def _follow(self, mask: Labels, prediction: Labels) -> bool:
        with self.workspace.journalling.by_program():
            is_followed = self.workspace.layers.follow(mask, prediction)
        if is_followed:
            prediction.visible = False
        return is_followed

    def _on_removed(self, *_: object) -> None:
        mask = self.hand.mask
        if mask is not None and mask not in self.viewer.layers:
            self._let_go()
            self.first.drop()
            self.recovery.offer_removed(mask)
            self.reviewing.look_up()
        self.brush.refill()
        self._refresh()

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

    def _on_rest(self, *_: object) -> None:
        self._rest.start()

    def _list_slices(self) -> None:
        """List the slices of the mask as it is now."""
        case, mask = self.workspace.case, self.hand.mask
        if case is not None and mask is not None:
            found = self.workspace.layers.find(case.name, [Role.UNCERTAINTY])
            doubts = [np.asarray(one.data) for one in found if isinstance(one, Image)]
            inside = np.asarray(mask.data != 0)
            self.check.update_list(next(iter(doubts), None), inside)
            self._forget_said(int(np.count_nonzero(inside)))
            self._on_slice()
        self.hand.rested.emit()

    def _on_finished(self, result: object) -> None:
        case = self.workspace.case
        match result:
            case TakenBack() if case is not None and case.name == result.case:
                self.recovery.put_back(case, result)
                self.panel.say(str(result))
            case TakenBack(journal=journal):
                journal.close()
            case PutAside():
                self.workspace.journalling.look_up()
                self.panel.say(str(result))
            case SignedElsewhere():
                self.reviewing.on_signed_elsewhere(result)
            case SignedOff():
                self.reviewing.on_signed_off(result)
            case _:
                self.panel.say(str(result))
                self.reviewing.look_up()
        self._refresh()

    def _on_over(self, *_: object) -> None:
        """Update after a job without a result."""
        self.reviewing.look_up()
        self._refresh()

    def _refresh(self, *_: object) -> None:
        text = ""
        if self.workspace.case is None:
            text = tr("Open a case first.")
        elif not self.workspace.has_hand(self):
            text = tr("The mask is in hand in another dock; close that to work here.")
        self.about.say(text)
        self.about.setVisible(bool(text))
        self.anew_button.setEnabled(self.hand.mask is not None)


class Correct(Dock, CorrectParts):
    """The dock Correct."""
