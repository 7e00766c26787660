"""Values as files hold them, made fit for use: finite images and masks with one label."""

import math

import numpy as np

from napari_necroseg.core.errors import FileError
from napari_necroseg.core.volume import Voxels

# Masks are also stored as 255 with a float32 slope of 1/255, which gives nearly 1.
SCALING_TOLERANCE = 1e-6


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


def one_label(voxels: Voxels, name: str) -> tuple[Voxels, tuple[str, ...]]:
    """Turn voxels with one label into a uint8 mask, 0 and 1, of the same memory layout.

    Raises
    ------
    FileError
        For fractional values, or for more labels than one.
    """
    voxels, notes = finite_or_zero(voxels, name) if voxels.dtype.kind == "f" else (voxels, ())
    inside = voxels != 0
    values = voxels[inside]
    if not values.size:
        return inside.astype(np.uint8, order="K"), notes
    if (values != values[0]).any():
        _refuse_values(np.unique(values), name)
    label = round(float(values[0]))
    if not math.isclose(label, values[0], rel_tol=SCALING_TOLERANCE):
        _refuse_values(values[:1], name)
    if label not in (1, 255):
        notes += (f"{name}: its only label is {label}; it was taken as the mask.",)
    return inside.astype(np.uint8, order="K"), notes


def _refuse_values(values: Voxels, name: str) -> None:
    shown = ", ".join(f"{value:g}" for value in values[:6]) + (", ..." if len(values) > 6 else "")
    if (values != np.round(values)).any():
        raise FileError(
            f"{name} is not a mask: it has fractional values ({shown}). Save a mask of 0 and 1, not a "
            "probability or a resampled image."
        )
    raise FileError(
        f"{name} has {len(values)} labels ({shown}), but a mask with one is needed; save the structure "
        "that is meant on its own."
    )
