"""Loads the voxels of a case: every image and mask in working order on the grid of its ceT1 image."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from napari_necroseg.core.case import Case, CaseFiles, Sequence
from napari_necroseg.core.cohort.find import find_case
from napari_necroseg.core.errors import FileError, as_mistakes
from napari_necroseg.core.grids.orient import method_warnings, working_grid
from napari_necroseg.core.images.file_image import (
    FileImage,
    case_name_of,
    is_tiff,
    memory_for,
)
from napari_necroseg.core.images.on_grid import image_onto, mask_onto
from napari_necroseg.core.images.pair_checks import pair_checks
from napari_necroseg.core.images.read import read_image, read_mask
from napari_necroseg.core.volume import Grid, Volume

_ROLES = ("reference", "tumour")


@as_mistakes()
def load_case(source: CaseFiles | str | Path | Mapping[str, str | Path]) -> Case:
    """Read a case.

    T2 is resampled onto the ceT1 grid (cubic), a mask too (occupancy cut at 0.5), each with a note; on
    the same grid they stay bit-identical, also where their files have another axis order. Where a file does
    not say where it lies, voxels are taken for voxels, with a note. A TIFF file named for both sequences
    holds ceT1 in its first channel and T2 in its second.

    Parameters
    ----------
    source
        A case of a cohort, a folder with the files of one case, or the files themselves, by ``ceT1``, ``T2``,
        ``reference`` and ``tumour``. What is loaded already is returned as it is.

    Returns
    -------
    Case
        In working order; `notes` tells what was done and what looks wrong about the pair.

    Raises
    ------
    CohortError
        If the folder holds no case or several.
    FileError, GeometryError
        If an image or mask cannot be read, or cannot be brought onto the ceT1 image.
    ResourceError
        If memory does not suffice.
    """
    files = _files_of(source)
    if files.loaded is not None:
        return files.loaded
    with memory_for(f"the images of {files.name}"):
        images = _read_images(files)
        masks = {role: _read_mask(files, role) for role in _ROLES}
        return replace(assemble_case(files.name, images, masks=masks), patient=files.patient)


def assemble_case(
    name: str, images: Mapping[Sequence, FileImage], *, masks: Mapping[str, FileImage | None]
) -> Case:
    """Bring images and masks from any source onto the working grid of the ceT1 image; see `load_case`.

    `name`: of the case. `images`: ceT1, and T2 if there is one. `masks`: by role, ``reference`` and
    ``tumour``; values 0 and 1.
    """
    cet1 = images[Sequence.CET1]
    grid = working_grid(cet1.volume.grid)
    notes = list(method_warnings(grid))
    placed = {one: image_onto(image.volume, grid, what=f"the {one} image") for one, image in images.items()}
    for sequence, there in placed.items():
        notes += (*images[sequence].notes, *there.notes)
    if Sequence.T2 in images:
        notes += pair_checks(cet1, images[Sequence.T2], placed=placed[Sequence.T2])
    drawn = {role: _mask_on(masks.get(role), role, grid=grid, notes=notes) for role in _ROLES}
    return Case(
        name=name,
        sequences={one: _contiguous(there.volume, np.float32) for one, there in placed.items()},
        origin=cet1.origin,
        reference=drawn["reference"],
        tumour=drawn["tumour"],
        notes=tuple(dict.fromkeys(notes)),
    )


def _files_of(source: CaseFiles | str | Path | Mapping[str, str | Path]) -> CaseFiles:
    """Return where the files of a case are, however they were named."""
    if isinstance(source, CaseFiles):
        return source
    if isinstance(source, str | Path):
        return find_case(Path(source))
    unknown = sorted(set(source) - {*Sequence, *_ROLES})
    if unknown or Sequence.CET1 not in source:
        wrong = f"not {unknown[0]!r}" if unknown else "and ceT1 must be one of them"
        raise FileError(f"The files of a case are named by ceT1, T2, reference and tumour, {wrong}.")
    paths = {name: Path(path) for name, path in source.items()}
    return CaseFiles(
        name=case_name_of(paths[Sequence.CET1]),
        sequences={sequence: paths[sequence] for sequence in Sequence if sequence in paths},
        reference=paths.get("reference"),
        tumour=paths.get("tumour"),
    )


def _read_images(files: CaseFiles) -> dict[Sequence, FileImage]:
    if Sequence.CET1 not in files.sequences:
        raise FileError(f"Case {files.name!r} has no ceT1 image, and everything is placed on its grid.")
    if files.shares_file and not is_tiff(files.sequences[Sequence.CET1]):
        raise FileError(f"Case {files.name!r} names the same file for ceT1 and T2; name one file for each.")
    images = {}
    for sequence in (one for one in Sequence if one in files.sequences):
        path = files.sequences[sequence]
        _check_exists(path, sequence, case=files.name)
        images[sequence] = read_image(path, spacing_mm=files.spacing_mm, channel=files.channel(sequence))
    return images


def _read_mask(files: CaseFiles, role: str) -> FileImage | None:
    path = files.mask(role)
    if path is None:
        return None
    _check_exists(path, role, case=files.name)
    return read_mask(path, spacing_mm=files.spacing_mm, is_own=role in files.own_masks)


def _mask_on(image: FileImage | None, role: str, *, grid: Grid, notes: list[str]) -> Volume | None:
    """Bring a mask onto the grid, and add its notes to `notes`."""
    if image is None:
        return None
    placed = mask_onto(image.volume, grid, what=f"the {role} mask")
    notes += (*image.notes, *placed.notes)
    return _contiguous(placed.volume)


def _contiguous(volume: Volume, dtype: type[np.float32] | None = None) -> Volume:
    return Volume(np.ascontiguousarray(volume.voxels, dtype=dtype), volume.grid)


def _check_exists(path: Path, role: str, *, case: str) -> None:
    if not path.exists():
        raise FileError(f"Case {case!r}: its {role} file {path} does not exist; mend the path in the cohort.")
