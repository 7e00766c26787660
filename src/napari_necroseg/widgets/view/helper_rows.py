"""Hides, in napari's own list of layers, what explains other layers or repeats them in the other pane."""

from typing import Any

from napari.layers import Layer
from qtpy.QtCore import QObject, Qt

from napari_necroseg.widgets.shared.case_layers import CaseLayers
from napari_necroseg.widgets.shared.dock import Listeners
from napari_necroseg.widgets.shared.panes import canvas_of
from napari_necroseg.widgets.shared.qt_parts import timer
from napari_necroseg.widgets.view.contours import is_helper

# napari's role of the layer itself among the data of a row.
_LAYER = Qt.ItemDataRole.UserRole


class HelperRows(QObject):
    """Keeps the rows of helper layers hidden; the panel's list of contours has them under *More*."""

    def __init__(self, layers: CaseLayers, parent: QObject) -> None:
        super().__init__(parent)
        self._layers = layers
        # Rows are hidden by their number, so again after each change.
        self._soon = timer(self, 0, act=self.hide)
        self.listeners = Listeners()
        events = layers.viewer.layers.events
        for happening in (events.inserted, events.removed, events.reordered):
            self.listeners.connect(happening, self._on_layers)
        self._soon.start()

    def hide(self) -> None:
        """Hide these rows, and show all others."""
        viewer: Any = self._layers.viewer
        if canvas_of(viewer) is None:
            # There is no window, or no longer.
            return
        rows = viewer.window._qt_viewer.layers
        for row in range(rows.model().rowCount()):
            layer = rows.model().index(row, 0).data(_LAYER)
            rows.setRowHidden(row, isinstance(layer, Layer) and self._is_hidden(layer))

    def _is_hidden(self, layer: Layer) -> bool:
        return is_helper(layer) or self._layers.panes.is_mirror(layer)

    def _on_layers(self, _event: object = None) -> None:
        self._soon.start()
