"""Intensities without a unit: robust standard scores of the tissue about a click."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_necroseg.core.volume import Voxels

Floats = NDArray[np.float32]
Spacing = tuple[float, float, float]
# Voxels darker than this share of the range are air, or bone that shows no more than air does.
DARK_SHARE = 0.05
# So many percent of the voxels on either side, vessels and artefacts, count as if no further than the others.
TAILS_PERCENT = 1
# Scores further from 0 than this say nothing more.
MOST_SCORE = 5.0
SMOOTH_MM = 0.7


def standard_scores(voxels: Voxels, spacing_mm: Spacing) -> Floats | None:
    """Subtract the median of the tissue, divide by its winsorised deviation, smooth by 0.7 mm.

    Parameters
    ----------
    voxels
        ``(Z, Y, X)``, finite.
    spacing_mm
        Voxel spacing along the three axes.

    Returns
    -------
    ndarray or None
        ``(Z, Y, X)``, from -5 to 5; None if all voxels have one value.
    """
    smooth = ndimage.gaussian_filter(voxels.astype(np.float32), SMOOTH_MM / np.asarray(spacing_mm))
    tissue = _tissue(smooth)
    middle, deviation = float(np.median(tissue)), _deviation(smooth, tissue)
    if deviation <= 1e-6 * max(1.0, abs(middle)):
        return None
    scores: Floats = np.clip((smooth - middle) / deviation, -MOST_SCORE, MOST_SCORE).astype(np.float32)
    return scores


def _tissue(voxels: Floats) -> Floats:
    low, high = np.percentile(voxels, (1, 99))
    tissue: Floats = voxels[voxels > low + DARK_SHARE * (high - low)]
    return tissue if len(tissue) else voxels.ravel()


def _deviation(voxels: Floats, tissue: Floats) -> float:
    """Winsorised; where all tissue has one value (a drawing), that of all voxels."""
    ends = np.percentile(tissue, (TAILS_PERCENT, 100 - TAILS_PERCENT))
    return float(np.clip(tissue, *ends).std()) or float(voxels.std())
