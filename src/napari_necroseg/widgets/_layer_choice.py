"""Choose a mask among the layers of the viewer; the mirrors of the other pane are left out."""

from typing import Any

from napari.layers import Labels
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QWidget

from napari_necroseg.widgets._layers import CaseLayers


class LayerChoice(QComboBox):
    """A list of the masks of a viewer that keeps its choice while layers come and go."""

    chosen = Signal()

    def __init__(self, layers: CaseLayers, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._layers = layers
        self._masks: list[Labels] = []
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(12)
        self.currentIndexChanged.connect(self.chosen)

    def layer(self) -> Labels | None:
        """Return the chosen mask; None if there is none."""
        index = self.currentIndex()
        return self._masks[index] if 0 <= index < len(self._masks) else None

    def choose(self, layer: Labels | None) -> None:
        """Choose a mask, or none."""
        self.setCurrentIndex(self._masks.index(layer) if layer in self._masks else -1)

    def refill(self, *_: Any) -> None:
        """Follow the layers of the viewer; a mask that is gone is no longer chosen."""
        before = self.layer()
        self.blockSignals(True)
        self.clear()
        self._masks = self._layers.masks()
        self.addItems([layer.name for layer in self._masks])
        self.choose(before)
        self.blockSignals(False)
        if self.layer() is not before:
            self.chosen.emit()
