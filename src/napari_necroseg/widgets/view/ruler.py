"""The ruler: a line from where the mouse was pressed to where it was released, with its length in mm."""

import math
from dataclasses import dataclass

from psygnal import Signal
from qtpy.QtCore import QLineF, QPointF, Qt
from qtpy.QtGui import QColor, QFont, QPainter, QPen

from napari_necroseg.core.language import number
from napari_necroseg.layerdata import spacing_mm_of
from napari_necroseg.widgets.shared.plane import Plane, shown_plane
from napari_necroseg.widgets.shared.workspace import Workspace
from napari_necroseg.widgets.view.geometry import Pane, Point, panes_of, to_screen
from napari_necroseg.widgets.view.overlay import Sheet, paint_text

_COLOUR = QColor("#ffd54a")
_END_PX = 5.0


@dataclass(frozen=True, kw_only=True)
class Line:
    """A measured line in one slice, between two places in napari's coordinates."""

    plane: Plane | None
    start: Point
    end: Point


class Ruler:
    """Measures one line at a time, and shows it in each pane for as long as its slice is shown.

    `armed`: emitted with whether the next drag with the left button measures.
    """

    armed = Signal(bool)

    def __init__(self, workspace: Workspace, sheet: Sheet) -> None:
        self._workspace, self._sheet = workspace, sheet
        self._is_armed = False
        self.line: Line | None = None
        sheet.painters.append(self._paint)
        workspace.layers.leaving.connect(self.clear)

    @property
    def is_armed(self) -> bool:
        """Whether the next drag with the left button measures."""
        return self._is_armed

    def arm(self, wanted: bool) -> None:
        """Let the next drag measure, or not; the tool of the active layer rests meanwhile."""
        if wanted != self._is_armed:
            self._is_armed = wanted
            self.armed.emit(wanted)

    @property
    def length_mm(self) -> float:
        """The length of the line with the true spacing of the sequence; nan without a line."""
        if self.line is None:
            return math.nan
        steps = (end - start for start, end in zip(self.line.start, self.line.end, strict=True))
        return math.hypot(*(step * share for step, share in zip(steps, self._true_shares(), strict=True)))

    @property
    def is_shown(self) -> bool:
        """Whether there is a line, and its slice is shown."""
        return self.line is not None and self.line.plane == shown_plane(self._workspace.layers.viewer)

    def start(self, point: Point) -> None:
        """Begin a line, in place of the one before."""
        self.line = Line(plane=shown_plane(self._workspace.layers.viewer), start=point, end=point)
        self._sheet.refresh()

    def move(self, point: Point) -> None:
        """Move the end of the line."""
        if self.line is not None:
            self.line = Line(plane=self.line.plane, start=self.line.start, end=point)
            self._sheet.refresh()

    def clear(self) -> bool:
        """Remove the line, and measure nothing; False if there was nothing to stop."""
        was_there = self._is_armed or self.line is not None
        self.line = None
        self.arm(False)
        self._sheet.refresh()
        return was_there

    def _true_shares(self) -> list[float]:
        """Return true millimetres per millimetre of napari's, whose spacing is rounded, along each axis."""
        viewer = self._workspace.layers.viewer
        image = next((pane.image for pane in panes_of(viewer) if pane.image is not None), None)
        shares = [1.0] * viewer.dims.ndim
        if image is not None and image.ndim == 3:
            for axis, spacing_mm in enumerate(spacing_mm_of(image)):
                shares[viewer.dims.ndim - 3 + axis] = spacing_mm / abs(float(image.scale[axis]))
        return shares

    def _paint(self, painter: QPainter) -> None:
        if not self.is_shown or self.line is None or self.line.start == self.line.end:
            return
        for pane in panes_of(self._workspace.layers.viewer):
            self._paint_in(painter, self.line, pane=pane)

    def _paint_in(self, painter: QPainter, line: Line, *, pane: Pane) -> None:
        viewer = self._workspace.layers.viewer
        start, end = (QPointF(*to_screen(viewer, pane, point=point)) for point in (line.start, line.end))
        painter.save()
        painter.setClipRect(round(pane.left), round(pane.top), round(pane.width), round(pane.height))
        for colour, width in ((QColor(0, 0, 0, 200), 4.0), (_COLOUR, 1.6)):
            painter.setPen(QPen(colour, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
            painter.drawLine(start, end)
            for tip in (start, end):
                painter.drawLine(_across(QLineF(start, end), tip))
        font = QFont(painter.font())
        font.setPointSize(10)
        font.setBold(True)
        middle = (start + end) / 2
        text = f"{number(self.length_mm, 1)} mm"
        paint_text(painter, text, font=font, at=(middle.x() + 8, middle.y() - 8), align=(0.0, 1.0))
        painter.restore()


def _across(line: QLineF, tip: QPointF) -> QLineF:
    """Return the short line across the end of another one."""
    normal = line.normalVector().unitVector()
    step = QPointF(normal.dx(), normal.dy()) * _END_PX
    return QLineF(tip - step, tip + step)
