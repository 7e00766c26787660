"""Reads the record beside a mask, which says how the mask was made and is believed of that mask only.

``<case>.json`` beside ``<case>.nii.gz`` holds, under ``files``, the SHA-256 of that mask (of its bytes and of
its voxels) and of its ``_probability`` and ``_uncertainty``. If the mask has other voxels, it was changed
since: corrected, damaged, or replaced by another program. Records of earlier versions have no hash; they are
believed, and nobody can tell whether their mask was changed.

While the files of a case are being replaced (see `case_files`), the record is that of the new mask and holds,
under ``replaces``, that of the earlier one with the hash of its file. So a program that ends in between
leaves a mask with a true record.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from napari_necroseg.core.errors import NecrosegError
from napari_necroseg.core.files import file_sha256, read_json_quietly
from napari_necroseg.core.grids.orient import to_working
from napari_necroseg.core.images.file_image import image_stem
from napari_necroseg.core.images.read import read_mask
from napari_necroseg.core.volume import Grid, Volume

FILES, REPLACES, CORRECTED = "files", "replaces", "corrected_by_hand"

# A record holds names and settings; anything larger is something else.
_MOST_BYTES = 10_000_000

# Every record of this program has one of these entries; a JSON file of that name may be someone else's.
_OURS = ("model", "models", "model_cases", "trained_on", FILES)


class MaskState(StrEnum):
    """How a mask compares with the record beside it."""

    UNRECORDED = "unrecorded"
    """It has no record of this program."""
    UNTOLD = "untold"
    """Its record has no hash, so nobody can tell whether it was changed."""
    AS_WRITTEN = "as written"
    """Its record was written for exactly this mask."""
    CHANGED = "changed"
    """Its record was written for another mask."""


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """How a mask was made, as far as that is known."""

    state: MaskState  # How the mask compares with its record.
    # The part of the record that can be believed; empty for a mask that was changed since.
    record: Mapping[str, Any] = field(default_factory=dict)
    # The record as it is on disk, believed or not.
    stored: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_corrected(self) -> bool:
        """Whether its record says that a person has drawn on it."""
        return self.record.get(CORRECTED) is True

    @property
    def is_of_a_person(self) -> bool:
        """Whether it may hold a person's work, which the program cannot do again."""
        return self.state is not MaskState.AS_WRITTEN or self.is_corrected


def record_path(mask: Path) -> Path:
    """Return the path of a mask's record, which need not exist."""
    return mask.with_name(f"{image_stem(mask)}.json")


def read_record(mask: Path) -> dict[str, Any]:
    """Return the record beside a mask; empty if there is none, or it is another program's."""
    record = read_json_quietly(record_path(mask), _MOST_BYTES)
    return record if any(name in record for name in _OURS) else {}


def provenance_of(mask: Path) -> Provenance:
    """Return how a mask was made, after comparing it with its record."""
    record = read_record(mask)
    if not record:
        return Provenance(state=MaskState.UNRECORDED)
    try:
        digest = file_sha256(mask)
    except NecrosegError:
        return Provenance(state=MaskState.CHANGED, stored=record)
    stored = record_of(record, digest)
    state = _state(mask, digest, record=stored)
    believed = {} if state is MaskState.CHANGED else stored
    return Provenance(state=state, record=believed, stored=stored)


def record_of(record: Mapping[str, Any], digest: str) -> Mapping[str, Any]:
    """Return the part of a record that describes the mask with this hash: the new or the earlier one."""
    replaced = record.get(REPLACES)
    own = {name: value for name, value in record.items() if name != REPLACES}
    if isinstance(replaced, dict) and replaced.get("mask_sha256") == digest != hash_of(record, "mask"):
        earlier = replaced.get("record")
        return earlier if isinstance(earlier, dict) else {}
    return own


def hash_of(record: Mapping[str, Any], role: str, *, kind: str = "sha256") -> object:
    """Return the hash in a record of the mask, its probability or its uncertainty; None if it has none."""
    files = record.get(FILES)
    described = files.get(role) if isinstance(files, dict) else None
    return described.get(kind) if isinstance(described, dict) else None


def described(volume: Volume, content: bytes) -> dict[str, Any]:
    """Return the entry of a mask (a volume in working order, and its file's bytes) in its record."""
    return {
        "sha256": hashlib.sha256(content).hexdigest(),
        "voxels_sha256": _voxels_sha256(volume),
        "affine_ras": [[float(x) for x in row] for row in volume.grid.affine_ras],
    }


def _state(mask: Path, digest: str, *, record: Mapping[str, Any]) -> MaskState:
    if not record:
        return MaskState.UNRECORDED
    if hash_of(record, "mask") is None:
        return MaskState.UNTOLD
    if digest == hash_of(record, "mask") or _is_written_anew(mask, record):
        return MaskState.AS_WRITTEN
    return MaskState.CHANGED


def _is_written_anew(mask: Path, record: Mapping[str, Any]) -> bool:
    """Whether the file was only saved or zipped again: its voxels and their place are the same."""
    try:
        volume = to_working(read_mask(mask).volume)
        place = Grid(volume.voxels.shape, np.asarray(hash_of(record, "mask", kind="affine_ras"), float))
    except (NecrosegError, TypeError, ValueError):
        return False
    return _voxels_sha256(volume) == hash_of(record, "mask", kind="voxels_sha256") and place.matches(
        volume.grid
    )


def _voxels_sha256(volume: Volume) -> str:
    """Return the SHA-256 of which voxels are inside, whatever label they have."""
    inside = np.ascontiguousarray(volume.voxels != 0)
    return hashlib.sha256(repr(inside.shape).encode() + np.packbits(inside).tobytes()).hexdigest()
