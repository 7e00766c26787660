"""Saves the files of a case, which change together or not at all: mask, record, maps.

A map is a probability or an uncertainty. All files are first written under other names. While a mask is being
replaced, the record describes both masks (see `provenance`); maps of the earlier mask are removed before the
new mask appears, and its own maps appear after it. So a program that looks in between, or after this one was
killed there, finds a mask with a true record and no map of another mask.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from glob import escape
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from napari_necroseg.core.disk import disk
from napari_necroseg.core.errors import FileError, NecrosegError, unwritable
from napari_necroseg.core.files import beside, copy_file, file_sha256, fill, read_bytes, stage, writing_into
from napari_necroseg.core.grids.orient import to_working, working_grid
from napari_necroseg.core.images.file_image import image_stem, image_suffix
from napari_necroseg.core.images.nifti import holds_fractions
from napari_necroseg.core.images.read import read_mask
from napari_necroseg.core.images.save import labels_bytes, mask_bytes, probability_bytes
from napari_necroseg.core.output import sweep
from napari_necroseg.core.project.provenance import (
    CORRECTED,
    FILES,
    REPLACES,
    MaskState,
    Provenance,
    described,
    hash_of,
    provenance_of,
    read_record,
    record_path,
)
from napari_necroseg.core.volume import Origin, Volume, Voxels

MAPS = ("probability", "uncertainty")
_WHY = {
    MaskState.UNRECORDED: "was there already, and nothing says that this program made it",
    MaskState.UNTOLD: (
        "was written by an earlier version of this program, and nobody can tell whether it was drawn on since"
    ),
    MaskState.AS_WRITTEN: "was there already",
    MaskState.CHANGED: "was changed after it was written",
}


@dataclass(frozen=True, kw_only=True)
class Earlier:
    """A file, most often a mask, that was replaced and kept under another name."""

    replaced: Path
    # ``<name>_earlier-001.nii.gz`` or the next free number, with its record and maps beside it.
    kept: Path
    why: str  # The end of a sentence.

    def __str__(self) -> str:
        return f"{self.replaced.name} {self.why}; it is kept as {self.kept.name}."


@dataclass(frozen=True, kw_only=True, eq=False)
class CaseOutput:
    """The mask, the record and the maps of a case that are to be written."""

    path: Path  # ``.nii.gz`` or ``.nii``.
    mask: Voxels  # ``(Z, Y, X)`` in working order; voxels that are not 0 are inside.
    origin: Origin  # The file on whose grid the mask is saved.
    # How the mask was made; None if that is not known, and then an earlier record is removed.
    record: Mapping[str, object] | None = None
    # Any of `MAPS`, in the order of the mask's voxels.
    maps: Mapping[str, Voxels] = field(default_factory=dict)
    has_labels: bool = False  # Several labels from 0 to 255.


def map_path(mask: Path, name: str) -> Path:
    """Return the path of a map of a mask."""
    return mask.with_name(f"{image_stem(mask)}_{name}.nii.gz")


def write_case(output: CaseOutput, *, keeps_all: bool = False) -> Earlier | None:
    """Write the files of a case, and keep an earlier mask that may be a person's work under another name.

    With `keeps_all` any earlier mask is kept, also one that the program made and nobody changed. Returns the
    earlier file that was kept, if one was. A failure changes nothing; a map that would replace the mask of
    another case is a `FileError`.
    """
    for name in output.maps:
        _check_no_case(map_path(output.path, name))
    sweep(output.path.parent)
    old = _Old.look(output.path)
    found = old.to_keep(output, keeps_all=keeps_all)
    try:
        disk.make_folder(output.path.parent)
        with writing_into(output.path.parent), _staged(_contents(output, old)) as staged:
            if found is None:
                _exchange(output, old, staged=staged)
                return None
            with _kept(old, found[0]) as kept:
                _exchange(output, old, staged=staged)
                return Earlier(replaced=found[0], kept=kept, why=found[1])
    except OSError as error:
        raise unwritable(output.path, error) from error


def corrected_record(output: CaseOutput) -> Mapping[str, object] | None:
    """Return the record to write when a person saves another mask over this one; None if it has none."""
    stored = provenance_of(output.path).stored if output.path.is_file() else {}
    if not stored or holds_mask(output):
        return stored or None
    # These entries describe the earlier mask.
    kept = {name: value for name, value in stored.items() if name not in ("size", "left_out_ml", FILES)}
    return kept | {CORRECTED: True}


def holds_mask(output: CaseOutput) -> bool:
    """Whether the mask on disk has exactly the voxels of the one to be written."""
    try:
        there = to_working(read_mask(output.path).volume)
    except NecrosegError:
        return False
    return there.grid.matches(working_grid(output.origin.grid)) and np.array_equal(
        there.voxels != 0, output.mask != 0
    )


@dataclass(frozen=True, kw_only=True)
class _Old:
    """The files of a case that exist before it is written.

    `digest` is the SHA-256 of the mask's file, `made` its provenance, and `record` the bytes of the JSON file
    beside it; `digest` and `record` are None if there is no such file.
    """

    mask: Path
    digest: str | None
    made: Provenance
    record: bytes | None
    maps: Mapping[str, Path]

    @classmethod
    def look(cls, mask: Path) -> "_Old":
        has_mask, record = mask.is_file(), record_path(mask)
        unmade = Provenance(state=MaskState.UNRECORDED, stored=read_record(mask))
        return cls(
            mask=mask,
            digest=file_sha256(mask) if has_mask else None,
            made=provenance_of(mask) if has_mask else unmade,
            record=read_bytes(record) if record.is_file() else None,
            maps={name: path for name in MAPS if (path := map_path(mask, name)).is_file()},
        )

    @property
    def has_own_record(self) -> bool:
        return bool(read_record(self.mask))

    def to_keep(self, output: CaseOutput, *, keeps_all: bool) -> tuple[Path, str] | None:
        """Return which file must be kept, and why; None if no work of a person can be lost."""
        made = self.made
        if self.digest is not None and (keeps_all or (made.is_of_a_person and not holds_mask(output))):
            return self.mask, "was corrected by hand" if made.is_corrected else _WHY[made.state]
        if self.record is not None and output.record is not None and not self.has_own_record:
            return record_path(self.mask), _WHY[MaskState.UNRECORDED]
        foreign = (self.maps[name] for name in self.going(output) if not self.is_own(name))
        return next(((path, _WHY[MaskState.UNRECORDED]) for path in foreign), None)

    def going(self, output: CaseOutput) -> list[str]:
        """Return the maps that are removed: those of the earlier mask, and those that new ones replace.

        A mask with the name of a map belongs to another case, and stays.
        """
        return [
            name
            for name, path in self.maps.items()
            if name in output.maps or (not read_record(path) and holds_fractions(path))
        ]

    def is_own(self, name: str) -> bool:
        """Whether this program wrote a map, so that it may remove it."""
        known = hash_of(self.made.stored, name)
        if known is not None:
            return file_sha256(self.maps[name]) == known
        has_hashes = hash_of(self.made.stored, "mask") is not None
        return bool(self.made.stored) and not has_hashes and holds_fractions(self.maps[name])

    def files(self) -> Iterator[tuple[Path, str]]:
        """Yield the files that exist, each with the end of its name; the mask comes last."""
        if self.record is not None:
            yield record_path(self.mask), ".json"
        yield from ((path, f"_{name}.nii.gz") for name, path in self.maps.items() if not read_record(path))
        if self.digest is not None:
            yield self.mask, image_suffix(self.mask)


def _check_no_case(path: Path) -> None:
    """Refuse to write a map over the mask of another case, which may have the name of the map."""
    if path.is_file() and read_record(path):
        raise FileError(
            f"{path.name} is the mask of a case of that name, which would be overwritten; choose another "
            "folder."
        )


def _contents(output: CaseOutput, old: _Old) -> list[tuple[Path, bytes]]:
    """Return the files to write, in order; the record is written twice if a mask is replaced."""
    path, origin = output.path, output.origin
    mask = (labels_bytes if output.has_labels else mask_bytes)(path, output.mask, origin=origin)
    maps = {
        map_path(path, name): probability_bytes(map_path(path, name), voxels, origin=origin)
        for name, voxels in output.maps.items()
    }
    files = {"mask": described(Volume(output.mask, working_grid(origin.grid)), mask)} | {
        name: {"sha256": hashlib.sha256(maps[map_path(path, name)]).hexdigest()} for name in output.maps
    }
    record = dict(output.record or {}) | {FILES: files}
    both = record | {REPLACES: {"mask_sha256": old.digest, "record": dict(old.made.stored)}}
    has_record = output.record is not None or old.has_own_record
    first = [both if old.digest else record] if has_record else []
    last = [record] if output.record is not None and old.digest else []
    return [
        *((record_path(path), _as_json(one)) for one in first),
        (path, mask),
        *maps.items(),
        *((record_path(path), _as_json(one)) for one in last),
    ]


def _as_json(record: Mapping[str, Any]) -> bytes:
    return (json.dumps(record, indent=2) + "\n").encode()


@contextmanager
def _staged(contents: Sequence[tuple[Path, bytes]]) -> Iterator[list[tuple[Path, Path]]]:
    """Write each file under a temporary name, and yield it with its final name; remove those not renamed."""
    staged: list[tuple[Path, Path]] = []
    try:
        for path, content in contents:
            staged.append((stage(path, content), path))
        yield staged
    finally:
        for temporary, _ in staged:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


@contextmanager
def _kept(old: _Old, of: Path) -> Iterator[Path]:
    """Copy all files of a case to the next free name, and yield the copy of one; remove them on failure."""
    already = _already_kept(old) if of == old.mask else None
    if already is not None:
        yield already
        return
    copies = {path: old.mask.with_name(f"{_free_stem(old)}{end}") for path, end in old.files()}
    try:
        for path, copy in copies.items():
            copy_file(path, copy)
        yield copies[of]
    except BaseException:
        for copy in copies.values():
            with suppress(OSError):
                copy.unlink(missing_ok=True)
        raise


def _already_kept(old: _Old) -> Path | None:
    """Return an earlier version with the same mask: this program was killed just after it had kept it."""
    stem, suffix = image_stem(old.mask), image_suffix(old.mask)
    earlier = sorted(old.mask.parent.glob(f"{escape(stem)}_earlier-[0-9]*{escape(suffix)}"))
    return next((path for path in earlier if file_sha256(path) == old.digest), None)


def _free_stem(old: _Old) -> str:
    """Return the first free name for an earlier version."""
    stems = (f"{image_stem(old.mask)}_earlier-{number:03d}" for number in count(1))
    ends = (".json", *(f"_{name}.nii.gz" for name in MAPS), image_suffix(old.mask))
    return next(stem for stem in stems if not any(old.mask.with_name(stem + end).exists() for end in ends))


def _exchange(output: CaseOutput, old: _Old, *, staged: Sequence[tuple[Path, Path]]) -> None:
    """Rename the staged files to their final names; undo all of it if that fails."""
    undo: list[Callable[[], None]] = []
    aside: list[Path] = []
    with _undoable(old) as copies:
        try:
            for temporary, path in staged:
                if path == output.path:
                    for one in map(old.maps.__getitem__, old.going(output)):
                        aside.append(beside(one))
                        undo.append(partial(disk.replace, aside[-1], one))
                        disk.replace(one, aside[-1])
                back = copies.get(path)
                undo.append(partial(disk.unlink, path) if back is None else partial(disk.replace, back, path))
                disk.replace(temporary, path)
            if output.record is None and old.has_own_record:
                disk.unlink(record_path(output.path))
        except BaseException:
            for step in reversed(undo):
                with suppress(OSError):
                    step()
            raise
    for one in aside:
        with suppress(OSError):
            disk.unlink(one)


@contextmanager
def _undoable(old: _Old) -> Iterator[dict[Path, Path]]:
    """Yield copies of the mask and the record beside their files, so that undoing needs no free space."""
    copies: dict[Path, Path] = {}
    try:
        if old.digest is not None:
            copies[old.mask] = beside(old.mask)
            fill(copies[old.mask], read_bytes(old.mask))
        if old.record is not None:
            record = record_path(old.mask)
            copies[record] = beside(record)
            fill(copies[record], old.record)
        yield copies
    finally:
        for copy in copies.values():
            with suppress(OSError):
                copy.unlink(missing_ok=True)


def save_mask_version(path: Path, voxels: Voxels, *, origin: Origin) -> Path | None:
    """Save a mask ``(Z, Y, X)`` in working order onto the grid of `origin`; see `write_case` for errors.

    Returns the copy of the earlier mask of that name (``<name>_earlier-001.nii.gz`` or the next free number),
    beside which its record is kept, too; None if there was none.
    """
    earlier = write_case(CaseOutput(path=path, mask=voxels, origin=origin), keeps_all=True)
    return None if earlier is None else earlier.kept
