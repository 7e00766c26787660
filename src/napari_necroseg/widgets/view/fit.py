"""Fits the view to the image or to the lesion, and keeps it so when the canvas changes its size."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer
from numpy.typing import NDArray
from qtpy.QtCore import QObject

from napari_necroseg.layerdata import Role
from napari_necroseg.widgets.shared.plane import Plane, go_to_slice, shown_plane
from napari_necroseg.widgets.shared.qt_parts import timer
from napari_necroseg.widgets.shared.workspace import Workspace
from napari_necroseg.widgets.view.geometry import is_sequence

# The lesion takes at most this share of its pane, and no less than this many millimetres are shown.
_SHARE_OF_LESION = 0.45
_LEAST_SHOWN_MM = 40.0
_SHARE_OF_IMAGE = 0.97
# Air is darker than this share of the window, but for less than this share of a row of voxels.
_SHARE_OF_AIR = 0.12
_LEAST_BRIGHT = 0.004
_SAME_ZOOM, _SETTLED_FRAMES = 0.01, 3
_OTHERS = ((1, 2), (0, 2), (0, 1))
_MASK_ROLES = (Role.LABELS, Role.REFERENCE, Role.PREDICTION, Role.IN_TRAINING, Role.TUMOUR)
Box = NDArray[np.float64]


class Fit(QObject):
    """Fits the view, and fits it again after a change of size unless the person has zoomed or moved it."""

    def __init__(self, workspace: Workspace, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._box: Box | None = None
        self._middle, self._zoom = (0.0, 0.0), 1.0
        self._is_on_lesion = False
        # Frames that showed a new case as it was fitted; None once it has settled.
        self._frames: int | None = None
        self._again = timer(self, 0, act=self._refit)
        viewer = self._viewer
        viewer.canvas.events.size.connect(self._on_size)
        # Hidden and shown layers change the number of panes.
        viewer.canvas.grid.events.connect(self._on_size)
        viewer.events.reset_view.connect(self._on_reset)
        workspace.layers.shown.connect(self._on_shown)

    @property
    def _viewer(self) -> ViewerModel:
        return self._workspace.layers.viewer

    @property
    def is_kept(self) -> bool:
        """Whether nobody has zoomed or moved the view since it was fitted.

        The middle tells: a change of size scales the picture about it, but hands do not.
        """
        return self._box is not None and bool(np.allclose(self._middle, _middle(self._viewer), atol=1e-3))

    def on_draw(self, _event: Any = None) -> None:
        """Fit a new case again if napari has drawn it at another size.

        It knows the size of its panes only when they are drawn, and until then spoils the zoom.
        """
        if self._frames is None:
            return
        if not self.is_kept:
            self._frames = None
        elif abs(float(self._viewer.scene.camera.zoom) / self._zoom - 1) > _SAME_ZOOM:
            self._frames = 0
            self._again.start()
        else:
            self._frames = self._frames + 1 if self._frames < _SETTLED_FRAMES else None

    def release(self) -> None:
        """Leave the view as a person has zoomed it, whatever becomes of the size of the canvas."""
        self._box = None

    def to_image(self) -> None:
        """Let the sequences fill their panes, without the air around the patient."""
        self._is_on_lesion = False
        images = [layer for layer in self._viewer.layers if isinstance(layer, Image) and is_sequence(layer)]
        if images:
            self._show(_without_air(images[-1]), share=_SHARE_OF_IMAGE)
        elif self._viewer.layers:
            self._viewer.fit_to_view()

    def to_lesion(self) -> None:
        """Fit the lesion, in its largest slice if this one has none of it; fit the image if there is none.

        Called again, it shows the whole image again.
        """
        mask = self.lesion()
        if mask is None or (self._is_on_lesion and self.is_kept):
            self.to_image()
            return
        voxels = np.asarray(mask.data) != 0
        self._go_into(voxels)
        self._show(_box(mask, _along_axes(voxels)), share=_SHARE_OF_LESION, least_mm=_LEAST_SHOWN_MM)
        self._is_on_lesion = True

    def lesion(self) -> Labels | None:
        """Return the mask that shows where the lesion is: that in work, else the reference, else another."""
        workspace = self._workspace
        case = workspace.case
        found: list[Layer] = [] if case is None else workspace.layers.find(case.name, _MASK_ROLES)
        active = self._viewer.layers.selection.active
        if isinstance(active, Labels):
            found.insert(0, workspace.layers.panes.base_of(active) or active)
        return next((one for one in found if isinstance(one, Labels) and np.any(one.data)), None)

    def _go_into(self, voxels: NDArray[np.bool_]) -> None:
        plane = shown_plane(self._viewer)
        if plane is None:
            return
        areas = np.count_nonzero(plane.turned(voxels), axis=(1, 2))
        if not (0 <= plane.number < len(areas)) or areas[plane.number] == 0:
            go_to_slice(self._viewer, Plane(axis=plane.axis, number=int(np.argmax(areas))))

    def _show(self, box: Box, *, share: float, least_mm: float = 0.0) -> None:
        """Show a box, ``(2, 3)`` corners in napari's coordinates, in the middle of each pane."""
        viewer = self._viewer
        if viewer.dims.ndisplay != 2:
            viewer.fit_to_view()
            return
        shown = list(viewer.dims.displayed[-2:])
        low, high = box.min(axis=0)[shown], box.max(axis=0)[shown]
        room = np.array(viewer.canvas.viewbox_size(viewer.layers), dtype=float)
        size = np.maximum((high - low) / share, least_mm)
        middle = (low + high) / 2
        viewer.scene.camera.zoom = float(np.min(room / np.maximum(size, 1e-6)))
        viewer.scene.camera.center = (float(middle[0]), float(middle[1]))
        self._box, self._share, self._least_mm = box, share, least_mm
        self._middle, self._zoom = _middle(viewer), float(viewer.scene.camera.zoom)

    def _on_shown(self) -> None:
        self.to_image()
        self._frames = 0

    def _on_size(self, _event: Any = None) -> None:
        if self.is_kept:
            self._again.start()

    def _refit(self) -> None:
        if self._box is not None:
            self._show(self._box, share=self._share, least_mm=self._least_mm)

    def _on_reset(self, _event: Any = None) -> None:
        """Fit the image: napari has fitted all layers, with a wide margin."""
        if self._viewer.dims.ndisplay == 2 and any(is_sequence(layer) for layer in self._viewer.layers):
            self.to_image()


def _without_air(image: Image) -> Box:
    """Return the box of what is brighter than air, in napari's coordinates; all of a dark image."""
    low, high = (float(limit) for limit in image.contrast_limits)
    bright = np.asarray(image.data) > low + _SHARE_OF_AIR * (high - low)
    along = [np.mean(bright, axis=pair) > _LEAST_BRIGHT for pair in _OTHERS]
    return (
        _box(image, along) if all(one.any() for one in along) else np.array(image.extent.world, dtype=float)
    )


def _box(layer: Layer, along: Sequence[NDArray[np.bool_]]) -> Box:
    """Return the corners of a box, ``(2, 3)``, half a voxel beyond the outermost voxels along each axis."""
    ends = np.array([np.flatnonzero(one)[[0, -1]] for one in along], dtype=float).T
    return np.array([layer.data_to_world(ends[0] - 0.5), layer.data_to_world(ends[1] + 0.5)])


def _along_axes(voxels: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """Return, for each axis, where along it there is something."""
    return [np.asarray(voxels.any(axis=pair)) for pair in _OTHERS]


def _middle(viewer: ViewerModel) -> tuple[float, float]:
    row, column = viewer.scene.camera.center[-2:]
    return float(row), float(column)
