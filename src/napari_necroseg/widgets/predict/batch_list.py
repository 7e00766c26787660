"""A row for each case of a batch, as it finishes."""

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QListWidget, QPushButton, QVBoxLayout, QWidget

from napari_necroseg.core.events import CaseDone, CaseFailed, Event, Warned
from napari_necroseg.widgets.shared.section import Section

_HELP = (
    "Predict every case of the cohort, and write the masks into the project's folder predictions. A mask "
    "that is there already stays as it is. A case that cannot be predicted does not stop the others."
)


class BatchList(Section):
    """The button that starts a batch, and what has become of its cases; `wanted` is emitted by the button."""

    wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("All cases of the cohort", parent)
        self._is_running = False
        self.toggleButton().setToolTip(_HELP)
        self.start_button = QPushButton("Predict all cases")
        self.start_button.setToolTip(_HELP)
        self.start_button.clicked.connect(self.wanted)
        self.rows = QListWidget()
        self.rows.setFixedHeight(110)
        self.rows.setWordWrap(True)
        self.rows.setToolTip("What has become of each case.")
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.start_button)
        column.addWidget(self.rows)
        self.addWidget(content)

    def begin(self) -> None:
        """Forget the last batch; what is reported from now on is of another one."""
        self.rows.clear()
        self._is_running = True

    def end(self) -> None:
        """Leave the rows as they are: what is reported from now on is not of this batch."""
        self._is_running = False

    def show_event(self, event: Event) -> None:
        """Add a row for a case that is done, or not."""
        match event if self._is_running else None:
            case CaseDone(case=name, seconds=seconds):
                self._add(f"{name}: done in {seconds:.1f} s")
            case CaseFailed(case=name, reason=reason):
                self._add(f"⚠ {name}: {reason}")
            case Warned(message=message):
                self._add(f"⚠ {message}")

    def _add(self, text: str) -> None:
        self.rows.addItem(text)
        self.rows.scrollToBottom()
