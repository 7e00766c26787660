"""Masks that were drawn or corrected in a project: ``labels/<case>.nii.gz``, in place of the cohort's."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from napari_necroseg.core.case import CaseFiles, Cohort
from napari_necroseg.core.casename import named_file
from napari_necroseg.core.errors import CohortError, NecrosegError
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


def corrected_cases(cohort: Cohort, labels: Path) -> tuple[str, ...]:
    """Return the names of the cases with a corrected mask, in the order of the table."""
    there = _there(labels)
    return tuple(files.name for files in cohort if _with_corrected(files, labels, there) != files)


def with_corrected(cohort: Cohort, labels: Path) -> Cohort:
    """Put corrected masks in the place of the cohort's; a case without one keeps what it has.

    Parameters
    ----------
    cohort
        Cases, with or without masks.
    labels
        The folder of the corrected masks: ``<case>.nii.gz`` a reference, ``<case>_tumour.nii.gz`` a tumour.

    Raises
    ------
    CohortError
        If the folder holds no mask of any of the cases.
    """
    if not corrected_cases(cohort, labels):
        raise CohortError(
            f"{labels} holds no mask of any of the {len(cohort)} cases; a corrected mask of a case is called "
            f"{corrected_path(labels, 'CASE').name}, with the case's name in it."
        )
    there = _there(labels)
    return replace(cohort, cases=tuple(_with_corrected(files, labels, there) for files in cohort))


def _with_corrected(files: CaseFiles, labels: Path, there: frozenset[str]) -> CaseFiles:
    reference, tumour = (
        corrected_path(labels, files.name, is_tumour=is_tumour) for is_tumour in (False, True)
    )
    if reference.name in there:
        files = replace(files, reference=reference, own_masks=files.own_masks | {"reference"})
    if tumour.name in there:
        files = replace(files, tumour=tumour, own_masks=files.own_masks | {"tumour"})
    return files


def _there(labels: Path) -> frozenset[str]:
    """List the folder once: to ask for each case takes long on a network drive."""
    return frozenset(path.name for path in labels.iterdir()) if labels.is_dir() else frozenset()
