"""What an operation changed in a mask, as a value: to be shown, journalled, done and undone."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from napari_necroseg.core.masks.boxes import Box, bounding_box
from napari_necroseg.core.masks.clean import Mask
from napari_necroseg.core.volume import Voxels

Indices = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Edit:
    """The voxels of a box before and after.

    Parameters
    ----------
    box
        The smallest that holds every voxel that changed.
    before, after
        ``(Z, Y, X)`` of the box; copies, of the dtype of the labels.
    """

    box: Box
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
        """What the changed voxels are now, in the order of `indices`."""
        return self.after[self.changed]

    def old_values(self) -> Voxels:
        """What the changed voxels were, in the order of `indices`."""
        return self.before[self.changed]

    def apply(self, voxels: Voxels) -> None:
        """Do the edit in place, on ``(Z, Y, X)``."""
        voxels[self.indices()] = self.values()

    def undo(self, voxels: Voxels) -> None:
        """Take the edit back in place, to the bit."""
        voxels[self.indices()] = self.old_values()

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
