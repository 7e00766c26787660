"""Where masks lie that were drawn or corrected in a project: ``labels/<case>.nii.gz``."""

from pathlib import Path

import numpy as np

from napari_necroseg.core.casename import named_file
from napari_necroseg.core.errors import NecrosegError
from napari_necroseg.core.volume import Grid, Voxels

LABELS_FOLDER = "labels"
TUMOUR_SUFFIX = "_tumour"
DRAFTS_FOLDER = "drafts"


def corrected_path(labels: Path, case: str, *, is_tumour: bool = False) -> Path:
    """Return where the corrected mask of a case is, however the disk has its name, or would be."""
    return named_file(labels, f"{case}{TUMOUR_SUFFIX if is_tumour else ''}.nii.gz")


def draft_path(labels: Path, case: str) -> Path:
    """Return where a mask that is being corrected is written now and then, until it is saved."""
    # In a folder of its own: no name of a case can be that of a draft.
    return named_file(labels / DRAFTS_FOLDER, f"{case}.nii.gz")


def saved_voxels(labels: Path, case: str, grid: Grid) -> Voxels | None:
    """Read the mask of a case that is on disk, ``(Z, Y, X)`` on its grid; None if that cannot be done."""
    # Where a mask is read it is asked whether this program keeps it.
    from napari_necroseg.core.io.onto import read_mask_on

    path = corrected_path(labels, case)
    if not path.exists():
        return None
    try:
        mask = read_mask_on(path, grid, is_own=True)
    except NecrosegError:
        return None
    return None if mask.was_resampled else np.ascontiguousarray(mask.volume.voxels)
