"""The plane that is shown: which axis runs through the screen, which slice is seen, and a click on it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from weakref import ref

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer
from numpy.typing import NDArray

from napari_necroseg.core.case import Case
from napari_necroseg.core.errors import SettingsError
from napari_necroseg.layerdata import Role, source_of
from napari_necroseg.widgets.shared.workspace import Workspace

NAMES = ("sagittal", "axial", "coronal")
_AXES = 3
Index = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Plane:
    """A slice of the voxels ``(Z, Y, X)`` of a case, across one of their axes."""

    axis: int
    number: int

    @property
    def name(self) -> str:
        """The name of the plane in the patient: working arrays are upright."""
        return NAMES[self.axis]

    def turned(self, voxels: NDArray[Any]) -> NDArray[Any]:
        """Return voxels ``(Z, Y, X)`` with the slices of this plane along the first axis; a view."""
        return np.moveaxis(voxels, self.axis, 0)

    def turned_back(self, voxels: NDArray[Any]) -> NDArray[Any]:
        """Undo `turned`."""
        return np.moveaxis(voxels, 0, self.axis)

    def spacing_mm(self, spacing_mm: tuple[float, float, float]) -> tuple[float, float, float]:
        """Return the spacing of `turned` voxels."""
        rest = [length for axis, length in enumerate(spacing_mm) if axis != self.axis]
        return (spacing_mm[self.axis], rest[0], rest[1])


def shown_plane(viewer: ViewerModel) -> Plane | None:
    """Return the plane of the open case that is shown; None in 3D."""
    axis = shown_axis(viewer)
    if axis is None:
        return None
    through = axis + viewer.dims.ndim - _AXES
    layer = _layer_of_case(viewer)
    if layer is None:
        return Plane(axis=axis, number=int(viewer.dims.current_step[through]))
    index = (viewer.dims.point[through] - layer.translate[axis]) / layer.scale[axis]
    return Plane(axis=axis, number=round(float(index)))


def shown_axis(viewer: ViewerModel) -> int | None:
    """Return the axis of a case that runs through the screen; None in 3D, or if several do."""
    dims = viewer.dims
    first = dims.ndim - _AXES
    through = [axis - first for axis in dims.not_displayed if axis >= first]
    return through[0] if dims.ndim >= _AXES and len(through) == 1 else None


def needed_plane(viewer: ViewerModel, what: str) -> Plane:
    """Return the plane that is shown.

    Raises SettingsError in 3D: `what` needs a plane.
    """
    plane = shown_plane(viewer)
    if plane is None:
        raise SettingsError(f"{what} needs a slice to act on: go back to the 2D view (Ctrl+Y) first.")
    return plane


def go_to_slice(viewer: ViewerModel, plane: Plane) -> None:
    """Show a slice in the plane that is shown already; nothing happens in another one."""
    if shown_axis(viewer) != plane.axis:
        return
    through, layer = plane.axis + viewer.dims.ndim - _AXES, _layer_of_case(viewer)
    if layer is None:
        viewer.dims.set_current_step(through, plane.number)
    else:
        place = layer.translate[plane.axis] + plane.number * layer.scale[plane.axis]
        viewer.dims.set_point(through, float(place))


def _layer_of_case(viewer: ViewerModel) -> Layer | None:
    """Return any layer of the open case: all of them share one scale and position."""
    return next((one for one in viewer.layers if source_of(one.metadata) and one.ndim == _AXES), None)


class ClickOnce:
    """Waits for one click in a viewer; no brush leaves a dot meanwhile."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._waiting: Callable[..., Any] | None = None
        self._put_down: tuple[ref[Labels], str] | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether a click is waited for."""
        return self._waiting is not None

    def wait(self, case: Case, then: Callable[[Index], None]) -> None:
        """Call `then` with the slice, row and column of the next click, in the voxels of the case.

        Raises SettingsError in 3D, where a click is on no voxel.
        """
        needed_plane(self._workspace.layers.viewer, "A click on the zone")

        def clicked(_viewer: Any, event: Any) -> None:
            if shown_plane(self._workspace.layers.viewer) is None or getattr(event, "button", 1) != 1:
                # The view is 3D meanwhile, or it is the contrast that is dragged: go on waiting.
                return
            self.stop()
            then(index_of(self._workspace, case, position=event.position))

        self.stop()
        layer = self._workspace.layers.viewer.layers.selection.active
        if isinstance(layer, Labels):
            # An active brush would leave a dot at the click.
            self._put_down, layer.mode = (ref(layer), str(layer.mode)), "pan_zoom"
        self._waiting = clicked
        self._workspace.layers.viewer.mouse_drag_callbacks.append(clicked)

    def stop(self) -> None:
        """Stop waiting, and give the layer its tool back."""
        callbacks = self._workspace.layers.viewer.mouse_drag_callbacks
        if self._waiting in callbacks:
            callbacks.remove(self._waiting)
        self._waiting = None
        layer, mode = (None, "") if self._put_down is None else (self._put_down[0](), self._put_down[1])
        if layer is not None:
            layer.mode = mode
        self._put_down = None


def index_of(workspace: Workspace, case: Case, *, position: Any) -> Index:
    """Turn a position on the screen into slice, row and column, by way of the ceT1 layer's voxels."""
    found = workspace.layers.find(case.name, [Role.CET1])
    image = next(layer for layer in found if isinstance(layer, Image))
    z, y, x = np.asarray(image.world_to_data(position))[-3:]
    return float(z), float(y), float(x)
