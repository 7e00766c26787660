"""A ring around what has the focus, so that who walks through the window by Tab sees where they are."""

from typing import Any

from qtpy.QtCore import QEvent, QObject, QPoint, QRect, QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPen
from qtpy.QtWidgets import QApplication, QWidget

from napari_necroseg.widgets.shared.qt_parts import given

# One of both stands out on whatever lies below, in either theme.
_INNER, _OUTER = QColor("#1f6feb"), QColor("#ffffff")
_REACH_PX = 3
_MOVES = (QEvent.Type.Move, QEvent.Type.Resize, QEvent.Type.Show, QEvent.Type.Hide)


class FocusRing(QWidget):
    """Lies around the widget of a window that got the focus by a key; the mouse goes through it.

    `canvas`: has a frame of its own.
    """

    def __init__(self, window: QWidget, canvas: QWidget) -> None:
        super().__init__(window)
        self._canvas = canvas
        self._around: QWidget | None = None
        self._followed: list[QWidget] = []
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setStyleSheet("background: transparent;")
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.hide()
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        application.focusChanged.connect(self._on_focus)

    def paintEvent(self, _event: Any) -> None:  # noqa: N802  # Qt's name
        """Paint the ring: a white line around a blue one."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for colour, inset in ((_OUTER, 0.5), (_INNER, 1.5)):
            painter.setPen(QPen(colour, 1.5))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(inset, inset, -inset, -inset), 4, 4)
        painter.end()

    def eventFilter(self, _watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802  # Qt's name
        """Follow the widget when it, or what it lies in, moves."""
        if event is not None and event.type() in _MOVES:
            self._place()
        return False

    def _on_focus(self, _old: QWidget | None, now: QWidget | None) -> None:
        for widget in self._followed:
            widget.removeEventFilter(self)
        self._followed = []
        # A button of the mouse is still held while its press gives the focus.
        is_by_mouse = QApplication.mouseButtons() != Qt.MouseButton.NoButton
        is_ours = now is not None and now is not self._canvas and now.window() is self.window()
        self._around = now if is_ours and not is_by_mouse else None
        holder: QWidget | None = self._around
        while holder is not None and holder is not self.window():
            holder.installEventFilter(self)
            self._followed.append(holder)
            holder = holder.parentWidget()
        self._place()

    def _place(self) -> None:
        """Lie around what is seen of the widget."""
        widget = self._around
        if widget is None or not widget.isVisible():
            self.hide()
            return
        seen: QRect = widget.visibleRegion().boundingRect()
        if seen.isEmpty():
            self.hide()
            return
        corner = widget.mapTo(given(self.parentWidget()), QPoint(0, 0)) + seen.topLeft()
        around = QRect(corner, seen.size()).adjusted(-_REACH_PX, -_REACH_PX, _REACH_PX, _REACH_PX)
        self.setGeometry(around)
        self.show()
        self.raise_()
