"""How large a mask is: its volume, its longest diameter, its parts."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist

from napari_necroseg.core.masks.clean import NEIGHBOURS, Mask
from napari_necroseg.core.volume import Grid


@dataclass(frozen=True, kw_only=True)
class Size:
    """Size of a mask.

    Parameters
    ----------
    volume_ml
        Number of voxels times their volume.
    longest_diameter_mm
        Greatest distance between two points of it, voxels being bricks; 0 for an empty mask.
    components
        Parts that share no face, edge or corner.
    """

    volume_ml: float
    longest_diameter_mm: float
    components: int

    def __str__(self) -> str:
        if not self.components:
            return "empty"
        parts = "1 part" if self.components == 1 else f"{self.components} parts"
        return f"{self.volume_ml:.2f} mL, longest diameter {self.longest_diameter_mm:.1f} mm, {parts}"


def volume_in_words(volume_ml: float) -> str:
    """Say a volume with two digits after the point, and never that something is nothing."""
    return f"{volume_ml:.2f} mL" if volume_ml >= 0.005 or not volume_ml else "less than 0.01 mL"


def measure(mask: Mask, grid: Grid) -> Size:
    """Measure a mask ``(Z, Y, X)`` on its grid."""
    if not mask.any():
        return Size(volume_ml=0.0, longest_diameter_mm=0.0, components=0)
    box = ndimage.find_objects(mask.view(np.uint8), 1)[0]
    inside = mask[box]
    return Size(
        volume_ml=int(np.count_nonzero(inside)) * grid.voxel_ml,
        longest_diameter_mm=_longest_diameter_mm(inside, grid),
        components=int(ndimage.label(inside, NEIGHBOURS)[1]),
    )


def _longest_diameter_mm(mask: Mask, grid: Grid) -> float:
    """Greatest distance between corners of voxels; only the ends of each row of voxels can hold it."""
    corners = _row_ends(mask) @ grid.affine_ras[:3, :3].T
    hull = corners[ConvexHull(corners).vertices]
    return float(pdist(hull).max())


def _row_ends(mask: Mask) -> NDArray[np.float64]:
    """Return the corners of the first and last voxel of each row, as voxel indices ``(N, 3)``."""
    z, y = np.nonzero(mask.any(axis=2))
    rows = mask[z, y]
    first = rows.argmax(axis=1)
    last = mask.shape[2] - rows[:, ::-1].argmax(axis=1)
    ends = [np.stack([z + dz, y + dy, x], axis=1) for x in (first, last) for dz in (0, 1) for dy in (0, 1)]
    return np.concatenate(ends).astype(np.float64)
