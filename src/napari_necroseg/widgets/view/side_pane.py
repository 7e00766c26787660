"""A light pane beside the canvas: one plane of the open case with its contours and the cross-hair."""

from collections.abc import Callable

from napari.layers import Image
from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QFont, QMouseEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_necroseg.core.language import tr
from napari_necroseg.widgets.shared.workspace import Workspace
from napari_necroseg.widgets.view.plane_picture import PlanePicture, picture_of
from napari_necroseg.widgets.view.turn import ORDERS, edge_letters, plane_title

LINE_PX = 1.6
_BACKGROUND, _INK = QColor("black"), QColor("#e8e8e8")
_CROSS = QColor(255, 255, 255, 120)
_GAP_PX = 9
_MARGIN_PX = 3
_NOTCH = 120
_MOST_ZOOM, _ZOOM_STEP = 8.0, 1.2


class SidePane(QWidget):
    """Shows the plane across an axis through the cross-hair; a click or a drag moves the cross-hair.

    `enlarge` is called with the axis when the pane is double-clicked.
    """

    def __init__(self, workspace: Workspace, *, axis: int, enlarge: Callable[[int], object]) -> None:
        super().__init__()
        self._workspace = workspace
        self._enlarge = enlarge
        self._wheel = 0
        self._zoom = 1.0
        self.axis = axis
        self.image: Image | None = None
        self.setMinimumSize(80, 60)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setCursor(Qt.CursorShape.CrossCursor)
        clicks = tr("Click or drag: move the cross-hair. Double click: make it large.")
        self.setToolTip(f"{clicks} {tr('Wheel: slices. Ctrl+wheel: zoom.')}")

    def sizeHint(self) -> QSize:  # noqa: N802  # Qt's name
        """Return a size that leaves most of the room to the canvas."""
        return QSize(260, 200)

    def show_image(self, image: Image | None, axis: int) -> None:
        """Show another sequence, or another plane of it."""
        if axis != self.axis:
            self._zoom = 1.0
        self.image, self.axis = image, axis
        self.setAccessibleName(plane_title(axis))
        self.update()

    def picture(self) -> PlanePicture | None:
        """Return what the pane shows now; None without a case."""
        index = self._workspace.cross_hair.index
        if self.image is None or index is None or index[self.axis] >= self.image.data.shape[self.axis]:
            return None
        return picture_of(self._workspace.layers, self.image, axis=self.axis, number=index[self.axis])

    def part_mm(self, picture: PlanePicture) -> QRectF:
        """Return which part of the slice is seen, in mm from its upper left corner."""
        target, (height_mm, width_mm) = self._target(picture), picture.size_mm
        seen = QRectF(self.rect()).intersected(target)
        across, down = width_mm / target.width(), height_mm / target.height()
        left, top = (seen.left() - target.left()) * across, (seen.top() - target.top()) * down
        return QRectF(left, top, seen.width() * across, seen.height() * down)

    def paintEvent(self, _event: QPaintEvent | None) -> None:  # noqa: N802  # Qt's name
        """Draw the slice, the contours, the cross-hair and the captions."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), _BACKGROUND)
        picture = self.picture()
        if picture is not None:
            target = self._target(picture)
            picture.draw(painter, target, line=LINE_PX)
            self._draw_cross(painter, self._on_screen(picture, target))
            self._draw_captions(painter)
        painter.end()

    def index_at(self, place: QPointF) -> list[int] | None:
        """Return the slice, row and column at a place of the widget; None without a case."""
        picture, index = self.picture(), self._workspace.cross_hair.index
        if picture is None or index is None:
            return None
        target = self._target(picture)
        rows, columns = picture.grey.shape
        _, down, right = ORDERS[self.axis]
        found = list(index)
        found[down] = int((place.y() - target.top()) / target.height() * rows)
        found[right] = int((place.x() - target.left()) / target.width() * columns)
        return found

    def mousePressEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802  # Qt's name
        """Move the cross-hair there."""
        self._point(event)

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802  # Qt's name
        """Move the cross-hair along."""
        self._point(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802  # Qt's name
        """Make this plane the large one."""
        if event is not None and event.button() == Qt.MouseButton.LeftButton:
            self._enlarge(self.axis)

    def wheelEvent(self, event: QWheelEvent | None) -> None:  # noqa: N802  # Qt's name
        """Go from slice to slice; with Ctrl, zoom about the cross-hair."""
        if event is None:
            return
        event.accept()
        self._wheel += event.angleDelta().y()
        notches, self._wheel = int(self._wheel / _NOTCH), self._wheel - _NOTCH * int(self._wheel / _NOTCH)
        if not notches:
            return
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self._zoom = min(max(self._zoom * _ZOOM_STEP**notches, 1.0), _MOST_ZOOM)
            self.update()
        else:
            self._workspace.cross_hair.move(self.axis, -notches)

    def _point(self, event: QMouseEvent | None) -> None:
        if event is None or not event.buttons() & Qt.MouseButton.LeftButton:
            return
        index = self.index_at(event.position())
        if index is not None:
            self._workspace.cross_hair.place(index)

    def _target(self, picture: PlanePicture) -> QRectF:
        """Return where the slice is drawn: as large as fits, or magnified about the cross-hair."""
        height_mm, width_mm = picture.size_mm
        scale = min(self.width() / width_mm, self.height() / height_mm) * self._zoom
        size = QSize(max(1, round(width_mm * scale)), max(1, round(height_mm * scale)))
        target = QRectF(0, 0, size.width(), size.height())
        middle = QPointF(self.width() / 2, self.height() / 2)
        target.moveCenter(middle)
        if self._zoom > 1:
            target.translate(middle - self._on_screen(picture, target))
        return target

    def _on_screen(self, picture: PlanePicture, target: QRectF) -> QPointF:
        """Return where the cross-hair is drawn."""
        index = self._workspace.cross_hair.index or (0, 0, 0)
        rows, columns = picture.grey.shape
        _, down, right = ORDERS[self.axis]
        return QPointF(
            target.left() + (index[right] + 0.5) / columns * target.width(),
            target.top() + (index[down] + 0.5) / rows * target.height(),
        )

    def _draw_cross(self, painter: QPainter, at: QPointF) -> None:
        painter.setPen(QPen(_CROSS, 1))
        for step in (QPointF(1, 0), QPointF(-1, 0), QPointF(0, 1), QPointF(0, -1)):
            painter.drawLine(at + _GAP_PX * step, at + (self.width() + self.height()) * step)

    def _draw_captions(self, painter: QPainter) -> None:
        font = QFont(self.font())
        font.setPixelSize(11)
        painter.setFont(font)
        painter.setPen(_INK)
        index, image = self._workspace.cross_hair.index, self.image
        if index is None or image is None:
            return
        n = image.data.shape[self.axis]
        text = tr(
            "{plane} {number} of {total}", plane=plane_title(self.axis), number=index[self.axis] + 1, total=n
        )
        box = self.rect().adjusted(_MARGIN_PX, _MARGIN_PX, -_MARGIN_PX, -_MARGIN_PX)
        flags = Qt.AlignmentFlag
        painter.drawText(box, flags.AlignLeft | flags.AlignTop, text)
        left, right, top, bottom = edge_letters(self.axis)
        painter.drawText(box, flags.AlignLeft | flags.AlignVCenter, left)
        painter.drawText(box, flags.AlignRight | flags.AlignVCenter, right)
        # Below the caption, which it would run into.
        lower = box.adjusted(0, painter.fontMetrics().height(), 0, 0)
        painter.drawText(lower, flags.AlignHCenter | flags.AlignTop, top)
        painter.drawText(box, flags.AlignHCenter | flags.AlignBottom, bottom)
