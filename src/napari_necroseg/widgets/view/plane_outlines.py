"""Thin outlines in planes across thick slices, where napari's, one voxel wide, would cover the lesion.

napari's picture of a mask is hidden meanwhile, the layer itself is not: tools act on it as ever.
"""

from typing import Any
from weakref import WeakSet

from napari.layers import Labels, Layer
from qtpy.QtCore import QObject, QRectF
from qtpy.QtGui import QPainter

from napari_necroseg.layerdata import spacing_mm_of
from napari_necroseg.widgets.shared.plane import shown_axis
from napari_necroseg.widgets.shared.qt_parts import timer
from napari_necroseg.widgets.shared.workspace import Workspace
from napari_necroseg.widgets.view.contours import is_filled, is_helper
from napari_necroseg.widgets.view.geometry import Pane, panes_of, to_screen
from napari_necroseg.widgets.view.overlay import Sheet
from napari_necroseg.widgets.view.plane_picture import picture_of
from napari_necroseg.widgets.view.side_pane import LINE_PX
from napari_necroseg.widgets.view.turn import ORDERS

# How much longer than wide a pixel is from which on an outline of voxels is too coarse.
_TOO_LONG = 1.5
_LOOKS = ("visible", "contour")
_CHANGES = ("paint", "labels_update", "set_data", "data", "colormap", "opacity")


class PlaneOutlines(QObject):
    """Draws the outlines on the sheet over the canvas wherever pixels are long."""

    def __init__(self, workspace: Workspace, sheet: Sheet) -> None:
        super().__init__(sheet)
        self._workspace, self._sheet = workspace, sheet
        self._heard: WeakSet[Layer] = WeakSet()
        self._hidden: WeakSet[Layer] = WeakSet()
        self._soon = timer(self, 0, act=self.follow)
        # Below all else that is painted there.
        sheet.painters.insert(0, self._paint)
        viewer = workspace.layers.viewer
        for emitter in (viewer.dims.events.order, viewer.dims.events.ndisplay, viewer.layers.events.removed):
            emitter.connect(self.follow, position="last")
        viewer.layers.events.inserted.connect(self._on_inserted)
        self._soon.start()

    @property
    def are_needed(self) -> bool:
        """Whether the pixels of the plane that is shown are long."""
        layer, axis = self._workspace.cross_hair.layer(), shown_axis(self._workspace.layers.viewer)
        if layer is None or axis is None or self._workspace.layers.viewer.dims.ndisplay != 2:
            return False
        _, down, right = ORDERS[axis]
        spacing_mm = spacing_mm_of(layer)
        sides = sorted((spacing_mm[down], spacing_mm[right]))
        return sides[1] > _TOO_LONG * sides[0] and self._is_upright(axis)

    def follow(self, _event: object = None) -> None:
        """Hide or show napari's picture of each mask."""
        are_needed = self.are_needed
        for layer in list(self._workspace.layers.viewer.layers):
            if isinstance(layer, Labels) and not is_helper(layer):
                self._hear(layer)
                self._show(layer, is_hidden=are_needed and not is_filled(layer))
        self._sheet.refresh()

    def _is_upright(self, axis: int) -> bool:
        """Whether the plane stands as the buttons show it; napari's own keys may turn it otherwise."""
        return tuple(self._workspace.layers.viewer.dims.order[-3:]) == tuple(
            one + self._workspace.layers.viewer.dims.ndim - 3 for one in ORDERS[axis]
        )

    def _show(self, layer: Layer, *, is_hidden: bool) -> None:
        if not is_hidden and layer not in self._hidden:
            return
        window: Any = getattr(self._workspace.layers.viewer, "window", None)
        drawn = None if window is None else window._qt_viewer.canvas.layer_to_visual.get(layer)
        if drawn is None:
            return
        drawn.node.visible = bool(layer.visible) and not is_hidden
        (self._hidden.add if is_hidden else self._hidden.discard)(layer)

    def _paint(self, painter: QPainter) -> None:
        if not self.are_needed:
            return
        for pane in panes_of(self._workspace.layers.viewer):
            if pane.sequence is not None:
                self._paint_pane(painter, pane)

    def _paint_pane(self, painter: QPainter, pane: Pane) -> None:
        viewer, image = self._workspace.layers.viewer, pane.sequence
        index, axis = self._workspace.cross_hair.index, shown_axis(viewer)
        if image is None or index is None or axis is None or index[axis] >= image.data.shape[axis]:
            return
        picture = picture_of(self._workspace.layers, image, axis=axis, number=index[axis])
        outlines = [one for one in picture.contours if not one.is_filled]
        corner = image.data_to_world([-0.5] * 3)
        left, top = to_screen(viewer, pane, point=tuple(corner))
        zoom, (height_mm, width_mm) = float(viewer.scene.camera.zoom), picture.size_mm
        painter.save()
        painter.setClipRect(QRectF(pane.left, pane.top, pane.width, pane.height))
        target = QRectF(left, top, width_mm * zoom, height_mm * zoom)
        picture.with_contours(outlines).draw_contours(painter, target, line=LINE_PX)
        painter.restore()

    def _hear(self, layer: Layer) -> None:
        if layer in self._heard:
            return
        self._heard.add(layer)
        for name in _LOOKS:
            # After napari, which shows its picture of the layer again.
            getattr(layer.events, name).connect(self.follow, position="last")
        for name in _CHANGES:
            getattr(layer.events, name).connect(self._on_change)

    def _on_inserted(self, _event: object = None) -> None:
        # napari makes its picture of the layer first.
        self._soon.start()

    def _on_change(self, _event: object = None) -> None:
        if self.are_needed:
            self._sheet.refresh()
