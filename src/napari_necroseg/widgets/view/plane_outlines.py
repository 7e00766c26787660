"""Thin outlines wherever napari's, one voxel wide, would cover the border that one looks at.

That is so in planes across thick slices, and when the view is magnified. napari's picture of a mask is made
transparent meanwhile, the layer itself is not: tools act on it, and show what they draw, as ever.
"""

from typing import Any
from weakref import WeakSet

from napari.layers import Labels, Layer
from qtpy.QtCore import QObject, QRectF
from qtpy.QtGui import QPainter

from napari_necroseg.layerdata import spacing_mm_of
from napari_necroseg.widgets.shared.plane import shown_axis, shown_plane
from napari_necroseg.widgets.shared.qt_parts import timer
from napari_necroseg.widgets.shared.workspace import Workspace
from napari_necroseg.widgets.view.contours import is_filled, is_helper
from napari_necroseg.widgets.view.geometry import Pane, panes_of, to_screen
from napari_necroseg.widgets.view.overlay import Sheet
from napari_necroseg.widgets.view.plane_picture import Contour, contours_on
from napari_necroseg.widgets.view.side_pane import LINE_PX
from napari_necroseg.widgets.view.turn import ORDERS

# A voxel that is longer than this on the screen makes too coarse an outline.
_TOO_COARSE_PX = 3.0
_LOOKS = ("visible", "contour", "opacity", "blending")
_CHANGES = ("paint", "labels_update", "set_data", "data", "colormap")


class PlaneOutlines(QObject):
    """Draws the outlines on the sheet over the canvas wherever voxels are large on the screen."""

    def __init__(self, workspace: Workspace, sheet: Sheet) -> None:
        super().__init__(sheet)
        self._workspace, self._sheet = workspace, sheet
        self._heard: WeakSet[Layer] = WeakSet()
        self._hidden: WeakSet[Layer] = WeakSet()
        self._soon = timer(self, 0, act=self.follow)
        self._were_needed = False
        # Below all else that is painted there.
        sheet.painters.insert(0, self._paint)
        viewer = workspace.layers.viewer
        for emitter in (viewer.dims.events.order, viewer.dims.events.ndisplay, viewer.layers.events.removed):
            emitter.connect(self.follow, position="last")
        viewer.scene.camera.events.zoom.connect(self._on_zoom)
        viewer.layers.events.inserted.connect(self._on_inserted)
        self._soon.start()

    @property
    def are_needed(self) -> bool:
        """Whether voxels of the plane that is shown are large on the screen."""
        layer, axis = self._workspace.cross_hair.layer(), shown_axis(self._workspace.layers.viewer)
        if layer is None or axis is None or self._workspace.layers.viewer.dims.ndisplay != 2:
            return False
        _, down, right = ORDERS[axis]
        longest_mm = max(spacing_mm_of(layer)[side] for side in (down, right))
        zoom = float(self._workspace.layers.viewer.scene.camera.zoom)
        return longest_mm * zoom > _TOO_COARSE_PX and self._is_upright(axis)

    def follow(self, _event: object = None) -> None:
        """Hide or show napari's picture of each mask."""
        self._were_needed = are_needed = self.are_needed
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
        drawn.node.opacity = 0.0 if is_hidden else float(layer.opacity)
        (self._hidden.add if is_hidden else self._hidden.discard)(layer)

    def _paint(self, painter: QPainter) -> None:
        if not self.are_needed:
            return
        viewer, layers = self._workspace.layers.viewer, self._workspace.layers
        plane, layer = shown_plane(viewer), self._workspace.cross_hair.layer()
        if plane is None or layer is None or not 0 <= plane.number < layer.data.shape[plane.axis]:
            return
        found = contours_on(layers, layer.data.shape, axis=plane.axis, number=plane.number)
        outlines = [one for one in found if not one.is_filled]
        for pane in panes_of(viewer):
            if pane.sequence is not None:
                self._paint_pane(painter, pane, outlines=outlines, axis=plane.axis)

    def _paint_pane(self, painter: QPainter, pane: Pane, *, outlines: list[Contour], axis: int) -> None:
        viewer, image = self._workspace.layers.viewer, pane.sequence
        assert image is not None, "a pane with a sequence"
        _, down, right = ORDERS[axis]
        zoom = float(viewer.scene.camera.zoom)
        left, top = to_screen(viewer, pane, point=tuple(image.data_to_world([-0.5] * image.ndim)))
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setClipRect(QRectF(pane.left, pane.top, pane.width, pane.height))
        painter.translate(left, top)
        painter.scale(float(image.scale[right]) * zoom, float(image.scale[down]) * zoom)
        for outline in outlines:
            outline.draw(painter, line=LINE_PX, has_edge=True)
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

    def _on_zoom(self, _event: object = None) -> None:
        if self.are_needed != self._were_needed:
            self.follow()

    def _on_change(self, _event: object = None) -> None:
        if self.are_needed:
            self._sheet.refresh()
