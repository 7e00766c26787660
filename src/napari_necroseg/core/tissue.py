"""What of an image is tissue: statistics that neither a few wild voxels nor the background can move."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_necroseg.core.volume import Voxels

Voxels32 = NDArray[np.float32]
Mask = NDArray[np.bool_]

# White images end here, in standard deviations of the tissue.
DARKEST, BRIGHTEST = -4.0, 6.0
# Vessels and fat reach some 15 standard deviations; what is beyond this and so many times as bright as the
# tissue is no signal.
_WILD, _WILD_TIMES = 25.0, 2.0
# So many voxels give the statistics: those of 40 million take no longer than those of one.
_MOST_VOXELS = 1 << 18
# A value that at least this share of the voxels along the edges of the slices has is background.
_SHARE_OF_EDGES = 1 / 8
# What an interpolation left of the background around the tissue, in the tissue's upper range.
_HALO = 0.005
# A gap below a bright value has less than this share of the voxels.
_GAP = 1e-3
_LOW, _HIGH = 1.0, 99.0
_FLOOR = 10.0
_ROUNDING = 1e-6
_MOST_MENDED = 100_000
_BESIDE = np.array([(0, y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if y or x])


@dataclass(frozen=True, kw_only=True)
class Tissue:
    """The grey values of an image's tissue.

    Parameters
    ----------
    mean, deviation
        Of its voxels, each counted as at least `low` and at most `high`.
    low, high
        Its 1st and 99th percentile.
    darkest
        The 1st percentile of all that is no background.
    background
        Values that the voxels beside it have in common; none where air is noise.
    halo
        So near to one of these is background, too.
    """

    mean: float
    deviation: float
    low: float
    high: float
    darkest: float
    background: tuple[float, ...]
    halo: float

    def is_background(self, voxels: Voxels) -> Mask:
        """Return which voxels are background."""
        return _is_near(voxels, self.background, self.halo)

    def is_wild(self, voxels: Voxels) -> Mask:
        """Return which voxels are so far outside of the tissue that they cannot be signal."""
        reach = max(_WILD * self.deviation, _WILD_TIMES * max(abs(self.low), abs(self.high)))
        far: Mask = (voxels > self.mean + reach) | (voxels < self.mean - reach)
        return far & ~self.is_background(voxels) if self.background and far.any() else far

    @property
    def dark(self) -> float:
        """What a background is worth that is none in truth: no signal, or the darkest if there is less."""
        return min(0.0, self.darkest)

    def unreal_background(self, brightest: float) -> tuple[float, ...]:
        """Return the backgrounds that no scanner makes: below 0 beside tissue that is not, or too bright."""
        lowest = 0.0 if self.darkest >= 0 else 2 * self.darkest - self.high
        return tuple(value for value in self.background if not lowest <= value <= brightest)


def tissue_of(voxels: Voxels) -> Tissue | None:
    """Measure the tissue of an image; None if it has one value everywhere.

    Background is what the edges of the slices have in common, unless it is where bright tissue ends. Of the
    rest, cut off at its 10th and 99th percentile, tissue is what is brighter than the mean of the whole
    image, for which the background counts as dark as that 10th percentile. Up to 262,144 voxels are looked
    at, evenly spread.

    Parameters
    ----------
    voxels
        ``(Z, Y, X)``, any real dtype, finite.
    """
    seen = _spread_out(voxels)
    background = _background(voxels, seen)
    rest = seen[~_is_near(seen, background, 0.0)]
    if not rest.size:
        return None
    middle, bright = np.percentile(rest, [50.0, _HIGH])
    halo = _HALO * float(bright - middle)
    inside = ~_is_near(seen, background, halo)
    rest = seen[inside] if inside.any() else rest
    darkest, floor, bright = np.percentile(rest, [_LOW, _FLOOR, _HIGH])
    cut = np.clip(rest, floor, bright)
    level = (cut.sum() + (seen.size - cut.size) * floor) / seen.size
    tissue = cut[cut > level] if bright > level else cut
    low, high = np.percentile(tissue, [_LOW, _HIGH])
    counted = np.clip(tissue, low, high)
    deviation = float(counted.std())
    if deviation <= _ROUNDING * abs(high):
        # Tissue of one value stands out from what is around it.
        deviation = float(max(np.ptp(rest), *(abs(high - value) for value in background), 0.0))
    if deviation <= _ROUNDING * abs(high):
        return None
    return Tissue(
        mean=float(counted.mean()),
        deviation=deviation,
        low=float(low),
        high=float(high),
        darkest=float(darkest),
        background=background,
        halo=halo,
    )


def whiten_by_tissue(voxels: Voxels) -> Voxels32:
    """Whiten an image by its tissue, and cut it off at `DARKEST` and `BRIGHTEST`.

    A background that no scanner makes, or that is brighter than the darkest of the rest, becomes what 0 is;
    a wild voxel becomes what is beside it.

    Parameters
    ----------
    voxels
        ``(Z, Y, X)``, as acquired: interpolation would spread what is cut off here.

    Returns
    -------
    ndarray
        ``(Z, Y, X)``, float32; zeros where the image is constant.
    """
    tissue = tissue_of(voxels)
    if tissue is None:
        return np.zeros(voxels.shape, np.float32)
    white = np.subtract(_without_wild(voxels, tissue), np.float32(tissue.mean), dtype=np.float32)
    for value in tissue.unreal_background(tissue.darkest):
        white[_surroundings(voxels, value, tissue)] = tissue.dark - tissue.mean
    white *= np.float32(1 / tissue.deviation)
    return white.clip(DARKEST, BRIGHTEST, out=white)


def fit_to_interpolate(voxels: Voxels) -> tuple[Voxels, tuple[str, ...]]:
    """Return an image without values that interpolation must not spread, and which those were, in words.

    A wild voxel becomes what is beside it; a background that no scanner makes becomes 0, or the darkest
    tissue where that is below 0. An image without either is returned as it is.
    """
    if blank := blank_in_words(voxels):
        # Around a single voxel the spline would ring, and the image show something.
        return np.full(voxels.shape, np.median(_spread_out(voxels)), np.float32), (f"it has {blank}",)
    tissue = tissue_of(voxels)
    if tissue is None:
        return voxels, ()
    told = tuple(words for words in (wild_in_words(voxels, tissue), unreal_in_words(tissue)) if words)
    if not told:
        return voxels, ()
    mended = _without_wild(voxels, tissue).astype(np.float32)
    mended[_is_near(voxels, tissue.unreal_background(tissue.low), tissue.halo)] = tissue.dark
    return mended, told


def wild_in_words(voxels: Voxels, tissue: Tissue) -> str:
    """Say how many voxels are wild and what they hold; nothing where there is none."""
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


def unreal_in_words(tissue: Tissue) -> str:
    """Say which background no scanner makes; nothing where there is none."""
    values = " and ".join(f"{value:g}" for value in tissue.unreal_background(tissue.low))
    return f"the background is {values}, which no scanner makes" if values else ""


def blank_in_words(voxels: Voxels) -> str:
    """Say that an image has one value but for a ten-thousandth of its voxels; nothing where it has more."""
    usual = float(np.median(_spread_out(voxels)))
    n = voxels.size - int(np.count_nonzero(_is_near(voxels, (usual,), 0.0)))
    if n > max(1, voxels.size // 10_000):
        return ""
    return (
        f"the same value in all but {n:,} of its {voxels.size:,} voxels" if n else "the same value everywhere"
    )


def _without_wild(voxels: Voxels, tissue: Tissue) -> Voxels:
    """Put the median of its eight neighbours in the slice in the place of each wild voxel.

    Where these are wild, too, or where wild voxels are no rare thing, it becomes as bright or dark as a white
    image gets.
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
    # The voxel itself, wild, stands for neighbours beyond the border.
    z, y, x = np.moveaxis(np.where(inside[..., None], beside, places[:, None]), 2, 0)
    values = np.where(wild[z, y, x], np.nan, mended[z, y, x])
    known = ~np.isnan(values).all(axis=1)
    mended[tuple(places[known].T)] = np.nanmedian(values[known], axis=1)
    return mended


