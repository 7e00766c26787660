"""The guarantee: which voxels of a patch surely show the target, and a patch that surely does."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_necroseg.core.augment.drawn import Drawn
from napari_necroseg.core.augment.geometry import Mapping, mapping
from napari_necroseg.core.augment.source import Shape, Source

# Above the threshold of one half by more than the rounding of float32 coordinates.
_SURE = 0.5 + 1e-3
# Fills up the list of a source with few slices of target; outside of any patch, whatever is drawn.
_NOWHERE = -1e6


def shown(sources: Sequence[Source], mapped: Mapping) -> list[NDArray[np.int64]]:
    """Return for each draw patch indices ``(n, 3)`` that will surely be target; perhaps not all of them.

    Only the deepest voxel of each slice of the target is followed, so that it takes no resampling.
    """
    most = max(len(source.witnesses) for source in sources)
    witnesses = np.full((len(sources), most, 3), _NOWHERE)
    for number, source in enumerate(sources):
        witnesses[number, : len(source.witnesses)] = source.witnesses
    # Two rounds miss by a voxel at most, which the target at that voxel, looked up below, makes good.
    nearest = np.rint(mapped.to_patch(witnesses, rounds=2))
    is_inside = np.asarray(((nearest >= 0) & (nearest < mapped.patch_shape)).all(axis=2))
    comes_from = mapped.to_source(np.where(is_inside[..., None], nearest, 0))
    found = []
    for number, source in enumerate(sources):
        inside = nearest[number, is_inside[number]].astype(np.int64)
        occupancy = _occupancy(source.target, comes_from[number, is_inside[number]])
        found.append(inside[occupancy >= _SURE])
    return found


def centred_on_witness(source: Source, drawn: Drawn, *, patch_shape: Shape, number: int) -> Drawn:
    """Return the draw, unshifted, with a witness of the source exactly on the middle voxel of the patch."""
    unshifted = replace(drawn, shift_voxels=(0, 0))
    middle = np.array(patch_shape)[None] // 2
    lands_at = mapping([unshifted], [source.spacing_mm], patch_shape).to_source(middle)[0, 0]
    z, y, x = (np.array(drawn.centre_voxels) + source.witnesses[number] - lands_at).tolist()
    return replace(unshifted, centre_voxels=(z, y, x))


def _occupancy(target: NDArray[np.uint8], places: NDArray[np.float64]) -> NDArray[np.float64]:
    """The target ``(n,)``, interpolated linearly at indices ``(n, 3)``; 0 beyond the border."""
    from scipy.ndimage import map_coordinates

    if not len(places):
        return np.zeros(0)
    return np.asarray(map_coordinates(target, places.T, np.float64, order=1, mode="constant"))
