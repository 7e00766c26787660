"""Which file or image it was: its hash."""

import hashlib
from pathlib import Path

import numpy as np

from napari_necroseg.core.volume import Volume


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def voxels_sha256(volume: Volume) -> str:
    """Return the SHA-256 of an image's voxels; a copy under another name, or zipped anew, has the same."""
    voxels = np.ascontiguousarray(volume.voxels)
    digest = hashlib.sha256(repr((voxels.shape, voxels.dtype.str)).encode())
    digest.update(voxels.data)
    return digest.hexdigest()
