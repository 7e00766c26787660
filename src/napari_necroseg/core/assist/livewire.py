"""Live-wire: a contour in a slice that follows the edge between clicks (Mortensen and Barrett 1995).

Used for ablation zones by McCreedy 2006 and Passera 2013. A path costs its length in mm times how little edge
there is under it; the cheapest paths from the last click to all pixels are found once, when it is made, so
that a move of the pointer is only a walk back along one of them.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_necroseg.core.errors import SettingsError
from napari_necroseg.core.volume import Voxels

Pixel = tuple[int, int]
PixelSpacing = tuple[float, float]
SMOOTH_MM = 0.8
# The steepest 5 % of a slice are full edges; along the crest of one, a path costs this share of plain tissue.
STEEP_PERCENT = 95
EDGE_COST = 0.03
# A pixel is on the crest if none within this distance is steeper.
CREST_MM = 2.0


class LiveWire:
    """Cheapest paths in one slice ``(Y, X)`` of each sequence.

    Raises `SettingsError` if the slices show nothing, or have different shapes.
    """

    def __init__(self, slices: Sequence[Voxels], *, spacing_mm: PixelSpacing) -> None:
        from skimage.graph import MCP_Geometric

        self.shape: tuple[int, ...] = slices[0].shape
        if any(pixels.shape != self.shape for pixels in slices):
            raise SettingsError("The slices of the sequences do not lie on one grid; load them as one case.")
        self.cost = edge_cost(slices, spacing_mm)
        self._paths = MCP_Geometric(self.cost, sampling=spacing_mm)
        self._start: Pixel | None = None

    def anchor(self, start: Pixel) -> None:
        """Find the paths that start at a pixel, which takes time.

        Raises `SettingsError` if the pixel lies outside of the slice.
        """
        self._check(start)
        if start != self._start:
            self._paths.find_costs([start])
            self._start = start

    def path(self, start: Pixel, end: Pixel) -> NDArray[np.int64]:
        """Return the pixels ``(N, 2)`` of the cheapest path, both ends included.

        Raises `SettingsError` if an end lies outside of the slice.
        """
        self.anchor(start)
        self._check(end)
        return np.asarray(self._paths.traceback(end), dtype=np.int64)

    def _check(self, pixel: Pixel) -> None:
        if not all(0 <= at < n for at, n in zip(pixel, self.shape, strict=True)):
            raise SettingsError(f"Pixel {pixel} lies outside of the slice, which has {self.shape} pixels.")


def enclosed(contour: NDArray[np.int64], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the mask ``(Y, X)`` that a closed contour ``(N, 2)`` encloses, its own pixels included."""
    from skimage.draw import polygon

    mask = np.zeros(shape, bool)
    mask[polygon(contour[:, 0], contour[:, 1], shape)] = True
    mask[contour[:, 0], contour[:, 1]] = True
    return mask


def edge_cost(slices: Sequence[Voxels], spacing_mm: PixelSpacing) -> NDArray[np.float64]:
    """Return the cost of a mm of path in each pixel ``(Y, X)``: 1 without any edge, 0.03 on the crest of one.

    Of several sequences the steepest counts, each in units of its own steep edges.
    """
    steepness = [found for pixels in slices if (found := _steepness(pixels, spacing_mm)) is not None]
    if not steepness:
        raise SettingsError("The slice has one value only: there is no edge to follow. Choose another slice.")
    cost: NDArray[np.float64] = 1 - (1 - EDGE_COST) * np.max(steepness, axis=0)
    return cost


def _steepness(pixels: Voxels, spacing_mm: PixelSpacing) -> NDArray[np.float64] | None:
    """Steepness from 0 to 1, which is the crest of a steep edge; None for a slice of one value."""
    if not np.isfinite(pixels).all():
        raise SettingsError("Some pixels of the slice are not numbers; mend the image first.")
    smooth = ndimage.gaussian_filter(pixels.astype(np.float64), SMOOTH_MM / np.asarray(spacing_mm))
    slope = np.hypot(*np.gradient(smooth, *spacing_mm))
    steep = float(np.percentile(slope, STEEP_PERCENT)) or float(slope.max())
    if steep == 0:
        return None
    steepest_near = ndimage.maximum_filter(slope, [1 + 2 * round(CREST_MM / mm) for mm in spacing_mm])
    crest = np.divide(slope, steepest_near, out=np.zeros_like(slope), where=steepest_near > 0)
    steepness: NDArray[np.float64] = np.minimum(slope / steep, 1.0) * crest**2
    return steepness
