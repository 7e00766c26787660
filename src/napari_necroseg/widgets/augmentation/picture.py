"""The picture area of the preview: originals beside what became of them, or a contact sheet."""

from math import ceil, sqrt

from qtpy.QtCore import QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QImage, QMouseEvent, QPainter, QPaintEvent, QWheelEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_necroseg.jobs.preview import Pixels, Sheet, View

_GAP, _HEADER = 4, 16


class Picture(QWidget):
    """Paints a view or a contact sheet as large as it fits."""

    chosen = Signal(int)
    scrolled = Signal(int)
    painted = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.shown: View | Sheet | None = None
        self._images: list[QImage] = []
        self._message = ""
        self._boxes: list[QRectF] = []
        self.setMinimumSize(260, 280)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)

    def sizeHint(self) -> QSize:  # noqa: N802  # Qt's name
        """Return room for two sequences beside what became of them."""
        return QSize(340, 330)

    def show_made(self, made: View | Sheet) -> None:
        """Show something else."""
        pixels = made.tiles if isinstance(made, Sheet) else _by_row(made)
        self.shown, self._message = made, ""
        self._images = [_image(one) for one in pixels]
        self.update()

    def say(self, message: str) -> None:
        """Show a sentence in place of pictures."""
        self.shown, self._images, self._boxes, self._message = None, [], [], message
        self.update()

    @property
    def message(self) -> str:
        """The sentence that stands in place of pictures."""
        return self._message

    def paintEvent(self, _event: QPaintEvent | None) -> None:  # noqa: N802  # Qt's name
        """Paint."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor("black"))
        painter.setPen(QColor("white"))
        if self.shown is None:
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(self.rect().adjusted(12, 12, -12, -12), flags, self._message)
        else:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            self._paint_tiles(painter, self.shown)
        painter.end()
        self.painted.emit(self.shown)

    def mousePressEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802  # Qt's name
        """Choose a tile of the contact sheet."""
        if event is None or not isinstance(self.shown, Sheet):
            return
        for number, box in enumerate(self._boxes):
            if box.contains(QPointF(event.pos())):
                self.chosen.emit(self.shown.request.number + number)
                return

    def wheelEvent(self, event: QWheelEvent | None) -> None:  # noqa: N802  # Qt's name
        """Go to the next slice."""
        if event is not None and isinstance(self.shown, View):
            self.scrolled.emit(1 if event.angleDelta().y() < 0 else -1)
            event.accept()

    def _paint_tiles(self, painter: QPainter, shown: View | Sheet) -> None:
        is_sheet = isinstance(shown, Sheet)
        n_columns = ceil(sqrt(len(self._images))) if is_sheet else 2
        n_rows = ceil(len(self._images) / n_columns)
        top = 0 if is_sheet else _HEADER
        room = QRectF(0, top, self.width(), self.height() - top)
        cell_width = (room.width() - _GAP * (n_columns - 1)) / n_columns
        cell_height = (room.height() - _GAP * (n_rows - 1)) / n_rows
        width = min(cell_width, cell_height / shown.aspect)
        height = width * shown.aspect
        left = (room.width() - n_columns * width - _GAP * (n_columns - 1)) / 2
        self._boxes = []
        for number, image in enumerate(self._images):
            row, column = divmod(number, n_columns)
            box = QRectF(left + column * (width + _GAP), room.top() + row * (height + _GAP), width, height)
            self._boxes.append(box)
            painter.drawImage(box, image)
            painter.drawText(box.adjusted(4, 2, 0, 0), Qt.AlignmentFlag.AlignLeft, self._label(number))
        if not is_sheet:
            for column, title in enumerate(("original", "augmented")):
                header = QRectF(self._boxes[column].left(), 0, width, _HEADER)
                painter.drawText(header, Qt.AlignmentFlag.AlignCenter, title)

    def _label(self, number: int) -> str:
        if isinstance(self.shown, Sheet):
            return str(self.shown.request.number + number)
        assert self.shown is not None
        return "" if number % 2 else self.shown.names[number // 2]


def _by_row(view: View) -> list[Pixels]:
    return [one for pair in zip(view.originals, view.augmented, strict=True) for one in pair]


def _image(pixels: Pixels) -> QImage:
    rows, columns, _ = pixels.shape
    # A copy: the pixels belong to numpy, and Qt would go on reading them when they are gone.
    return QImage(pixels.tobytes(), columns, rows, 3 * columns, QImage.Format.Format_RGB888).copy()
