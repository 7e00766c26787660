"""The outline of the newest prediction follows the choices of the form, which follow the model's preset."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakKeyDictionary, ref

import numpy as np
from napari.layers import Labels
from numpy.typing import NDArray
from qtpy.QtCore import QSignalBlocker

from napari_necroseg.core.config import BY_PRESET, Config, PredictConfig, train_preset, usual_prediction
from napari_necroseg.core.masks.components import Size, left_out_ml, measure, outline
from napari_necroseg.core.project.model_folder import trained_config
from napari_necroseg.core.project.models import members_of
from napari_necroseg.jobs.predict import CasePrediction
from napari_necroseg.widgets.shared.config_form import ConfigForm
from napari_necroseg.widgets.shared.workspace import Workspace

# Choices that change the outline without another run of the network.
STEERS = ("threshold", "fill_holes", "min_volume_ml", "smallest_share", "largest")


@dataclass(kw_only=True, eq=False)
class _Made:
    """How an outline was made: the prediction, the choices, and the voxels they gave.

    `left_out_ml` is the volume above the threshold in parts that the choices leave out.
    """

    shown: CasePrediction
    config: PredictConfig
    voxels: NDArray[np.generic]
    left_out_ml: float = 0.0


class LiveOutline:
    """The predictions in their layers, one of them followed; one that a person drew on is left alone."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._made: WeakKeyDictionary[Labels, _Made] = WeakKeyDictionary()
        self._layer: ref[Labels] | None = None

    def begin(self, shown: CasePrediction, layer: Labels) -> None:
        """Follow this prediction in this layer from now on."""
        self._made[layer] = _Made(shown=shown, config=shown.config, voxels=layer.data.copy())
        self._layer = ref(layer)

    def follow(self, layer: Labels | None) -> None:
        """Follow the prediction in a layer, or nothing if it is not known how it was made."""
        self._layer = None if layer is None or layer not in self._made else ref(layer)

    @property
    def shown(self) -> CasePrediction | None:
        """The prediction that is followed."""
        followed = self._followed
        return None if followed is None else followed[1].shown

    @property
    def left_out_ml(self) -> float:
        """The volume above the threshold in parts that the followed outline leaves out."""
        followed = self._followed
        return 0.0 if followed is None else followed[1].left_out_ml

    def steer(self, choices: Mapping[str, object]) -> Size | None:
        """Draw the outline anew from the probability with some of the choices of `STEERS`; the others stay.

        Return its size; None if there is no outline, or somebody drew on it.
        """
        followed = self._followed
        if followed is None or not np.array_equal(followed[0].data, followed[1].voxels):
            return None
        layer, made = followed
        config = made.config.changed(**choices)
        volume = made.shown.prediction.probability
        voxel_ml = volume.grid.voxel_ml
        voxels = outline(volume.voxels, config, voxel_ml=voxel_ml)
        if not np.array_equal(voxels, made.voxels):
            self._workspace.layers.redraw(layer, voxels)
        made.voxels, made.config = voxels, config
        made.left_out_ml = left_out_ml(volume.voxels, config.threshold, labels=voxels, voxel_ml=voxel_ml)
        return measure(voxels > 0, volume.grid)

    def record(self, layer: Labels) -> dict[str, object] | None:
        """Return how the mask of a layer was made; None if that is not known."""
        made = self._made.get(layer)
        if made is None:
            return None
        steered = {name: getattr(made.config, name) for name in STEERS}
        is_as_made = bool(np.array_equal(layer.data, made.voxels))
        record = {"case": made.shown.case.name} | dict(made.shown.prediction.provenance) | steered
        return record | {"left_out_ml": made.left_out_ml, "corrected_by_hand": not is_as_made}

    def doubtful_slices(self, axis: int = 0) -> list[int]:
        """Return the slices across an axis with any doubt, that with the largest sum of uncertainty first."""
        if self.shown is None:
            return []
        in_slice = tuple(other for other in range(3) if other != axis)
        doubt = self.shown.prediction.uncertainty.voxels.sum(axis=in_slice, dtype=np.float64)
        return [int(number) for number in np.argsort(-doubt, kind="stable") if doubt[number] > 0]

    @property
    def _followed(self) -> tuple[Labels, _Made] | None:
        layer = None if self._layer is None else self._layer()
        if layer is None or layer not in self._workspace.layers.viewer.layers:
            return None
        return layer, self._made[layer]


class PredictionDefaults:
    """Keeps a form in line with the preset of the chosen models, but for the person's own choices."""

    def __init__(self, form: ConfigForm) -> None:
        self._form = form
        self._own: set[str] = set()
        self._last = form.config()
        form.changed.connect(self._on_form)

    def follow(self, runs: Sequence[Path]) -> None:
        """Show the defaults of these models; one without a record of its training has none.

        The form emits nothing: the outline that is shown may be another model's.
        """
        trained = [trained_config(next(iter(members_of(run)), run)) for run in runs]
        usual = usual_prediction(*[one or train_preset("paper") for one in trained])
        wanted = {name: getattr(usual, name) for name in BY_PRESET if name not in self._own}
        with QSignalBlocker(self._form):
            self._form.set_config(self._form.config().changed(**wanted))
        self._last = self._form.config()

    def steering(self) -> dict[str, object]:
        """Return the choices that hold for the outline of any model: not those that follow a preset."""
        names = [name for name in STEERS if name not in BY_PRESET or name in self._own]
        return {name: getattr(self._last, name) for name in names}

    def _on_form(self) -> None:
        before, self._last = self._last, self._form.config()
        self._own |= _differing(before, self._last)


def _differing(before: Config, after: Config) -> set[str]:
    return {name for name in BY_PRESET if getattr(before, name) != getattr(after, name)}
