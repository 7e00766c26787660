"""What is written on each pane: sequence, window, slice, side, and the directions at its four edges."""

from dataclasses import dataclass

from napari.components import ViewerModel
from napari.layers import Image

from napari_necroseg.core.language import number, tr
from napari_necroseg.core.volume import WORKING_AXIS_CODES, Position
from napari_necroseg.layerdata import LayerSource, source_of
from napari_necroseg.widgets.shared.plane import shown_axis

_AXES = 3
# Readers say head and foot, not superior and inferior; in German, too.
_SAID = {"L": "L", "R": "R", "A": "A", "P": "P", "S": "H", "I": "F"}
_OPPOSITE = {"L": "R", "R": "L", "A": "P", "P": "A", "S": "I", "I": "S"}


@dataclass(frozen=True, kw_only=True)
class Caption:
    """The texts on one pane; `edges` are the directions left, above, right and below, or empty in 3D."""

    sequence: str
    window: str
    place: str
    edges: tuple[str, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        """All texts that are not empty, to be read out."""
        return tuple(text for text in (self.sequence, self.window, self.place, *self.edges) if text)


def caption_of(viewer: ViewerModel, image: Image) -> Caption:
    """Return the texts on the pane that shows a sequence of a case."""
    source = source_of(image.metadata)
    assert source is not None, "a sequence of a case"
    axis = shown_axis(viewer)
    return Caption(
        sequence=str(source.role),
        window=_window(image),
        place="" if axis is None else _place(viewer, image, axis=axis, source=source),
        edges=() if axis is None else _edges(viewer, source),
    )


def middle_distance_mm(image: Image, source: LayerSource, *, axis: int, index: int) -> float:
    """Return how far a slice lies from the middle of an image, in mm along the axis."""
    return (index - (int(image.data.shape[axis]) - 1) / 2) * source.grid.spacing_mm[axis]


def slice_index(viewer: ViewerModel, image: Image, *, axis: int) -> int:
    """Return the index of the slice of an image that is shown."""
    through = axis + viewer.dims.ndim - _AXES
    place = (viewer.dims.point[through] - image.translate[axis]) / image.scale[axis]
    return min(max(round(float(place)), 0), int(image.data.shape[axis]) - 1)


def _window(image: Image) -> str:
    low, high = (float(limit) for limit in image.contrast_limits)
    width, level = high - low, (high + low) / 2
    decimals = 0 if width >= 20 else 2
    return tr("W {width}  L {level}", width=number(width, decimals), level=number(level, decimals))


def _place(viewer: ViewerModel, image: Image, *, axis: int, source: LayerSource) -> str:
    index, total = slice_index(viewer, image, axis=axis), image.data.shape[axis]
    counted = tr("slice {number} of {total}", number=index + 1, total=total)
    if source.grid.position is not Position.STATED:
        return f"{counted}  ·  {tr('side not stated')}"
    distance_mm = middle_distance_mm(image, source, axis=axis, index=index)
    code = WORKING_AXIS_CODES[axis]
    letter = _SAID[code if distance_mm > 0 else _OPPOSITE[code]]
    if abs(distance_mm) < 0.5:
        return f"{counted}  ·  {tr('middle')}"
    return f"{counted}  ·  {letter} {number(abs(distance_mm))} mm"


def _edges(viewer: ViewerModel, source: LayerSource) -> tuple[str, ...]:
    """Return the directions at the four edges; with a question mark where no file states them."""
    row, column = (axis - (viewer.dims.ndim - _AXES) for axis in viewer.dims.displayed[-2:])
    below, right = WORKING_AXIS_CODES[row], WORKING_AXIS_CODES[column]
    vertical, horizontal = viewer.scene.camera.orientation2d
    if str(vertical) != "down":
        below = _OPPOSITE[below]
    if str(horizontal) != "right":
        right = _OPPOSITE[right]
    mark = "" if source.grid.position is Position.STATED else "?"
    codes = (_OPPOSITE[right], _OPPOSITE[below], right, below)
    return tuple(_SAID[code] + mark for code in codes)
