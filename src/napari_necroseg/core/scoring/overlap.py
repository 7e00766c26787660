"""Overlap of two masks, from the four counts of voxels.

A predicted mask P and a reference R: true positives |R n P|, missed |R n not P|, extra |P n not R|,
true negatives the rest. Every ratio whose denominator is empty is undefined (nan), except that a pair
in which just one mask is empty has a Dice coefficient of 0.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Voxels of a region, by what reference and prediction say of them."""

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

    Parameters
    ----------
    reference, prediction
        The masks, or the part of them that holds all of their voxels.
    beside
        Voxels of the region that lie beside that part: neither mask has any there.
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
    """Share of the background that was left alone, |R0 n P0| / |R0|; nan without background."""
    return _ratio(counts.true_negative, counts.true_negative + counts.extra)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
