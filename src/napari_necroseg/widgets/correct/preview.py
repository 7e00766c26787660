"""A mask that is only proposed: seen and changed, but nobody's until it is accepted."""

from weakref import ref

import numpy as np
from napari.layers import Labels

from napari_necroseg.core.case import Case
from napari_necroseg.core.masks.clean import Mask
from napari_necroseg.core.volume import Volume
from napari_necroseg.layerdata import Role, case_source, mask_layer
from napari_necroseg.widgets.shared.workspace import Workspace

_OPACITY = 0.5


class Preview:
    """The layer of a proposal, as it was made and as it is now."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._layer: ref[Labels] | None = None
        self._made: Mask | None = None

    @property
    def layer(self) -> Labels | None:
        """The layer, while it is in the viewer."""
        layer = None if self._layer is None else self._layer()
        return layer if layer is not None and layer in self._workspace.layers.viewer.layers else None

    def show(self, case: Case, mask: Mask) -> None:
        """Show a mask ``(Z, Y, X)`` in place of the last proposal."""
        self._made = mask.copy()
        layer, viewer = self.layer, self._workspace.layers.viewer
        if layer is not None:
            layer.data = mask.astype(np.uint8)
            layer._reset_history()
            return
        active = viewer.layers.selection.active
        source = case_source(case, Role.PREVIEW)
        voxels, kwargs, _ = mask_layer(Volume(mask.astype(np.uint8), case.grid), source, "first mask?")
        added = viewer.add_layer(Labels(voxels, **kwargs | {"opacity": _OPACITY}))
        self._layer = ref(added)
        if active is not None:
            viewer.layers.selection.active = active

    def mask(self) -> Mask | None:
        """Return the proposal as it is now."""
        layer = self.layer
        return None if layer is None else np.asarray(layer.data != 0)

    def strokes(self) -> tuple[Mask, Mask] | None:
        """Return what somebody has added to the proposal since, and what was removed; None for nothing."""
        now = self.mask()
        if now is None or self._made is None or np.array_equal(now, self._made):
            return None
        return now & ~self._made, self._made & ~now

    def settle(self) -> None:
        """Note that strokes on the proposal are not wanted, or have gone into a mask: they go aside."""
        layer = self.layer
        if layer is not None:
            self._workspace.journalling.settle(layer)

    def remove(self) -> None:
        """Take the proposal away."""
        layer = self.layer
        if layer is not None:
            self._workspace.layers.viewer.layers.remove(layer)
        self._layer = self._made = None
