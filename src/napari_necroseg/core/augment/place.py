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


def shown(sources: Sequence[Source], mapped: Mapping, *, most: int | None = None) -> list[NDArray[np.int64]]:
    """Return for each draw patch indices ``(n, 3)`` that will surely be target; perhaps not all of them.

    Only the deepest voxel of each slice of the target is followed, so that it takes no resampling; of no
    more than `most` slices, if that is given.
    """
    spread = {source: _spread(source.witnesses, most) for source in dict.fromkeys(sources)}
    followed = [spread[source] for source in sources]
    witnesses = np.full((len(sources), max(map(len, followed)), 3), _NOWHERE)
    for number, voxels in enumerate(followed):
        witnesses[number, : len(voxels)] = voxels
    # Two rounds miss by a voxel at most, which the target at that voxel, looked up below, makes good; one is
    # enough where a few of the slices will do.
    nearest = np.rint(mapped.to_patch(witnesses, rounds=2 if most is None else 1))
    is_inside = np.asarray(((nearest >= 0) & (nearest < mapped.patch_shape)).all(axis=2))
    comes_from = mapped.to_source(np.where(is_inside[..., None], nearest, 0))
    is_shown = is_inside & (_occupancy(sources, comes_from) >= _SURE)
    nearest = np.where(is_inside[..., None], nearest, 0).astype(np.int64)
    return [patch_index[seen] for patch_index, seen in zip(nearest, is_shown, strict=True)]


def _spread(witnesses: NDArray[np.int64], most: int | None) -> NDArray[np.int64]:
    """Return so many of the witnesses, evenly spread."""
    if most is None or len(witnesses) <= most:
        return witnesses
    chosen: NDArray[np.int64] = witnesses[((np.arange(most) + 0.5) * len(witnesses) / most).astype(int)]
    return chosen


def centred_on_witness(source: Source, drawn: Drawn, *, patch_shape: Shape, pick: float) -> Drawn:
    """Return the draw, unshifted, with a witness exactly on the middle voxel of the patch.

    Which of the source's witnesses it is, `pick` says, from 0 for the first to below 1 for the last.
    """
    witness = source.witnesses[int(pick * len(source.witnesses))]
    unshifted = replace(drawn, shift_voxels=(0, 0))
    middle = np.array(patch_shape)[None] // 2
    lands_at = mapping([unshifted], [source.spacing_mm], patch_shape).to_source(middle)[0, 0]
    z, y, x = (np.array(drawn.centre_voxels) + witness - lands_at).tolist()
    return replace(unshifted, centre_voxels=(z, y, x))


def _occupancy(sources: Sequence[Source], places: NDArray[np.float64]) -> NDArray[np.float64]:
    """The targets ``(B, n)``, interpolated linearly at indices ``(B, n, 3)``; 0 beyond the border."""
    from scipy.ndimage import map_coordinates

    found = np.empty(places.shape[:2])
    for source in dict.fromkeys(sources):
        own = [number for number, other in enumerate(sources) if other is source]
        at = places[own].reshape(-1, 3).T
        found[own] = map_coordinates(source.target, at, float, order=1, mode="constant").reshape(len(own), -1)
    return found
