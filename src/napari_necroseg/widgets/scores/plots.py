"""Shows where two masks differ: slice by slice as a plot, and voxel by voxel as layers."""

import math
from collections.abc import Callable
from weakref import ref

import numpy as np
from napari.layers import Labels, Layer
from qtpy.QtCore import QPointF, QRectF, QSize, Signal
from qtpy.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPalette, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_necroseg.core.case import Case
from napari_necroseg.core.scoring.scores import SliceScores
from napari_necroseg.jobs.scores import ScoredLayers
from napari_necroseg.layerdata import COLOURS, LayerData, Role, case_source, distance_layer, errors_layer
from napari_necroseg.widgets.shared.loss_curve import draw_axes
from napari_necroseg.widgets.shared.workspace import Workspace

_LEFT, _TOP, _RIGHT, _BOTTOM = 34.0, 10.0, 8.0, 32.0
_ERROR_OPACITY = 0.6
Make = Callable[[ScoredLayers, Case], LayerData]


class SlicePlot(QWidget):
    """Bars of both volumes and points of Dice over the slices; `chosen` is emitted with the one clicked."""

    chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scores: SliceScores | None = None
        self._shown: int | None = 0
        self._name = "slice"
        self.setMinimumSize(200, 120)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(
            "Each slice: the volumes of the reference (green) and of the prediction (blue), scaled to the "
            "largest, and Dice as white points from 0 to 1. The line is the slice that you see; click on "
            "another to go there."
        )

    def sizeHint(self) -> QSize:  # noqa: N802  # Qt's name
        """Return the height that shows the bars without crowding the dock."""
        return QSize(300, 130)

    def show_scores(self, scores: SliceScores | None, name: str = "slice") -> None:
        """Show the scores of another pair of masks or plane, or none; `name` labels the axis of slices."""
        self._scores, self._name = scores, name
        self.update()

    def show_slice(self, number: int | None) -> None:
        """Mark the slice that is seen; None if none is."""
        self._shown = number
        self.update()

    def slice_at(self, x: float) -> int | None:
        """Return the slice at a place on the screen, from the left border of the plot."""
        if self._scores is None:
            return None
        number = int((x - _LEFT) / self._width_of_one())
        return number if 0 <= number < len(self._scores.dice) and x >= _LEFT else None

    def mousePressEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802  # Qt's name
        """Go to the slice that was clicked."""
        number = None if event is None else self.slice_at(event.position().x())
        if number is not None:
            self.chosen.emit(number)

    def paintEvent(self, _event: QPaintEvent | None) -> None:  # noqa: N802  # Qt's name
        """Draw axes, bars and points."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(_LEFT, _TOP, self.width() - _LEFT - _RIGHT, self.height() - _TOP - _BOTTOM)
        ink = self.palette().color(QPalette.ColorRole.WindowText)
        n_slices = 0 if self._scores is None else len(self._scores.dice)
        first, last = ("0", f"{n_slices - 1}") if n_slices else ("", "")
        labels = {0.0: "0", 0.5: "0.5", 1.0: "1"}
        draw_axes(painter, area, ink=ink, labels=labels, under=(first, self._name, last), drop=12)
        if self._scores is not None:
            self._draw_slices(painter, area, scores=self._scores)
        painter.end()

    def _width_of_one(self) -> float:
        assert self._scores is not None
        return (self.width() - _LEFT - _RIGHT) / max(1, len(self._scores.dice))

    def _draw_slices(self, painter: QPainter, area: QRectF, *, scores: SliceScores) -> None:
        width = self._width_of_one()
        largest = max((*scores.reference_ml, *scores.prediction_ml), default=0.0) or 1.0
        bars = ((scores.reference_ml, Role.REFERENCE, 0.1), (scores.prediction_ml, Role.PREDICTION, 0.5))
        for volumes, role, shift in bars:
            for number, volume in enumerate(volumes):
                height = volume / largest * area.height()
                left = area.left() + (number + shift) * width
                bar = QRectF(left, area.bottom() - height, 0.4 * width, height)
                painter.fillRect(bar, QColor(COLOURS[role]))
        painter.setPen(QPen(QColor("black"), 1))
        painter.setBrush(QColor("white"))
        for number, dice in enumerate(scores.dice):
            if not math.isnan(dice):
                place = QPointF(area.left() + (number + 0.5) * width, area.bottom() - dice * area.height())
                painter.drawEllipse(place, 3.0, 3.0)
        if self._shown is None:
            return
        painter.setPen(QPen(self.palette().color(QPalette.ColorRole.WindowText), 1))
        x = area.left() + (self._shown + 0.5) * width
        painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))


def errors_of(scored: ScoredLayers, case: Case) -> LayerData:
    """Make the layer of missed and extra voxels."""
    return errors_layer(scored.errors, case_source(case, Role.ERRORS))


def distances_of(scored: ScoredLayers, case: Case) -> LayerData:
    """Make the layer of distances along the contour of the reference."""
    return distance_layer(scored.distances_mm, case_source(case, Role.DISTANCE))


class ScoreMap:
    """One layer that shows where two masks differ."""

    def __init__(self, workspace: Workspace, make: Make) -> None:
        self._workspace = workspace
        self._make = make
        self._layer: ref[Layer] | None = None

    def forget(self) -> None:
        """Forget the layer: another case is shown."""
        self._layer = None

    def show(self, wanted: bool, scored: ScoredLayers | None) -> None:
        """Add the layer, update it or remove it; one that the person drew on is left alone."""
        layer = None if self._layer is None else self._layer()
        layers, case = self._workspace.layers, self._workspace.case
        there = layer if layer in layers.viewer.layers else None
        if not wanted or scored is None or case is None:
            if there is not None:
                layers.viewer.layers.remove(there)
            self._layer = None
            return
        data = self._make(scored, case)
        if there is None:
            self._add(data)
        elif isinstance(there, Labels):
            layers.keep_up(there, data[0])
        elif not np.array_equal(there.data, data[0]):
            there.data = data[0]

    def _add(self, data: LayerData) -> None:
        viewer = self._workspace.layers.viewer
        active = viewer.layers.selection.active
        made = self._workspace.layers.add(data, is_saved=True)
        if isinstance(made, Labels):
            made.contour, made.opacity = 0, _ERROR_OPACITY
        self._layer = ref(made)
        # The layer that was active stays active.
        viewer.layers.selection.active = active
