"""Waits for one drag of the mouse in a viewer, and shows the rectangle while it is drawn."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Labels
from qtpy.QtCore import QPoint, QRect
from qtpy.QtWidgets import QRubberBand

from napari_necroseg.core.masks.components import Box
from napari_necroseg.widgets.shared.panes import canvas_of
from napari_necroseg.widgets.shared.plane import Plane, needed_plane, shown_plane


class DragBox:
    """Calls a function with the box of one drag; no brush paints, and the image does not move meanwhile."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._waiting: Callable[..., Any] | None = None
        self._mask: Labels | None = None
        self._before: tuple[str, bool] = ("pan_zoom", True)

    @property
    def is_waiting(self) -> bool:
        """Whether a drag is waited for."""
        return self._waiting is not None

    def wait(self, mask: Labels, what: str, *, then: Callable[[Box], object]) -> None:
        """Call `then` with the box ``(Z, Y, X)`` of the next drag, in the voxels of a mask, on one slice.

        Raises SettingsError in 3D, where there is no slice; `what` begins that sentence.
        """
        needed_plane(self._viewer, what)
        self.stop()
        self._mask = mask
        self._before = str(mask.mode), self._viewer.scene.camera.mouse_pan
        mask.mode = "pan_zoom"
        self._viewer.scene.camera.mouse_pan = False

        def dragged(_viewer: Any, event: Any) -> Iterator[None]:
            band, start, first = _Band(self._viewer, event), event.position, True
            yield
            while event.type == "mouse_move":
                first = False
                band.follow(event)
                yield
            band.hide()
            self.stop()
            plane = shown_plane(self._viewer)
            if not first and plane is not None:
                then(_box_of(mask, plane, corners=(start, event.position)))

        self._waiting = dragged
        self._viewer.mouse_drag_callbacks.append(dragged)

    def stop(self) -> None:
        """Stop waiting, and give the mask its tool back."""
        callbacks = self._viewer.mouse_drag_callbacks
        if self._waiting in callbacks:
            callbacks.remove(self._waiting)
        if self._waiting is not None and self._mask is not None:
            self._mask.mode, self._viewer.scene.camera.mouse_pan = self._before
        self._waiting = self._mask = None


def _box_of(mask: Labels, plane: Plane, *, corners: tuple[Any, Any]) -> Box:
    """Return the voxels of the slice that is shown between two positions on the screen."""
    ends = np.array([mask.world_to_data(corner)[-3:] for corner in corners])
    first = np.clip(np.ceil(ends.min(axis=0) - 0.5), 0, mask.data.shape).astype(int)
    stop = np.clip(np.floor(ends.max(axis=0) + 0.5) + 1, 0, mask.data.shape).astype(int)
    first[plane.axis], stop[plane.axis] = plane.number, plane.number + 1
    z, y, x = (slice(int(a), int(b)) for a, b in zip(first, stop, strict=True))
    return z, y, x


class _Band:
    """The rectangle on the canvas; a viewer without a window has none."""

    def __init__(self, viewer: ViewerModel, event: Any) -> None:
        canvas = canvas_of(viewer)
        self._start = _pixel(event)
        self._band = None if canvas is None else QRubberBand(QRubberBand.Shape.Rectangle, canvas)

    def follow(self, event: Any) -> None:
        if self._band is not None:
            self._band.setGeometry(QRect(self._start, _pixel(event)).normalized())
            self._band.show()

    def hide(self) -> None:
        if self._band is not None:
            self._band.hide()
            self._band.deleteLater()


def _pixel(event: Any) -> QPoint:
    """Return where the pointer is on the canvas."""
    x, y = getattr(event, "pos", (0, 0))
    return QPoint(int(x), int(y))
