"""Layers that are put aside while something else is shown, such as the surface in 3D, and come back after."""

from collections.abc import Iterable, Iterator
from typing import Any
from weakref import WeakKeyDictionary

from napari.layers import Layer
from psygnal import Signal


class Aside:
    """Hides layers for a while, and knows which of them a person wants to see.

    `changed` is emitted when a person shows or hides one of them meanwhile.
    """

    changed = Signal()

    def __init__(self) -> None:
        self._wanted: WeakKeyDictionary[Layer, bool] = WeakKeyDictionary()
        self._is_at_it = False

    @property
    def is_on(self) -> bool:
        """Whether layers are put aside."""
        return bool(self._wanted)

    def is_shown(self, layer: Layer) -> bool:
        """Whether a person wants to see a layer, which may be put aside."""
        return bool(self._wanted.get(layer, layer.visible))

    def set_shown(self, layer: Layer, is_shown: bool) -> None:
        """Show or hide a layer, or note it for later if it is put aside."""
        if layer not in self._wanted:
            layer.visible = is_shown
        elif self._wanted[layer] != is_shown:
            self._wanted[layer] = is_shown
            self.changed.emit()

    def put(self, layers: Iterable[Layer]) -> None:
        """Put more layers aside."""
        for layer in layers:
            if layer not in self._wanted:
                self._wanted[layer] = bool(layer.visible)
                self._set_visible(layer, False)
                layer.events.visible.connect(self._on_visible)

    def bring_back(self) -> Iterator[Layer]:
        """Show the layers again that are wanted, one a step."""
        for layer in list(self._wanted):
            layer.events.visible.disconnect(self._on_visible)
            self._set_visible(layer, self._wanted.pop(layer))
            yield layer

    def _set_visible(self, layer: Layer, is_visible: bool) -> None:
        self._is_at_it = True
        try:
            layer.visible = is_visible
        finally:
            self._is_at_it = False

    def _on_visible(self, event: Any) -> None:
        """A closed eye was clicked in napari: turn the wish round, and keep the layer aside."""
        layer = event.source
        if self._is_at_it or layer not in self._wanted or not layer.visible:
            return
        self._set_visible(layer, False)
        self.set_shown(layer, not self._wanted[layer])
