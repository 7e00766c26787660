"""Edits of a mask: which voxels a tool covers, and what it changes, as a value to be shown and journalled."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from napari_necroseg.core.errors import SettingsError
from napari_necroseg.core.masks.components import Box, Mask, Shape, bounding_box
from napari_necroseg.core.volume import Voxels

Indices = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]
Spacing = tuple[float, float, float]
Point = tuple[float, float, float]
Floats = NDArray[np.float64]

# See `reshape`: distances are sums of decimal fractions.
_ROUNDING_MM = 1e-6


@dataclass(frozen=True, kw_only=True, eq=False)
class Edit:
    """The voxels of a box before and after."""

    box: Box  # The smallest that holds every voxel that changed
    # ``(Z, Y, X)`` of the box; copies, of the dtype of the labels.
    before: Voxels
    after: Voxels

    @cached_property
    def changed(self) -> Mask:
        """Where in the box the voxels differ."""
        return np.asarray(self.before != self.after)

    def indices(self) -> Indices:
        """Slices, rows and columns of the changed voxels, in the whole image: for ``Labels.data_setitem``."""
        z, y, x = (found + part.start for found, part in zip(np.nonzero(self.changed), self.box, strict=True))
        return (z, y, x)

    def values(self) -> Voxels:
        """The new values of the changed voxels, in the order of `indices`."""
        return self.after[self.changed]

    def added_ml(self, voxel_ml: float) -> float:
        """By how much the volume grew; negative where it shrank. What is not 0 is inside."""
        return (int(np.count_nonzero(self.after)) - int(np.count_nonzero(self.before))) * voxel_ml


def edit_between(before: Voxels, after: Voxels) -> Edit | None:
    """Return what changed from one mask ``(Z, Y, X)`` to another; None if nothing did.

    The dtype of `before` is that of the labels; `after` may be bool.
    """
    box = changed_box(before, after)
    if box is None:
        return None
    return Edit(box=box, before=before[box].copy(), after=after[box].astype(before.dtype))


def changed_box(before: Voxels, after: Voxels) -> Box | None:
    """Return the smallest box that holds every difference of two masks ``(Z, Y, X)``; None without any."""
    return bounding_box(np.asarray(before != after))


def copy_slice(mask: Mask, *, source: int, target: int) -> Mask:
    """Return a mask ``(Z, Y, X)`` in which slice `target` is a copy of slice `source`.

    Raises `SettingsError` if there is no such slice, or nothing to copy on the source.
    """
    for number in (source, target):
        if not 0 <= number < len(mask):
            raise SettingsError(f"There is no slice {number}; this mask has slices 0 to {len(mask) - 1}.")
    if not mask[source].any():
        raise SettingsError(f"Slice {source} has no contour to copy; draw one, or choose another slice.")
    copied = mask.copy()
    copied[target] = mask[source]
    return copied


def erase_box(mask: Mask, box: Box) -> Mask:
    """Return a mask ``(Z, Y, X)`` with nothing inside a box."""
    erased = mask.copy()
    erased[box] = False
    return erased


def swap_box(mask: Mask, box: Box) -> Mask:
    """Return a mask ``(Z, Y, X)`` in which inside and outside have changed places within a box."""
    swapped = mask.copy()
    swapped[box] = ~mask[box]
    return swapped


def disk_mm(
    spacing_mm: Spacing, centre_index: Point, *, radius_mm: float, shape: Shape, in_3d: bool = False
) -> tuple[Box, Mask]:
    """Return what one touch of the brush covers.

    A voxel is covered if its centre is no further than the radius from that of the brush, which may lie
    between voxels: in a ball, or in the slice nearest to it. The result is the slices, rows and columns of an
    image of this shape that the brush reaches (none where it is beside the image), and which of their voxels
    it covers.
    """
    lengths, centre = np.asarray(spacing_mm), np.asarray(centre_index, np.float64)
    reach = np.full(3, radius_mm + _ROUNDING_MM) / lengths
    if not in_3d:
        centre[0], reach[0] = math.floor(centre[0] + 0.5), 0
    box = _whole_box(centre - reach, centre + reach, shape=shape)
    voxels = np.stack(np.meshgrid(*(np.arange(part.start, part.stop) for part in box), indexing="ij"), -1)
    distance_mm = np.sqrt(((voxels * lengths - centre * lengths) ** 2).sum(axis=-1))
    return box, distance_mm <= radius_mm + _ROUNDING_MM


def within_range(image: Voxels, *, low: float, high: float) -> Mask:
    """Return where an image, or a box of it, is from `low` to `high`, both included; nan never is."""
    return np.asarray((image >= low) & (image <= high))


def _whole_box(first: Floats, last: Floats, *, shape: Shape) -> Box:
    """Return the box of the whole indices from first to last that an image has."""
    z, y, x = (
        slice(start := min(max(math.ceil(low), 0), n), max(min(math.floor(high) + 1, n), start))
        for low, high, n in zip(first, last, shape, strict=True)
    )
    return (z, y, x)
