"""Save a mask where one may lie already, and keep the earlier one beside it."""

import shutil
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from napari_necroseg.core.io.atomic import atomic_path
from napari_necroseg.core.io.file_image import image_stem, image_suffix
from napari_necroseg.core.io.hashes import file_sha256
from napari_necroseg.core.io.save import save_mask
from napari_necroseg.core.volume import Origin, Voxels


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A mask that was saved: the SHA-256 of its file, and the copy of the earlier mask if one was made."""

    sha256: str
    earlier: Path | None


def snapshot(path: Path, voxels: Voxels, origin: Origin, *, ours: str | None = None) -> Snapshot:
    """Save a mask, as often as an autosave does, without ever losing a version that a person had.

    Parameters
    ----------
    path, voxels, origin
        See `save_mask_version`, whose errors are raised, too.
    ours
        The SHA-256 that this session's last snapshot had. A file that still has it is that snapshot, which
        the new one replaces; any other is an earlier session's or another program's, and is kept beside
        the new one. No version is ever removed.
    """
    is_ours = ours is not None and path.exists() and file_sha256(path) == ours
    earlier = None
    if is_ours:
        save_mask(path, voxels, origin)
    else:
        earlier = save_mask_version(path, voxels, origin)
    return Snapshot(sha256=file_sha256(path), earlier=earlier)


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
        with atomic_path(earlier) as temporary:
            shutil.copy2(path, temporary)
        save_mask(path, voxels, origin)
    except BaseException:
        earlier.unlink(missing_ok=True)
        raise
    return earlier


def _free_name(path: Path) -> Path:
    stem, suffix = image_stem(path), image_suffix(path)
    names = (path.with_name(f"{stem}_earlier-{number:03d}{suffix}") for number in count(1))
    return next(name for name in names if not name.exists())
