"""Cases that hold the very same image: found by headers first, so that few images have to be read."""

import gzip
import hashlib
import zlib
from collections import defaultdict
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path

from napari_necroseg.core.case import CaseFiles, Sequence
from napari_necroseg.core.casename import name_key, shown
from napari_necroseg.core.errors import NecrosegError
from napari_necroseg.core.events import Event, Progress
from napari_necroseg.core.files import voxels_sha256
from napari_necroseg.core.grids.orient import to_working, working_grid
from napari_necroseg.core.io.file_image import TIFF_SUFFIXES, image_suffix
from napari_necroseg.core.io.image import read_image
from napari_necroseg.core.volume import Grid

# Images registered to an atlas all share one header: of so many the first voxels have to agree, too.
MOST_BY_HEADER = 8
_BLOCK_BYTES = 2**16


@dataclass(frozen=True, kw_only=True)
class _Image:
    """An image of a case; `kind` is what copies have in common, `place` what most of them have, too."""

    case: CaseFiles
    sequence: str
    path: Path
    kind: object
    place: object


def find_twins(cases: Iterable[CaseFiles]) -> Generator[Event, None, tuple[str, ...]]:
    """Find images that are equal voxel for voxel, whatever their files are called.

    Of every image the header is read, and a little of those whose shape and spacing agree. Only those that
    agree in their place in space, or in their first voxels, are read as a whole.

    Yields
    ------
    Event
        `Progress`; a sentence for each image that several cases hold is the generator's return value.
    """
    images = yield from _images(tuple(cases))
    suspects = _suspects(images)
    of_voxels: dict[str, list[_Image]] = defaultdict(list)
    for done, image in enumerate(suspects):
        yield Progress(done=done, total=len(suspects), message=f"comparing the images of {image.case.name}")
        digest = _voxels(image)
        if digest is not None:
            of_voxels[digest].append(image)
    return tuple(sentence for found in of_voxels.values() if (sentence := _in_words(found)))


def _images(cases: tuple[CaseFiles, ...]) -> Generator[Event, None, list[_Image]]:
    images = []
    for done, case in enumerate(cases):
        yield Progress(done=done, total=len(cases), message=f"looking for copies, {case.name}")
        for sequence, path in case.sequences.items():
            try:
                kind, place = _header(path)
            except (NecrosegError, OSError):
                # Told when the case was checked.
                continue
            images.append(_Image(case=case, sequence=str(sequence), path=path, kind=kind, place=place))
    return images


def _header(path: Path) -> tuple[object, object]:
    if image_suffix(path) in TIFF_SUFFIXES:
        # Its spacing may be anywhere; a copy has the same size.
        size = path.stat().st_size
        return size, size
    from napari_necroseg.core.io.nifti import read_header

    grid: Grid = working_grid(read_header(path)[0])
    kind = (grid.shape, tuple(round(length, 3) for length in grid.spacing_mm))
    return kind, tuple(grid.affine_ras.round(2).ravel().tolist())


def _suspects(images: list[_Image]) -> list[_Image]:
    """The images that may be another's copy, in their order."""
    suspects: set[int] = set()
    for of_kind in _alike(range(len(images)), [image.kind for image in images]):
        for of_place in _alike(of_kind, [image.place for image in images]):
            suspects.update(of_place if len(of_place) <= MOST_BY_HEADER else ())
        beginnings = {place: _beginning(images[place].path) for place in of_kind}
        for of_beginning in _alike(of_kind, beginnings):
            suspects.update(of_beginning)
    return [images[place] for place in sorted(suspects)]


def _alike(places: Iterable[int], keys: "dict[int, object] | list[object]") -> list[list[int]]:
    """Those places that share a key with another."""
    groups: dict[object, list[int]] = defaultdict(list)
    for place in places:
        groups[keys[place]].append(place)
    return [group for group in groups.values() if len(group) > 1]


def _beginning(path: Path) -> object:
    """What the first voxels of a file are that differ from each other; the path where that cannot be told."""
    if not image_suffix(path).startswith(".nii"):
        return path.stat().st_size if image_suffix(path) in TIFF_SUFFIXES else path
    try:
        with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as file:
            file.read(_BLOCK_BYTES)
            number = 0
            while (block := file.read(_BLOCK_BYTES)) and block.count(block[:1]) == len(block):
                number += 1
    except (OSError, EOFError, zlib.error):
        return path
    return number, hashlib.sha256(block).digest()


def _voxels(image: _Image) -> str | None:
    """The SHA-256 of the voxels in working order; None for an image that cannot be read, or shows nothing.

    What has two values or one, such as a mask or a blank image, may be equal in two patients.
    """
    try:
        channel = list(Sequence).index(Sequence(image.sequence)) if image.case.shares_file else None
        found = read_image(image.path, spacing_mm=image.case.spacing_mm, channel=channel)
    except NecrosegError:
        return None
    volume = to_working(found.volume)
    if ((volume.voxels == volume.voxels.min()) | (volume.voxels == volume.voxels.max())).all():
        return None
    return voxels_sha256(volume)


def _in_words(found: list[_Image]) -> str:
    """Say which cases hold an image; nothing if it is one case's, named twice."""
    files = {Path(image.path).resolve() for image in found}
    cases = list(dict.fromkeys(image.case.name for image in found))
    if len(found) < 2 or (len(files) == 1 and len(cases) == 1):
        return ""
    where = ", ".join(f"{image.sequence} {shown(image.path.name)}" for image in found[:4])
    if len(cases) == 1:
        return f"{cases[0]}: its images are the very same, voxel for voxel ({where}); pair the right files."
    who = f"{', '.join(cases[:-1])} and {cases[-1]}"
    patients = {name_key(image.case.patient_or_name) for image in found}
    then = (
        "they are given as different patients: give them one patient in the table, or remove all but one"
        if len(patients) > 1
        else "remove all but one, unless that is meant"
    )
    return f"{who} hold the very same image, voxel for voxel ({where}); {then}."
