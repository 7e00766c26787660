"""The live-wire that draws a contour, and the layer that shows it meanwhile."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np
from napari.layers import Labels
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_necroseg.core.case import Case, Sequence
from napari_necroseg.core.masks.components import Mask
from napari_necroseg.core.volume import Volume, Voxels
from napari_necroseg.layerdata import Role, case_source, mask_layer
from napari_necroseg.widgets.shared.plane import Plane, index_of, needed_plane, shown_plane
from napari_necroseg.widgets.shared.worker import NewestOnly
from napari_necroseg.widgets.shared.workspace import Workspace

if TYPE_CHECKING:
    from napari_necroseg.core.assist.livewire import LiveWire

_OPACITY = 0.5
Pixel = tuple[int, int]
Pixels = NDArray[np.int64]


class ProposalLayer:
    """The layer that a contour is clicked into; it is nobody's mask, and goes when the contour is closed."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._layer: ref[Labels] | None = None

    @property
    def layer(self) -> Labels | None:
        """The layer, while it is in the viewer."""
        layer = None if self._layer is None else self._layer()
        return layer if layer is not None and layer in self._workspace.layers.viewer.layers else None

    def show(self, case: Case, mask: Mask) -> None:
        """Show a mask ``(Z, Y, X)`` in place of the last proposal."""
        layer, viewer = self.layer, self._workspace.layers.viewer
        if layer is not None:
            layer.data = mask.astype(np.uint8)
            layer._reset_history()
            return
        active = viewer.layers.selection.active
        source = case_source(case, Role.PREVIEW)
        voxels, kwargs, _ = mask_layer(Volume(mask.astype(np.uint8), case.grid), source, name="first mask?")
        layer = Labels(voxels, **kwargs | {"opacity": _OPACITY})
        viewer.add_layer(layer)
        self._layer = ref(layer)
        if active is not None:
            viewer.layers.selection.active = active

    def mask(self) -> Mask | None:
        """Return the proposal as it is now."""
        layer = self.layer
        return None if layer is None else np.asarray(layer.data != 0)

    def remove(self) -> None:
        """Take the proposal away."""
        layer = self.layer
        if layer is not None:
            self._workspace.layers.viewer.layers.remove(layer)
        self._layer = None


