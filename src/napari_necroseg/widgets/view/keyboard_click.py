"""The mouse of the keyboard: a cross-hair that the arrow keys move, and where Enter clicks."""

from napari.components import ViewerModel
from qtpy.QtCore import QLineF, QPointF, Qt
from qtpy.QtGui import QColor, QPainter, QPen

from napari_necroseg.widgets.shared.plane import Plane, shown_plane
from napari_necroseg.widgets.shared.workspace import Workspace
from napari_necroseg.widgets.view.geometry import Pane, is_sequence, panes_of, to_screen
from napari_necroseg.widgets.view.mouse import Mouse
from napari_necroseg.widgets.view.overlay import Sheet

_COLOUR = QColor("#7fe0ff")
_GAP_PX, _ARM_PX = 6.0, 22.0
_FOCUS = QColor("#4c9aff")


class KeyboardClick:
    """Moves a cross-hair by voxels, and clicks there; a move of the mouse takes it away.

    `is_shown`: whether the arrow keys have moved it since.
    """

    def __init__(self, workspace: Workspace, sheet: Sheet, *, mouse: Mouse) -> None:
        self._workspace, self._sheet, self._mouse = workspace, sheet, mouse
        self.is_shown = False
        # The slice that was clicked in last, if the cross-hair has not been moved since.
        self._clicked_in: Plane | None = None
        sheet.painters.append(self._paint)
        mouse.moved.connect(self._on_mouse)

    @property
    def _viewer(self) -> ViewerModel:
        return self._workspace.layers.viewer

    def move(self, rows: int, columns: int) -> bool:
        """Move the cross-hair by voxels of the plane; the first move shows it in the middle of the view."""
        viewer = self._viewer
        if viewer.dims.ndisplay != 2 or not panes_of(viewer):
            return False
        self._clicked_in = None
        shown = viewer.dims.displayed[-2:]
        if not self.is_shown:
            self.is_shown = True
            place = [float(length) for length in viewer.scene.camera.center[-2:]]
        else:
            steps = self._voxel_mm()
            place = [
                float(viewer.dims.point[axis]) + by * steps[axis]
                for axis, by in zip(shown, (rows, columns), strict=True)
            ]
        viewer.dims.set_point(list(shown), place)
        self._keep_in_view()
        self._sheet.refresh()
        return True

    def click(self) -> bool:
        """Click at the cross-hair.

        A second time at the same place it is a double click for a tool that listens to those; for others,
        Enter is the tool's own, such as closing a polygon.
        """
        viewer = self._viewer
        panes = panes_of(viewer)
        if not self.is_shown or not panes or viewer.dims.ndisplay != 2:
            return False
        point = tuple(float(place) for place in viewer.dims.point)
        at, plane = QPointF(*to_screen(viewer, panes[0], point=point)), shown_plane(viewer)
        is_second = plane == self._clicked_in
        self._clicked_in = None if is_second else plane
        if is_second and not self._mouse.is_double_click_heard():
            return False
        self._mouse.click(at, is_second=is_second)
        return True

    def hide(self) -> bool:
        """Take the cross-hair away; False if there is none."""
        was_shown, self.is_shown = self.is_shown, False
        self._clicked_in = None
        self._sheet.refresh()
        return was_shown

    def _on_mouse(self) -> None:
        if self.is_shown:
            self.hide()

    def _voxel_mm(self) -> list[float]:
        """Return the size of a voxel along each of napari's axes."""
        viewer = self._viewer
        image = next((layer for layer in viewer.layers if is_sequence(layer)), None)
        steps = [float(step) for step in (one.step for one in viewer.dims.range)]
        if image is not None:
            steps[-3:] = [abs(float(step)) for step in image.scale[-3:]]
        return steps

    def _keep_in_view(self) -> None:
        """Move the view along if the cross-hair has left it."""
        viewer = self._viewer
        pane = panes_of(viewer)[0]
        point = tuple(float(place) for place in viewer.dims.point)
        if not pane.holds(*to_screen(viewer, pane, point=point)):
            row, column = viewer.dims.displayed[-2:]
            viewer.scene.camera.center = (point[row], point[column])

    def _paint(self, painter: QPainter) -> None:
        if self._sheet.is_reached_by_keys:
            painter.setPen(QPen(_FOCUS, 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(self._sheet.rect().adjusted(1, 1, -1, -1))
        if self.is_shown and self._viewer.dims.ndisplay == 2:
            for pane in panes_of(self._viewer):
                self._paint_in(painter, pane)

    def _paint_in(self, painter: QPainter, pane: Pane) -> None:
        point = tuple(float(place) for place in self._viewer.dims.point)
        at = QPointF(*to_screen(self._viewer, pane, point=point))
        if not pane.holds(at.x(), at.y()):
            return
        for colour, width in ((QColor(0, 0, 0, 200), 3.5), (_COLOUR, 1.5)):
            painter.setPen(QPen(colour, width))
            for right, down in ((1, 0), (-1, 0), (0, 1), (0, -1)):
                way = QPointF(right, down)
                painter.drawLine(QLineF(at + way * _GAP_PX, at + way * _ARM_PX))
