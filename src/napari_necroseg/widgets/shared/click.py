"""One click on the image, waited for; no brush leaves a dot meanwhile."""

from collections.abc import Callable
from typing import Any
from weakref import ref

import numpy as np
from napari.layers import Image, Labels

from napari_necroseg.core.case import Case
from napari_necroseg.layerdata import Role
from napari_necroseg.widgets.shared.plane import needed_plane, shown_plane
from napari_necroseg.widgets.shared.workspace import Workspace

Index = tuple[float, float, float]


class ClickOnce:
    """Waits for a click in a viewer."""

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

        Raises
        ------
        SettingsError
            In 3D, where a click is on no voxel.
        """
        needed_plane(self._workspace.layers.viewer, "A click on the zone")

        def clicked(_viewer: Any, event: Any) -> None:
            if shown_plane(self._workspace.layers.viewer) is None:
                # In 3D, meanwhile: go on waiting.
                return
            self.stop()
            then(index_of(self._workspace, case, event.position))

        self.stop()
        layer = self._workspace.layers.viewer.layers.selection.active
        if isinstance(layer, Labels):
            # A brush that is chosen would leave a dot where one clicks.
            self._put_down, layer.mode = (ref(layer), str(layer.mode)), "pan_zoom"
        self._waiting = clicked
        self._workspace.layers.viewer.mouse_drag_callbacks.append(clicked)

    def stop(self) -> None:
        """Let clicks be clicks again."""
        callbacks = self._workspace.layers.viewer.mouse_drag_callbacks
        if self._waiting in callbacks:
            callbacks.remove(self._waiting)
        self._waiting = None
        layer, mode = (None, "") if self._put_down is None else (self._put_down[0](), self._put_down[1])
        if layer is not None:
            layer.mode = mode
        self._put_down = None


def index_of(workspace: Workspace, case: Case, position: Any) -> Index:
    """Turn a position on the screen into slice, row and column, by way of the ceT1 layer's voxels."""
    found = workspace.layers.find(case.name, [Role.CET1])
    image = next(layer for layer in found if isinstance(layer, Image))
    z, y, x = np.asarray(image.world_to_data(position))[-3:]
    return float(z), float(y), float(x)
