"""Which part of the open case is predicted: all of it, what lies about a click, or a drawn box."""

from collections.abc import Callable, Iterator
from typing import Any
from weakref import ref

import numpy as np
from napari.layers import Image, Labels, Shapes
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLabel, QWidget

from napari_necroseg.core.case import Case
from napari_necroseg.core.errors import SettingsError
from napari_necroseg.layerdata import Role
from napari_necroseg.widgets._predict_jobs import Place
from napari_necroseg.widgets._workspace import Workspace

_WHOLE, _CLICK, _BOX = "the whole image", "around a click", "in a drawn box"
_HELP = (
    "The whole image; or a part, for an outline of one zone alone: press Predict and click on the zone, or "
    "draw a rectangle in a new Shapes layer first. Beside the part, the probability is 0."
)
Point = tuple[float, float, float]


class PlaceChoice(QWidget):
    """Chooses the part, and gets the click that it may need."""

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._waiting: Callable[..., Any] | None = None
        self._put_down: tuple[ref[Labels], str] | None = None
        self.choice = QComboBox()
        self.choice.addItems([_WHOLE, _CLICK, _BOX])
        self.choice.setToolTip(_HELP)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(QLabel("Predict"))
        row.addWidget(self.choice, 1)

    @property
    def is_waiting(self) -> bool:
        """Whether a click is waited for."""
        return self._waiting is not None

    def ask(self, case: Case, then: Callable[[Place], None]) -> bool:
        """Call `then` with the chosen part, at once or after a click; False if that is waited for.

        Raises
        ------
        SettingsError
            If no box is drawn.
        """
        chosen = self.choice.currentText()
        if chosen == _CLICK:
            self._wait(case, then)
            return False
        then(Place() if chosen == _WHOLE else Place(box_mm=self._box_mm(case)))
        return True

    def stop_waiting(self) -> None:
        """Let clicks be clicks again."""
        callbacks = self._workspace.layers.viewer.mouse_drag_callbacks
        if self._waiting in callbacks:
            callbacks.remove(self._waiting)
        self._waiting = None
        layer, mode = (None, "") if self._put_down is None else (self._put_down[0](), self._put_down[1])
        if layer is not None:
            layer.mode = mode
        self._put_down = None

    def _wait(self, case: Case, then: Callable[[Place], None]) -> None:
        def clicked(_viewer: Any, event: Any) -> None:
            self.stop_waiting()
            then(Place(point_mm=self._world_mm(case, [event.position])[0]))

        self.stop_waiting()
        layer = self._active_mask()
        if layer is not None:
            # A brush that is chosen would leave a dot where one clicks.
            self._put_down, layer.mode = (ref(layer), str(layer.mode)), "pan_zoom"
        self._waiting = clicked
        self._workspace.layers.viewer.mouse_drag_callbacks.append(clicked)

    def _active_mask(self) -> Labels | None:
        active = self._workspace.layers.viewer.layers.selection.active
        return active if isinstance(active, Labels) else None

    def _box_mm(self, case: Case) -> tuple[Point, ...]:
        drawn = [
            layer
            for layer in self._workspace.layers.viewer.layers
            if isinstance(layer, Shapes) and layer.data
        ]
        if not drawn:
            raise SettingsError("Draw a rectangle around the zone in a new Shapes layer, then press Predict.")
        shapes = drawn[-1]
        return self._world_mm(case, [shapes.data_to_world(corner) for corner in shapes.data[-1]])

    def _world_mm(self, case: Case, shown: list[Any]) -> tuple[Point, ...]:
        """Turn positions on the screen into positions in the patient, by way of the ceT1 layer's voxels."""
        image = next(
            layer for layer in self._workspace.layers.find(case.name, [Role.CET1]) if isinstance(layer, Image)
        )
        index = np.array([image.world_to_data(position) for position in shown])
        points: Iterator[Any] = iter(case.grid.to_world_mm(index[:, -3:]))
        return tuple((float(x), float(y), float(z)) for x, y, z in points)
