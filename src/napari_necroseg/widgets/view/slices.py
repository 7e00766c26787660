"""Steps through the slices of the plane that is shown, all panes together."""

from napari.components import ViewerModel
from napari.layers import Layer

from napari_necroseg.widgets.shared.plane import Plane, go_to_slice, shown_plane
from napari_necroseg.widgets.view.geometry import is_sequence

_AXES = 3


def step_slices(viewer: ViewerModel, by: int) -> None:
    """Go so many slices on, and stop at the first and the last."""
    plane = shown_plane(viewer)
    if plane is not None and by:
        last = _count(viewer, plane) - 1
        go_to_slice(viewer, Plane(axis=plane.axis, number=min(max(plane.number + by, 0), last)))


def go_to_end(viewer: ViewerModel, *, last: bool) -> None:
    """Show the first slice or the last."""
    plane = shown_plane(viewer)
    if plane is not None:
        number = _count(viewer, plane) - 1 if last else 0
        go_to_slice(viewer, Plane(axis=plane.axis, number=number))


def _count(viewer: ViewerModel, plane: Plane) -> int:
    """Return the number of slices of the case: napari counts finer steps where another layer has some."""
    sequence: Layer | None = next((layer for layer in viewer.layers if is_sequence(layer)), None)
    if sequence is not None:
        return int(sequence.data.shape[plane.axis])
    return int(viewer.dims.nsteps[plane.axis + viewer.dims.ndim - _AXES])
