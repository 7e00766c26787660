"""Which layers are worked on: guessed from the open case, changeable, checked."""

from typing import Any

import numpy as np
from napari.layers import Image, Labels
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFormLayout, QWidget

from napari_necroseg.layerdata import Role, spacing_mm_of
from napari_necroseg.widgets.shared.augment_view import Subject
from napari_necroseg.widgets.shared.layer_choice import LayerChoice
from napari_necroseg.widgets.shared.workspace import Workspace

# Slices, rows and columns.
_N_AXES = 3


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
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        for title, choice in (("ceT1", self.cet1), ("T2", self.t2), ("Reference", self.reference)):
            form.addRow(title, choice)
            choice.chosen.connect(self.changed)

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
        """Return what was chosen; the mask is copied, since it may be painted on while it is looked at."""
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
