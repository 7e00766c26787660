"""Overlap of two masks while one of them is painted on: only what a stroke touched is counted anew."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_necroseg.core.masks.components import Box
from napari_necroseg.core.scoring.overlap import Counts, Mask, count
from napari_necroseg.core.volume import Voxels

Side = Literal["reference", "prediction"]


class LiveCounts:
    """Counts of two masks ``(Z, Y, X)`` that follow strokes on either of them.

    Parameters
    ----------
    reference, prediction
        Where the masks are; kept, and changed by `paint`.
    """

    def __init__(self, reference: Mask, prediction: Mask) -> None:
        self._masks: dict[Side, Mask] = {"reference": reference, "prediction": prediction}
        self.counts = count(reference, prediction)

    def is_same(self, side: Side, voxels: Voxels) -> bool:
        """Whether a mask is as it was counted last."""
        return voxels.shape == self._masks[side].shape and bool(
            np.array_equal(voxels != 0, self._masks[side])
        )

    def paint(self, side: Side, box: Box, voxels: Voxels) -> Counts:
        """Follow a stroke.

        Parameters
        ----------
        side
            The mask that was painted on.
        box
            What the stroke touched lies in here.
        voxels
            ``(Z, Y, X)``; the labels as they are now. What is not 0 is inside.
        """
        mask = self._masks[side][box]
        other = self._masks["prediction" if side == "reference" else "reference"][box]
        now = voxels[box] != 0
        into = _number(now & other) - _number(mask & other)
        beyond = _number(now) - _number(mask) - into
        mask[...] = now
        # Inside the other mask a voxel turns from missed (or extra) to found; beside it, from true negative.
        missed, extra = (beyond, -into) if side == "reference" else (-into, beyond)
        self.counts = Counts(
            true_positive=self.counts.true_positive + into,
            missed=self.counts.missed + missed,
            extra=self.counts.extra + extra,
            true_negative=self.counts.true_negative - beyond,
        )
        return self.counts


def _number(mask: NDArray[np.bool_]) -> int:
    return int(np.count_nonzero(mask))
