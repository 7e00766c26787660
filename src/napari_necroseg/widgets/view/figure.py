"""A figure of the open case, drawn from the voxels: planes, contours, a scale bar, a legend and scores."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from qtpy.QtCore import QBuffer, QByteArray, QIODevice, QPointF, QRect, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter, QPen

from napari_necroseg.core.language import tr
from napari_necroseg.widgets.shared.dock import FOOTER
from napari_necroseg.widgets.view.plane_picture import PlanePicture

# The figure is drawn in tenths of a millimetre, at most as wide as two columns of a journal.
WIDTH, _LEAST_WIDTH = 1800, 900
_MM = 10.0
_MARGIN, _GAP = 20, 20
_MOST_PANEL = 1100
_TEXT, _SMALL = 30, 22
_LINE = 3.0
_EDGE = 4
_NICE_MM = (1, 2, 5, 10, 20, 50, 100, 200)
_SHARE_OF_BAR = 0.3
_ON_IMAGE, _GROUND = QColor("#f0f0f0"), QColor(0, 0, 0, 150)
_RULER = QColor("#ffd54a")
_INK, _FAINT = QColor("black"), QColor("#555555")
Kind = Literal["png", "svg"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """A line of the ruler, in pixels of the picture, and its length."""

    start: QPointF
    end: QPointF
    text: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Panel:
    """One plane: its picture, and what is said about it."""

    picture: PlanePicture
    caption: str
    # At the left, right, top and bottom edge.
    letters: tuple[str, str, str, str]
    lines: Sequence[Measured] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Named:
    """An entry of the legend: a contour's name with its size, and its colour."""

    text: str
    colour: QColor