class LiveWireTool(QObject):
    """Takes the clicks of one contour on the slice where it began.

    `drawn` is emitted with the mask ``(Z, Y, X)`` of a contour that was closed, `closed` when one was closed
    or given up, `said` with a message.
    """

    drawn = Signal(object)
    closed = Signal()
    said = Signal(str)

    def __init__(
        self, workspace: Workspace, preview: ProposalLayer, *, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._preview = preview
        self._case: Case | None = None
        self._images: Mapping[Sequence, Voxels] = {}
        self._plane = Plane(axis=0, number=0)
        self._wire: LiveWire | None = None
        self._anchors: list[Pixel] = []
        self._done: list[Pixels] = []
        self._before: Mask | None = None
        self._work = NewestOnly(self)
        self._work.done.connect(self._on_ready)
        self._work.failed.connect(self.said)

    @property
    def is_on(self) -> bool:
        """Whether a contour is being clicked."""
        return self._case is not None

    def start(self, case: Case, images: Mapping[Sequence, Voxels]) -> None:
        """Begin a contour on the slice that is shown; the proposal on other slices stays.

        Raises SettingsError in 3D, where there is no slice.
        """
        self.stop()
        viewer = self._workspace.layers.viewer
        plane = needed_plane(viewer, "The live-wire")
        self._case, self._images = case, images
        self._plane = plane
        before = self._preview.mask()
        self._before = np.zeros(case.grid.shape, bool) if before is None else before
        self._preview.show(case, self._before)
        layer = self._preview.layer
        if layer is not None:
            # Dragging neither moves the image nor paints.
            viewer.layers.selection.active = layer
            layer.mode = "pan_zoom"
            layer.bind_key("Escape", lambda _: self.stop(), overwrite=True)
        viewer.mouse_drag_callbacks.append(self._on_click)
        viewer.mouse_move_callbacks.append(self._on_move)
        viewer.mouse_double_click_callbacks.insert(0, self._on_double_click)

    def stop(self) -> None:
        """Give the contour up."""
        if self._case is None:
            return
        if self._before is not None:
            self._preview.show(self._case, self._before)
        self._end()

    def close_thread(self) -> None:
        """End the thread: the dock is closed."""
        self._work.stop_flag()()

    def _end(self) -> None:
        viewer = self._workspace.layers.viewer
        for callbacks, callback in (
            (viewer.mouse_drag_callbacks, self._on_click),
            (viewer.mouse_move_callbacks, self._on_move),
            (viewer.mouse_double_click_callbacks, self._on_double_click),
        ):
            if callback in callbacks:
                callbacks.remove(callback)
        self._case = self._wire = self._before = None
        self._anchors, self._done = [], []
        self._work.forget()
        self.closed.emit()

    def _on_click(self, _viewer: Any, event: Any) -> None:
        pixel = self._pixel(event)
        if pixel is None or (self._anchors and pixel == self._anchors[-1]):
            return
        if self._wire is not None and self._anchors:
            self._done.append(self._wire.path(self._anchors[-1], pixel))
        elif self._anchors:
            # The paths from the last click are still being computed.
            return
        self._anchors.append(pixel)
        self._draw(None)
        slices = [self._on_slice(image) for image in self._images.values()]
        assert self._case is not None
        self._wire, wire = None, self._wire
        _, *spacing_mm = self._plane.spacing_mm(self._case.grid.spacing_mm)
        self._work.ask(
            partial(_anchored, wire, slices, spacing_mm=(spacing_mm[0], spacing_mm[1]), pixel=pixel)
        )

    def _on_ready(self, wire: "LiveWire") -> None:
        if self._case is not None:
            self._wire = wire

    def _on_move(self, _viewer: Any, event: Any) -> None:
        pixel = self._pixel(event)
        if self._wire is not None and self._anchors and pixel is not None:
            self._draw(self._wire.path(self._anchors[-1], pixel))

    def _on_double_click(self, _viewer: Any, event: Any) -> None:
        """Close the contour by the cheapest way back, and fill it."""
        event.handled = True
        case, before = self._case, self._before
        if case is None or before is None or self._wire is None or len(self._anchors) < 2:
            return
        from napari_necroseg.core.assist.livewire import enclosed

        back = self._wire.path(self._anchors[-1], self._anchors[0])
        mask = before.copy()
        pixels = self._on_slice(mask)
        pixels |= enclosed(np.concatenate([*self._done, back]), (pixels.shape[0], pixels.shape[1]))
        self._preview.show(case, before)
        self.drawn.emit(mask)
        self._end()

    def _draw(self, moving: Pixels | None) -> None:
        """Draw the contour so far into the proposal, without a trace in its history."""
        layer = self._preview.layer
        if layer is None or self._before is None:
            return
        pixels = self._on_slice(layer.data)
        pixels[...] = self._on_slice(self._before)
        for path in [*self._done, *([] if moving is None else [moving]), np.array(self._anchors)]:
            pixels[path[:, 0], path[:, 1]] = 1
        layer.refresh(thumbnail=False, highlight=False, extent=False)

    def _pixel(self, event: Any) -> Pixel | None:
        """Return the pixel under the pointer; None beside the image or on another slice."""
        if self._case is None or shown_plane(self._workspace.layers.viewer) != self._plane:
            return None
        index = [round(number) for number in index_of(self._workspace, self._case, position=event.position)]
        place = [number for axis, number in enumerate(index) if axis != self._plane.axis]
        shape = [n for axis, n in enumerate(self._case.grid.shape) if axis != self._plane.axis]
        is_inside = all(0 <= number < n for number, n in zip(place, shape, strict=True))
        is_on_it = is_inside and index[self._plane.axis] == self._plane.number
        return (place[0], place[1]) if is_on_it else None

    def _on_slice(self, voxels: Voxels) -> Voxels:
        """Return the pixels of the contour's slice; a view."""
        pixels: Voxels = self._plane.turned(voxels)[self._plane.number]
        return pixels


def _anchored(
    wire: "LiveWire | None", slices: list[Voxels], *, spacing_mm: tuple[float, float], pixel: Pixel
) -> "LiveWire":
    """Compute the cheapest paths from a pixel; runs in the thread."""
    from napari_necroseg.core.assist.livewire import LiveWire

    wire = LiveWire(slices, spacing_mm=spacing_mm) if wire is None else wire
    wire.anchor(pixel)
    return wire
