"""Finds images that several cases share: equal voxel for voxel, or copies with other intensities.

The signature of an image stays the same where its intensities were rescaled, shifted or rounded: 512 voxels
at fixed shares of the image's sides are looked up in working order and kept as 8 bits each, between the
darkest of them and their 99th percentile. Two signatures are compared by the larger of two correlations: of
the values (scaling and shifting leave it, rounding hardly touches it) and of their ranks (gamma and other
changes of contrast leave it).

Measured: copies of 16 brain cases and 12 phantoms correlate by 0.967 or more (``x * 1.7 + 35``, 8 bits, a
window cut at the 95th percentile, gamma 0.5 and 2, logarithm), other cases by 0.77 at most. An image that was
cropped, moved or given other voxels is another image to it.
"""

import base64
import hashlib
import zlib
from collections import defaultdict
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_necroseg.core.case import CaseFiles, Sequence
from napari_necroseg.core.case_names import name_key, shown
from napari_necroseg.core.errors import NecrosegError
from napari_necroseg.core.events import Event, Progress
from napari_necroseg.core.files import voxels_sha256
from napari_necroseg.core.grids.orient import to_working, working_grid
from napari_necroseg.core.images.file_image import image_suffix, is_tiff, open_inflated
from napari_necroseg.core.images.read import read_image
from napari_necroseg.core.volume import Grid, Volume

# Images registered to an atlas all share one header: in a larger group, the first voxels must agree.
MOST_BY_HEADER = 8
_BLOCK_BYTES = 2**16

# Between the correlations of copies and of other cases that were measured, nearer to those of copies.
SAME_IMAGE = 0.96
_N_POINTS = 512

# The outer tenth on each side is mostly air.
_MARGIN = 0.1
_BRIGHTEST_PERCENTILE = 99.0
_LARGEST = 255


@dataclass(frozen=True, kw_only=True)
class _Image:
    """An image of a case; copies share its `kind`, and most of them its `position`, too."""

    case: CaseFiles
    sequence: str
    path: Path
    kind: object
    position: object


