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
        self.words.say("\n".join(_by_sentence(notes)))
        self.setVisible(bool(notes))


def _by_sentence(notes: tuple[str, ...]) -> list[str]:
    """Put notes that differ in the case alone into one line, with the number of cases."""
    cases: dict[str, list[str]] = {}
    for note in notes:
        case, _, sentence = note.rpartition(": ")
        cases.setdefault(sentence, []).append(case)
    return [_line(sentence, names) for sentence, names in cases.items()]


def _line(sentence: str, names: list[str]) -> str:
    if len(names) > 1:
        return ntr("{n} case: {sentence}", "{n} cases: {sentence}", len(names), sentence=sentence)
    return f"{names[0]}: {sentence}" if names[0] else sentence


class QuietJobPanel(JobPanel):
    """Shows a job while it runs, and why it failed; its warnings go into `note_list`."""

    def __init__(self) -> None:
        super().__init__()
        self.note_list = NoteList()
        self.runner.finished.connect(self.hide)

    def _show_notes(self) -> None:
        self.note_list.show_notes(self.notes)
