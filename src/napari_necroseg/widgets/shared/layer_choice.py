"""Choose a mask or an image among the layers of the viewer; the mirrors of the other pane are left out."""

from typing import Any

from napari.layers import Labels, Layer
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QWidget

from napari_necroseg.layerdata import Role, source_of
from napari_necroseg.widgets.shared.layers import CaseLayers

_NONE = "none"


class LayerChoice(QComboBox):
    """A list of the layers of one kind that keeps its choice while layers come and go.

    Parameters
    ----------
    kind
        Masks, unless said otherwise.
    is_optional
        Whether none may be chosen though there are some.
    """

    chosen = Signal()

    def __init__(
        self,
        layers: CaseLayers,
        parent: QWidget | None = None,
        *,
        kind: type[Layer] = Labels,
        is_optional: bool = False,
    ) -> None:
        super().__init__(parent)
        self._layers = layers
        self._kind = kind
        self._none: list[Layer | None] = [None] if is_optional else []
        self._offered: list[Layer | None] = []
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(12)
        self.currentIndexChanged.connect(self.chosen)

    def layer(self) -> Any:
        """Return the chosen layer; None if there is none."""
        index = self.currentIndex()
        return self._offered[index] if 0 <= index < len(self._offered) else None

    def choose(self, layer: Layer | None) -> None:
        """Choose a layer, or none."""
        self.setCurrentIndex(self._offered.index(layer) if layer in self._offered else -1)

    def refill(self, *_: Any) -> None:
        """Follow the layers of the viewer; one that is gone is no longer chosen."""
        before = self.layer()
        self.blockSignals(True)
        self.clear()
        self._offered = [*self._none, *filter(_is_offered, self._layers.of_kind(self._kind))]
        self.addItems([_NONE if layer is None else layer.name for layer in self._offered])
        self.choose(before)
        self.blockSignals(False)
        if self.layer() is not before:
            self.chosen.emit()


def _is_offered(layer: Layer) -> bool:
    """Whether a layer shows something of the case, and not how two others differ."""
    source = source_of(layer.metadata)
    return source is None or source.role not in (Role.ERRORS, Role.DISTANCE, Role.PREVIEW)
