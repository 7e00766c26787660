"""Scores slice by slice, and where the two masks disagree."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_necroseg.core.scoring.overlap import Mask

# Values of an error map.
AGREED, MISSED, EXTRA = 1, 2, 3


@dataclass(frozen=True, kw_only=True)
class SliceScores:
    """Per slice: Dice coefficient (nan where neither mask has voxels), and the volumes in it in mL."""

    dice: tuple[float, ...]
    reference_ml: tuple[float, ...]
    prediction_ml: tuple[float, ...]

    def worst_first(self) -> list[int]:
        """Return the slices on which the masks differ, that with the largest volume in error first."""
        overlap = [
            (1 - dice) * (reference + prediction) if not math.isnan(dice) else 0.0
            for dice, reference, prediction in zip(
                self.dice, self.reference_ml, self.prediction_ml, strict=True
            )
        ]
        order = sorted(range(len(overlap)), key=lambda number: -overlap[number])
        return [number for number in order if overlap[number] > 0]


def score_slices(reference: Mask, prediction: Mask, *, voxel_ml: float) -> SliceScores:
    """Score each slice of two masks ``(Z, Y, X)``."""
    both, in_reference, in_prediction = (
        np.count_nonzero(mask, axis=(1, 2)) for mask in (reference & prediction, reference, prediction)
    )
    total = in_reference + in_prediction
    with np.errstate(invalid="ignore"):
        dice = np.where(total > 0, 2 * both / total, np.nan)
    return SliceScores(
        dice=tuple(map(float, dice)),
        reference_ml=tuple(map(float, in_reference * voxel_ml)),
        prediction_ml=tuple(map(float, in_prediction * voxel_ml)),
    )


def error_map(reference: Mask, prediction: Mask) -> NDArray[np.uint8]:
    """Return where masks ``(Z, Y, X)`` agree (1), what was missed (2) and what is extra (3), uint8."""
    errors = np.zeros(reference.shape, np.uint8)
    errors[reference & prediction] = AGREED
    errors[reference & ~prediction] = MISSED
    errors[prediction & ~reference] = EXTRA
    return errors
