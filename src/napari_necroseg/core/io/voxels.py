"""Values as files hold them, made fit for use: finite images and masks with one label."""

import numpy as np

from napari_necroseg.core.errors import FileError
from napari_necroseg.core.volume import Voxels

# A mask stored as 255 with a float32 slope of 1/255 gives nearly 1, and other arithmetic is coarser. Of a
# label, as a share, since rounding grows with the number; never so much that a half could be meant.
WHOLE_TOLERANCE = 1e-3
MOST_WHOLE_TOLERANCE = 0.05


def finite_or_zero(voxels: Voxels, name: str) -> tuple[Voxels, tuple[str, ...]]:
    """Replace NaN and infinity by 0; a note counts them."""
    finite = np.isfinite(voxels)
    if finite.all():
        return voxels, ()
    n_replaced = int(voxels.size - np.count_nonzero(finite))
    if n_replaced == voxels.size:
        raise FileError(f"{name} holds no number at all (every voxel is NaN or infinite); export it again.")
    replaced = np.where(finite, voxels, np.asarray(0, dtype=voxels.dtype))
    were = "voxel was" if n_replaced == 1 else "voxels were"
    return replaced, (f"{name}: {n_replaced} {were} not a finite number and became 0.",)


def one_label(voxels: Voxels, name: str, *, is_own: bool = False) -> tuple[Voxels, tuple[str, ...]]:
    """Turn voxels with one label into a uint8 mask, 0 and 1, of the same memory layout.

    Parameters
    ----------
    voxels
        What is nearly a whole number counts as that.
    name
        Of the file, for notes and errors.
    is_own
        Whether any label is inside; else there must be one.

    Raises
    ------
    FileError
        For fractional values, or for more labels than one.
    """
    voxels, notes = finite_or_zero(voxels, name) if voxels.dtype.kind == "f" else (voxels, ())
    whole = _whole(voxels, name) if voxels.dtype.kind == "f" else voxels
    inside = whole != 0
    values = whole[inside]
    mask = inside.astype(np.uint8, order="K")
    if is_own or not values.size:
        return mask, notes
    if (values != values[0]).any():
        _refuse_labels(np.unique(values), name)
    label = int(values[0])
    if label not in (1, 255):
        notes += (f"{name}: its only label is {label}; it was taken as the mask.",)
    return mask, notes


def _whole(voxels: Voxels, name: str) -> Voxels:
    """Round what is nearly whole: scaling by a slope and other programs' arithmetic miss the number."""
    whole = np.round(voxels)
    tolerance = np.clip(np.abs(whole) * WHOLE_TOLERANCE, WHOLE_TOLERANCE, MOST_WHOLE_TOLERANCE)
    is_fractional = np.abs(voxels - whole) > tolerance
    if is_fractional.any():
        values = np.unique(voxels[is_fractional])
        raise FileError(
            f"{name} is not a mask: it has fractional values ({_shown(values)}). Save a mask of 0 and 1, not "
            "a probability or a resampled image."
        )
    return whole


def _refuse_labels(labels: Voxels, name: str) -> None:
    raise FileError(
        f"{name} has {len(labels)} labels ({_shown(labels)}), but a mask with one is needed; save the "
        "structure that is meant on its own."
    )


def _shown(values: Voxels) -> str:
    return ", ".join(f"{value:.6g}" for value in values[:6]) + (", ..." if len(values) > 6 else "")
