"""Cleans and measures the connected components of a mask.

Components share no face, edge or corner.
"""

from dataclasses import dataclass

import numpy as np
import scipy  # loads its parts at their first use: opening the panel does not wait for them
from numpy.typing import NDArray

from napari_necroseg.core.config import PredictConfig
from napari_necroseg.core.errors import SettingsError
from napari_necroseg.core.volume import Grid, Voxels

Mask = NDArray[np.bool_]

# Voxels that share a face, an edge or a corner are connected, as in the scores of single lesions.
NEIGHBOURS = np.ones((3, 3, 3), bool)
_WITHIN_SLICE = np.array([[[0, 0, 0]] * 3, [[0, 1, 0], [1, 1, 1], [0, 1, 0]], [[0, 0, 0]] * 3], bool)
Index = tuple[int, int, int]
Box = tuple[slice, slice, slice]
Shape = tuple[int, int, int]


def outline(probability: Voxels, config: PredictConfig, *, voxel_ml: float) -> NDArray[np.uint8]:
    """Turn a probability ``(Z, Y, X)``, float16 or float32, into a mask, uint8, and clean it."""
    cleaned = clean(
        _reaches(probability, config.threshold),
        voxel_ml=voxel_ml,
        fill_holes=config.fill_holes,
        min_volume_ml=config.min_volume_ml,
        smallest_share=config.smallest_share,
        largest=config.largest,
    )
    return cleaned.astype(np.uint8)


def left_out_ml(probability: Voxels, threshold: float, *, labels: Voxels, voxel_ml: float) -> float:
    """Return the volume, in mL, that reaches the threshold but was cleaned out of the mask."""
    return int(np.count_nonzero(_reaches(probability, threshold) & (labels == 0))) * voxel_ml


def clean(
    mask: Mask,
    *,
    voxel_ml: float = 1.0,
    fill_holes: bool = False,
    min_volume_ml: float = 0.0,
    smallest_share: float = 0.0,
    largest: bool = False,
) -> Mask:
    """Return a mask ``(Z, Y, X)``, cleaned.

    First, holes within a slice are filled. Then components that are smaller than a volume or than a share of
    the largest one are removed, or all but the largest one.
    """
    if not mask.any():
        return mask.copy()
    box = scipy.ndimage.find_objects(mask.view(np.uint8), 1)[0]
    cleaned = np.zeros_like(mask)
    cleaned[box] = scipy.ndimage.binary_fill_holes(mask[box], _WITHIN_SLICE) if fill_holes else mask[box]
    if not (largest or min_volume_ml or smallest_share):
        return cleaned
    components, n = scipy.ndimage.label(cleaned[box], NEIGHBOURS)
    sizes = np.bincount(components.ravel(), minlength=n + 1)
    sizes[0] = 0
    keeps = (sizes * voxel_ml >= min_volume_ml) & (sizes >= smallest_share * sizes.max())
    if largest:
        keeps &= np.arange(n + 1) == sizes.argmax()
    keeps[0] = False
    cleaned[box] = keeps[components]
    return cleaned


def _reaches(probability: Voxels, threshold: float) -> Mask:
    """Compare with the threshold; 16-bit floats that are not negative have the order of their bits."""
    if probability.dtype != np.float16:
        return np.asarray(probability >= threshold)
    least = np.float16(threshold)
    if float(least) < threshold:
        least = np.nextafter(least, np.float16(2))
    return np.asarray(np.ascontiguousarray(probability).view(np.uint16) >= least.view(np.uint16))


def remove_island(mask: Mask, index: Index) -> Mask:
    """Return a mask ``(Z, Y, X)`` without the part that holds a voxel.

    Raises `SettingsError` if the voxel is not inside the mask.
    """
    if not all(0 <= place < n for place, n in zip(index, mask.shape, strict=True)) or not mask[index]:
        place = ", ".join(str(int(number)) for number in index)
        raise SettingsError(f"There is no part of the mask at voxel {place}; point at one.")
    box = bounding_box(mask)
    assert box is not None
    parts, _ = scipy.ndimage.label(mask[box], NEIGHBOURS)
    number = parts[tuple(place - part.start for place, part in zip(index, box, strict=True))]
    left = mask.copy()
    left[box] &= parts != number
    return left


@dataclass(frozen=True, kw_only=True)
class Size:
    """Size of a mask."""

    volume_ml: float  # Number of voxels times their volume
    # Greatest distance between two points of it, voxels being bricks; 0 for an empty mask.
    longest_diameter_mm: float
    components: int  # Parts that share no face, edge or corner

    def __str__(self) -> str:
        if not self.components:
            return "empty"
        parts = "1 part" if self.components == 1 else f"{self.components} parts"
        return f"{self.volume_ml:.2f} mL, longest diameter {self.longest_diameter_mm:.1f} mm, {parts}"


def volume_in_words(volume_ml: float) -> str:
    """Say a volume with two decimals, and never 0.00 for a volume above 0."""
    return f"{volume_ml:.2f} mL" if volume_ml >= 0.005 or not volume_ml else "less than 0.01 mL"


def measure(mask: Mask, grid: Grid) -> Size:
    """Measure a mask ``(Z, Y, X)`` on its grid."""
    if not mask.any():
        return Size(volume_ml=0.0, longest_diameter_mm=0.0, components=0)
    box = scipy.ndimage.find_objects(mask.view(np.uint8), 1)[0]
    inside = mask[box]
    return Size(
        volume_ml=int(np.count_nonzero(inside)) * grid.voxel_ml,
        longest_diameter_mm=_longest_diameter_mm(inside, grid),
        components=int(scipy.ndimage.label(inside, NEIGHBOURS)[1]),
    )


def _longest_diameter_mm(mask: Mask, grid: Grid) -> float:
    """Greatest distance between corners of voxels; only the ends of each row of voxels can hold it."""
    corners = _row_ends(mask) @ grid.affine_ras[:3, :3].T
    hull = corners[scipy.spatial.ConvexHull(corners).vertices]
    return float(scipy.spatial.distance.pdist(hull).max())


def _row_ends(mask: Mask) -> NDArray[np.float64]:
    """Corners of the first and last voxel of each row, as voxel indices ``(N, 3)``."""
    z, y = np.nonzero(mask.any(axis=2))
    rows = mask[z, y]
    first = rows.argmax(axis=1)
    last = mask.shape[2] - rows[:, ::-1].argmax(axis=1)
    ends = [np.stack([z + dz, y + dy, x], axis=1) for x in (first, last) for dz in (0, 1) for dy in (0, 1)]
    return np.concatenate(ends).astype(np.float64)


def bounding_box(mask: Mask) -> Box | None:
    """Return the slices, rows and columns of a mask ``(Z, Y, X)``; None for an empty one."""
    box = [slice(None)] * 3
    for axis, others in enumerate(((1, 2), (0, 2), (0, 1))):
        # The axes that are done leave less to search.
        inside = np.flatnonzero(mask[tuple(box)].any(axis=others))
        if not len(inside):
            return None
        box[axis] = slice(int(inside[0]), int(inside[-1]) + 1)
    return (box[0], box[1], box[2])


def widened(box: Box, margin: Shape, *, shape: Shape) -> Box:
    """Return a box that is wider by `margin` on either side of each axis, as far as an image reaches."""
    z, y, x = (
        slice(max(part.start - more, 0), min(part.stop + more, n))
        for part, more, n in zip(box, margin, shape, strict=True)
    )
    return (z, y, x)
