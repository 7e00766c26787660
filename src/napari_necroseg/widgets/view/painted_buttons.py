"""Small buttons that are drawn, not written: an eye, a colour, a filled or an empty square."""

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPainterPath, QPaintEvent, QPalette, QPen
from qtpy.QtWidgets import QAbstractButton, QSizePolicy

_SIZE = 20
_FAINT = 110


class PaintedButton(QAbstractButton):
    """A small button; `title` is its name for screen readers, `hint` its tooltip."""

    def __init__(self, title: str, hint: str, *, is_switch: bool = False) -> None:
        super().__init__()
        self.setAccessibleName(title)
        self.setToolTip(hint)
        self.setCheckable(is_switch)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def sizeHint(self) -> QSize:  # noqa: N802  # Qt's name
        """Return a size that is large enough to be hit."""
        return QSize(_SIZE, _SIZE)

    def paintEvent(self, _event: QPaintEvent | None) -> None:  # noqa: N802  # Qt's name
        """Draw the button, with a frame while it has the keyboard."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self.draw(painter, QRectF(self.rect()).adjusted(3.5, 3.5, -3.5, -3.5))
        if self.hasFocus():
            painter.setPen(QPen(self.ink(), 1, Qt.PenStyle.DotLine))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        painter.end()

    def draw(self, painter: QPainter, box: QRectF) -> None:
        """Draw what the button shows."""
        raise NotImplementedError

    def ink(self) -> QColor:
        """Return the colour of the theme's text."""
        return self.palette().color(QPalette.ColorRole.WindowText)


class EyeButton(PaintedButton):
    """A switch that shows and hides something: an open or a crossed-out eye."""

    def draw(self, painter: QPainter, box: QRectF) -> None:
        """Draw the eye."""
        ink = self.ink()
        if not self.isChecked():
            ink.setAlpha(_FAINT)
        painter.setPen(QPen(ink, 1.4))
        left, right, middle = box.left(), box.right(), box.center()
        lids = QPainterPath(QPointF(left, middle.y()))
        lids.quadTo(QPointF(middle.x(), box.top() - 2), QPointF(right, middle.y()))
        lids.quadTo(QPointF(middle.x(), box.bottom() + 2), QPointF(left, middle.y()))
        painter.drawPath(lids)
        if self.isChecked():
            painter.setBrush(ink)
            painter.drawEllipse(middle, 2.2, 2.2)
        else:
            painter.drawLine(box.bottomLeft(), box.topRight())


class SwatchButton(PaintedButton):
    """A button in a colour."""

    def __init__(self, title: str, hint: str) -> None:
        super().__init__(title, hint)
        self._colour = QColor("white")

    @property
    def colour(self) -> QColor:
        """The colour that is shown."""
        return self._colour

    def set_colour(self, colour: QColor) -> None:
        """Show another colour."""
        self._colour = colour
        self.update()

    def draw(self, painter: QPainter, box: QRectF) -> None:
        """Draw the colour in a thin frame, which is seen on any background."""
        painter.setPen(QPen(self.ink(), 1))
        painter.setBrush(self._colour)
        painter.drawRoundedRect(box, 2, 2)


class FillButton(PaintedButton):
    """A switch between an outline and a filled area."""

    def draw(self, painter: QPainter, box: QRectF) -> None:
        """Draw a filled or an empty circle."""
        painter.setPen(QPen(self.ink(), 1.6))
        if self.isChecked():
            inside = self.ink()
            inside.setAlpha(_FAINT)
            painter.setBrush(inside)
        painter.drawEllipse(box.adjusted(1, 1, -1, -1))
