"""The form that takes layers of the viewer as a case to train on."""

from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from napari_necroseg.core.case import Sequence
from napari_necroseg.core.config import Target
from napari_necroseg.core.errors import FileError
from napari_necroseg.widgets.shared.section import Section
from napari_necroseg.widgets.shared.subject_choice import SubjectChoice
from napari_necroseg.widgets.shared.workspace import Workspace
from napari_necroseg.widgets.train.layer_case import LayerCase, layer_case

_HELP = (
    "Train on these layers as they are now, saved or not: they stand in the list above, in place of the "
    "case of that name. What is drawn later does not count until you add them again."
)


class OpenLayers(Section):
    """Chooses ceT1, T2 and a mask among the open layers.

    Attributes
    ----------
    wanted, unwanted
        Emitted when they are to be added; when all that were added are to go again.
    """

    wanted = Signal()
    unwanted = Signal()

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__("Add open layers", parent)
        self.toggleButton().setToolTip("Train on what is drawn in the viewer, saved or not.")
        self.layers = SubjectChoice(workspace)
        self._add = QPushButton("Add to the list")
        self._add.setToolTip(_HELP)
        self._add.clicked.connect(self.wanted)
        self._forget = QPushButton()
        self._forget.setToolTip("Take added layers out of the list: the cohort's own files count again.")
        self._forget.clicked.connect(self.unwanted)
        self.show_added(0)
        self.layers.changed.connect(self._refresh)
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.layers)
        column.addWidget(self._add)
        column.addWidget(self._forget)
        self.addWidget(content)
        self._refresh()

    def show_added(self, n_cases: int) -> None:
        """Show how many cases of layers are in the list."""
        self._forget.setVisible(n_cases > 0)
        self._forget.setText(f"Remove added layers ({n_cases})")

    def follow(self, *_: Any) -> None:
        """Follow the layers of the viewer."""
        self.layers.follow()
        self._refresh()

    def taken(self, target: Target) -> LayerCase:
        """Return the chosen layers as they are now.

        Raises
        ------
        FileError
            If no mask is chosen, or a layer is no stack of slices.
        """
        cet1, t2, mask = (choice.layer() for choice in self.layers.choices)
        if cet1 is None or mask is None:
            raise FileError("Choose the ceT1 layer and a mask: without one there is nothing to learn from.")
        images = {Sequence.CET1: cet1} | ({} if t2 is None or t2 is cet1 else {Sequence.T2: t2})
        return layer_case(images, mask, target)

    def _refresh(self) -> None:
        cet1, _, mask = (choice.layer() for choice in self.layers.choices)
        self._add.setEnabled(cet1 is not None and mask is not None)
