"""The mouse of a reader's workstation: the wheel turns the slices, a right drag sets window and level.

All of it is one filter before napari hears of an event, so that it holds in every tool; what is not taken
goes on to napari.
"""

from dataclasses import dataclass
from typing import Any

from napari.components import ViewerModel
from napari.layers import Image, Labels
from psygnal import Signal
from qtpy.QtCore import QEvent, QObject, QPointF, Qt
from qtpy.QtGui import QMouseEvent, QWheelEvent
from qtpy.QtWidgets import QApplication, QWidget

from napari_necroseg.widgets.shared.workspace import Workspace
from napari_necroseg.widgets.view.contrast import Contrast, Limits, limits_of
from napari_necroseg.widgets.view.fit import Fit
from napari_necroseg.widgets.view.geometry import pane_at, to_world
from napari_necroseg.widgets.view.ruler import Ruler
from napari_necroseg.widgets.view.slices import step_slices

# A right button that moves less is a click, which is the tool's own.
DRAG_PX = 3.0
_NOTCH = 120.0
# napari's own listener to double clicks, in place of which the lesion is fitted.
_NAPARIS_ZOOM = "double_click_to_zoom"
_ZOOM_PER_NOTCH = 1.15
_BUTTONS = Qt.MouseButton
_NOTHING_HELD = Qt.KeyboardModifier.NoModifier


@dataclass(kw_only=True)
class _Held:
    """A button that is held down; `limits` are those of the image when it was pressed."""

    button: Qt.MouseButton
    at: QPointF
    modifiers: Qt.KeyboardModifier
    image: Image | None = None
    limits: Limits = (0.0, 1.0)
    center: tuple[float, float] = (0.0, 0.0)
    is_drag: bool = False


