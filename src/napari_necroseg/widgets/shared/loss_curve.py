"""The loss of a running training as a curve, and beside it the Dice coefficient of cases left out."""

import math
from collections.abc import Mapping, Sequence

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPalette, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

_MOST_POINTS = 2000
_LEFT, _TOP, _RIGHT, _BOTTOM = 44.0, 10.0, 10.0, 36.0
_CURVE, _DICE = QColor("#4aa8ff"), QColor("#ffa02e")
_RIGHT_WITH_DICE = 48.0
_LABEL = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class LossCurve(QWidget):
    """Loss over iterations, with labelled axes; keeps its shape however long the training runs."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._points: list[tuple[int, float]] = []
        self._dice: list[tuple[int, float]] = []
        self._keep_every = 1
        self._seen = 0
        self.setMinimumSize(200, 150)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(
            "The training loss: it should fall, and 0 would be perfect agreement with the reference. It is "
            "measured on the training samples, so it does not say how well the model does on other cases. "
            "Orange, with the axis on the right: the mean Dice coefficient of whole cases left out, if you "
            "asked for it; it should rise, and 1 would be perfect."
        )

    @property
    def points(self) -> Sequence[tuple[int, float]]:
        """The points drawn: iteration and loss."""
        return tuple(self._points)

    @property
    def dice(self) -> Sequence[tuple[int, float]]:
        """The validations drawn: iteration and mean Dice."""
        return tuple(self._dice)

    def sizeHint(self) -> QSize:  # noqa: N802  # Qt's name
        """Return the height that shows a curve without crowding the dock."""
        return QSize(300, 170)

    def clear(self) -> None:
        """Forget all points."""
        self._points, self._dice, self._keep_every, self._seen = [], [], 1, 0
        self.update()

    def add(self, iteration: int, loss: float) -> None:
        """Add a point; a loss that is not a number is left out."""
        if not math.isfinite(loss):
            return
        self._seen += 1
        if self._seen % self._keep_every == 0:
            self._points.append((iteration, loss))
        if len(self._points) > _MOST_POINTS:
            self._points = self._points[::2]
            self._keep_every *= 2
        self.update()

    def add_dice(self, iteration: int, dice: float) -> None:
        """Add a validation; one that is undefined is left out."""
        if math.isfinite(dice):
            self._dice.append((iteration, dice))
            self.update()

    def paintEvent(self, _event: QPaintEvent | None) -> None:  # noqa: N802  # Qt's name
        """Draw axes and curve."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        right = _RIGHT_WITH_DICE if self._dice else _RIGHT
        area = QRectF(_LEFT, _TOP, self.width() - _LEFT - right, self.height() - _TOP - _BOTTOM)
        last = max((iteration for iteration, _ in self._points), default=1)
        top = nice_ceiling(max((loss for _, loss in self._points), default=1.0))
        ink = self.palette().color(QPalette.ColorRole.WindowText)
        labels = {step / 4: f"{top * step / 4:.2g}" for step in range(5)}
        under = ("0", "iteration", f"{last}" if self._points else "")
        draw_axes(painter, area, ink=ink, labels=labels, under=under, drop=15)
        _draw_upwards(painter, 9, y=area.center().y(), text="loss")
        _draw_curve(painter, area, shares=[(i / last, loss / top) for i, loss in self._points], color=_CURVE)
        if self._dice:
            _draw_dice_axis(painter, area)
            _draw_curve(painter, area, shares=[(i / last, dice) for i, dice in self._dice], color=_DICE)
        painter.end()


def draw_axes(
    painter: QPainter,
    area: QRectF,
    *,
    ink: QColor,
    labels: Mapping[float, str],
    under: tuple[str, str, str],
    drop: float,
) -> None:
    """Draw faint lines at shares of the height with labels on the left, and three texts below the area."""
    faint = QColor(ink)
    faint.setAlpha(60)
    for share, label in labels.items():
        y = area.bottom() - share * area.height()
        painter.setPen(QPen(faint, 1))
        painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
        painter.setPen(ink)
        painter.drawText(QRectF(0, y - 8, area.left() - 5, 16), _LABEL, label)
    below, (first, name, last) = QRectF(area.left(), area.bottom() + 2, area.width(), 16), under
    painter.drawText(below, Qt.AlignmentFlag.AlignLeft, first)
    painter.drawText(below, Qt.AlignmentFlag.AlignRight, last)
    painter.drawText(below.translated(0, drop), Qt.AlignmentFlag.AlignHCenter, name)


def _draw_upwards(painter: QPainter, x: float, *, y: float, text: str) -> None:
    painter.save()
    painter.translate(x, y)
    painter.rotate(-90)
    painter.drawText(QRectF(-40, -8, 80, 16), Qt.AlignmentFlag.AlignCenter, text)
    painter.restore()


def _draw_curve(
    painter: QPainter, area: QRectF, *, shares: Sequence[tuple[float, float]], color: QColor
) -> None:
    """Draw a curve through points, each given by its shares of the area's width and height."""
    painter.setPen(QPen(color, 2))
    curve = QPolygonF(
        [QPointF(area.left() + x * area.width(), area.bottom() - y * area.height()) for x, y in shares]
    )
    if len(shares) == 1:
        painter.drawEllipse(curve[0], 2.0, 2.0)
    painter.drawPolyline(curve)


def _draw_dice_axis(painter: QPainter, area: QRectF) -> None:
    painter.setPen(_DICE)
    for share in (0.0, 0.5, 1.0):
        label = QRectF(area.right() + 4, area.bottom() - share * area.height() - 8, 30, 16)
        painter.drawText(label, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, f"{share:g}")
    _draw_upwards(painter, area.right() + 38, y=area.center().y(), text="Dice")


def nice_ceiling(value: float) -> float:
    """Return the smallest of 1, 2, 4, 8 times a power of ten (so that quarters are round) above a value."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(
        factor * power for factor in (1.0, 2.0, 4.0, 8.0, 10.0) if factor * power >= value * (1 - 1e-9)
    )
