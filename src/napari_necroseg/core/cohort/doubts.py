"""Notices images that are probably not what they are taken for: swapped, a mask, or of another patient.

By the names of the files, by values that are few and whole, and by the overlap and size of the grids, never
by how bright anything is.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

import numpy as np

from napari_necroseg.core.case import CaseFiles, Sequence
from napari_necroseg.core.case_names import name_key
from napari_necroseg.core.cohort.file_names import FileRole, is_role_name, role_of
from napari_necroseg.core.cohort.folders import case_in_name
from napari_necroseg.core.errors import GeometryError, NecrosegError
from napari_necroseg.core.grids.orient import has_position, working_grid
from napari_necroseg.core.images.file_image import image_stem, is_gzip, is_tiff
from napari_necroseg.core.images.on_grid import LEAST_OVERLAP, fit_onto
from napari_necroseg.core.images.read import read_grid, read_image

# Images have hundreds of values, also those of 8 bits; masks of several structures have few.
_MOST_VALUES_OF_A_MASK = 16

# Noise does not compress: a mask takes some hundredths of a byte a voxel, an image of mostly air 0.2.
_LEAST_BYTES_A_VOXEL = 0.1
_MASK_ROLES = (FileRole.REFERENCE, FileRole.TUMOUR)
_NUMBERED = re.compile(r"(?P<word>.*?[^\W\d_][\s_-]*)(?P<number>\d+)")


class DoubtKind(StrEnum):
    """What an image is probably not."""

    SWAPPED = "swapped"  # ceT1 and T2 are named like each other.
    MASK = "mask"  # The image is named like a mask, or has values like one.
    OTHER_PATIENT = "other patient"  # The names of ceT1 and T2 tell of two cases.
    NO_OVERLAP = "no overlap"  # T2 lies elsewhere than ceT1, or covers little of it.


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """A doubt about an image of a case, and what it rests on."""

    kind: DoubtKind
    case: str
    sequence: Sequence
    path: Path
    # The cases that the names tell of; which part of ceT1 is covered.
    names: tuple[str, str] = ("", "")
    covered: float = 0.0


def doubts_of(files: CaseFiles, *, by_folder: bool = True) -> tuple[Doubt, ...]:
    """Return what is doubtful about the images of a case.

    With `by_folder`, ceT1 and T2 are expected in the folder of one case, as a person puts them there; a table
    may name files from anywhere. A file that cannot be read raises no doubt: reading it says why.
    """
    masks = tuple(_masks(files))
    if masks or Sequence.T2 not in files.sequences or files.shares_file:
        return masks
    swapped = tuple(_swapped(files))
    return swapped or tuple(_of_another(files, by_folder=by_folder))


def _masks(files: CaseFiles) -> Iterator[Doubt]:
    for sequence, path in files.sequences.items():
        if role_of(image_stem(path)) in _MASK_ROLES or has_values_of_a_mask(path):
            yield Doubt(kind=DoubtKind.MASK, case=files.name, sequence=sequence, path=path)


def _swapped(files: CaseFiles) -> Iterator[Doubt]:
    cet1, t2 = files.sequences[Sequence.CET1], files.sequences[Sequence.T2]
    if role_of(image_stem(cet1)) is FileRole.T2 and role_of(image_stem(t2)) is not FileRole.T2:
        yield Doubt(kind=DoubtKind.SWAPPED, case=files.name, sequence=Sequence.CET1, path=cet1)
    elif role_of(image_stem(t2)) is FileRole.CET1 and role_of(image_stem(cet1)) is not FileRole.CET1:
        yield Doubt(kind=DoubtKind.SWAPPED, case=files.name, sequence=Sequence.T2, path=t2)


def _of_another(files: CaseFiles, *, by_folder: bool) -> Iterator[Doubt]:
    cet1, t2 = files.sequences[Sequence.CET1], files.sequences[Sequence.T2]
    names = (_told_by(cet1), _told_by(t2))
    if _are_two_cases(*names) or (by_folder and _are_two_folders(cet1, t2)):
        shown = names if _are_two_cases(*names) else (_folder_of(cet1), _folder_of(t2))
        yield Doubt(kind=DoubtKind.OTHER_PATIENT, case=files.name, sequence=Sequence.T2, path=t2, names=shown)
        return
    covered = _covered(files)
    if covered is not None and covered < LEAST_OVERLAP:
        yield Doubt(
            kind=DoubtKind.NO_OVERLAP, case=files.name, sequence=Sequence.T2, path=t2, covered=covered
        )


def _told_by(path: Path) -> str:
    return case_in_name(image_stem(path))


def _are_two_cases(one: str, other: str) -> bool:
    """Whether two names are numbered alike and have different numbers: case-03 and case-07.

    Bare numbers are those of series, and other words may mean anything.
    """
    found = [_NUMBERED.fullmatch(name_key(name)) for name in (one, other)]
    if found[0] is None or found[1] is None:
        return False
    numbers = [int(match["number"]) for match in found if match is not None]
    return found[0]["word"] == found[1]["word"] and numbers[0] != numbers[1]


def _are_two_folders(cet1: Path, t2: Path) -> bool:
    """Whether the files lie in folders of two cases, not in those of two sequences."""
    one, other = _folder_of(cet1), _folder_of(t2)
    if cet1.parent == t2.parent or not one or not other or name_key(one) == name_key(other):
        return False
    # Folders of series, such as 601_T1_sag, tell a sequence.
    return not any(role_of(name) or case_in_name(name) != name for name in (one, other))


def _folder_of(path: Path) -> str:
    """Return the nearest folder whose name is not that of a sequence or mask."""
    names = (folder.name for folder in path.resolve().parents)
    return next((name for name in names if not is_role_name(name)), "")


def _covered(files: CaseFiles) -> float | None:
    """Return the share of ceT1 that T2 covers by the headers; None where they do not tell."""
    try:
        grid, t2_grid = (
            working_grid(
                read_grid(files.sequences[one], spacing_mm=files.spacing_mm, channel=files.channel(one))[0]
            )
            for one in (Sequence.CET1, Sequence.T2)
        )
    except NecrosegError:
        return None
    try:
        return fit_onto(t2_grid, grid, what="T2").covered
    except GeometryError:
        # Without positions, another shape cannot be of the same stack.
        return 0.0 if has_position(grid) == has_position(t2_grid) else None


def has_values_of_a_mask(path: Path) -> bool:
    """Whether an image has few values, all of them whole; it is read only if it compresses like a mask."""
    try:
        found = path.stat()
    except OSError:
        return False
    return _has_few_values(path, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=8192)
def _has_few_values(path: Path, _modified_ns: int, n_bytes: int) -> bool:
    try:
        if is_gzip(path) and not is_tiff(path):
            grid, _ = read_grid(path)
            if n_bytes >= _LEAST_BYTES_A_VOXEL * np.prod(grid.shape):
                return False
        voxels = read_image(path).volume.voxels
    except NecrosegError:
        return False
    # Most images show it in their middle already.
    for part in (voxels[voxels.shape[0] // 2], voxels):
        values = np.unique(part)
        if len(values) > _MOST_VALUES_OF_A_MASK or not np.array_equal(values, np.round(values)):
            return False
    return True
