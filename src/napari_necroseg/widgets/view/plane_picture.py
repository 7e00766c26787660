"""A slice of the open case as a picture, made from the voxels: the image in grey, and the contours on it."""

from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
from napari.layers import Image
from numpy.typing import NDArray
from qtpy.QtCore import QPointF, QRect, QRectF
from qtpy.QtGui import QColor, QImage, QPainter, QPainterPath, QPen, QPolygonF

from napari_necroseg.core.masks.outlines import outlines
from napari_necroseg.core.volume import Voxels
from napari_necroseg.layerdata import spacing_mm_of
from napari_necroseg.widgets.shared.case_layers import CaseLayers
from napari_necroseg.widgets.view.contours import colour_of, is_filled, visible_contours
from napari_necroseg.widgets.view.turn import ORDERS

Grey = NDArray[np.uint8]
_DARK, _EDGE_PX = QColor(0, 0, 0, 110), 1.8


@dataclass(frozen=True, kw_only=True, eq=False)
class Contour:
    """The outline of one mask on a slice, in pixels from the upper left corner."""

    path: QPainterPath
    colour: QColor
    opacity: float
    is_filled: bool

    def draw(self, painter: QPainter, *, line: float, has_edge: bool = False) -> None:
        """Draw it in pixels of the slice; `line` is the width of an outline on the device.

        `has_edge` draws a dark line below an outline, to be seen on a bright image.
        """
        colour = QColor(self.colour)
        colour.setAlphaF(self.opacity)
        if self.is_filled:
            painter.fillPath(self.path, colour)
            return
        below = [(_DARK, line + _EDGE_PX)] if has_edge else []
        for ink, width in (*below, (colour, line)):
            pen = QPen(ink, width)
            pen.setCosmetic(True)
            painter.strokePath(self.path, pen)


@dataclass(frozen=True, kw_only=True, eq=False)
class PlanePicture:
    """A slice as it is shown: pixels ``(down, right)``, their size in mm, and the contours."""

    grey: Grey
    # Downwards and to the right.
    pixel_mm: tuple[float, float]
    contours: list[Contour] = field(default_factory=list)

    @property
    def size_mm(self) -> tuple[float, float]:
        """Height and width."""
        rows, columns = self.grey.shape
        return rows * self.pixel_mm[0], columns * self.pixel_mm[1]

    def cropped(self, part: QRect) -> "PlanePicture":
        """Return a part of the pixels, with what lies in it of the contours."""
        inside = part.intersected(QRect(0, 0, self.grey.shape[1], self.grey.shape[0]))
        left, top = inside.left(), inside.top()
        grey = self.grey[top : top + inside.height(), left : left + inside.width()]
        found = [replace(one, path=_clipped(one, QRectF(inside))) for one in self.contours]
        kept = [one for one in found if not one.path.isEmpty()]
        return replace(self, grey=np.ascontiguousarray(grey), contours=kept)

    def image(self) -> QImage:
        """Return the pixels as an image of Qt."""
        rows, columns = self.grey.shape
        made = QImage(self.grey.tobytes(), columns, rows, columns, QImage.Format.Format_Grayscale8)
        return made.copy()

    def draw(self, painter: QPainter, target: QRectF, *, line: float) -> None:
        """Draw image and contours into a rectangle; `line` is the width of an outline on the device."""
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(target, self.image())
        self.draw_contours(painter, target, line=line)
        painter.restore()

    def draw_contours(self, painter: QPainter, target: QRectF, *, line: float) -> None:
        """Draw only the contours."""
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.translate(target.topLeft())
        rows, columns = self.grey.shape
        painter.scale(target.width() / columns, target.height() / rows)
        for contour in self.contours:
            contour.draw(painter, line=line)
        painter.restore()


def picture_of(layers: CaseLayers, image: Image, *, axis: int, number: int) -> PlanePicture:
    """Return slice `number` across an axis of an image, with the visible masks on the same grid."""
    spacing_mm = spacing_mm_of(image)
    _, down, right = ORDERS[axis]
    return PlanePicture(
        grey=_grey(turned_slice(image.data, axis=axis, number=number), image),
        pixel_mm=(spacing_mm[down], spacing_mm[right]),
        contours=contours_on(layers, image.data.shape, axis=axis, number=number),
    )


def contours_on(layers: CaseLayers, shape: tuple[int, ...], *, axis: int, number: int) -> list[Contour]:
    """Return the contours, on slice `number` across an axis, of the visible masks of a shape."""
    return [
        Contour(path=path, colour=colour_of(mask), opacity=float(mask.opacity), is_filled=is_filled(mask))
        for mask in visible_contours(layers)
        if mask.data.shape == shape
        and not (path := _path(turned_slice(mask.data, axis=axis, number=number))).isEmpty()
    ]


def turned_slice(voxels: Voxels, *, axis: int, number: int) -> Voxels:
    """Return a slice ``(down, right)`` as it is shown; a view."""
    _, down, right = ORDERS[axis]
    index: list[slice | int] = [slice(None)] * 3
    index[axis] = number
    pixels: Voxels = np.asarray(voxels[tuple(index)])
    return pixels if down < right else pixels.T


def _grey(pixels: Voxels, image: Image) -> Grey:
    low, high = (float(limit) for limit in image.contrast_limits)
    share = (pixels.astype(np.float32) - low) / max(high - low, 1e-30)
    np.clip(share, 0, 1, out=share)
    if image.gamma != 1:
        share **= float(image.gamma)
    share *= 255
    return np.ascontiguousarray(share.astype(np.uint8))


def _path(mask: Voxels) -> QPainterPath:
    path = QPainterPath()
    for outline in outlines(_cropped(mask)[0]) if mask.any() else ():
        top, left = _cropped(mask)[1]
        path.addPolygon(QPolygonF([QPointF(column + left, row + top) for row, column in outline]))
        path.closeSubpath()
    return path


def _cropped(mask: Voxels) -> tuple[Voxels, tuple[int, int]]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], (int(rows[0]), int(columns[0]))


def _clipped(contour: Contour, part: QRectF) -> QPainterPath:
    """Return the part of a contour in a rectangle, from its corner; outlines are cut open at the border."""
    if contour.is_filled:
        whole = QPainterPath()
        whole.addRect(part)
        return contour.path.intersected(whole).translated(-part.topLeft())
    kept = QPainterPath()
    for polygon in contour.path.toSubpathPolygons():
        corners: list[QPointF] = [polygon.at(number) for number in range(polygon.size())]
        for start, end in pairwise(corners):
            # All lines run along the edges of pixels.
            near = QPointF(*_within(part, start))
            far = QPointF(*_within(part, end))
            if near != far and _is_along(part, start, end=end):
                if kept.isEmpty() or kept.currentPosition() != near:
                    kept.moveTo(near)
                kept.lineTo(far)
    return kept.translated(-part.topLeft())


def _within(part: QRectF, place: QPointF) -> tuple[float, float]:
    x = min(max(place.x(), part.left()), part.left() + part.width())
    return x, min(max(place.y(), part.top()), part.top() + part.height())


def _is_along(part: QRectF, start: QPointF, *, end: QPointF) -> bool:
    """Whether a line that runs across or down runs through a rectangle, not beside it."""
    if start.x() == end.x():
        return part.left() <= start.x() <= part.left() + part.width()
    return part.top() <= start.y() <= part.top() + part.height()
