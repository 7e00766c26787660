"""Images as a network sees them: on its slices, and white if its training whitens whole images."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_necroseg.core.augment.whiten import whiten_volume
from napari_necroseg.core.config import Whitening
from napari_necroseg.core.grids.slices import to_slices
from napari_necroseg.core.tissue import BRIGHTEST, DARKEST, whiten_by_tissue
from napari_necroseg.core.volume import Voxels


def for_network(images: Sequence[Voxels], whitening: Whitening, *, n_slices: int) -> NDArray[np.float32]:
    """Bring images ``(N, Y, X)`` to the network's slices and whiten them; patches are whitened when cut.

    Returns
    -------
    ndarray
        ``(C, Z, Y, X)``, float32.
    """
    if whitening == "tissue":
        # Before the spline between slices, which would spread what is cut off; it overshoots itself, too.
        white = np.stack([to_slices(whiten_by_tissue(image), n_slices) for image in images])
        return white.clip(DARKEST, BRIGHTEST, out=white)
    stacked = np.stack([to_slices(image, n_slices) for image in images])
    return whiten_volume(stacked) if whitening == "volume" else stacked
