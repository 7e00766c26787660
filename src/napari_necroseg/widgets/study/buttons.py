"""What one can do with a study: check it, do it or go on with it, and look at its report."""

from qtpy.QtWidgets import QHBoxLayout, QPushButton, QWidget


class StudyButtons(QWidget):
    """Three buttons in a row."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.check = QPushButton("Check")
        self.check.setToolTip(
            "Read the cases and tell, run by run, how long it will take and what memory it needs; nothing is "
            "trained. The grid shows the times."
        )
        self.start = QPushButton("Start")
        self.start.setToolTip(
            "Train, predict and score run by run. Cancel it whenever you like: it goes on where it was."
        )
        self.report = QPushButton("Open report")
        self.report.setToolTip("Tables, figures and how it was made, in your web browser.")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.check)
        row.addWidget(self.start, 1)
        row.addWidget(self.report)

    def allow(self, *, start: bool, report: bool, is_there: bool) -> None:
        """Say what can be done; a study that is there already is gone on with."""
        self.start.setText("Go on" if is_there else "Start")
        self.check.setEnabled(start)
        self.start.setEnabled(start)
        self.report.setEnabled(report)
