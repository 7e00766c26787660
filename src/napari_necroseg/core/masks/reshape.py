"""Reshapes a mask in millimetres: grows, shrinks and smooths it, and fills the slices between contours.

Shape-based interpolation: Raya and Udupa, "Shape-based interpolation of multidimensional objects", IEEE
Trans Med Imaging 9 (1990) 32-42; Herman, Zheng and Bucholtz, "Shape-based interpolation", IEEE Comput Graph
Appl 12 (1992) 69-79, whose object-centred variant is used where two outlines do not overlap.
"""

import math
from itertools import pairwise

import numpy as np
import scipy  # loads its parts at their first use: opening the panel does not wait for them
from numpy.typing import NDArray

from napari_necroseg.core.errors import SettingsError
from napari_necroseg.core.masks.components import Box, Mask, bounding_box, widened

Spacing = tuple[float, float, float]
Floats = NDArray[np.float32]
FURTHEST_MM = 50.0
SMOOTHEST_MM = 5.0

# Distances are sums of decimal fractions: two voxels of 0.8 mm are 1.6 mm apart, whatever the last bit says.
_ROUNDING_MM = 1e-6

# Weights beyond this many standard deviations are left out.
_REACH = 3.0

# A blurred mask is one half at a straight outline; the level that keeps its volume is hardly ever this low.
_FAR_OUTSIDE = 0.1
Floats64 = NDArray[np.float64]


def grow(mask: Mask, spacing_mm: Spacing, *, mm: float, per_slice: bool = False) -> Mask:
    """Return a mask ``(Z, Y, X)``, grown or shrunk by a distance.

    Grown, a voxel is inside if its centre is no further than `mm` from the centre of a voxel of the mask.
    Negative shrinks: a voxel stays inside if its centre is further than that from the centre of every voxel
    outside; what lies beyond the border of the image counts as inside, so that a zone that the image cuts off
    is not shrunk there. Less than the spacing changes nothing along that axis. `per_slice` grows each slice
    on its own. Raises `SettingsError` if `mm` is not within 50 mm of 0.
    """
    if not abs(mm) <= FURTHEST_MM:
        raise SettingsError(
            f"A mask can be grown or shrunk by up to {FURTHEST_MM:g} mm; choose less than {mm:g}."
        )
    box = bounding_box(mask)
    if box is None or mm == 0:
        return mask.copy()
    # With slices further apart than the distance, none reaches another.
    sampling = (2 * abs(mm) + 1, *spacing_mm[1:]) if per_slice else spacing_mm
    reach = _voxels(max(mm, 0.0), sampling) if mm > 0 else (1, 1, 1)
    part = widened(box, reach, shape=mask.shape)
    changed = mask.copy()
    inside = mask[part]
    changed[part] = _within(inside, sampling, mm=mm) if mm > 0 else ~_within(~inside, sampling, mm=-mm)
    return changed


def smooth(mask: Mask, spacing_mm: Spacing, *, mm: float, per_slice: bool = False) -> Mask:
    """Return a mask ``(Z, Y, X)`` with a smoother outline, at the same volume.

    The mask is blurred by a Gaussian. Parts that then stay below one half, such as single voxels and threads,
    are removed. Of the rest, the highest values are inside, as many as there were voxels, so that a ball does
    not shrink as it would at the level of one half (by a share of 3 mm^2 / radius^2). Equal values at that
    level are in or out together, whichever is nearer.

    `mm` is the standard deviation of the Gaussian; roughness finer than about twice this goes. `per_slice`
    smooths each slice on its own, at its own area. Raises `SettingsError` if `mm` is not above 0 and at most
    5.
    """
    if not 0 < mm <= SMOOTHEST_MM:
        raise SettingsError(
            f"A mask can be smoothed by 0.1 to {SMOOTHEST_MM:g} mm; {mm:g} mm is not in between."
        )
    smoothed = np.zeros_like(mask)
    box = bounding_box(mask)
    if box is None:
        return smoothed
    sigma = tuple(mm / length for length in spacing_mm)
    reach = _voxels(_REACH * mm, spacing_mm)
    part = widened(box, (0, *reach[1:]) if per_slice else reach, shape=mask.shape)
    inside = mask[part]
    if per_slice:
        blurred = _blurred(inside, (0.0, *sigma[1:]))
        outlines = zip(inside, blurred, strict=True)
        smoothed[part] = [_smoothed(outline, values, sigma=sigma[1:]) for outline, values in outlines]
    else:
        smoothed[part] = _smoothed(inside, _blurred(inside, sigma), sigma=sigma)
    return smoothed


def _voxels(mm: float, spacing_mm: Spacing) -> tuple[int, int, int]:
    """Return how many voxels a distance reaches along each axis."""
    z, y, x = (math.floor((mm + _ROUNDING_MM) / length) for length in spacing_mm)
    return (z, y, x)


def _within(mask: Mask, spacing_mm: Spacing, *, mm: float) -> Mask:
    if not mask.any():
        return mask
    distance_mm = scipy.ndimage.distance_transform_edt(~mask, sampling=spacing_mm)
    return np.asarray(distance_mm <= mm + _ROUNDING_MM)


