"""Overlap of two masks, from the four counts of voxels.

A predicted mask P and a reference R: true positives |R n P|, missed |R n not P|, extra |P n not R|,
true negatives the rest. Every ratio whose denominator is empty is undefined (nan), except that a pair
in which just one mask is empty has a Dice coefficient of 0.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_necroseg.core.masks.components import Box
from napari_necroseg.core.volume import Voxels

Mask = NDArray[np.bool_]
Side = Literal["reference", "prediction"]


@dataclass(frozen=True, kw_only=True)
class Counts:
    """The voxels of a region, by whether reference and prediction contain them."""

    true_positive: int
    missed: int
    extra: int
    true_negative: int

    @property
    def reference(self) -> int:
        """Voxels of the reference."""
        return self.true_positive + self.missed

    @property
    def prediction(self) -> int:
        """Voxels of the prediction."""
        return self.true_positive + self.extra


def count(reference: Mask, prediction: Mask, *, beside: int = 0) -> Counts:
    """Count the voxels of two masks of the same shape; true is inside.

    `reference`, `prediction`: the masks, or a part that holds all of their voxels. `beside`: voxels of the
    region outside that part, where both masks are empty.
    """
    both = int(np.count_nonzero(reference & prediction))
    in_reference = int(np.count_nonzero(reference))
    in_prediction = int(np.count_nonzero(prediction))
    return Counts(
        true_positive=both,
        missed=in_reference - both,
        extra=in_prediction - both,
        true_negative=beside + reference.size - in_reference - in_prediction + both,
    )


def dice(counts: Counts) -> float:
    """Dice coefficient 2|R n P| / (|R| + |P|); nan if both masks are empty."""
    return _ratio(2 * counts.true_positive, counts.reference + counts.prediction)


def sensitivity(counts: Counts) -> float:
    """Share of the reference that was found, |R n P| / |R|; nan without a reference."""
    return _ratio(counts.true_positive, counts.reference)


def specificity(counts: Counts) -> float:
    """Share of the background that was not marked, |R0 n P0| / |R0|; nan without background."""
    return _ratio(counts.true_negative, counts.true_negative + counts.extra)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


class LiveCounts:
    """Counts of two masks ``(Z, Y, X)``, updated stroke by stroke on either of them.

    `reference`, `prediction`: the masks, true inside; kept, and changed by `paint`.
    """

    def __init__(self, reference: Mask, prediction: Mask) -> None:
        self._masks: dict[Side, Mask] = {"reference": reference, "prediction": prediction}
        self.counts = count(reference, prediction)

    def is_same(self, side: Side, voxels: Voxels) -> bool:
        """Whether a mask is as it was last counted."""
        return voxels.shape == self._masks[side].shape and bool(
            np.array_equal(voxels != 0, self._masks[side])
        )

    def paint(self, side: Side, box: Box, *, voxels: Voxels) -> Counts:
        """Update the counts after a stroke.

        `side`: the mask that was painted on. `box`: a box that holds all that the stroke touched. `voxels`:
        ``(Z, Y, X)``; the labels after the stroke. What is not 0 is inside.
        """
        mask = self._masks[side][box]
        other = self._masks["prediction" if side == "reference" else "reference"][box]
        now = voxels[box] != 0
        into = _number(now & other) - _number(mask & other)
        beyond = _number(now) - _number(mask) - into
        mask[...] = now
        # Within the other mask a voxel was missed (or extra) and is found now; else it was a true negative.
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
