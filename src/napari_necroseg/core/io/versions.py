"""Save a mask where one may lie already, and keep the earlier one beside it."""

from pathlib import Path

from napari_necroseg.core.io.case_files import CaseOutput, write_case
from napari_necroseg.core.volume import Origin, Voxels


def save_mask_version(path: Path, voxels: Voxels, origin: Origin) -> Path | None:
    """Save a mask onto the grid of its file; an earlier mask of that name is kept.

    Parameters
    ----------
    path
        Where the mask goes; what is there now is copied to ``<name>_earlier-001.nii.gz`` (or the next free
        number) first, and so is its record, which is not of the new mask.
    voxels
        ``(Z, Y, X)`` in working order.
    origin
        The ceT1 file that the mask belongs to.

    Returns
    -------
    Path or None
        The copy of the earlier mask, if there was one.

    Raises
    ------
    ResourceError
        If the folder cannot be written to or the disk is full; nothing has changed then.
    """
    earlier = write_case(CaseOutput(path=path, mask=voxels, origin=origin), keeps_all=True)
    return None if earlier is None else earlier.kept
