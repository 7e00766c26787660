"""The outline of the last prediction follows the threshold, as long as nobody has drawn on it."""

from typing import Any
from weakref import ref

import numpy as np
from napari.layers import Labels

from napari_necroseg.core.config import PredictConfig
from napari_necroseg.core.masks.clean import Cleaning, outline
from napari_necroseg.core.masks.measure import Size, measure
from napari_necroseg.widgets._predict_jobs import CasePrediction
from napari_necroseg.widgets._workspace import Workspace

# Choices that need no new run of the network.
STEERS = ("threshold", "fill_holes", "min_volume_ml", "largest")


class LiveOutline:
    """One prediction and its layer; what a person has drawn on is theirs, and left alone."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._layer: ref[Labels] | None = None
        self._voxels: Any = None
        self.shown: CasePrediction | None = None

    def begin(self, shown: CasePrediction, layer: Labels) -> None:
        """Follow from now on this prediction in this layer."""
        self.shown, self._layer = shown, ref(layer)
        self._voxels = layer.data.copy()

    def forget(self) -> None:
        """Follow nothing any more."""
        self.shown = self._layer = self._voxels = None

    @property
    def layer(self) -> Labels | None:
        """The layer, if it is still there and as the program left it."""
        layer = None if self._layer is None else self._layer()
        if layer is None or layer not in self._workspace.layers.viewer.layers:
            return None
        return layer if np.array_equal(layer.data, self._voxels) else None

    def steer(self, config: PredictConfig) -> Size | None:
        """Draw the outline anew from the kept probability; None if there is none to be drawn."""
        layer = self.layer
        if self.shown is None or layer is None:
            return None
        volume = self.shown.prediction.probability
        cleaning = Cleaning(
            fill_holes=config.fill_holes, min_volume_ml=config.min_volume_ml, largest=config.largest
        )
        voxels = outline(volume.voxels, config.threshold, cleaning, voxel_ml=volume.grid.voxel_ml)
        if not np.array_equal(voxels, self._voxels):
            self._workspace.layers.redraw(layer, voxels)
            self._voxels = voxels
        return measure(voxels > 0, volume.grid)

    def record(self, layer: Labels, config: PredictConfig) -> dict[str, object] | None:
        """Return how the mask of a layer was made; None if it is not the one that is followed."""
        followed = None if self._layer is None else self._layer()
        if self.shown is None or followed is not layer:
            return None
        steered = {name: getattr(config, name) for name in STEERS}
        is_as_made = bool(np.array_equal(layer.data, self._voxels))
        made = {"case": self.shown.case.name} | dict(self.shown.prediction.provenance) | steered
        return made | {"corrected_by_hand": not is_as_made}

    def doubtful_slices(self) -> list[int]:
        """Return the slices with any doubt, the most doubtful first: by their sum of uncertainty."""
        if self.shown is None:
            return []
        doubt = self.shown.prediction.uncertainty.voxels.sum(axis=(1, 2), dtype=np.float64)
        return [int(number) for number in np.argsort(-doubt, kind="stable") if doubt[number] > 0]
