"""A click on the canvas moves the cross-hair there, unless a tool takes the click or the mouse is dragged."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from napari.components import ViewerModel

from napari_necroseg.widgets.shared.workspace import Workspace

_LEFT = 1
# A hand that clicks may tremble by less than this.
_MOST_PX = 3.0


class CrossClick:
    """Listens to the clicks on a viewer's canvas for as long as the viewer is there."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        workspace.layers.viewer.mouse_drag_callbacks.append(self._on_press)

    def _on_press(self, viewer: ViewerModel, event: Any) -> Iterator[None]:
        if event.button != _LEFT or event.modifiers or not _is_free(viewer):
            return
        began = np.array(event.pos)
        yield
        while event.type == "mouse_move":
            if np.linalg.norm(np.array(event.pos) - began) > _MOST_PX:
                return
            yield
        self._place(event.position)

    def _place(self, position: Any) -> None:
        cross_hair = self._workspace.cross_hair
        layer = cross_hair.layer()
        if layer is None:
            return
        index = np.round(np.asarray(layer.world_to_data(position))[-layer.ndim :]).astype(int)
        if ((index >= 0) & (index < layer.data.shape)).all():
            cross_hair.place(index.tolist())


def _is_free(viewer: ViewerModel) -> bool:
    """Whether a click is no tool's: slices are shown, and the layer in hand is only looked at."""
    layer = viewer.layers.selection.active
    return viewer.dims.ndisplay == 2 and (layer is None or str(layer.mode) == "pan_zoom")
