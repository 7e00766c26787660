"""The panes that napari's grid divides the canvas into, and the way from the screen into the patient.

Positions on the screen are logical pixels from the upper left corner of the canvas, ``(x, y)``.
"""

from dataclasses import dataclass

from napari.components import ViewerModel
from napari.layers import Image, Layer

from napari_necroseg.layerdata import Role, source_of

Point = tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Pane:
    """A rectangle of the canvas, and the visible layers in it, from the lowest to the topmost."""

    left: float
    top: float
    width: float
    height: float
    layers: tuple[Layer, ...]

    @property
    def middle(self) -> tuple[float, float]:
        """The middle of the rectangle, ``(x, y)``."""
        return self.left + self.width / 2, self.top + self.height / 2

    @property
    def sequence(self) -> Image | None:
        """The topmost sequence of a case in it."""
        images = (layer for layer in reversed(self.layers) if isinstance(layer, Image))
        return next((image for image in images if is_sequence(image)), None)

    @property
    def image(self) -> Image | None:
        """The sequence, or the topmost other image."""
        images = [layer for layer in self.layers if isinstance(layer, Image)]
        return self.sequence or (images[-1] if images else None)

    def holds(self, x: float, y: float) -> bool:
        """Whether a position lies in the rectangle."""
        return 0 <= x - self.left < self.width and 0 <= y - self.top < self.height


def is_sequence(layer: Layer) -> bool:
    """Whether a layer is a sequence of a case."""
    source = source_of(layer.metadata)
    return isinstance(layer, Image) and source is not None and source.role in (Role.CET1, Role.T2)


def panes_of(viewer: ViewerModel) -> list[Pane]:
    """Return the panes with visible layers, row by row."""
    grid, layers = viewer.canvas.grid, viewer.layers
    height, width = (float(length) for length in viewer.canvas.size)
    if not grid.enabled:
        shown = tuple(layer for layer in layers if layer.visible)
        return [Pane(left=0.0, top=0.0, width=width, height=height, layers=shown)] if shown else []
    gap = float(grid._compute_canvas_spacing((int(width), int(height)), layers))
    tall, wide = (float(length) for length in viewer.canvas.viewbox_size(layers))
    panes = []
    for (row, column), inside in grid.iter_viewboxes(layers):
        shown = tuple(layers[index] for index in inside)
        if shown:
            left, top = column * (wide + gap), row * (tall + gap)
            panes.append(Pane(left=left, top=top, width=wide, height=tall, layers=shown))
    return panes


def pane_at(viewer: ViewerModel, *, x: float, y: float) -> Pane | None:
    """Return the pane at a position."""
    return next((pane for pane in panes_of(viewer) if pane.holds(x, y)), None)


def to_world(viewer: ViewerModel, pane: Pane, *, x: float, y: float) -> Point:
    """Return the place, in napari's coordinates (mm), that is seen at a position of a pane; 2D only."""
    camera, (middle_x, middle_y) = viewer.scene.camera, pane.middle
    down, right = _signs(viewer)
    point = [float(place) for place in viewer.dims.point]
    row, column = viewer.dims.displayed[-2:]
    point[row] = float(camera.center[-2]) + down * (y - middle_y) / camera.zoom
    point[column] = float(camera.center[-1]) + right * (x - middle_x) / camera.zoom
    return tuple(point)


def to_screen(viewer: ViewerModel, pane: Pane, *, point: Point) -> tuple[float, float]:
    """Return the position ``(x, y)`` in a pane where a place is seen; 2D only."""
    camera, (middle_x, middle_y) = viewer.scene.camera, pane.middle
    down, right = _signs(viewer)
    row, column = viewer.dims.displayed[-2:]
    y = middle_y + down * (point[row] - float(camera.center[-2])) * camera.zoom
    x = middle_x + right * (point[column] - float(camera.center[-1])) * camera.zoom
    return x, y


def _signs(viewer: ViewerModel) -> tuple[int, int]:
    """Return whether the two shown axes grow downwards and rightwards (1), or the other way (-1)."""
    vertical, horizontal = viewer.scene.camera.orientation2d
    return (1 if str(vertical) == "down" else -1), (1 if str(horizontal) == "right" else -1)
