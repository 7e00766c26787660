"""A slice or a box of a mask, copied, erased or turned inside out."""

from napari_necroseg.core.errors import SettingsError
from napari_necroseg.core.masks.boxes import Box
from napari_necroseg.core.masks.clean import Mask


def copy_slice(mask: Mask, *, source: int, target: int) -> Mask:
    """Return a mask ``(Z, Y, X)`` in which one slice is as another.

    Raises
    ------
    SettingsError
        If there is no such slice, or nothing to copy on the source.
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
