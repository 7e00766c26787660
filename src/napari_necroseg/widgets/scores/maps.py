"""Layers that show where two masks differ: added, kept up to date and removed as the person wishes."""

from collections.abc import Callable
from weakref import ref

import numpy as np
from napari.layers import Image, Labels

from napari_necroseg.core.case import Case
from napari_necroseg.layerdata import LayerData, Role, case_source, distance_layer, errors_layer
from napari_necroseg.widgets.scores.jobs import ScoredLayers
from napari_necroseg.widgets.shared.workspace import Workspace

_ERROR_OPACITY = 0.6

Make = Callable[[ScoredLayers, Case], LayerData]


def errors_of(scored: ScoredLayers, case: Case) -> LayerData:
    """Make the layer of what was missed and what is extra."""
    return errors_layer(scored.errors, case_source(case, Role.ERRORS))


def distances_of(scored: ScoredLayers, case: Case) -> LayerData:
    """Make the layer of distances along the contour of the reference."""
    return distance_layer(scored.distances_mm, case_source(case, Role.DISTANCE))


class ScoreMap:
    """One such layer."""

    def __init__(self, workspace: Workspace, make: Make) -> None:
        self._workspace = workspace
        self._make = make
        self._layer: ref[Labels | Image] | None = None

    def forget(self) -> None:
        """Let go of the layer: another case is shown."""
        self._layer = None

    def show(self, wanted: bool, scored: ScoredLayers | None) -> None:
        """Add it, bring it up to date or remove it; one that the person drew on is left alone."""
        layer = None if self._layer is None else self._layer()
        layers, case = self._workspace.layers, self._workspace.case
        is_there = layer is not None and layer in layers.viewer.layers
        if not wanted or scored is None or case is None:
            if is_there:
                layers.viewer.layers.remove(layer)
            self._layer = None
            return
        data = self._make(scored, case)
        if not is_there:
            self._add(data)
        elif isinstance(layer, Labels):
            layers.keep_up(layer, data[0])
        elif layer is not None and not np.array_equal(layer.data, data[0]):
            layer.data = data[0]

    def _add(self, data: LayerData) -> None:
        viewer = self._workspace.layers.viewer
        active = viewer.layers.selection.active
        made = self._workspace.layers.add(data, is_saved=True)
        if isinstance(made, Labels):
            made.contour, made.opacity = 0, _ERROR_OPACITY
        self._layer = ref(made)
        # What was being drawn on is still what one draws on.
        viewer.layers.selection.active = active
