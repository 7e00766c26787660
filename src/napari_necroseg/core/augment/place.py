"""The guarantee: which voxels of a patch surely show the target, and a patch that surely does."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_necroseg.core.augment.drawn import Drawn
from napari_necroseg.core.augment.geometry import mapping
from napari_necroseg.core.augment.source import Shape, Source

# Above the threshold of one half by more than the rounding of float32 coordinates.
_SURE = 0.5 + 1e-3


def shown(source: Source, drawn: Drawn, *, patch_shape: Shape) -> NDArray[np.int64]:
    """Return patch indices ``(n, 3)`` that will surely be target in the sample; perhaps not all of them.

    Only the deepest voxel of each slice of the target is followed, so that it takes no resampling.
    """
    mapped = mapping(drawn, source.spacing_mm, patch_shape)
    nearest = np.rint(mapped.to_patch(source.witnesses)).astype(np.int64)
    inside = nearest[((nearest >= 0) & (nearest < patch_shape)).all(axis=1)]
    return np.asarray(inside[_occupancy(source.target, mapped.to_source(inside)) >= _SURE])


def centred_on_witness(source: Source, drawn: Drawn, *, patch_shape: Shape, number: int) -> Drawn:
    """Return the draw with a witness of the source exactly on the middle voxel of the patch."""
    unshifted = replace(drawn, shift_voxels=(0, 0))
    middle = np.array(patch_shape)[None] // 2
    lands_at = mapping(unshifted, source.spacing_mm, patch_shape).to_source(middle)[0]
    z, y, x = (np.array(drawn.centre_voxels) + source.witnesses[number] - lands_at).tolist()
    return replace(unshifted, centre_voxels=(z, y, x))


def _occupancy(target: NDArray[np.uint8], places: NDArray[np.float64]) -> NDArray[np.float64]:
    """The target ``(n,)``, interpolated linearly at indices ``(n, 3)``; 0 beyond the border."""
    from scipy.ndimage import map_coordinates

    if not len(places):
        return np.zeros(0)
    return np.asarray(map_coordinates(target, places.T, np.float64, order=1, mode="constant"))
