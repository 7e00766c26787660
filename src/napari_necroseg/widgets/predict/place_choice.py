"""Which part of the open case is predicted: all of it, what lies about a click, or a drawn box."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from napari.layers import Shapes
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLabel, QWidget

from napari_necroseg.core.case import Case
from napari_necroseg.core.errors import SettingsError
from napari_necroseg.widgets.predict.jobs import Place
from napari_necroseg.widgets.shared.click import ClickOnce, Index, index_of
from napari_necroseg.widgets.shared.workspace import Workspace

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
        self._click = ClickOnce(workspace)
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
        return self._click.is_waiting

    def ask(self, case: Case, then: Callable[[Place], None]) -> bool:
        """Call `then` with the chosen part, at once or after a click; False if that is waited for.

        Raises
        ------
        SettingsError
            If no box is drawn.
        """
        chosen = self.choice.currentText()
        if chosen == _CLICK:
            self._click.wait(case, lambda index: then(Place(point_mm=_world_mm(case, [index])[0])))
            return False
        then(Place() if chosen == _WHOLE else Place(box_mm=self._box_mm(case)))
        return True

    def stop_waiting(self) -> None:
        """Let clicks be clicks again."""
        self._click.stop()

    def _box_mm(self, case: Case) -> tuple[Point, ...]:
        drawn = [
            layer
            for layer in self._workspace.layers.viewer.layers
            if isinstance(layer, Shapes) and layer.data
        ]
        if not drawn:
            raise SettingsError("Draw a rectangle around the zone in a new Shapes layer, then press Predict.")
        shapes = drawn[-1]
        corners = [shapes.data_to_world(corner) for corner in shapes.data[-1]]
        return _world_mm(case, [index_of(self._workspace, case, corner) for corner in corners])


def _world_mm(case: Case, indices: list[Index]) -> tuple[Point, ...]:
    """Return the positions in the patient of voxels."""
    points: Iterator[Any] = iter(case.grid.to_world_mm(np.asarray(indices)))
    return tuple((float(x), float(y), float(z)) for x, y, z in points)