class Mouse(QObject):
    """Takes the events of the mouse on the canvas that are not left to napari.

    `is_on`: whether it takes any; off, the mouse is napari's. `moved`: emitted when the pointer moves.
    """

    moved = Signal()

    def __init__(
        self, workspace: Workspace, canvas: QWidget, *, fit: Fit, ruler: Ruler, contrast: Contrast
    ) -> None:
        super().__init__(canvas)
        self._workspace, self._canvas = workspace, canvas
        self._fit, self._ruler, self._contrast = fit, ruler, contrast
        self.is_on = True
        self._held: _Held | None = None
        self._turned = 0.0
        self._is_passing = False
        canvas.installEventFilter(self)

    @property
    def _viewer(self) -> ViewerModel:
        return self._workspace.layers.viewer

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802  # Qt's name
        """Take an event, or let it go on to napari."""
        if event is None or watched is not self._canvas or not self.is_on or self._is_passing:
            return False
        if self._viewer.dims.ndisplay != 2 or not self._viewer.layers:
            return False
        if isinstance(event, QWheelEvent):
            return self._on_wheel(event)
        if isinstance(event, QMouseEvent):
            return self._on_mouse(event)
        return False

    def _on_wheel(self, event: QWheelEvent) -> bool:
        turned = event.angleDelta().y() / _NOTCH
        held = event.modifiers()
        if held & Qt.KeyboardModifier.ControlModifier:
            self._zoom(event.position(), _ZOOM_PER_NOTCH**turned)
        elif held == _NOTHING_HELD:
            self._turned += turned
            # A touch pad sends small parts of a notch.
            notches = int(self._turned)
            self._turned -= notches
            step_slices(self._viewer, -notches)
        else:
            return False
        event.accept()
        return True

    def _on_mouse(self, event: QMouseEvent) -> bool:
        kinds = QEvent.Type
        match event.type():
            case kinds.MouseButtonPress:
                return self._on_press(event)
            case kinds.MouseMove:
                return self._on_move(event)
            case kinds.MouseButtonRelease:
                return self._on_release(event)
            case kinds.MouseButtonDblClick:
                return self._on_double_click(event)
            case _:
                return False

    def _on_press(self, event: QMouseEvent) -> bool:
        button, at = event.button(), event.position()
        if event.buttons() != button:
            # Another button is held already: that is napari's, or ours, affair.
            return self._held is not None
        is_measuring = button == _BUTTONS.LeftButton and self._ruler.is_armed
        if not is_measuring and button not in (_BUTTONS.RightButton, _BUTTONS.MiddleButton):
            return False
        pane = pane_at(self._viewer, x=at.x(), y=at.y())
        if pane is None:
            return False
        self._canvas.setFocus(Qt.FocusReason.MouseFocusReason)
        held = _Held(button=button, at=at, modifiers=event.modifiers(), image=pane.image)
        held.center = self._center()
        if held.image is not None:
            held.limits = limits_of(held.image)
        self._held = held
        if is_measuring:
            self._ruler.start(self._world(at))
        return True

    def _on_move(self, event: QMouseEvent) -> bool:
        held = self._held
        if held is not None and not event.buttons() & held.button:
            # It was released while the canvas heard nothing: a case was being shown.
            held = self._held = None
        if held is None:
            self.moved.emit()
            return False
        moved = event.position() - held.at
        held.is_drag = held.is_drag or max(abs(moved.x()), abs(moved.y())) > DRAG_PX
        if not held.is_drag:
            return True
        if held.button == _BUTTONS.LeftButton:
            self._ruler.move(self._world(event.position()))
        elif held.button == _BUTTONS.MiddleButton:
            self._pan(held, moved)
        elif held.image is not None:
            self._contrast.drag(held.image, held.limits, right_px=moved.x(), down_px=moved.y())
        return True

    def _on_release(self, event: QMouseEvent) -> bool:
        held = self._held
        if held is None or event.button() != held.button:
            return held is not None
        self._held = None
        if held.button == _BUTTONS.LeftButton:
            self._ruler.arm(False)
            if not held.is_drag:
                self._ruler.clear()
        elif not held.is_drag and held.button == _BUTTONS.RightButton and not self._fills_by_right_click():
            self.click(held.at, button=held.button, modifiers=held.modifiers)
        return True

    def _on_double_click(self, event: QMouseEvent) -> bool:
        """Fit the lesion; in a tool, a double click is the tool's, and two quick right clicks are two."""
        if event.button() != _BUTTONS.LeftButton:
            return self._on_press(event)
        active = self._viewer.layers.selection.active
        is_tool = active is not None and str(active.mode) != "pan_zoom"
        if self._ruler.is_armed or is_tool or self.is_double_click_heard():
            return False
        if event.modifiers() != _NOTHING_HELD:
            return False
        self._fit.to_lesion()
        return True

    def is_double_click_heard(self) -> bool:
        """Whether something besides napari listens to double clicks, such as the live-wire."""
        heard_by = self._viewer.mouse_double_click_callbacks
        return any(getattr(one, "__name__", "") != _NAPARIS_ZOOM for one in heard_by)

    def click(
        self,
        at: QPointF,
        *,
        button: Qt.MouseButton = _BUTTONS.LeftButton,
        modifiers: Qt.KeyboardModifier = _NOTHING_HELD,
        is_second: bool = False,
    ) -> None:
        """Let napari hear a click, or the second of a double click, as if it came from the mouse."""
        around, kinds = QPointF(self._canvas.mapToGlobal(at.toPoint())), QEvent.Type
        pressed = kinds.MouseButtonDblClick if is_second else kinds.MouseButtonPress
        self._is_passing = True
        try:
            for kind, buttons in ((pressed, button), (kinds.MouseButtonRelease, _BUTTONS.NoButton)):
                QApplication.sendEvent(
                    self._canvas, QMouseEvent(kind, at, around, button, buttons, modifiers)
                )
        finally:
            self._is_passing = False

    def _fills_by_right_click(self) -> bool:
        """Whether napari would begin its encircle-and-fill, which goes on after the button is released."""
        active = self._viewer.layers.selection.active
        return isinstance(active, Labels) and str(active.mode) == "paint"

    def _zoom(self, at: QPointF, factor: float) -> None:
        """Zoom about the place under the pointer."""
        pane = pane_at(self._viewer, x=at.x(), y=at.y())
        if pane is None:
            return
        camera, place = self._viewer.scene.camera, self._world(at)
        shown = self._viewer.dims.displayed[-2:]
        rest = zip(shown, self._center(), strict=True)
        down, right = (place[axis] + (middle - place[axis]) / factor for axis, middle in rest)
        camera.zoom *= factor
        self._fit.release()
        camera.center = (down, right)

    def _pan(self, held: _Held, moved: QPointF) -> None:
        camera = self._viewer.scene.camera
        pane = pane_at(self._viewer, x=held.at.x(), y=held.at.y())
        if pane is None:
            return
        before, now = (to_world(self._viewer, pane, x=p.x(), y=p.y()) for p in (held.at, held.at + moved))
        row, column = self._viewer.dims.displayed[-2:]
        camera.center = (
            held.center[0] - now[row] + before[row],
            held.center[1] - now[column] + before[column],
        )

    def _center(self) -> tuple[float, float]:
        row, column = self._viewer.scene.camera.center[-2:]
        return float(row), float(column)

    def _world(self, at: QPointF) -> Any:
        """Return the place at a position; beyond the pane of a drag, in the pane where the drag began."""
        start = at if self._held is None else self._held.at
        pane = pane_at(self._viewer, x=start.x(), y=start.y())
        assert pane is not None, "a drag begins in a pane"
        return to_world(self._viewer, pane, x=at.x(), y=at.y())
