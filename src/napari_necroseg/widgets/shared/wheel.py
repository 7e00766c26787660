"""The mouse wheel scrolls the dock, and never changes an input that it passes over."""

from qtpy.QtCore import QChildEvent, QEvent, QObject, Qt
from qtpy.QtWidgets import QAbstractSlider, QAbstractSpinBox, QComboBox, QScrollBar, QWidget

from napari_necroseg.widgets.shared.numbers import read_both_separators

_INPUTS = (QAbstractSlider, QAbstractSpinBox, QComboBox)


def is_input(widget: QObject | None) -> bool:
    """Whether the wheel would change a value of this widget; a scroll bar only scrolls."""
    return isinstance(widget, _INPUTS) and not isinstance(widget, QScrollBar)


def guard_inputs(widget: QWidget) -> None:
    """Keep the wheel from every input in a widget, and let its labels of sliders read 2.5 and 2,5.

    What is put into the widget later is guarded, too. The inputs of superqt's labelled sliders are children
    of what a dock makes, so it is not enough to look at the latter.
    """
    for one in (widget, *widget.findChildren(QWidget)):
        one.removeEventFilter(_GUARD)
        one.installEventFilter(_GUARD)
        read_both_separators(one)
        if is_input(one) and one.focusPolicy() == Qt.FocusPolicy.WheelFocus:
            one.setFocusPolicy(Qt.FocusPolicy.StrongFocus)


class _Guard(QObject):
    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802  # Qt's name
        if event is None:
            return False
        if event.type() == QEvent.Type.Wheel and is_input(watched):
            # Ignored, it goes on to the area that scrolls.
            event.ignore()
            return True
        if event.type() == QEvent.Type.ChildPolished and isinstance(event, QChildEvent):
            child = event.child()
            if isinstance(child, QWidget) and not child.isWindow():
                guard_inputs(child)
        return False


# One for all inputs, of no parent, so that no dock takes it with it.
_GUARD = _Guard()