@dataclass(frozen=True, kw_only=True, eq=False)
class Figure:
    """All that is drawn: the title, the panels from left to right, the legend and further lines."""

    title: str
    panels: Sequence[Panel]
    legend: Sequence[Named]
    lines: Sequence[str] = ()

    @property
    def scale(self) -> float:
        """Return tenths of a millimetre on paper for a millimetre of the patient: one for all panels."""
        sizes_mm = [panel.picture.size_mm for panel in self.panels]
        width_mm = sum(width for _, width in sizes_mm)
        height_mm = max(height for height, _ in sizes_mm)
        free = WIDTH - 2 * _MARGIN - _GAP * (len(self.panels) - 1)
        return min(free / width_mm, _MOST_PANEL / height_mm)

    @property
    def size(self) -> QSize:
        """Width and height in tenths of a millimetre."""
        layout = _Layout(self)
        return QSize(round(layout.width), round(layout.bottom))

    def draw(self, painter: QPainter) -> None:
        """Draw the figure onto white, in tenths of a millimetre."""
        layout = _Layout(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(QRectF(0, 0, layout.width, layout.bottom), QColor("white"))
        _write(painter, self.title, box=layout.title, size=_TEXT, bold=True)
        for panel, box, caption in zip(self.panels, layout.boxes, layout.captions, strict=True):
            _draw_panel(painter, panel, box=box, scale=self.scale)
            _write(painter, panel.caption, box=caption, size=_SMALL, colour=_FAINT)
        for named, box in zip(self.legend, layout.legend, strict=True):
            _draw_entry(painter, named, box=box)
        for line, box in zip((*self.lines, _footer()), layout.lines, strict=True):
            is_last = box is layout.lines[-1]
            _write(
                painter, line, box=box, size=_SMALL if is_last else _TEXT, colour=_FAINT if is_last else _INK
            )


class _Layout:
    """Where each part of a figure stands."""

    def __init__(self, figure: Figure) -> None:
        scale = figure.scale
        panels = sum(panel.picture.size_mm[1] * scale + _GAP for panel in figure.panels) - _GAP
        self.width = max(panels + 2 * _MARGIN, _LEAST_WIDTH)
        inside = self.width - 2 * _MARGIN
        self.title = QRectF(_MARGIN, _MARGIN, inside, 1.5 * _TEXT)
        top = self.title.bottom() + _GAP / 2
        self.boxes: list[QRectF] = []
        left = float(_MARGIN)
        for panel in figure.panels:
            height, width = (length * scale for length in panel.picture.size_mm)
            self.boxes.append(QRectF(left, top, width, height))
            left += width + _GAP
        top = max(box.bottom() for box in self.boxes)
        texts = [_width(panel.caption, _SMALL) for panel in figure.panels]
        # Beneath each other if one is longer than its panel is wide.
        fits = all(text <= box.width() + _GAP / 2 for text, box in zip(texts, self.boxes, strict=True))
        step = 1.5 * _SMALL
        self.captions = [
            QRectF(box.left() if fits else _MARGIN, top + 6 + (0 if fits else row * step), inside, step)
            for row, box in enumerate(self.boxes)
        ]
        top = self.captions[-1].bottom() + _GAP / 2
        self.legend: list[QRectF] = []
        left = float(_MARGIN)
        for named in figure.legend:
            width = _width(named.text, _TEXT) + 3 * _TEXT
            if left > _MARGIN and left + width > self.width - _MARGIN:
                left, top = float(_MARGIN), top + 1.5 * _TEXT
            self.legend.append(QRectF(left, top, width, 1.5 * _TEXT))
            left += width + _GAP
        top += 1.5 * _TEXT if figure.legend else 0
        self.lines: list[QRectF] = []
        for _line in (*figure.lines, ""):
            self.lines.append(QRectF(_MARGIN, top, inside, 1.5 * _TEXT))
            top += 1.5 * _TEXT
        self.bottom = top + _MARGIN / 2


def drawn(figure: Figure, kind: Kind, *, dpi: int) -> bytes:
    """Return the figure as a file; it may be called in a thread.

    A PNG has `dpi` pixels an inch; an SVG has lines and text over the embedded pixels of the image.
    """
    return _svg(figure) if kind == "svg" else _png(figure, dpi)


def image_of(figure: Figure, dpi: int) -> QImage:
    """Return the figure as an image."""
    scale = dpi / (25.4 * _MM)
    size = figure.size
    image = QImage(round(size.width() * scale), round(size.height() * scale), QImage.Format.Format_RGB32)
    per_metre = round(dpi / 0.0254)
    image.setDotsPerMeterX(per_metre)
    image.setDotsPerMeterY(per_metre)
    image.fill(QColor("white"))
    painter = QPainter(image)
    painter.scale(scale, scale)
    figure.draw(painter)
    painter.end()
    return image


def _png(figure: Figure, dpi: int) -> bytes:
    content = QByteArray()
    buffer = QBuffer(content)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image_of(figure, dpi).save(buffer, "PNG")
    buffer.close()
    return bytes(content.data())


def _svg(figure: Figure) -> bytes:
    from qtpy.QtSvg import QSvgGenerator

    content = QByteArray()
    buffer = QBuffer(content)
    made = QSvgGenerator()
    made.setOutputDevice(buffer)
    # 254 dots an inch are tenths of a millimetre.
    made.setResolution(round(25.4 * _MM))
    made.setSize(figure.size)
    made.setViewBox(QRect(0, 0, figure.size.width(), figure.size.height()))
    made.setTitle(figure.title)
    made.setDescription(_footer())
    painter = QPainter(made)
    figure.draw(painter)
    painter.end()
    return bytes(content.data())


def nice_length_mm(width_mm: float) -> int:
    """Return a round length for a scale bar in a picture of this width."""
    fitting = [length for length in _NICE_MM if length <= _SHARE_OF_BAR * width_mm]
    return fitting[-1] if fitting else _NICE_MM[0]


def _draw_panel(painter: QPainter, panel: Panel, *, box: QRectF, scale: float) -> None:
    panel.picture.draw(painter, box, line=_LINE)
    inner = box.adjusted(8, 6, -8, -6)
    left, right, top, bottom = panel.letters
    flags = Qt.AlignmentFlag
    for letter, align in (
        (left, flags.AlignLeft | flags.AlignVCenter),
        (right, flags.AlignRight | flags.AlignVCenter),
        (top, flags.AlignHCenter | flags.AlignTop),
        (bottom, flags.AlignHCenter | flags.AlignBottom),
    ):
        _write_on_image(painter, letter, box=inner, size=_TEXT, align=align)
    for line in panel.lines:
        _draw_line(painter, line, box=box, panel=panel)
    _draw_bar(painter, inner, scale=scale)


def _draw_line(painter: QPainter, line: Measured, *, box: QRectF, panel: Panel) -> None:
    rows, columns = panel.picture.grey.shape
    across, down = box.width() / columns, box.height() / rows
    start, end = (
        QPointF(box.left() + place.x() * across, box.top() + place.y() * down)
        for place in (line.start, line.end)
    )
    if not (box.contains(start) and box.contains(end)):
        return
    painter.setPen(QPen(_RULER, _LINE))
    painter.drawLine(start, end)
    text = QRectF(0, 0, _width(line.text, _SMALL), 1.4 * _SMALL)
    text.moveBottomLeft((start + end) / 2 + QPointF(8, -8))
    _write_on_image(painter, line.text, box=text, size=_SMALL, align=Qt.AlignmentFlag.AlignCenter)


def _draw_bar(painter: QPainter, box: QRectF, *, scale: float) -> None:
    length_mm = nice_length_mm(box.width() / scale)
    length, y = length_mm * scale, box.bottom() - 6
    painter.setPen(QPen(_ON_IMAGE, 5))
    painter.drawLine(round(box.right() - length), round(y), round(box.right()), round(y))
    above = QRectF(box.left(), y - 1.5 * _SMALL, box.width(), 1.4 * _SMALL)
    align = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignBottom
    _write_on_image(painter, f"{length_mm} mm", box=above, size=_SMALL, align=align)


def _write_on_image(painter: QPainter, text: str, *, box: QRectF, size: int, align: Qt.AlignmentFlag) -> None:
    """Write in white on a dark ground, which is read on black and on white."""
    painter.setFont(_font(size))
    ground = painter.boundingRect(box, align, text).adjusted(-_EDGE, 0, _EDGE, 0)
    painter.fillRect(ground, _GROUND)
    _write(painter, text, box=box, size=size, colour=_ON_IMAGE, align=align)


def _draw_entry(painter: QPainter, named: Named, *, box: QRectF) -> None:
    """Draw a contour's colour on black, as it is on the image, and its name."""
    swatch = QRectF(box.left(), box.top() + 0.3 * _TEXT, 1.6 * _TEXT, 0.9 * _TEXT)
    painter.fillRect(swatch, QColor("black"))
    painter.fillRect(swatch.adjusted(6, 9, -6, -9), named.colour)
    _write(painter, named.text, box=box.adjusted(2.1 * _TEXT, 0, 0, 0), size=_TEXT)


def _write(
    painter: QPainter,
    text: str,
    *,
    box: QRectF,
    size: int,
    colour: QColor = _INK,
    bold: bool = False,
    align: Qt.AlignmentFlag = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter,
) -> None:
    painter.setFont(_font(size, bold=bold))
    painter.setPen(colour)
    painter.drawText(box, align, text)


def _font(size: int, *, bold: bool = False) -> QFont:
    font = QFont("Sans Serif")
    font.setStyleHint(QFont.StyleHint.SansSerif)
    font.setPixelSize(size)
    font.setBold(bold)
    return font


def _width(text: str, size: int) -> float:
    return math.ceil(QFontMetricsF(_font(size)).horizontalAdvance(text))


def _footer() -> str:
    return tr(FOOTER)
