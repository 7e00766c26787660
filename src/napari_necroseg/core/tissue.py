"""Measures the tissue of an image, without being misled by a few wild voxels or by the background."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_necroseg.core.volume import Voxels

Voxels32 = NDArray[np.float32]
Mask = NDArray[np.bool_]

# Range of a whitened image, in standard deviations of the tissue.
DARKEST, BRIGHTEST = -4.0, 6.0

# Vessels and fat reach some 15 standard deviations. A voxel is no signal if it lies beyond this many standard
# deviations and this many times the brightness of the tissue.
_WILD, _WILD_TIMES = 25.0, 2.0

# The statistics are taken from at most this many voxels, so that they take no longer in a large image.
_MOST_VOXELS = 1 << 18

# A value is background if at least this share of the voxels along the edges of the slices has it.
_SHARE_OF_EDGES = 1 / 8

# Width of the rim that interpolation leaves around the background, as a share of the tissue's upper range.
_HALO = 0.005

# There is a gap below a bright value if less than this share of the voxels lies in it.
_GAP = 1e-3
_LOW, _HIGH = 1.0, 99.0
_FLOOR = 10.0
_ROUNDING = 1e-6
_MOST_MENDED = 100_000
_BESIDE = np.array([(0, y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if y or x])


@dataclass(frozen=True, kw_only=True)
class TissueValues:
    """The grey values of an image's tissue."""

    # Mean and standard deviation of its voxels, limited to `low` and `high`.
    mean: float
    deviation: float
    # Its 1st and 99th percentile.
    low: float
    high: float
    # The 1st percentile of all voxels that are not background.
    darkest: float
    # The constant values of the voxels around the tissue; none where air is noise.
    background: tuple[float, ...]
    # A voxel that differs less than this from a background value is background, too.
    halo: float

    def is_background(self, voxels: Voxels) -> Mask:
        """Return which voxels are background."""
        return _is_near(voxels, self.background, distance=self.halo)

    def is_wild(self, voxels: Voxels) -> Mask:
        """Return which voxels are too far from the tissue's range to be signal."""
        reach = max(_WILD * self.deviation, _WILD_TIMES * max(abs(self.low), abs(self.high)))
        far: Mask = (voxels > self.mean + reach) | (voxels < self.mean - reach)
        return far & ~self.is_background(voxels) if self.background and far.any() else far

    @property
    def dark(self) -> float:
        """The value that replaces an impossible background: 0, or the darkest tissue if that is lower."""
        return min(0.0, self.darkest)

    def unreal_background(self, brightest: float) -> tuple[float, ...]:
        """Return the background values that no scanner makes: too bright, or too far below 0."""
        lowest = 0.0 if self.darkest >= 0 else 2 * self.darkest - self.high
        return tuple(value for value in self.background if not lowest <= value <= brightest)


def tissue_of(voxels: Voxels) -> TissueValues | None:
    """Measure the tissue of an image; None if it has one value everywhere.

    Background is a value that many edge voxels of the slices share, unless it is the upper end of bright
    tissue. The rest is limited to its 10th and 99th percentile; tissue is what is brighter than the mean of
    the whole image, in which the background counts as the 10th percentile. At most 262,144 voxels are
    measured, evenly spread.

    `voxels`: ``(Z, Y, X)``, any real dtype, finite.
    """
    seen = _spread_out(voxels)
    background = _background(voxels, seen)
    rest = seen[~_is_near(seen, background, distance=0.0)]
    if not rest.size:
        return None
    middle, bright = np.percentile(rest, [50.0, _HIGH])
    halo = _HALO * float(bright - middle)
    inside = ~_is_near(seen, background, distance=halo)
    rest = seen[inside] if inside.any() else rest
    darkest, floor, bright = np.percentile(rest, [_LOW, _FLOOR, _HIGH])
    cut = np.clip(rest, floor, bright)
    level = (cut.sum() + (seen.size - cut.size) * floor) / seen.size
    tissue = cut[cut > level] if bright > level else cut
    low, high = np.percentile(tissue, [_LOW, _HIGH])
    counted = np.clip(tissue, low, high)
    deviation = float(counted.std())
    if deviation <= _ROUNDING * abs(high):
        # Tissue of a single value stands out from its surroundings.
        deviation = float(max(np.ptp(rest), *(abs(high - value) for value in background), 0.0))
    if deviation <= _ROUNDING * abs(high):
        return None
    return TissueValues(
        mean=float(counted.mean()),
        deviation=deviation,
        low=float(low),
        high=float(high),
        darkest=float(darkest),
        background=background,
        halo=halo,
    )


def whiten_by_tissue(voxels: Voxels) -> Voxels32:
    """Whiten an image by its tissue, limited to `DARKEST` and `BRIGHTEST`.

    A background that no scanner makes, or that is brighter than the darkest of the rest, takes the value
    `TissueValues.dark`; a wild voxel takes the value of its neighbours.

    `voxels`: ``(Z, Y, X)``, as acquired: interpolation would spread the values that are limited here.
    Returns ``(Z, Y, X)``, float32; zeros where the image is constant.
    """
    tissue = tissue_of(voxels)
    if tissue is None:
        return np.zeros(voxels.shape, np.float32)
    white = np.subtract(_without_wild(voxels, tissue), np.float32(tissue.mean), dtype=np.float32)
    for value in tissue.unreal_background(tissue.darkest):
        white[_surroundings(voxels, value, tissue=tissue)] = tissue.dark - tissue.mean
    white *= np.float32(1 / tissue.deviation)
    return white.clip(DARKEST, BRIGHTEST, out=white)


