"""The end of a correction: initials, the next case, and what the reviewed masks are good for."""

from collections import Counter
from collections.abc import Mapping

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QGridLayout, QLineEdit, QPushButton, QWidget

from napari_necroseg.core.io.review import Review, Status
from napari_necroseg.widgets.shared.prose import Prose

_ANY = "any"


class SignOff(QWidget):
    """Signs off the mask in hand, and goes on to another case.

    Signals: `wanted` when the mask is to be signed off, `step_wanted` with 1 or -1 for the next case or the
    one before with the chosen status, `improve_wanted` when the reviewed masks are to be learned from.
    """

    wanted = Signal()
    step_wanted = Signal(int)
    improve_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.initials = QLineEdit()
        self.initials.setMaxLength(8)
        self.initials.setPlaceholderText("initials")
        self.initials.setToolTip("Your initials, 1 to 8 letters; they are written beside the mask.")
        self.sign_button = QPushButton("Sign off")
        self.sign_button.setToolTip(
            "Save the mask into the project's labels, an earlier version being kept, and write beside it who "
            "signed it off, when, the time spent, and what changed against what you began with."
        )
        self.previous_button = QPushButton("◀")
        self.next_button = QPushButton("Next case ▶")
        self.which = QComboBox()
        self.which.addItems([Status.UNTOUCHED, Status.IN_WORK, Status.REVIEWED, _ANY])
        self.which.setToolTip("Go to cases with this status.")
        self.improve_button = QPushButton("Improve the model with these")
        self.improve_button.setToolTip(
            "Open the dock Train, ready to go on from the newest model with the reviewed masks."
        )
        self.state = Prose()
        self.sign_button.clicked.connect(self.wanted)
        self.previous_button.clicked.connect(lambda: self.step_wanted.emit(-1))
        self.next_button.clicked.connect(lambda: self.step_wanted.emit(1))
        self.improve_button.clicked.connect(self.improve_wanted)
        self._lay_out()

    def status(self) -> Status | None:
        """Return the status to look for; None for any."""
        chosen = self.which.currentText()
        return None if chosen == _ANY else Status(chosen)

    def show_state(self, review: Review | None, statuses: Mapping[str, Status]) -> None:
        """Say how far the open case is, and the cohort."""
        counts = Counter(statuses.values())
        cohort = ", ".join(f"{counts[status]} {status}" for status in Status if counts[status])
        lines = [] if review is None else [_in_words(review, statuses.get(review.case, review.status))]
        self.state.say("\n".join([*lines, *([f"Cohort: {cohort}."] if cohort else [])]))
        self.improve_button.setEnabled(counts[Status.REVIEWED] > 0)
        for button in (self.previous_button, self.next_button):
            button.setEnabled(len(statuses) > 1)

    def _lay_out(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.addWidget(self.initials, 0, 0)
        grid.addWidget(self.sign_button, 0, 1, 1, 2)
        grid.addWidget(self.previous_button, 1, 0)
        grid.addWidget(self.next_button, 1, 1)
        grid.addWidget(self.which, 1, 2)
        grid.addWidget(self.improve_button, 2, 0, 1, 3)
        grid.addWidget(self.state, 3, 0, 1, 3)
        self.previous_button.setMaximumWidth(60)
        self.initials.setMaximumWidth(90)


def _in_words(review: Review, status: Status) -> str:
    spent = f", {review.seconds / 60:.1f} min of work" if review.seconds else ""
    if status is not Status.REVIEWED or review.date is None:
        return f"{review.case}: {status}{spent}."
    text = f"{review.case}: reviewed by {review.reader}, {review.date:%Y-%m-%d}{spent}."
    changes = review.changes
    if changes is None:
        return text
    slices = len(changes.slices)
    overlap = "–" if changes.dice is None else f"{100 * changes.dice:.1f} %"
    return (
        f"{text} Against what it began with: Dice {overlap}, {changes.before_ml:.2f} to "
        f"{changes.after_ml:.2f} mL, {slices} {'slice' if slices == 1 else 'slices'} changed."
    )
