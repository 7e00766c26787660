"""Overlap that follows each stroke at once; the other scores follow when the hand rests."""

from typing import Any

from napari.layers import Labels

from napari_necroseg.core.masks.boxes import Box
from napari_necroseg.core.scoring.live import LiveCounts, Side
from napari_necroseg.core.scoring.overlap import Counts


class LiveOverlap:
    """Counts of two masks in the viewer, from the last scoring on, and with the strokes since."""

    def __init__(self) -> None:
        self._layers: dict[Side, Labels] = {}
        self._counts: LiveCounts | None = None
        self._strokes: list[tuple[Side, Box]] = []

    def begin(self, reference: Labels, prediction: Labels) -> None:
        """Remember strokes from now on: copies of these two are being counted."""
        self._layers = {"reference": reference, "prediction": prediction}
        self._counts, self._strokes = None, []

    def forget(self) -> None:
        """Follow nothing until the next scoring: something else than a stroke has changed a mask."""
        self._layers, self._counts, self._strokes = {}, None, []

    def counted(self, counts: LiveCounts) -> None:
        """Take over what was counted, unless a mask was changed since other than by strokes."""
        if self._layers:
            self._counts = counts

    def is_same(self, layer: Labels) -> bool:
        """Whether a mask is as it was counted, and with the strokes since."""
        if self._counts is None or self._strokes:
            return False
        return all(
            self._counts.is_same(side, one.data) for side, one in self._layers.items() if one is layer
        ) and any(one is layer for one in self._layers.values())

    def note(self, layer: Labels, atoms: Any) -> None:
        """Note a stroke of napari, which tells of it before or after it has changed the mask."""
        for side, one in self._layers.items():
            if one is layer:
                self._strokes += [(side, box_of(atom)) for atom in atoms]

    def follow(self) -> Counts | None:
        """Count what the strokes since have changed; None while there are no counts to begin with."""
        if self._counts is None:
            return None
        strokes, self._strokes = self._strokes, []
        for side, box in strokes:
            self._counts.paint(side, box, self._layers[side].data)
        return self._counts.counts


def box_of(atom: Any) -> Box:
    """Return what an entry of napari's history touched: named by a box, or by indices along each axis."""
    slices = getattr(atom, "slice_key", None)
    if slices is None:
        slices = tuple(slice(int(index.min()), int(index.max()) + 1) for index in atom[0])
    first, second, third = slices
    return first, second, third