def fit_to_interpolate(voxels: Voxels) -> tuple[Voxels, tuple[str, ...]]:
    """Return an image without the values that interpolation must not spread, and say which those were.

    A wild voxel takes the value of its neighbours; a background that no scanner makes becomes 0, or the
    darkest tissue where that is below 0. An image without either is returned unchanged.
    """
    if blank := blank_in_words(voxels):
        # A spline would ring around a single voxel, so that a blank image would show something.
        return np.full(voxels.shape, np.median(_spread_out(voxels)), np.float32), (f"it has {blank}",)
    tissue = tissue_of(voxels)
    if tissue is None:
        return voxels, ()
    told = tuple(words for words in (wild_in_words(voxels, tissue), unreal_in_words(tissue)) if words)
    if not told:
        return voxels, ()
    mended = _without_wild(voxels, tissue).astype(np.float32)
    mended[_is_near(voxels, tissue.unreal_background(tissue.low), distance=tissue.halo)] = tissue.dark
    return mended, told


def wild_in_words(voxels: Voxels, tissue: TissueValues) -> str:
    """Say how many voxels are wild, and their values; empty if there are none."""
    found = np.unique(voxels[tissue.is_wild(voxels)], return_counts=True)
    n = int(found[1].sum())
    if not n:
        return ""
    least, most = found[0][[0, -1]].tolist()
    values = f"{most:g}" if least == most else f"{least:g} to {most:g}"
    return (
        f"{n:,} {'voxel is' if n == 1 else 'voxels are'} no signal ({values}; 98 % of the tissue lies from "
        f"{tissue.low:.4g} to {tissue.high:.4g})"
    )


def unreal_in_words(tissue: TissueValues) -> str:
    """Say which background no scanner makes; empty if there is none."""
    values = " and ".join(f"{value:g}" for value in tissue.unreal_background(tissue.low))
    return f"the background is {values}, which no scanner makes" if values else ""


def blank_in_words(voxels: Voxels) -> str:
    """Say that all but a ten-thousandth of the voxels have the same value; empty if they differ."""
    usual = float(np.median(_spread_out(voxels)))
    n = voxels.size - int(np.count_nonzero(_is_near(voxels, (usual,), distance=0.0)))
    if n > max(1, voxels.size // 10_000):
        return ""
    return (
        f"the same value in all but {n:,} of its {voxels.size:,} voxels" if n else "the same value everywhere"
    )


def _without_wild(voxels: Voxels, tissue: TissueValues) -> Voxels:
    """Replace each wild voxel by the median of its eight neighbours in the slice.

    Where these are wild as well, or wild voxels are frequent, it is limited to the range of a whitened image.
    """
    wild = tissue.is_wild(voxels)
    if not wild.any():
        return voxels
    mended = voxels.astype(np.float32)
    dark, bright = (tissue.mean + end * tissue.deviation for end in (DARKEST, BRIGHTEST))
    mended[wild] = mended[wild].clip(dark, bright)
    places = np.argwhere(wild)
    if len(places) > _MOST_MENDED:
        return mended
    beside = places[:, None] + _BESIDE
    inside = ((beside >= 0) & (beside < voxels.shape)).all(axis=2)
    # Beyond the border the voxel stands for its neighbours: it is wild, and so does not count.
    z, y, x = np.moveaxis(np.where(inside[..., None], beside, places[:, None]), 2, 0)
    values = np.where(wild[z, y, x], np.nan, mended[z, y, x])
    known = ~np.isnan(values).all(axis=1)
    mended[tuple(places[known].T)] = np.nanmedian(values[known], axis=1)
    return mended


def _spread_out(voxels: Voxels) -> NDArray[np.float64]:
    """Return evenly spread voxels; the step divides no side, so that all rows, columns and slices are met."""
    flat = np.asarray(voxels).reshape(-1)
    step = max(1, -(-flat.size // _MOST_VOXELS))
    while math.gcd(step, flat.size) > 1:
        step += 1
    return flat[::step].astype(np.float64)


def _background(voxels: Voxels, seen: NDArray[np.float64]) -> tuple[float, ...]:
    edges = np.concatenate([voxels[:, [0, -1]].ravel(), voxels[:, :, [0, -1]].ravel()])
    values, counts = np.unique(edges, return_counts=True)
    common = tuple(values[counts >= max(_SHARE_OF_EDGES * edges.size, 8)].astype(float).tolist())
    rest = seen[~_is_near(seen, common, distance=0.0)]
    if not common or not rest.size:
        return common
    low, high = np.percentile(rest, [_LOW, _HIGH])
    # Bright fat at the upper end of a format with few grey values is constant, too; it has no gap below it.
    near = (high - low) / 5
    return tuple(value for value in common if value < high or np.mean(rest > value - near) < _GAP)


def _surroundings(voxels: Voxels, value: float, *, tissue: TissueValues) -> Mask:
    """Return which voxels are background; one as bright as tissue must be connected with the edges."""
    if not tissue.low <= value <= tissue.high:
        return _is_near(voxels, (value,), distance=tissue.halo)
    from scipy.ndimage import binary_propagation

    alike = _is_near(voxels, (value,), distance=0.0)
    edges = np.zeros(voxels.shape, bool)
    edges[:, [0, -1]] = edges[:, :, [0, -1]] = True
    return np.asarray(binary_propagation(edges & alike, mask=alike))


def _is_near(voxels: Voxels, values: tuple[float, ...], *, distance: float) -> Mask:
    near = np.zeros(voxels.shape, bool)
    for value in values:
        reach = max(distance, _ROUNDING * abs(value))
        near |= (voxels >= value - reach) & (voxels <= value + reach)
    return near
