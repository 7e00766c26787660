"""The cross-hair on napari's canvas: four lines that leave out the middle."""

from typing import Any

import numpy as np

from napari_necroseg.widgets.shared.case_layers import CaseLayers

# Beyond the edge of any image.
_FAR_MM = 3000.0
_GAP_MM = 5.0
_COLOUR = (1.0, 1.0, 1.0, 0.45)
# Above all layers.
_ORDER = 1_000_000


class CanvasCross:
    """Draws the cross-hair in the single pane of a viewer; does nothing without a window."""

    def __init__(self, layers: CaseLayers) -> None:
        self._layers = layers
        self._line: Any = None

    def show(self, is_shown: bool) -> None:
        """Show or hide it."""
        if is_shown and self._line is None:
            self._line = _line(self._layers)
        if self._line is not None:
            self._line.visible = is_shown
            self.follow()

    def follow(self) -> None:
        """Move it to the point of napari's sliders."""
        if self._line is None or not self._line.visible:
            return
        dims = self._layers.viewer.dims
        if dims.ndisplay != 2:
            return
        down, right = (dims.point[axis] for axis in dims.displayed[-2:])
        ends = [(_GAP_MM, 0), (_FAR_MM, 0), (-_GAP_MM, 0), (-_FAR_MM, 0)]
        steps = np.array([*ends, *((y, x) for x, y in ends)], dtype=np.float32)
        self._line.set_data(pos=steps + np.array([right, down], dtype=np.float32))


def _line(layers: CaseLayers) -> Any:
    """Return a new line in the scene of the canvas; None without a window. napari has no public way."""
    window: Any = getattr(layers.viewer, "window", None)
    if window is None:
        return None
    from vispy.scene.visuals import Line

    scene = window._qt_viewer.canvas.view.scene
    line = Line(pos=np.zeros((8, 2), np.float32), color=_COLOUR, connect="segments", parent=scene)
    line.order = _ORDER
    line.set_gl_state("translucent", depth_test=False)
    return line
