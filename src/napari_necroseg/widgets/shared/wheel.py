"""The mouse wheel scrolls the dock, not what it happens to pass over."""

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QWidget


def quiet_wheel(*widgets: QWidget) -> None:
    """Let the wheel scroll the dock, unless the input was clicked first."""
    for widget in widgets:
        widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        widget.installEventFilter(_QUIET)


class _QuietWheel(QObject):
    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802  # Qt's name
        if isinstance(event, QWheelEvent) and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()
            return True
        return False


# One for all inputs, of no parent.
_QUIET = _QuietWheel()
