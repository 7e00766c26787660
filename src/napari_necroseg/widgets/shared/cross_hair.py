"""The point of the open case that the planes run through, where the work is: in the lesion, at first.

napari keeps it: it is the point of its sliders, those of the shown axes included. So a slider, the wheel and
this class move the same point.
"""

from typing import Any

import numpy as np
from napari.layers import Image, Labels, Layer
from psygnal import Signal

from napari_necroseg.core.volume import Voxels
from napari_necroseg.layerdata import Role, source_of
from napari_necroseg.widgets.shared.case_layers import CaseLayers

_AXES = 3
Index = tuple[int, int, int]
# Where the lesion is looked for, the surest first.
_LESION = (Role.LABELS, Role.PREDICTION, Role.IN_TRAINING, Role.REFERENCE, Role.TUMOUR)


class CrossHair:
    """The slice, row and column where the planes meet.

    `changed` is emitted when it has moved, also by napari's sliders.
    """

    changed = Signal()

    def __init__(self, layers: CaseLayers) -> None:
        self._layers = layers
        # The axes whose slice a person chose.
        self._chosen: set[int] = set()
        self._last: Index | None = None
        self._is_going = False
        layers.viewer.dims.events.point.connect(self._on_point)

    @property
    def index(self) -> Index | None:
        """The slice, row and column; None while no case is open."""
        layer = self.layer()
        if layer is None:
            return None
        dims = self._layers.viewer.dims
        places = (np.asarray(dims.point[-_AXES:]) - layer.translate) / layer.scale
        last = np.asarray(layer.data.shape) - 1
        z, y, x = np.clip(np.round(places), 0, last).astype(int).tolist()
        return z, y, x

    def place(self, index: Any) -> None:
        """Move it to a slice, row and column, within the image; the planes follow."""
        self._chosen = set(range(_AXES))
        self._go(index)

    def move(self, axis: int, by: int) -> None:
        """Move it by some voxels along an axis."""
        index = self.index
        if index is not None:
            self.place([number + by * (other == axis) for other, number in enumerate(index)])

    def forget(self) -> None:
        """Begin in the lesion, or in the middle of the slice: another case is shown."""
        self._chosen.clear()
        index, layer, through = self.index, self.layer(), self._through()
        if index is None or layer is None:
            return
        found = self._found(0 if through is None else through)
        middle = [n // 2 if axis != through else index[axis] for axis, n in enumerate(layer.data.shape)]
        self._go(middle if found is None else found)

    def enter(self) -> None:
        """Move it into the lesion of the slice that is shown, or beside that of another; the slice stays."""
        index, through = self.index, self._through()
        found = self._found(0 if through is None else through)
        if index is not None and found is not None:
            self._go([index[one] if one == through else place for one, place in enumerate(found)])

    def aim(self, axis: int) -> None:
        """Move it along an axis into the lesion if it is beside it; a slice that a person chose stays."""
        index = self.index
        found = None if axis in self._chosen else self._found(axis)
        if index is not None and found is not None:
            self._go([found[one] if one == axis else place for one, place in enumerate(index)])

    def layer(self) -> Layer | None:
        """Return any layer of the open case: all of them share one scale and position."""
        return next((one for one in self._layers.viewer.layers if _is_of_case(one)), None)

    def _found(self, axis: int) -> list[int] | None:
        """Return a place in the lesion, on the slice of now across an axis if that runs through it."""
        index = self.index
        if index is None:
            return None
        places = (_inside(voxels, axis=axis, at=index) for voxels in self._lesions())
        return next((place for place in places if place is not None), None)

    def _through(self) -> int | None:
        dims = self._layers.viewer.dims
        through = [axis - (dims.ndim - _AXES) for axis in dims.not_displayed if axis >= dims.ndim - _AXES]
        return through[0] if len(through) == 1 else None

    def _go(self, index: Any) -> None:
        layer = self.layer()
        if layer is None:
            return
        inside = np.clip(np.asarray(index), 0, np.asarray(layer.data.shape) - 1)
        dims = self._layers.viewer.dims
        axes = tuple(range(dims.ndim - _AXES, dims.ndim))
        self._is_going = True
        try:
            dims.set_point(axes, tuple(float(place) for place in layer.translate + inside * layer.scale))
        finally:
            self._is_going = False

    def _lesions(self) -> list[Voxels]:
        found: dict[Role, list[Voxels]] = {role: [] for role in _LESION}
        for layer in reversed(self._layers.masks()):
            source = source_of(layer.metadata)
            if source is not None and source.role in found:
                found[source.role].append(np.asarray(layer.data))
        return [voxels for role in _LESION for voxels in found[role]]

    def _on_point(self, _event: object = None) -> None:
        before, now, through = self._last, self.index, self._through()
        self._last = now
        ends = None if before is None or now is None or through is None else (before[through], now[through])
        if through is not None and ends is not None and ends[0] != ends[1] and not self._is_going:
            # By napari's slider, the wheel or a list of slices.
            self._chosen.add(through)
        self.changed.emit()


def _is_of_case(layer: Layer) -> bool:
    return isinstance(layer, Image | Labels) and layer.ndim == _AXES and source_of(layer.metadata) is not None


def _inside(voxels: Voxels, *, axis: int, at: Index) -> list[int] | None:
    """Return the voxel of a mask next to its centre, on slice `at` of an axis, or where it is largest."""
    slices = np.moveaxis(voxels, axis, 0)
    number = at[axis] if at[axis] < len(slices) else 0
    if not slices[number].any():
        areas = np.count_nonzero(slices, axis=(1, 2))
        number = int(areas.argmax())
        if areas[number] == 0:
            return None
    pixels = np.argwhere(slices[number])
    nearest = pixels[((pixels - pixels.mean(axis=0)) ** 2).sum(axis=1).argmin()].tolist()
    nearest.insert(axis, number)
    return [int(place) for place in nearest]
