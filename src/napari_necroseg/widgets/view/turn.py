"""Turns the view to another plane of the patient, through the cross-hair, upright as readers expect it."""

from napari.components import ViewerModel

from napari_necroseg.core.language import tr
from napari_necroseg.widgets.shared.panes import shown_at_once
from napari_necroseg.widgets.shared.workspace import Workspace

# napari shows the last axis of its order to the right, the one before it downwards. Working arrays run from
# right to left, from head to foot and from front to back, so that in every plane the head or the front is at
# the top, and the front or the patient's right at the left.
ORDERS = {0: (0, 1, 2), 1: (1, 2, 0), 2: (2, 1, 0)}
# Letters of the directions in which the working axes begin and end: head, foot, front (A), back (P).
ENDS = {0: ("R", "L"), 1: ("H", "F"), 2: ("A", "P")}
_AXES = 3
# A view that was magnified by less than this is taken for one that shows all of the image.
_MAGNIFIED = 1.15


def turn_to(workspace: Workspace, axis: int) -> None:
    """Show the plane across an axis (0 sagittal, 1 axial, 2 coronal) through the cross-hair, in 2D.

    A view that shows all of the image does so afterwards; one that was magnified stays so, about the
    cross-hair.
    """
    viewer = workspace.layers.viewer
    # A change of the view that is under way would go on after this one.
    workspace.screen.finish()
    workspace.cross_hair.aim(axis)
    with shown_at_once(viewer):
        zoom, was_flat = viewer.scene.camera.zoom, viewer.dims.ndisplay == 2
        viewer.dims.ndisplay = 2
        viewer.dims.order = order_of(viewer, axis)
        fit(viewer)
        if was_flat and zoom > _MAGNIFIED * viewer.scene.camera.zoom:
            viewer.scene.camera.zoom = zoom
            centre(viewer)


def order_of(viewer: ViewerModel, axis: int) -> tuple[int, ...]:
    """Return napari's order of axes that shows the plane across an axis of a case."""
    first = viewer.dims.ndim - _AXES
    return (*range(first), *(first + one for one in ORDERS[axis]))


def fit(viewer: ViewerModel) -> None:
    """Show all of the image."""
    if len(viewer.layers):
        viewer.fit_to_view()


def centre(viewer: ViewerModel) -> None:
    """Move the cross-hair to the middle of the view."""
    down, right = viewer.dims.displayed[-2:]
    viewer.scene.camera.center = (0.0, viewer.dims.point[down], viewer.dims.point[right])


def edge_letters(axis: int) -> tuple[str, str, str, str]:
    """Return the letters at the left, right, top and bottom edge of the plane across an axis."""
    _, down, right = ORDERS[axis]
    return (*ENDS[right], *ENDS[down])


def plane_title(axis: int) -> str:
    """Return the name of the plane across an axis."""
    return (tr("Sagittal"), tr("Axial"), tr("Coronal"))[axis]
