"""The parts of a mask: which stays, which goes. Parts share no face, edge or corner."""

import numpy as np
from scipy import ndimage

from napari_necroseg.core.errors import SettingsError
from napari_necroseg.core.masks.boxes import bounding_box
from napari_necroseg.core.masks.clean import NEIGHBOURS, Cleaning, Mask, clean

Index = tuple[int, int, int]


def keep_largest(mask: Mask) -> Mask:
    """Return the largest part of a mask ``(Z, Y, X)`` alone; of equal ones the first."""
    return clean(mask, Cleaning(largest=True), voxel_ml=1.0).copy()


def fill_holes(mask: Mask) -> Mask:
    """Return a mask ``(Z, Y, X)`` with what it encloses within a slice."""
    return clean(mask, Cleaning(fill_holes=True), voxel_ml=1.0).copy()


def remove_island(mask: Mask, index: Index) -> Mask:
    """Return a mask ``(Z, Y, X)`` without the part at a voxel; see `island_at`."""
    return mask & ~island_at(mask, index)


def island_at(mask: Mask, index: Index) -> Mask:
    """Return the part of a mask that holds a voxel.

    Parameters
    ----------
    mask
        ``(Z, Y, X)``.
    index
        Slice, row and column of the voxel.

    Raises
    ------
    SettingsError
        If the voxel is not inside the mask.
    """
    if not all(0 <= place < n for place, n in zip(index, mask.shape, strict=True)) or not mask[index]:
        place = ", ".join(str(int(number)) for number in index)
        raise SettingsError(f"There is no part of the mask at voxel {place}; point at one.")
    box = bounding_box(mask)
    assert box is not None
    parts, _ = ndimage.label(mask[box], NEIGHBOURS)
    island = np.zeros_like(mask)
    number = parts[tuple(place - part.start for place, part in zip(index, box, strict=True))]
    island[box] = parts == number
    return island