def _smoothed(mask: Mask, blurred: Floats, *, sigma: tuple[float, ...]) -> Mask:
    """Smooth ``(Z, Y, X)`` or one slice ``(Y, X)``, which was blurred by `sigma` in voxels."""
    parts, n = scipy.ndimage.label(mask, np.ones((3,) * mask.ndim, bool))
    highest = np.zeros(n + 1, np.float32)
    np.maximum.at(highest, parts[mask], blurred[mask])
    stays = highest >= 0.5
    kept = stays[parts]
    if not kept.any():
        return kept
    if not stays[1:].all():
        blurred = _blurred(kept, sigma)
    return _highest(blurred, int(np.count_nonzero(kept)))


def _blurred(mask: Mask, sigma: tuple[float, ...]) -> Floats:
    blurred = mask.astype(np.float32)
    for axis, of_axis in enumerate(sigma):
        if not of_axis:
            continue
        # The outermost voxel is repeated beyond the border of the image: a zone cut off there stays cut.
        weights = scipy.ndimage.gaussian_filter1d(
            np.eye(mask.shape[axis], dtype=np.float32), of_axis, axis=0, mode="nearest", truncate=_REACH
        )
        # One matrix product: a third of the time of a filter whose weights reach over 30 voxels.
        blurred = np.moveaxis(np.tensordot(weights, blurred, (1, axis)), 0, axis)
    return np.ascontiguousarray(blurred)


def _highest(values: Floats, number: int) -> Mask:
    """Return where the highest values are: `number` of them, or as near to that as equal values allow."""
    # Most voxels are far from the outline, and need not be put in order.
    candidates = values[values > _FAR_OUTSIDE]
    if candidates.size < number:
        candidates = values.ravel()
    level = np.partition(candidates, candidates.size - number)[candidates.size - number]
    # Symmetric voxels get equal values but for the last bits of their sums.
    with_level, without = values >= level - 1e-6, values > level + 1e-6
    excess, lack = int(with_level.sum()) - number, number - int(without.sum())
    return np.asarray(with_level if excess <= lack else without)


def interpolate(mask: Mask, spacing_mm: Spacing) -> Mask:
    """Fill every empty slice between two contoured slices of a mask ``(Z, Y, X)``; these stay as they are.

    A voxel of a filled slice is inside where the mean of the signed distances to the two outlines, weighted
    by how near they are, is positive. Outlines that do not overlap are first moved along the line between
    their centres, so that no slice between two contoured ones is empty.
    """
    filled = mask.copy()
    contoured = np.flatnonzero(mask.any(axis=(1, 2)))
    for below, above in pairwise(map(int, contoured)):
        if above - below > 1:
            _fill_between(filled, (below, above), spacing_mm=spacing_mm[1:])
    return filled


def _fill_between(mask: Mask, ends: tuple[int, int], *, spacing_mm: tuple[float, float]) -> None:
    """Fill the slices between two that are contoured, in place."""
    below, above = ends
    shift = np.zeros(2)
    if not (mask[below] & mask[above]).any():
        shift = _centre(mask[above]) - _centre(mask[below])
    _, y, x = _box_of_both(mask, ends, shift=shift)
    outlines = (mask[below, y, x], mask[above, y, x])
    in_place = [_signed_distance_mm(outline, spacing_mm) for outline in outlines]
    for number in range(below + 1, above):
        share = (number - below) / (above - below)
        distances = in_place
        if shift.any():
            moved = (_moved(outlines[0], share * shift), _moved(outlines[1], (share - 1) * shift))
            distances = [_signed_distance_mm(outline, spacing_mm) for outline in moved]
        distance_mm = (1 - share) * distances[0] + share * distances[1]
        # Half-way between a ring and a dot no voxel may be inside; the nearest to it then stand for it.
        mask[number, y, x] = distance_mm > 0 if distance_mm.max() > 0 else distance_mm == distance_mm.max()


def _box_of_both(mask: Mask, ends: tuple[int, int], *, shift: Floats64) -> Box:
    """Return what holds both outlines, wherever they are moved to."""
    both = (mask[ends[0]] | mask[ends[1]])[np.newaxis]
    box = bounding_box(both)
    assert box is not None
    rows, columns = (int(np.ceil(abs(length))) + 1 for length in shift)
    return widened(box, (0, rows, columns), shape=both.shape)


def _centre(outline: Mask) -> Floats64:
    centre: Floats64 = np.argwhere(outline).mean(axis=0)
    return centre


def _moved(outline: Mask, by: Floats64) -> Mask:
    """Move an outline ``(Y, X)`` by whole voxels; what leaves the box is lost."""
    target = np.argwhere(outline) + np.round(by).astype(int)
    target = target[((target >= 0) & (target < outline.shape)).all(axis=1)]
    moved = np.zeros_like(outline)
    moved[tuple(target.T)] = True
    return moved


def _signed_distance_mm(outline: Mask, spacing_mm: tuple[float, float]) -> Floats64:
    """Distance of each voxel of ``(Y, X)`` to the nearest on the other side; positive inside."""
    # A frame of background, also at the border of the image: a slice may be filled to its edges.
    padded = np.pad(outline, 1)
    inside = scipy.ndimage.distance_transform_edt(padded, sampling=spacing_mm)
    outside = scipy.ndimage.distance_transform_edt(~padded, sampling=spacing_mm)
    signed: Floats64 = (inside - outside)[1:-1, 1:-1]
    return signed
