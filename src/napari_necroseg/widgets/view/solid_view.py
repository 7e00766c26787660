"""The view in 3D: the surfaces of the visible masks in the box of the image, true in mm."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from napari.utils.notifications import show_error, show_info
from qtpy.QtCore import QObject, Qt, Signal
from qtpy.QtWidgets import QApplication

from napari_necroseg.core.case import Case
from napari_necroseg.core.language import tr
from napari_necroseg.core.volume import Voxels
from napari_necroseg.widgets.shared.case_layers import is_expert
from napari_necroseg.widgets.shared.dock import Listeners
from napari_necroseg.widgets.shared.panes import shown_at_once
from napari_necroseg.widgets.shared.worker import NewestOnly
from napari_necroseg.widgets.shared.workspace import Workspace
from napari_necroseg.widgets.view.contours import colour_of, visible_contours
from napari_necroseg.widgets.view.solid_scene import Rgba, SolidScene, mesh_data, seen_through
from napari_necroseg.widgets.view.turn import order_of

# From the patient's left, the front and above, in slices, rows and columns; the first axis leads to the left.
_VIEW, _UP = (-0.75, 0.3, 0.6), (0.0, -1.0, 0.0)
_MARGIN = 0.1


@dataclass(frozen=True, kw_only=True)
class _Before:
    """How the slices were shown."""

    order: tuple[int, ...]
    center: Any
    zoom: float
    is_stacked: bool


class SolidView(QObject):
    """Shows surfaces in place of all layers, and brings these back afterwards.

    `changed` is emitted when the view was switched.
    """

    changed = Signal()

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._workspace = workspace
        self._layers = workspace.layers
        self.scene = SolidScene(workspace.layers)
        self.is_on = False
        self._before: _Before | None = None
        self._is_switching = self._is_busy_shown = False
        self._work = NewestOnly(self, thread="necroseg-surface")
        self._work.done.connect(self._on_meshes)
        self._work.failed.connect(self._on_failed)
        self.stop = self._work.stop_flag()
        self.listeners = Listeners()
        viewer = workspace.layers.viewer
        self.listeners.connect(viewer.dims.events.ndisplay, self._on_ndisplay)
        self.listeners.connect(viewer.scene.camera.events.angles, self._on_angles)
        self.listeners.connect(workspace.layers.leaving, self._on_leaving)
        self.listeners.connect(workspace.layers.aside.changed, self._on_wish)

    @property
    def is_busy(self) -> bool:
        """Whether surfaces are being computed."""
        return self._work.is_busy

    def switch(self, is_on: bool) -> None:
        """Show the surfaces as soon as they are computed, or go back to the slices."""
        if is_on == self.is_on:
            return
        if is_on and (self._workspace.case is None or not self._masks()):
            show_info(tr("There is nothing to show in 3D: no contour is visible, or all are empty."))
        elif is_on:
            self.is_on = True
            self._show_busy(True)
            self._ask()
        else:
            self._workspace.screen.start(self._end())
        self.changed.emit()

    def _masks(self) -> list[Any]:
        return [layer for layer in visible_contours(self._layers) if np.any(layer.data)]

    def _ask(self) -> None:
        """Compute the surfaces in a thread, of the masks as they are now."""
        case = self._workspace.case
        assert case is not None, "checked before"
        # What is seen through is drawn after what is in it.
        masks = sorted(self._masks(), key=is_expert)
        looks = [_look(layer, is_alone=len(masks) == 1) for layer in masks]
        voxels = [np.array(layer.data != 0) for layer in masks]
        self._work.ask(partial(_surfaces, case, looks, voxels=voxels))

    def _on_meshes(self, made: tuple[Case, list[tuple[Any, Rgba]]]) -> None:
        case, surfaces = made
        if not self.is_on or case is not self._workspace.case:
            return
        if self._before is None:
            self._workspace.screen.start(self._begin(case, surfaces))
        else:
            self.scene.show_surfaces(surfaces)

    def _begin(self, case: Case, surfaces: list[tuple[Any, Rgba]]) -> Iterator[None]:
        """Put the layers aside, and look at the surfaces; napari takes a while for each step."""
        layers, viewer = self._layers, self._layers.viewer
        camera = viewer.scene.camera
        self._before = _Before(
            order=viewer.dims.order,
            center=camera.center,
            zoom=camera.zoom,
            is_stacked=layers.panes.stacked,
        )
        with self._switching():
            for _step in layers.panes.stack(True):
                yield
            for layer in list(viewer.layers):
                layers.aside.put([layer])
                yield
            # Any other order of the axes might show the patient as in a mirror.
            viewer.dims.order = order_of(viewer, 0)
            viewer.dims.ndisplay = 3
            yield
            self.scene.show_box(case.grid)
            self.scene.show_surfaces(surfaces)
            yield
            camera.set_view_direction(_VIEW, _UP)
            image = self._workspace.cross_hair.layer()
            viewer.fit_to_view(layers=None if image is None else [image], margin=_MARGIN)
        self._show_busy(False)
        self.scene.redraw()

    def _end(self) -> Iterator[None]:
        """Go back to the slices as they were."""
        self.is_on = False
        self._show_busy(False)
        self._work.forget()
        if self._before is None:
            return
        before, self._before = self._before, None
        viewer = self._layers.viewer
        with self._switching():
            self.scene.clear()
            viewer.dims.ndisplay = 2
            viewer.dims.order = before.order
            yield
            for _step in self._layers.panes.stack(before.is_stacked):
                yield
            for _layer in self._layers.aside.bring_back():
                yield
            viewer.scene.camera.center, viewer.scene.camera.zoom = before.center, before.zoom
        self.scene.redraw()
        self.changed.emit()

    def _show_busy(self, is_busy: bool) -> None:
        """Show by the pointer that surfaces are being made."""
        if is_busy != self._is_busy_shown:
            self._is_busy_shown = is_busy
            if is_busy:
                QApplication.setOverrideCursor(Qt.CursorShape.BusyCursor)
            else:
                QApplication.restoreOverrideCursor()

    @contextmanager
    def _switching(self) -> Iterator[None]:
        self._is_switching = True
        try:
            with shown_at_once(self._layers.viewer):
                yield
        finally:
            self._is_switching = False

    def _end_at_once(self) -> None:
        if self.is_on:
            for _step in self._end():
                pass
            self.changed.emit()

    def _on_ndisplay(self, _event: object = None) -> None:
        """Go back, too, when the person leaves 3D by napari's own button or key, or turns to a plane."""
        if self._before is not None and not self._is_switching and self._layers.viewer.dims.ndisplay == 2:
            self._end_at_once()

    def _on_leaving(self) -> None:
        self._end_at_once()

    def _on_angles(self, _event: object = None) -> None:
        if self.is_on:
            self.scene.follow_camera()

    def _on_wish(self) -> None:
        """Show other surfaces: a contour was shown or hidden meanwhile."""
        if self.is_on and self._workspace.case is not None:
            self._ask()

    def _on_failed(self, message: str) -> None:
        show_error(message)
        self._end_at_once()


def _look(layer: Any, *, is_alone: bool) -> Rgba:
    """Return the colour of a mask's surface; an expert's is seen through if it is not alone."""
    colour = colour_of(layer).getRgbF()
    return seen_through(colour) if is_expert(layer) and not is_alone else colour


def _surfaces(case: Case, looks: list[Rgba], *, voxels: list[Voxels]) -> tuple[Case, list[tuple[Any, Rgba]]]:
    """Compute the surface of each mask; runs in a thread."""
    from napari_necroseg.core.masks.surface import surface

    made = [(surface(mask, case.grid.spacing_mm), look) for mask, look in zip(voxels, looks, strict=True)]
    return case, [(mesh_data(one.vertices, one.faces, grid=case.grid), look) for one, look in made if one]
