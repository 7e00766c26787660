"""The masks that are compared, and the overlap of a reference and a prediction as it follows each stroke."""

from typing import Any

from napari.layers import Labels
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFormLayout, QLabel, QWidget

from napari_necroseg.core.case import Case
from napari_necroseg.core.masks.components import Box
from napari_necroseg.core.scoring.overlap import Counts, LiveCounts, Side
from napari_necroseg.core.scoring.scores import DEFAULT_TOLERANCE_MM
from napari_necroseg.core.volume import Grid
from napari_necroseg.jobs.scores import MasksToScore
from napari_necroseg.layerdata import COLOURS, Role, source_of
from napari_necroseg.widgets.shared.case_layers import CaseLayers
from napari_necroseg.widgets.shared.journalled_mask import box_of
from napari_necroseg.widgets.shared.layer_choice import LayerChoice
from napari_necroseg.widgets.shared.number_inputs import DecimalBox
from napari_necroseg.widgets.shared.qt_parts import beside, lay

_MOST_TOLERANCE_MM = 50.0


class MaskChoice(QWidget):
    """Three lists of masks, whose signal is `chosen`, and the tolerance, whose signal is `tolerated`."""

    chosen = Signal()
    tolerated = Signal()

    def __init__(self, layers: CaseLayers, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._layers = layers
        self.reference = LayerChoice(layers)
        self.reference.setToolTip("The mask that counts as right, such as an expert's.")
        self.prediction = LayerChoice(layers)
        self.prediction.setToolTip("The mask that is judged.")
        self.reader = LayerChoice(layers, is_optional=True)
        self.reader.setToolTip(
            "Another person's mask: how far do two people agree, and the prediction with each?"
        )
        self.tolerance = DecimalBox()
        self.tolerance.setRange(0.0, _MOST_TOLERANCE_MM)
        self.tolerance.setValue(DEFAULT_TOLERANCE_MM)
        self.tolerance.setSingleStep(0.5)
        self.tolerance.setSuffix(" mm")
        self.tolerance.setToolTip("Distance that counts as agreement in “Surface within”.")
        for choice in self._choices():
            choice.chosen.connect(self.chosen)
        self.tolerance.valueChanged.connect(lambda _: self.tolerated.emit())
        form = QFormLayout()
        form.addRow("Reference", _with_swatch(self.reference, COLOURS[Role.REFERENCE]))
        form.addRow("Prediction", _with_swatch(self.prediction, COLOURS[Role.PREDICTION]))
        form.addRow("Second reader", self.reader)
        form.addRow("Tolerance", self.tolerance)
        lay(self, form)

    def masks(self) -> list[Labels]:
        """Return the chosen masks."""
        return [choice.layer() for choice in self._choices() if choice.layer() is not None]

    def refill(self, case: Case | None) -> None:
        """Follow the layers; where no mask is chosen, choose those of the open case."""
        for choice in self._choices():
            choice.refill()
        if case is None:
            return
        if self.reference.layer() is None:
            self.reference.choose(_first(self._layers.find(case.name, [Role.REFERENCE, Role.LABELS])))
        if self.prediction.layer() is None:
            self.prediction.choose(_first(self._layers.find(case.name, [Role.PREDICTION])))

    def judge(self, mask: Labels | None) -> None:
        """Judge the mask that the person works on, unless it is the reference."""
        if mask is not None and mask is not self.reference.layer():
            self.prediction.choose(mask)

    def problem(self) -> str:
        """Say why the chosen masks cannot be compared; nothing if they can."""
        if self.reference.layer() is None or self.prediction.layer() is None:
            return "Choose a reference and a prediction: two masks of the case that is open."
        masks = self.masks()
        if len(set(masks)) < len(masks):
            return "Choose two different masks: a mask always agrees with itself."
        if _common_grid(masks) is None:
            return "These masks do not lie on the same grid, so they cannot be compared voxel by voxel."
        return ""

    def to_score(self) -> MasksToScore:
        """Copy the masks; there must be no `problem`."""
        grid = _common_grid(self.masks())
        assert grid is not None, self.problem()
        reader = self.reader.layer()
        return MasksToScore(
            reference=self.reference.layer().data != 0,
            prediction=self.prediction.layer().data != 0,
            second_reader=None if reader is None else reader.data != 0,
            grid=grid,
            tolerance_mm=self.tolerance.value(),
        )

    def _choices(self) -> tuple[LayerChoice, LayerChoice, LayerChoice]:
        return self.reference, self.prediction, self.reader


def _common_grid(masks: list[Labels]) -> Grid | None:
    """The grid that all masks lie on; a mask that the person added to the viewer has no grid of its own."""
    sources = [source_of(layer.metadata) for layer in masks]
    grids = [source.grid for source in sources if source is not None]
    shapes = {layer.data.shape for layer in masks}
    if not grids or shapes != {grids[0].shape} or not all(grid.matches(grids[0]) for grid in grids):
        return None
    return grids[0]


def _first(layers: list[Any]) -> Labels | None:
    return next((layer for layer in layers if isinstance(layer, Labels)), None)


def _with_swatch(choice: QWidget, colour: str) -> QWidget:
    """A choice with the colour that its mask has in the viewer."""
    swatch = QLabel()
    swatch.setFixedSize(12, 12)
    swatch.setStyleSheet(f"border: 2px solid {colour}; background: transparent;")
    return lay(QWidget(), beside(swatch, choice, wide=choice))


class LiveOverlap:
    """Counts of two masks in the viewer: those of the last scoring, updated by the strokes since."""

    def __init__(self) -> None:
        self._layers: dict[Side, Labels] = {}
        self._counts: LiveCounts | None = None
        self._strokes: list[tuple[Side, Box]] = []

    def begin(self, reference: Labels, prediction: Labels) -> None:
        """Note strokes from now on: copies of these two masks are being counted."""
        self._layers = {"reference": reference, "prediction": prediction}
        self._counts, self._strokes = None, []

    def forget(self) -> None:
        """Stop following until the next scoring: a mask was changed other than by a stroke."""
        self._layers, self._counts, self._strokes = {}, None, []

    def counted(self, counts: LiveCounts) -> None:
        """Take over counts, unless a mask has changed since other than by strokes."""
        if self._layers:
            self._counts = counts

    def is_same(self, layer: Labels) -> bool:
        """Whether a mask is as it was counted."""
        if self._counts is None or self._strokes:
            return False
        return all(
            self._counts.is_same(side, one.data) for side, one in self._layers.items() if one is layer
        ) and any(one is layer for one in self._layers.values())

    def note(self, layer: Labels, atoms: Any) -> None:
        """Note a stroke; napari reports it before or after it has changed the mask."""
        for side, one in self._layers.items():
            if one is layer:
                self._strokes += [(side, box_of(atom)) for atom in atoms]

    def follow(self) -> Counts | None:
        """Count the changes of the strokes so far; None while there are no counts to start from."""
        if self._counts is None:
            return None
        strokes, self._strokes = self._strokes, []
        for side, box in strokes:
            self._counts.paint(side, box, voxels=self._layers[side].data)
        return self._counts.counts
