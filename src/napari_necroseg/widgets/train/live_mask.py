"""What a network in training makes of the open case, as a layer that follows it."""

from weakref import ref

from napari.layers import Labels, Layer

from napari_necroseg.core.events import ValidationPicture
from napari_necroseg.layerdata import Role, case_source, mask_layer
from napari_necroseg.widgets.shared.workspace import Workspace


class LiveMask:
    """One layer for each training, made when there is something to see.

    Once it is removed or drawn on, it is the person's: it stays as it is, and no other comes.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._case: str | None = None
        self._run = ""
        self._layer: ref[Layer] | None = None

    def begin(self, held_out: tuple[str, ...], run: str) -> str | None:
        """Get ready for the training of a run; return the case to be shown: the open one, if left out."""
        self._run = run
        case = self._workspace.case
        self._case = None if case is None or case.name not in held_out else case.name
        # The layer of the last training stays, as it is.
        self._layer = None
        return self._case

    def show(self, picture: ValidationPicture) -> None:
        """Show what was predicted, in place of what was shown before; nothing if another case is open now."""
        case = self._workspace.case
        if case is None or not case.name == picture.case == self._case:
            return
        layers = self._workspace.layers
        name = f"in training, Dice {picture.dice:.2f}"
        if self._layer is None:
            # A role of its own: what a half-trained network says is not the prediction to save or to score.
            source = case_source(case, Role.IN_TRAINING, f"{self._run}-in-training")
            self._layer = ref(layers.add(mask_layer(picture.labels, source, name), is_saved=True))
            return
        layer = self._layer()
        if isinstance(layer, Labels) and layers.keep_up(layer, picture.labels.voxels):
            layer.name = name
