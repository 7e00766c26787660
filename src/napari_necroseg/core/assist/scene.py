"""The scene about a click: a box of the images, whose intensities are z-scores.

Axes: C sequences, Z slices, Y rows, X columns.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_necroseg.core.case import Sequence
from napari_necroseg.core.config import AssistConfig
from napari_necroseg.core.errors import SettingsError
from napari_necroseg.core.masks.components import Box, Mask, bounding_box
from napari_necroseg.core.volume import Voxels

Index = tuple[int, int, int]

# The scores at the click are the median of the voxels that are no further from it than this.
CORE_MM = 2.0

# Voxels darker than this share of the bright half of the image, and connected to its border, are air.
AIR_SHARE = 0.125
Floats = NDArray[np.float32]
Spacing = tuple[float, float, float]

# Voxels darker than this share of the range are air, or bone that shows no more than air does.
DARK_SHARE = 0.05

# Percent of the voxels at either end, vessels and artefacts, that are cut off at the value of the others.
TAILS_PERCENT = 1

# Scores further from 0 than this say nothing more.
MOST_Z = 5.0
SMOOTH_MM = 0.7


@dataclass(frozen=True, kw_only=True, eq=False)
class Strokes:
    """Painted strokes ``(Z, Y, X)`` of the whole image: true where the mask must be, or must not be."""

    inside: Mask | None = None
    outside: Mask | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """The box about a click."""

    # ``(C, Z, Y, X)``; z-scores over the root of the number of sequences, so that the distance of two voxels
    # is the root mean square of their differences.
    scores: Floats
    typical: Floats  # ``(C,)``; the scores at the click: the median of those no further than 2 mm
    unlike: Floats  # ``(Z, Y, X)``; distance of each voxel's scores from those at the click
    reach: Mask  # ``(Z, Y, X)``; true where the mask may be: near enough, and not painted as outside
    # The strokes, ``(Z, Y, X)``.
    inside: Mask
    outside: Mask
    seed: Index  # The click, counted from the corner of the box
    spacing_mm: Spacing
    box: Box  # Where the box lies in the image
    image_shape: tuple[int, ...]  # ``(Z, Y, X)`` of the image

    def in_image(self, mask: Mask) -> Mask:
        """Put a mask of the box into the image."""
        whole = np.zeros(self.image_shape, bool)
        whole[self.box] = mask
        return whole

    @property
    def seeds(self) -> Mask:
        """The click, and what was painted as inside."""
        seeds = self.inside.copy()
        seeds[self.seed] = True
        return seeds


def make_scene(
    images: Mapping[Sequence, Voxels],
    seed: Index,
    *,
    spacing_mm: Spacing,
    config: AssistConfig,
    strokes: Strokes | None = None,
) -> Scene:
    """Cut out of images ``(Z, Y, X)`` the box about the clicked voxel that holds all strokes inside.

    Raises `SettingsError` if there is nothing to see: no image, one value only, or nan.
    """
    shown = [name for name in config.sequences if name in images]
    if not shown:
        raise SettingsError(f"There is no {' or '.join(config.sequences)} image to look at; choose another.")
    shape = images[shown[0]].shape
    painted = _painted(strokes or Strokes(), shape)
    box = _box(shape, seed, spacing_mm=spacing_mm, radius_mm=config.radius_mm, inside=painted[0])
    if painted[1][seed]:
        raise SettingsError("The click lies on what is painted as outside; click elsewhere, or erase that.")
    inside, outside = (mask[box] for mask in painted)
    place = tuple(index - span.start for index, span in zip(seed, box, strict=True))
    from_seed = distances_mm(inside.shape, place, spacing_mm=spacing_mm)
    scores = _all_z_scores(
        {name: images[name][box] for name in shown}, spacing_mm, radius_mm=config.radius_mm
    )
    typical = np.median(scores[:, from_seed <= CORE_MM], axis=1)
    return Scene(
        scores=scores,
        typical=typical,
        unlike=np.sqrt(((scores - typical[:, None, None, None]) ** 2).sum(axis=0)),
        reach=((from_seed <= config.radius_mm) | inside) & ~outside,
        inside=inside,
        outside=outside,
        seed=(place[0], place[1], place[2]),
        spacing_mm=spacing_mm,
        box=box,
        image_shape=shape,
    )


def distances_mm(shape: tuple[int, ...], seed: tuple[int, ...], *, spacing_mm: Spacing) -> Floats:
    """Distance of each voxel ``(Z, Y, X)`` from the voxel `seed`."""
    lines = [(np.arange(n) - at) * mm for n, at, mm in zip(shape, seed, spacing_mm, strict=True)]
    z, y, x = np.ix_(*lines)
    return np.asarray(np.sqrt(z**2 + y**2 + x**2), np.float32)


def _painted(strokes: Strokes, shape: tuple[int, ...]) -> tuple[Mask, Mask]:
    nothing = np.zeros(shape, bool)
    inside, outside = (nothing if mask is None else mask > 0 for mask in (strokes.inside, strokes.outside))
    for mask in (inside, outside):
        if mask.shape != shape:
            raise SettingsError(f"The strokes have {mask.shape} voxels, the image has {shape}.")
    n_both = int(np.count_nonzero(inside & outside))
    if n_both:
        raise SettingsError(f"{n_both} voxels are painted as inside and as outside; erase one of the two.")
    return inside, outside


def _box(shape: tuple[int, ...], seed: Index, *, spacing_mm: Spacing, radius_mm: float, inside: Mask) -> Box:
    """Return the box that holds the ball about the click and the strokes inside, within the image."""
    painted = bounding_box(inside) or tuple(slice(at, at + 1) for at in seed)
    spans = []
    for n, at, mm, strokes in zip(shape, seed, spacing_mm, painted, strict=True):
        # Rounding must not decide whether a voxel at exactly the radius belongs to the box.
        reach = int(radius_mm / mm + 1e-6)
        spans.append(slice(max(0, min(at - reach, strokes.start)), min(n, max(at + reach + 1, strokes.stop))))
    return (spans[0], spans[1], spans[2])


def _all_z_scores(images: Mapping[Sequence, Voxels], spacing_mm: Spacing, *, radius_mm: float) -> Floats:
    for name, voxels in images.items():
        if not np.isfinite(voxels).all():
            raise SettingsError(
                f"Some voxels of the {name} image near the click are not numbers; mend it first."
            )
    found = [z_scores(voxels, spacing_mm) for voxels in images.values()]
    seen = [scores for scores in found if scores is not None]
    if not seen:
        raise SettingsError(
            f"Within {radius_mm:g} mm of the click the image has one value only; click elsewhere, or choose "
            "a larger radius."
        )
    return np.stack(seen) / np.float32(np.sqrt(len(seen)))


def check_seed(images: Mapping[Sequence, Voxels], seed: Index) -> None:
    """Refuse a click outside of the image or in air, by `SettingsError`."""
    shape = next(iter(images.values())).shape
    if any(voxels.shape != shape for voxels in images.values()):
        raise SettingsError("The images do not lie on one grid; load them as one case.")
    if not all(0 <= at < n for at, n in zip(seed, shape, strict=True)):
        raise SettingsError(f"The click at voxel {seed} lies outside of the image, which has {shape} voxels.")
    if all(_is_air(voxels, seed) for voxels in images.values()):
        raise SettingsError(
            f"The click at voxel {seed} lies in the air about the patient; click into the zone."
        )


def _is_air(voxels: Voxels, seed: Index) -> bool:
    """Whether the click lies in darkness that reaches the border of the image."""
    from skimage.filters import threshold_otsu

    thinned = voxels[::2, ::4, ::4]
    low = float(np.percentile(thinned, 1))
    # As one row: an image with an edge of 3 or 4 voxels would be taken for colours.
    bright = thinned[thinned > threshold_otsu(thinned.ravel())]
    dark = low + AIR_SHARE * ((float(bright.mean()) if bright.size else low) - low)
    near = tuple(slice(max(0, at - 1), at + 2) for at in seed)
    if not voxels[near].mean() < dark:
        return False
    components, _ = ndimage.label(voxels < dark)
    ends = [components.take(end, axis) for axis in range(3) for end in (0, -1)]
    outer = np.unique(np.concatenate([end.ravel() for end in ends]))
    return bool(np.isin(components[near], outer[outer > 0]).any())


def z_scores(voxels: Voxels, spacing_mm: Spacing) -> Floats | None:
    """Smooth an image ``(Z, Y, X)`` by 0.7 mm, subtract the median of its tissue, divide by its deviation.

    The z-scores lie from -5 to 5; None if all voxels have one value.
    """
    smooth = ndimage.gaussian_filter(voxels.astype(np.float32), SMOOTH_MM / np.asarray(spacing_mm))
    tissue = _tissue(smooth)
    middle, deviation = float(np.median(tissue)), _deviation(smooth, tissue)
    if deviation <= 1e-6 * max(1.0, abs(middle)):
        return None
    return np.asarray(np.clip((smooth - middle) / deviation, -MOST_Z, MOST_Z), np.float32)


def _tissue(voxels: Floats) -> Floats:
    low, high = np.percentile(voxels, (1, 99))
    tissue: Floats = voxels[voxels > low + DARK_SHARE * (high - low)]
    return tissue if len(tissue) else voxels.ravel()


def _deviation(voxels: Floats, tissue: Floats) -> float:
    """Winsorised deviation of the tissue; where all of it has one value (a drawing), that of all voxels."""
    ends = np.percentile(tissue, (TAILS_PERCENT, 100 - TAILS_PERCENT))
    return float(np.clip(tissue, *ends).std()) or float(voxels.std())
