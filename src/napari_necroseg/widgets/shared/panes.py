"""Both sequences side by side: ceT1 with its masks left, T2 with the same masks right.

napari's grid puts a number of neighbouring layers into each pane, counted from the top of the list with
a negative stride; what is left over at the bottom of the list is the last pane. So T2 and its masks are
kept at the bottom, and everything else, layers of the user included, is the left pane. A napari layer is
drawn in one pane only, so each mask has a *mirror* on the right: a layer that shares the very same array,
and that cannot be edited, so that there is one history of edits.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from weakref import WeakKeyDictionary, WeakSet, ref

from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer
from qtpy.QtCore import Qt

from napari_necroseg.layerdata import Role, source_of

# The number of such blocks that each viewer is in.
_open: "WeakKeyDictionary[ViewerModel, int]" = WeakKeyDictionary()
_LOOKS = (
    "colormap",
    "contour",
    "opacity",
    "blending",
    "show_selected_label",
    "selected_label",
    "visible",
    "scale",
    "translate",
)

# The end of a stroke or polygon emits the first, undo and redo the second one; pieces of a stroke neither.
_EDITS = ("paint", "set_data")


@contextmanager
def shown_at_once(viewer: ViewerModel) -> Iterator[None]:
    """Keep the canvas as it is until the block is left, and ignore clicks on it.

    Events are processed meanwhile, so that the docks stay usable; a viewer without a window has no canvas.
    """
    _open[viewer] = _open.get(viewer, 0) + 1
    if _open[viewer] == 1:
        _set_drawn(viewer, False)
    try:
        yield
    finally:
        _open[viewer] -= 1
        if _open[viewer] == 0:
            _set_drawn(viewer, True)


def _set_drawn(viewer: ViewerModel, is_drawn: bool) -> None:
    canvas = canvas_of(viewer)
    # The window, and all Qt objects in it, may be gone when the last step is dropped.
    with suppress(RuntimeError):
        if canvas is not None:
            canvas.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents, not is_drawn)
            canvas.setUpdatesEnabled(is_drawn)


def canvas_of(viewer: ViewerModel) -> Any:
    """Return the widget that the images of a viewer are drawn in; None without a window."""
    with suppress(AttributeError, RuntimeError):
        window: Any = getattr(viewer, "window", None)
        return window._qt_viewer.canvas.native
    return None


class Panes:
    """Keeps the two panes of a viewer in order, whatever happens to its layers."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = ref(viewer)
        self._mirrors: WeakKeyDictionary[Labels, Mirror] = WeakKeyDictionary()
        self._unwanted: WeakSet[Labels] = WeakSet()
        self._captioned: WeakSet[Image] = WeakSet()
        self._pauses = 0
        self._side_by_side = True
        self._stacked = False
        self._writes_names = True
        for happening in ("inserted", "removed", "reordered"):
            getattr(viewer.layers.events, happening).connect(self._on_layers)

    @property
    def side_by_side(self) -> bool:
        """Whether two panes are wanted; there is one anyway for a case without T2."""
        return self._side_by_side

    @side_by_side.setter
    def side_by_side(self, wanted: bool) -> None:
        self._side_by_side = wanted
        self._arrange()

    @property
    def stacked(self) -> bool:
        """Whether all layers lie in one pane for a while; the mirrors are kept, hidden, for later."""
        return self._stacked

    def stack(self, wanted: bool) -> Iterator[None]:
        """Put all layers into one pane, or back into two; yields after each thing that takes napari long."""
        self._stacked = wanted
        for mirror in self._mirrors.values():
            mirror.set_hidden(wanted)
            yield
        yield from self.arrange()

    @property
    def writes_names(self) -> bool:
        """Whether napari writes on each pane which sequence it shows."""
        return self._writes_names

    @writes_names.setter
    def writes_names(self, wanted: bool) -> None:
        self._writes_names = wanted
        self._arrange()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Change several layers without arranging after each; `arrange` follows."""
        self._pauses += 1
        try:
            yield
        finally:
            self._pauses -= 1

    def arrange(self) -> Iterator[None]:
        """Bring mirrors and grid in line with the layers; yields after each thing that takes napari long."""
        viewer = self._viewer()
        if viewer is None or self._pauses:
            return
        with self.paused():
            right = _right_image(viewer) if self._side_by_side else None
            yield from self._drop_mirrors(viewer, right)
            yield from self._make_mirrors(viewer, right)
            self._set_grid(viewer, right)
            self._caption(viewer)

    def is_mirror(self, layer: Layer) -> bool:
        """Whether a layer only repeats another one."""
        return any(layer is mirror.layer for mirror in self._mirrors.values())

    def base_of(self, layer: Layer | None) -> Labels | None:
        """Return the mask that a mirror repeats, or the mask that the layer itself is; None for others."""
        for base, mirror in self._mirrors.items():
            if layer is mirror.layer:
                return base
        return layer if isinstance(layer, Labels) else None

    def _on_layers(self, event: Any) -> None:
        removed = getattr(event, "value", None) if event.type == "removed" else None
        if removed is not None and not self._pauses:
            self._unwanted.update(base for base, mirror in self._mirrors.items() if mirror.layer is removed)
        self._arrange()

    def _arrange(self, *_: Any) -> None:
        for _step in self.arrange():
            pass

    def _drop_mirrors(self, viewer: ViewerModel, right: Image | None) -> Iterator[None]:
        for base, mirror in list(self._mirrors.items()):
            if (
                right is not None
                and base in viewer.layers
                and mirror.layer in viewer.layers
                and _fits(base, right)
            ):
                continue
            del self._mirrors[base]
            mirror.release()
            if mirror.layer in viewer.layers:
                viewer.layers.remove(mirror.layer)
                yield

    def _make_mirrors(self, viewer: ViewerModel, right: Image | None) -> Iterator[None]:
        """Make the mirrors that are missing; that of a hidden mask is made when it is first shown."""
        if right is None:
            return
        bases = [layer for layer in viewer.layers if isinstance(layer, Labels) and not self.is_mirror(layer)]
        for base in bases:
            if base in self._mirrors or base in self._unwanted or not _fits(base, right):
                continue
            if not base.visible:
                base.events.visible.connect(self._arrange)
                continue
            active = viewer.layers.selection.active
            self._mirrors[base] = Mirror(base)
            viewer.add_layer(self._mirrors[base].layer)
            viewer.layers.selection.active = active
            self._mirrors[base].set_hidden(self._stacked)
            yield

    def _set_grid(self, viewer: ViewerModel, right: Image | None) -> None:
        grid = viewer.canvas.grid
        if right is None:
            if grid.enabled and abs(grid.stride) > 1:
                grid.enabled, grid.stride = False, 1
            return
        mirrors = (self._mirrors.get(layer) for layer in viewer.layers if isinstance(layer, Labels))
        in_right = [right, *(mirror.layer for mirror in mirrors if mirror is not None)]
        for place, layer in enumerate(in_right):
            now = viewer.layers.index(layer)
            if now != place:
                viewer.layers.move(now, place)
        grid.stride = -max(1, len(viewer.layers) - len(in_right))
        grid.shape = (1, 2)
        grid.enabled = not self._stacked and len(viewer.layers) > len(in_right)

    def _caption(self, viewer: ViewerModel) -> None:
        """Write in each pane which sequence it shows; where both lie on each other, the upper one."""
        images = [layer for layer in viewer.layers if isinstance(layer, Image) and _is_sequence(layer)]
        upper = next((layer for layer in reversed(images) if layer.visible), None)
        for image in images:
            image.name_overlay.visible = self._writes_names and (viewer.canvas.grid.enabled or image is upper)
            if image not in self._captioned:
                self._captioned.add(image)
                image.events.visible.connect(self._arrange)


def _is_sequence(layer: Layer) -> bool:
    """Whether a layer is a sequence of a case."""
    source = source_of(layer.metadata)
    return source is not None and source.role in (Role.CET1, Role.T2)


def _right_image(viewer: ViewerModel) -> Image | None:
    """The T2 image that a ceT1 image of the same case is shown with."""
    sources = {layer: source_of(layer.metadata) for layer in viewer.layers if isinstance(layer, Image)}
    cases = {source.case for source in sources.values() if source is not None and source.role is Role.CET1}
    for layer, source in sources.items():
        if source is not None and source.role is Role.T2 and source.case in cases:
            return layer
    return None


def _fits(base: Labels, right: Image) -> bool:
    return bool(base.data.shape == right.data.shape)


class Mirror:
    """Follows a mask for as long as both are in the viewer.

    `base`: the mask; edits and looks go from it to `layer`, never back.
    """

    def __init__(self, base: Labels) -> None:
        self._base = ref(base)
        self.layer = Labels(
            base.data,
            name=f"{base.name} (on T2)",
            units=base.units,
            axis_labels=base.axis_labels,
            metadata=dict(base.metadata),
        )
        self.layer.editable = False
        self._is_hidden = False
        for name in _LOOKS:
            setattr(self.layer, name, getattr(base, name))
            getattr(base.events, name).connect(self._copy_look)
        for name in _EDITS:
            getattr(base.events, name).connect(self._redraw)
        base.events.labels_update.connect(self._redraw_part)
        base.events.data.connect(self._take_data)

    def release(self) -> None:
        """Stop following."""
        base = self._base()
        if base is None:
            return
        for name in _LOOKS:
            getattr(base.events, name).disconnect(self._copy_look)
        for name in _EDITS:
            getattr(base.events, name).disconnect(self._redraw)
        base.events.labels_update.disconnect(self._redraw_part)
        base.events.data.disconnect(self._take_data)

    def set_hidden(self, is_hidden: bool) -> None:
        """Hide the mirror whatever the mask does, or show it as the mask is shown."""
        self._is_hidden = is_hidden
        base = self._base()
        if base is not None:
            self.layer.visible = base.visible and not is_hidden

    def _copy_look(self, event: Any) -> None:
        if self._is_hidden and event.type == "visible":
            return
        setattr(self.layer, event.type, getattr(self._base(), event.type))

    def _redraw(self, _event: Any) -> None:
        self.layer.refresh(thumbnail=False, highlight=False, extent=False)

    def _redraw_part(self, event: Any) -> None:
        """Show a piece of a stroke: all of the slice for each move of the mouse takes napari too long."""
        # A tool reports its edit before it has changed the mask, so that what was just drawn anew may be old.
        view = self.layer._slice.image.view
        box = tuple(slice(start, start + n) for start, n in zip(event.offset, event.data.shape, strict=True))
        if view[box].shape == event.data.shape:
            view[box] = event.data
        self.layer.events.labels_update(data=event.data, offset=event.offset)

    def _take_data(self, _event: Any) -> None:
        base = self._base()
        if base is not None:
            self.layer.metadata = dict(base.metadata)
            self.layer.data = base.data
            self.layer.editable = False
