"""Scores of single lesions: which were found, which were missed, which are extra.

A lesion is what shares a face, an edge or a corner (26 neighbours).
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from napari_necroseg.core.masks.components import NEIGHBOURS
from napari_necroseg.core.scoring.overlap import Mask


@dataclass(frozen=True, kw_only=True)
class Lesions:
    """Lesions of the reference, those that the prediction touches, and predicted ones that touch none."""

    reference: int
    found: int
    extra: int


def count_lesions(reference: Mask, prediction: Mask) -> Lesions:
    """Match the lesions of two masks ``(Z, Y, X)``: one voxel in common is a match."""
    of_reference, n_reference = ndimage.label(reference, NEIGHBOURS)
    of_prediction, n_prediction = ndimage.label(prediction, NEIGHBOURS)
    found = np.setdiff1d(of_reference[prediction], [0])
    matched = np.setdiff1d(of_prediction[reference], [0])
    return Lesions(reference=n_reference, found=len(found), extra=n_prediction - len(matched))
