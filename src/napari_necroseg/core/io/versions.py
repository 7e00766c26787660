"""Save a mask where one may lie already, and keep the earlier one beside it."""

from itertools import count
from pathlib import Path

from napari_necroseg.core.files import copy_file
from napari_necroseg.core.io.file_image import image_stem, image_suffix
from napari_necroseg.core.io.save import save_mask
from napari_necroseg.core.volume import Origin, Voxels


def save_mask_version(path: Path, voxels: Voxels, origin: Origin) -> Path | None:
    """Save a mask onto the grid of its file; an earlier mask of that name is kept.

    Parameters
    ----------
    path
        Where the mask goes; what is there now is copied to ``<name>_earlier-001.nii.gz`` (or the next free
        number) first.
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
    if not path.exists():
        save_mask(path, voxels, origin)
        return None
    earlier = _free_name(path)
    try:
        copy_file(path, earlier)
        save_mask(path, voxels, origin)
    except BaseException:
        earlier.unlink(missing_ok=True)
        raise
    return earlier


def _free_name(path: Path) -> Path:
    stem, suffix = image_stem(path), image_suffix(path)
    names = (path.with_name(f"{stem}_earlier-{number:03d}{suffix}") for number in count(1))
    return next(name for name in names if not name.exists())
