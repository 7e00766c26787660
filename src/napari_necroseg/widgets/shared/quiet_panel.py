"""Shows the progress of a job in plain words; its notes are listed elsewhere, and no "Done." stays behind."""

from qtpy.QtWidgets import QWidget

from napari_necroseg.core.language import ntr, tr
from napari_necroseg.widgets.shared.dock import JobPanel
from napari_necroseg.widgets.shared.qt_parts import Section, WrappedLabel


class NoteList(Section):
    """The notes of a job, folded; hidden without any."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("", parent)
        self.toggleButton().setToolTip(
            tr("What should be known of the last job; none of it needs an answer.")
        )
        self.words = WrappedLabel()
        self.addWidget(self.words)
        self.hide()

    def show_notes(self, notes: tuple[str, ...]) -> None:
        """List other notes."""
        self.setText(ntr("{n} note", "{n} notes", len(notes)))
        self.words.say("\n".join(notes))
        self.setVisible(bool(notes))


class QuietJobPanel(JobPanel):
    """Shows a job while it runs, and why it failed; its warnings go into `note_list`."""

    def __init__(self) -> None:
        super().__init__()
        self.note_list = NoteList()
        self.runner.finished.connect(self.hide)

    def _show_notes(self) -> None:
        self.note_list.show_notes(self.notes)
