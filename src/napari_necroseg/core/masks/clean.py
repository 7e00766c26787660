"""From a probability to an outline: the threshold, and what is tidied up after it."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_necroseg.core.config import PredictConfig
from napari_necroseg.core.volume import Voxels

Mask = NDArray[np.bool_]
# Voxels that share a face, an edge or a corner belong together, as in the scores of single lesions.
NEIGHBOURS = np.ones((3, 3, 3), bool)


@dataclass(frozen=True, kw_only=True)
class Cleaning:
    """What is tidied up in a mask, in this order.

    Parameters
    ----------
    fill_holes
        Fill what is enclosed within a slice.
    min_volume_ml
        Remove components that are smaller; 0 keeps all.
    smallest_share
        Remove components that are smaller than this share of the largest one; 0 keeps all.
    largest
        Keep the largest component only.
    """

    fill_holes: bool = False
    min_volume_ml: float = 0.0
    smallest_share: float = 0.0
    largest: bool = False


def cleaning_of(config: PredictConfig) -> Cleaning:
    """Return what is tidied up in the outlines of a configuration."""
    return Cleaning(**{field.name: getattr(config, field.name) for field in fields(Cleaning)})


def outline(
    probability: Voxels, threshold: float, cleaning: Cleaning, *, voxel_ml: float
) -> NDArray[np.uint8]:
    """Turn a probability into a mask.

    Parameters
    ----------
    probability
        ``(Z, Y, X)``, float16 or float32, not negative.
    threshold
        Probability from which a voxel is inside.
    cleaning
        What is tidied up then.
    voxel_ml
        Volume of a voxel.

    Returns
    -------
    ndarray
        ``(Z, Y, X)``, uint8, 0 and 1.
    """
    return clean(_reaches(probability, threshold), cleaning, voxel_ml=voxel_ml).astype(np.uint8)


def left_out_ml(probability: Voxels, threshold: float, labels: Voxels, *, voxel_ml: float) -> float:
    """Return the volume that reaches the threshold and is not in the outline that was made of it."""
    return int(np.count_nonzero(_reaches(probability, threshold) & (labels == 0))) * voxel_ml


def clean(mask: Mask, cleaning: Cleaning, *, voxel_ml: float) -> Mask:
    """Tidy up a mask ``(Z, Y, X)``; the given one stays as it is."""
    if cleaning == Cleaning() or not mask.any():
        return mask
    box = ndimage.find_objects(mask.view(np.uint8), 1)[0]
    inside = _tidied(mask[box], cleaning, voxel_ml)
    tidied = np.zeros_like(mask)
    tidied[box] = inside
    return tidied


def _tidied(mask: Mask, cleaning: Cleaning, voxel_ml: float) -> Mask:
    if cleaning.fill_holes:
        in_slice = ndimage.generate_binary_structure(3, 1)
        in_slice[[0, 2]] = False
        mask = ndimage.binary_fill_holes(mask, in_slice)
    if not (cleaning.largest or cleaning.min_volume_ml or cleaning.smallest_share):
        return mask
    components, n = ndimage.label(mask, NEIGHBOURS)
    sizes = np.bincount(components.ravel(), minlength=n + 1)
    sizes[0] = 0
    keeps = (sizes * voxel_ml >= cleaning.min_volume_ml) & (sizes >= cleaning.smallest_share * sizes.max())
    if cleaning.largest:
        keeps &= np.arange(n + 1) == sizes.argmax()
    keeps[0] = False
    kept: Mask = keeps[components]
    return kept


def _reaches(probability: Voxels, threshold: float) -> Mask:
    """Compare with the threshold; 16-bit floats that are not negative have the order of their bits."""
    if probability.dtype != np.float16:
        return np.asarray(probability >= threshold)
    least = np.float16(threshold)
    if float(least) < threshold:
        least = np.nextafter(least, np.float16(2))
    return np.asarray(np.ascontiguousarray(probability).view(np.uint16) >= least.view(np.uint16))
