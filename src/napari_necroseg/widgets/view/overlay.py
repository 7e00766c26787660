"""A transparent sheet over the canvas, on which the parts of the view paint; the mouse goes through it."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from napari.components import ViewerModel
from napari.layers import Image
from qtpy.QtCore import QEvent, QObject, QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QFocusEvent, QFont, QFontMetricsF, QPainter
from qtpy.QtWidgets import QWidget

from napari_necroseg.widgets.shared.workspace import Workspace
from napari_necroseg.widgets.view.captions import Caption, caption_of
from napari_necroseg.widgets.view.geometry import Pane, is_sequence, panes_of

# White on this, over whatever image, keeps a contrast of at least 4.5 : 1, also on a white canvas.
TEXT = QColor("#ffffff")
BEHIND_TEXT = QColor(0, 0, 0, 170)
_MARGIN_PX = 6.0
_PADDING_PX = 4.0
_LETTER_PX = 24.0
# A pane narrower or lower than this has no room for more than the name of its sequence.
_LEAST_PX = 150.0
_BY_KEYS = (
    Qt.FocusReason.TabFocusReason,
    Qt.FocusReason.BacktabFocusReason,
    Qt.FocusReason.ShortcutFocusReason,
)
_HAPPENINGS = ("contrast_limits", "visible", "data", "metadata")


class Sheet(QWidget):
    """Covers the canvas, and repaints itself when what it shows may have changed.

    `painters`: each is called with a painter whenever the sheet is painted. `is_reached_by_keys`: whether the
    canvas got the focus by the keyboard, which is then to be seen.
    """

    def __init__(self, workspace: Workspace, canvas: QWidget) -> None:
        super().__init__(canvas)
        self._workspace = workspace
        self.painters: list[Callable[[QPainter], None]] = []
        self.is_reached_by_keys = False
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)
        self.setStyleSheet("background: transparent;")
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        canvas.installEventFilter(self)
        self.setGeometry(canvas.rect())
        self._listen(workspace.layers.viewer)
        self.show()

    def paintEvent(self, _event: Any) -> None:  # noqa: N802  # Qt's name
        """Let each part paint."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for paint in self.painters:
            paint(painter)
        painter.end()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802  # Qt's name
        """Stay as large as the canvas, and see whether it has the focus."""
        canvas = self.parentWidget()
        if event is None or canvas is None or watched is not canvas:
            return False
        if event.type() == QEvent.Type.Resize:
            self.setGeometry(canvas.rect())
        if isinstance(event, QFocusEvent):
            self.is_reached_by_keys = event.gotFocus() and event.reason() in _BY_KEYS
            self.refresh()
        return False

    def refresh(self, _event: object = None) -> None:
        """Paint anew, together with the canvas."""
        with suppress(RuntimeError):
            self.update()

    def _listen(self, viewer: ViewerModel) -> None:
        for events in (viewer.dims.events, viewer.scene.camera.events, viewer.canvas.grid.events):
            events.connect(self.refresh)
        viewer.canvas.events.size.connect(self.refresh)
        for name in ("removed", "reordered"):
            getattr(viewer.layers.events, name).connect(self.refresh)
        viewer.layers.events.inserted.connect(self._on_inserted)
        for layer in viewer.layers:
            self._follow(layer)

    def _on_inserted(self, event: Any) -> None:
        self._follow(event.value)
        self.refresh()

    def _follow(self, layer: Any) -> None:
        for name in _HAPPENINGS:
            emitter = getattr(layer.events, name, None)
            if emitter is not None:
                emitter.connect(self.refresh)


class Captions:
    """Writes on each pane what it shows.

    `are_shown`: whether the person wants them.
    """

    def __init__(self, workspace: Workspace, sheet: Sheet) -> None:
        self._workspace, self._sheet = workspace, sheet
        self.are_shown = True
        sheet.painters.append(self._paint)

    def shown(self) -> list[tuple[Pane, Caption]]:
        """Return what is written now, pane by pane."""
        viewer = self._workspace.layers.viewer
        pairs = ((pane, pane.sequence) for pane in panes_of(viewer))
        return [
            (pane, caption_of(viewer, image))
            for pane, image in pairs
            if isinstance(image, Image) and is_sequence(image)
        ]

    def _paint(self, painter: QPainter) -> None:
        if not self.are_shown:
            return
        for pane, caption in self.shown():
            _paint_caption(painter, caption, pane=pane)


def _paint_caption(painter: QPainter, caption: Caption, *, pane: Pane) -> None:
    left, top = pane.left + _MARGIN_PX, pane.top + _MARGIN_PX
    right, bottom = pane.left + pane.width - _MARGIN_PX, pane.top + pane.height - _MARGIN_PX
    large, small = _font(painter, 12, bold=True), _font(painter, 9)
    height = paint_text(painter, caption.sequence, font=large, at=(left, top))
    if min(pane.width, pane.height) < _LEAST_PX:
        return
    paint_text(painter, caption.window, font=small, at=(left, top + height + 2))
    middle_x, middle_y = pane.middle
    reaches = left + QFontMetricsF(small).horizontalAdvance(caption.place) + 3 * _PADDING_PX
    # In a narrow pane, above the letter in the middle of the edge.
    raised = 0.0 if reaches < middle_x - _MARGIN_PX - _PADDING_PX else _LETTER_PX
    paint_text(painter, caption.place, font=small, at=(left, bottom - raised), align=(0.0, 1.0))
    places = ((left, middle_y), (middle_x, top), (right, middle_y), (middle_x, bottom))
    aligned = ((0.0, 0.5), (0.5, 0.0), (1.0, 0.5), (0.5, 1.0))
    for letter, at, align in zip(caption.edges, places, aligned, strict=False):
        paint_text(painter, letter, font=_font(painter, 11, bold=True), at=at, align=align)


def paint_text(
    painter: QPainter,
    text: str,
    *,
    font: QFont,
    at: tuple[float, float],
    align: tuple[float, float] = (0.0, 0.0),
) -> float:
    """Paint a text in a dark box, and return the height of the box.

    `align`: the point of the box that lies at `at`, from ``(0, 0)``, upper left, to ``(1, 1)``.
    """
    if not text:
        return 0.0
    metrics = QFontMetricsF(font)
    width = metrics.horizontalAdvance(text) + 2 * _PADDING_PX
    height = metrics.height() + 2
    box = QRectF(at[0] - align[0] * width, at[1] - align[1] * height, width, height)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(BEHIND_TEXT)
    painter.drawRoundedRect(box, 3, 3)
    painter.setPen(TEXT)
    painter.setFont(font)
    painter.drawText(QPointF(box.left() + _PADDING_PX, box.top() + 1 + metrics.ascent()), text)
    return height


def _font(painter: QPainter, points: int, *, bold: bool = False) -> QFont:
    font = QFont(painter.font())
    font.setPointSize(points)
    font.setBold(bold)
    return font
