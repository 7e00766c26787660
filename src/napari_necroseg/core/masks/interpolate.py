"""Contours on some slices, and what lies between them.

Shape-based interpolation: Raya and Udupa, "Shape-based interpolation of multidimensional objects", IEEE
Trans Med Imaging 9 (1990) 32-42; Herman, Zheng and Bucholtz, "Shape-based interpolation", IEEE Comput Graph
Appl 12 (1992) 69-79, whose object-centred variant is used where two outlines do not overlap.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_necroseg.core.errors import SettingsError
from napari_necroseg.core.masks.boxes import Box, bounding_box, widened
from napari_necroseg.core.masks.clean import Mask

Spacing = tuple[float, float, float]
InPlane = tuple[float, float]
Floats = NDArray[np.float64]


def interpolate(mask: Mask, spacing_mm: Spacing, *, between: tuple[int, int] | None = None) -> Mask:
    """Fill every empty slice between two slices that have voxels; those that have stay as they are.

    Parameters
    ----------
    mask
        ``(Z, Y, X)``; stays as it is.
    spacing_mm
        Voxel spacing along the three axes.
    between
        First and last slice to look at, both included; all slices if not given.

    Returns
    -------
    ndarray
        ``(Z, Y, X)``, bool. A voxel of a filled slice is inside where the signed distance to the outline,
        weighted by the distance to the two contoured slices, is. Outlines that do not overlap are first
        moved along the line between their centres, so that no slice between two contoured ones is empty.

    Raises
    ------
    SettingsError
        If `between` is no range of slices of the mask.
    """
    first, last = _checked(between, len(mask))
    filled = mask.copy()
    box = bounding_box(mask)
    if box is None:
        return filled
    z, y, x = box
    start, stop = max(first, z.start), min(last + 1, z.stop)
    contoured = start + np.flatnonzero(mask[start:stop, y, x].any(axis=(1, 2)))
    for below, above in pairwise(map(int, contoured)):
        if above - below > 1:
            _fill_between(filled, (below, above), spacing_mm[1:])
    return filled


def _checked(between: tuple[int, int] | None, slices: int) -> tuple[int, int]:
    first, last = between or (0, slices - 1)
    if not 0 <= first <= last < slices:
        raise SettingsError(
            f"Slices {first} to {last} are no range of this mask, whose slices are 0 to {slices - 1}; choose "
            "the lower number first."
        )
    return first, last


def _fill_between(mask: Mask, ends: tuple[int, int], spacing_mm: InPlane) -> None:
    """Fill the slices between two that are contoured, in place."""
    below, above = ends
    shift = np.zeros(2)
    if not (mask[below] & mask[above]).any():
        shift = _centre(mask[above]) - _centre(mask[below])
    _, y, x = _box_of_both(mask, ends, shift)
    outlines = (mask[below, y, x], mask[above, y, x])
    in_place = [_signed_distance_mm(outline, spacing_mm) for outline in outlines]
    for number in range(below + 1, above):
        share = (number - below) / (above - below)
        distances = in_place
        if shift.any():
            moved = (_moved(outlines[0], share * shift), _moved(outlines[1], (share - 1) * shift))
            distances = [_signed_distance_mm(outline, spacing_mm) for outline in moved]
        distance_mm = (1 - share) * distances[0] + share * distances[1]
        # A ring about a dot has no voxel inside half-way; what is nearest to it stands for it.
        mask[number, y, x] = distance_mm > 0 if distance_mm.max() > 0 else distance_mm == distance_mm.max()


def _box_of_both(mask: Mask, ends: tuple[int, int], shift: Floats) -> Box:
    """Return what holds both outlines, wherever they are moved to."""
    both = (mask[ends[0]] | mask[ends[1]])[np.newaxis]
    box = bounding_box(both)
    assert box is not None
    rows, columns = (int(np.ceil(abs(length))) + 1 for length in shift)
    return widened(box, (0, rows, columns), both.shape)


def _centre(outline: Mask) -> Floats:
    centre: Floats = np.argwhere(outline).mean(axis=0)
    return centre


def _moved(outline: Mask, by: Floats) -> Mask:
    """Move an outline ``(Y, X)`` by whole voxels; what leaves the box is lost."""
    target = np.argwhere(outline) + np.round(by).astype(int)
    target = target[((target >= 0) & (target < outline.shape)).all(axis=1)]
    moved = np.zeros_like(outline)
    moved[tuple(target.T)] = True
    return moved


def _signed_distance_mm(outline: Mask, spacing_mm: InPlane) -> Floats:
    """Distance of each voxel of ``(Y, X)`` to the nearest on the other side; positive inside."""
    # A frame of background, also at the border of the image: a slice may be filled to its edges.
    padded = np.pad(outline, 1)
    inside = ndimage.distance_transform_edt(padded, sampling=spacing_mm)
    outside = ndimage.distance_transform_edt(~padded, sampling=spacing_mm)
    signed: Floats = (inside - outside)[1:-1, 1:-1]
    return signed