def find_twins(cases: Iterable[CaseFiles]) -> Generator[Event, None, tuple[str, ...]]:
    """Find images that are equal voxel for voxel, whatever their names.

    The header of every image is read, and the beginning of those whose shape and spacing agree. Only images
    that agree in their position, or in their first voxels, are read whole.

    Yields `Progress`; a sentence for each image that several cases hold is the generator's return value.
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
                kind, position = _header(path)
            except (NecrosegError, OSError):
                # Reported when the case is checked.
                continue
            images.append(_Image(case=case, sequence=str(sequence), path=path, kind=kind, position=position))
    return images


def _header(path: Path) -> tuple[object, object]:
    if is_tiff(path):
        # Its spacing may stand anywhere; a copy has the same size.
        size = path.stat().st_size
        return size, size
    from napari_necroseg.core.images.nifti import read_header

    grid: Grid = working_grid(read_header(path)[0])
    kind = (grid.shape, tuple(round(length, 3) for length in grid.spacing_mm))
    return kind, tuple(grid.affine_ras.round(2).ravel().tolist())


def _suspects(images: list[_Image]) -> list[_Image]:
    """Return the images that may be copies of others, in their order."""
    suspects: set[int] = set()
    for of_kind in _alike(range(len(images)), [image.kind for image in images]):
        for of_position in _alike(of_kind, [image.position for image in images]):
            suspects.update(of_position if len(of_position) <= MOST_BY_HEADER else ())
        beginnings = {index: _beginning(images[index].path) for index in of_kind}
        for of_beginning in _alike(of_kind, beginnings):
            suspects.update(of_beginning)
    return [images[index] for index in sorted(suspects)]


def _alike(indices: Iterable[int], keys: "dict[int, object] | list[object]") -> list[list[int]]:
    """Group the indices that share a key with another one."""
    groups: dict[object, list[int]] = defaultdict(list)
    for index in indices:
        groups[keys[index]].append(index)
    return [group for group in groups.values() if len(group) > 1]


def _beginning(path: Path) -> object:
    """Return a key of the first voxels that differ from each other; the path if they cannot be read."""
    if not image_suffix(path).startswith(".nii"):
        return path.stat().st_size if is_tiff(path) else path
    try:
        with open_inflated(path) as file:
            file.read(_BLOCK_BYTES)
            number = 0
            while (block := file.read(_BLOCK_BYTES)) and block.count(block[:1]) == len(block):
                number += 1
    except (NecrosegError, OSError, EOFError, zlib.error):
        return path
    return number, hashlib.sha256(block).digest()


def _voxels(image: _Image) -> str | None:
    """Return the SHA-256 of the voxels in working order; None for an unreadable or blank image.

    An image of one or two values, such as a mask or a blank one, may be equal in two patients.
    """
    try:
        channel = image.case.channel(Sequence(image.sequence))
        found = read_image(image.path, spacing_mm=image.case.spacing_mm, channel=channel)
    except NecrosegError:
        return None
    volume = to_working(found.volume)
    if ((volume.voxels == volume.voxels.min()) | (volume.voxels == volume.voxels.max())).all():
        return None
    return voxels_sha256(volume)


def _in_words(found: list[_Image]) -> str:
    """Say which cases share an image; nothing if one case names the same file twice."""
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


def likeness(volume: Volume) -> str:
    """Return the signature of an image in working order as text; empty for an image that shows nothing."""
    indices = (_points() * np.array(volume.voxels.shape)).astype(np.intp)
    values = volume.voxels[tuple(indices.T)].astype(np.float64)
    darkest, brightest = values.min(), np.percentile(values, _BRIGHTEST_PERCENTILE)
    if not (np.isfinite(values).all() and brightest > darkest):
        return ""
    shares = ((values - darkest) / (brightest - darkest)).clip(0.0, 1.0)
    return base64.b64encode(np.round(_LARGEST * shares).astype(np.uint8).tobytes()).decode("ascii")


def pairs_alike(signatures: Iterable[str]) -> tuple[tuple[int, int], ...]:
    """Return the indices of all pairs of signatures of the same image, the smaller index first."""
    indices, of_values, of_ranks = _table(tuple(signatures))
    found: list[tuple[int, int]] = []
    for row, index in enumerate(indices):
        correlation = np.maximum(of_values[:row] @ of_values[row], of_ranks[:row] @ of_ranks[row])
        found += ((indices[other], index) for other in np.flatnonzero(correlation >= SAME_IMAGE))
    return tuple(found)


def alike(signature: str, others: Iterable[str]) -> int | None:
    """Return the index of the first other signature of the same image; None if there is none.

    A text that is no signature, for instance of a later version, is like no other.
    """
    values = _values(signature)
    indices, of_values, of_ranks = _table(tuple(others))
    if values is None or not indices:
        return None
    of_signature = (_standard(values[None])[0], _standard(_ranks(values[None]))[0])
    correlation = np.maximum(of_values @ of_signature[0], of_ranks @ of_signature[1])
    same = np.flatnonzero(correlation >= SAME_IMAGE)
    return indices[same[0]] if len(same) else None


def _points() -> NDArray[np.float64]:
    """Return evenly spread points ``(N, 3)`` as shares of the sides: multiples of irrational numbers."""
    # The real root of x^4 = x + 1: the golden ratio of three dimensions.
    ratio = 1.2207440846057596
    numbers = np.arange(1, _N_POINTS + 1)[:, None]
    even = (0.5 + numbers * np.array([ratio**-1, ratio**-2, ratio**-3])) % 1.0
    return np.asarray(_MARGIN + (1 - 2 * _MARGIN) * even)


@lru_cache(maxsize=8)
def _table(signatures: tuple[str, ...]) -> tuple[tuple[int, ...], NDArray[np.float64], NDArray[np.float64]]:
    """Return the indices of valid signatures, and their standardized values and ranks ``(N, points)``."""
    found = {index: values for index, one in enumerate(signatures) if (values := _values(one)) is not None}
    table = np.stack(tuple(found.values())) if found else np.zeros((0, _N_POINTS))
    return tuple(found), _standard(table), _standard(_ranks(table))


def _values(signature: str) -> NDArray[np.float64] | None:
    try:
        found = np.frombuffer(base64.b64decode(signature, validate=True), np.uint8)
    except ValueError:
        return None
    return found.astype(np.float64) if len(found) == _N_POINTS and found.min() < found.max() else None


def _ranks(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the ranks within each row; equal values share their mean rank."""
    from scipy.stats import rankdata  # 0.3 s: kept out of the start of the program

    return np.asarray(rankdata(table, axis=1), dtype=np.float64) if len(table) else table


def _standard(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale each row to mean 0 and length 1, so that the product of two is their correlation."""
    rows = table - table.mean(axis=1, keepdims=True)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))
