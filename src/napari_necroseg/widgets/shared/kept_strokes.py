"""Offers to take back strokes on the open case that were never saved."""

from functools import partial

from qtpy.QtWidgets import QWidget

from napari_necroseg.core.project.journal_folder import KeptStrokes
from napari_necroseg.jobs import correct
from napari_necroseg.widgets.shared.dock import DockParts
from napari_necroseg.widgets.shared.qt_parts import WrappedLabel, below, beside, button, lay


class KeptStrokesPart(QWidget):
    """Offers kept strokes to be taken back or put aside, one journal after the other.

    The dock whose job panel is used hands a `TakenBack` to the workspace's `Journalling`.
    """

    def __init__(self, dock: DockParts) -> None:
        super().__init__()
        self._dock = dock
        self._journalling = dock.workspace.journalling
        # Whether to show nothing yet: strokes on the person's mask are about to be taken back by themselves.
        self.is_held = False
        self.found = WrappedLabel()
        help_text = "Go on where these strokes ended, to the last one."
        self.back_button = button("Take it back", help_text, act=self.take_back)
        help_text = "Do not ask again; the file is kept under another name."
        self.aside_button = button("Put it aside", help_text, act=self.put_aside)
        lay(self, below(self.found, beside(self.back_button, self.aside_button)))
        dock.listen(self._journalling.changed, self.refresh)
        dock.listen(dock.workspace.case_changed, self.refresh)
        dock.runner.started.connect(self.refresh)
        for over in (dock.runner.failed, dock.runner.cancelled, dock.runner.finished):
            over.connect(self.refresh)
        self.refresh()

    @property
    def offered(self) -> KeptStrokes | None:
        """The strokes that the buttons act on: the person's mask first, strokes in another window last."""
        kept = sorted(self._journalling.kept, key=lambda one: one.is_elsewhere)
        return kept[0] if kept else None

    def take_back(self) -> None:
        """Take back the offered strokes."""
        case, offered = self._dock.workspace.case, self.offered
        if case is not None and offered is not None and not offered.problem:
            job = partial(correct.take_back, self._journalling.folder_later(), case.name, kept=offered)
            self._dock.panel.run(job, "Taking back ...")

    def put_aside(self) -> None:
        """Rename the journal of the offered strokes, so that they are offered no more."""
        offered = self.offered
        if offered is not None and not offered.is_elsewhere:
            self._dock.panel.run(partial(correct.set_aside, offered), "Putting aside ...")

    def refresh(self, *_: object) -> None:
        """Show the strokes that are offered now."""
        case, offered = self._dock.workspace.case, self.offered
        if offered is None or case is None or self.is_held:
            self.hide()
            self.found.say("")
            return
        others = len(self._journalling.kept) - 1
        more = f" {others} more after it." if others else ""
        self.found.say(f"⚠ {in_words(offered, case.name)}{more}")
        is_free = not self._dock.runner.is_busy and not offered.is_elsewhere
        self.back_button.setEnabled(is_free and not offered.problem)
        self.aside_button.setEnabled(is_free)
        # Last, so that there is room for the text.
        self.show()


def in_words(kept: KeptStrokes, case: str) -> str:
    """Describe the strokes of a journal, or say why they cannot be taken back."""
    if kept.problem:
        return kept.problem
    layer = kept.note.get("layer", "")
    where = f" on the layer “{layer}”" if layer and not kept.is_own else ""
    edits = "1 edit, " if kept.edits == 1 else f"{kept.edits} edits, " if kept.edits else ""
    about = f"{edits}{kept.volume_ml:.2f} mL"
    loss = f" {kept.loss}" if kept.loss else ""
    if kept.is_changed_since:
        return (
            f"Work on {case} from an earlier session was not saved ({about}), and the mask on disk was "
            f"changed since. Taken back, it takes that one's place (Ctrl+Z goes back to it).{loss}"
        )
    return f"Work on {case}{where} was not saved ({about}).{loss}"
