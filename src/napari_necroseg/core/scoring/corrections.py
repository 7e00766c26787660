"""Compares a corrected mask with the prediction that it began as."""

import math

import numpy as np

from napari_necroseg.core.errors import GeometryError
from napari_necroseg.core.masks.edits import changed_box
from napari_necroseg.core.project.review import Changes
from napari_necroseg.core.scoring.overlap import Mask, count, dice


def what_changed(before: Mask, after: Mask, *, voxel_ml: float) -> Changes:
    """Compare a corrected mask with the prediction that it began as.

    `before`, `after`: ``(Z, Y, X)``; prediction and correction, true inside the zone. Either may be empty.
    `voxel_ml`: volume of a voxel.
    Returns the Dice coefficient (None if both are empty), both volumes in mL, and the slices that differ.
    Raises `GeometryError` if the masks have different shapes.
    """
    if before.shape != after.shape:
        raise GeometryError(
            f"The prediction has shape {before.shape} and the correction {after.shape}; "
            "compare masks on one grid."
        )
    counts = count(after, before)
    overlap = dice(counts)
    return Changes(
        dice=None if math.isnan(overlap) else overlap,
        before_ml=counts.prediction * voxel_ml,
        after_ml=counts.reference * voxel_ml,
        slices=_slices(before, after),
    )


def _slices(before: Mask, after: Mask) -> tuple[int, ...]:
    box = changed_box(before, after)
    if box is None:
        return ()
    differs = (before[box] != after[box]).any(axis=(1, 2))
    return tuple(int(number) + box[0].start for number in np.flatnonzero(differs))