def _spread_out(voxels: Voxels) -> NDArray[np.float64]:
    """Return evenly spread voxels: a step that divides no side meets all rows, columns and slices."""
    flat = np.asarray(voxels).reshape(-1)
    step = max(1, -(-flat.size // _MOST_VOXELS))
    while math.gcd(step, flat.size) > 1:
        step += 1
    return flat[::step].astype(np.float64)


def _background(voxels: Voxels, seen: NDArray[np.float64]) -> tuple[float, ...]:
    edges = np.concatenate([voxels[:, [0, -1]].ravel(), voxels[:, :, [0, -1]].ravel()])
    values, counts = np.unique(edges, return_counts=True)
    common = tuple(values[counts >= max(_SHARE_OF_EDGES * edges.size, 8)].astype(float).tolist())
    rest = seen[~_is_near(seen, common, 0.0)]
    if not common or not rest.size:
        return common
    low, high = np.percentile(rest, [_LOW, _HIGH])
    # Where a format of few grey values ends, bright fat has one value, too, without a gap below it.
    near = (high - low) / 5
    return tuple(value for value in common if value < high or np.mean(rest > value - near) < _GAP)


def _surroundings(voxels: Voxels, value: float, tissue: Tissue) -> Mask:
    """Return which voxels are background; one as bright as tissue is what hangs together with the edges."""
    if not tissue.low <= value <= tissue.high:
        return _is_near(voxels, (value,), tissue.halo)
    from scipy.ndimage import binary_propagation

    alike = _is_near(voxels, (value,), 0.0)
    edges = np.zeros(voxels.shape, bool)
    edges[:, [0, -1]] = edges[:, :, [0, -1]] = True
    return np.asarray(binary_propagation(edges & alike, mask=alike))


def _is_near(voxels: Voxels, values: tuple[float, ...], distance: float) -> Mask:
    near = np.zeros(voxels.shape, bool)
    for value in values:
        reach = max(distance, _ROUNDING * abs(value))
        near |= (voxels >= value - reach) & (voxels <= value + reach)
    return near
