"""Chooses masks and images among the layers of the viewer; the mirrors of the other pane are left out."""

from typing import Any

import numpy as np
from napari.layers import Image, Labels, Layer
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFormLayout, QWidget

from napari_necroseg.jobs.preview import Subject
from napari_necroseg.layerdata import Role, source_of, spacing_mm_of
from napari_necroseg.widgets.shared.case_layers import SHOWN_ONLY, CaseLayers
from napari_necroseg.widgets.shared.qt_parts import NarrowCombo, lay
from napari_necroseg.widgets.shared.workspace import Workspace

_NONE = "none"

# Slices, rows and columns.
_N_AXES = 3


class LayerChoice(NarrowCombo):
    """A list of the layers of one `kind` that keeps its choice while layers come and go.

    `is_optional` adds the entry "none".
    """

    chosen = Signal()

    def __init__(
        self,
        layers: CaseLayers,
        *,
        kind: type[Layer] = Labels,
        is_optional: bool = False,
    ) -> None:
        super().__init__(letters=12)
        self._layers = layers
        self._kind = kind
        self._none: list[Layer | None] = [None] if is_optional else []
        self._offered: list[Layer | None] = []
        self.currentIndexChanged.connect(self.chosen)

    def layer(self) -> Any:
        """Return the chosen layer; None if there is none."""
        index = self.currentIndex()
        return self._offered[index] if 0 <= index < len(self._offered) else None

    def choose(self, layer: Layer | None) -> None:
        """Choose a layer, or none."""
        self.setCurrentIndex(self._offered.index(layer) if layer in self._offered else -1)

    def refill(self, *_: Any) -> None:
        """List the layers that are in the viewer now; one that is gone is no longer chosen."""
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
    """Whether a layer shows the case itself, and not how two masks differ or a proposal."""
    source = source_of(layer.metadata)
    return source is None or source.role not in SHOWN_ONLY


class SubjectChoice(QWidget):
    """Chooses one or two images and, if there is one, a mask."""

    changed = Signal()

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        layers = workspace.layers
        self.cet1 = LayerChoice(layers, kind=Image)
        self.t2 = LayerChoice(layers, kind=Image, is_optional=True)
        self.reference = LayerChoice(layers, is_optional=True)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        for title, choice in (("ceT1", self.cet1), ("T2", self.t2), ("Reference", self.reference)):
            form.addRow(title, choice)
            choice.chosen.connect(self.changed)
        lay(self, form)

    @property
    def choices(self) -> tuple[LayerChoice, LayerChoice, LayerChoice]:
        """The choice of ceT1, of T2, and of the mask."""
        return self.cet1, self.t2, self.reference

    def follow(self) -> None:
        """Follow the layers of the viewer; where none is chosen, choose those of the open case."""
        choices = self.choices
        for choice in choices:
            choice.refill()
        case = self._workspace.case
        if case is None:
            return
        for choice, roles in zip(
            choices, ([Role.CET1], [Role.T2], [Role.REFERENCE, Role.LABELS]), strict=True
        ):
            found = self._workspace.layers.find(case.name, roles)
            if choice.layer() is None and found:
                choice.choose(found[0])

    def problem(self) -> str:
        """Say why the chosen layers cannot be shown; nothing if they can."""
        images, mask = self._images(), self.reference.layer()
        if not images:
            return "Open a case in the dock Cases, or choose an image."
        if any(layer.data.ndim != _N_AXES or layer.rgb for layer in images):
            return "Choose images with slices, rows and columns: one of these has another number of axes."
        shapes = {layer.data.shape for layer in (*images, *([] if mask is None else [mask]))}
        if len(shapes) > 1:
            sizes = " and ".join(" x ".join(map(str, shape)) for shape in sorted(shapes))
            return f"These layers do not lie on the same grid ({sizes} voxels). Choose layers of one case."
        return ""

    def subject(self) -> Subject:
        """Return the chosen layers; the mask is copied, since somebody may paint on it meanwhile."""
        images = self._images()
        mask: Labels | None = self.reference.layer()
        z, y, x = spacing_mm_of(images[0])
        return Subject(
            names=tuple(layer.name for layer in images),
            images=tuple(np.asarray(layer.data) for layer in images),
            mask=None if mask is None else np.array(mask.data),
            spacing_mm=(z, y, x),
        )

    def _images(self) -> list[Any]:
        chosen = (self.cet1.layer(), self.t2.layer())
        return list(dict.fromkeys(layer for layer in chosen if layer is not None))
