"""Whether the files of a case open and belong together, told from image headers and whole masks."""

from dataclasses import dataclass, replace
from pathlib import Path

from napari_necroseg.core.case import CaseFiles, Sequence
from napari_necroseg.core.errors import GeometryError, NecrosegError, ResourceError, as_mistakes
from napari_necroseg.core.grids.by_index import fits_by_index, has_place
from napari_necroseg.core.grids.orient import working_grid
from napari_necroseg.core.grids.resample import overlap_share
from napari_necroseg.core.io.alarms import LEAST_OVERLAP
from napari_necroseg.core.io.file_image import TIFF_SUFFIXES, image_suffix
from napari_necroseg.core.io.image import read_image, read_mask
from napari_necroseg.core.io.onto import check_onto, outside_notes
from napari_necroseg.core.io.scanning import relative_name
from napari_necroseg.core.volume import Grid

TIFF_ADVICE = "Add a column spacing_mm to the table, with the spacing as slice x row x column: 4 x 0.7 x 0.7."


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A case without the files that cannot be read, or None if ceT1 is one of them; and what is wrong."""

    case: CaseFiles | None
    problems: tuple[str, ...]


def check_case(case: CaseFiles, *, root: Path) -> Checked:
    """Open every file of a case, and compare their grids.

    Of a NIfTI image only the header is read. Masks are small, and read whole: whether one has a single
    label cannot be told otherwise. TIFF stacks have to be read whole, too.

    Parameters
    ----------
    case
        The files.
    root
        The folder that paths in messages are relative to.

    Returns
    -------
    Checked
        A T2 image or mask that cannot be read is left out of the case; a TIFF stack that only lacks its
        spacing is kept, since the table can give that, and so is what only memory is short for.
    """
    try:
        grid, notes = _image_grid(case, Sequence.CET1)
    except NecrosegError as error:
        if _lacks_spacing(case.sequences[Sequence.CET1], error):
            return Checked(case=case, problems=(f"{case.name}: {error} {TIFF_ADVICE}",))
        return Checked(case=None, problems=(f"{case.name}: {error} The case was left out.",))
    problems = list(notes)
    kept = case
    for column, path in _other_files(case).items():
        name = relative_name(path, root)
        try:
            if column == Sequence.T2:
                problems += _check_t2(case, grid, name)
            else:
                problems += _check_mask(case, path, grid, name)
        except ResourceError as error:
            problems.append(f"{error} It could not be checked.")
        except NecrosegError as error:
            stays = _lacks_spacing(path, error)
            problems.append(f"{error} {TIFF_ADVICE if stays else 'It was left out of the case.'}")
            kept = kept if stays else _without(kept, column)
    said = tuple(f"{case.name}: {problem}" for problem in dict.fromkeys(problems))
    return Checked(case=kept, problems=said)


def _lacks_spacing(path: Path, error: NecrosegError) -> bool:
    """Whether a stack is sound but for what the table can add to it."""
    return isinstance(error, GeometryError) and _is_tiff(path)


def _other_files(case: CaseFiles) -> dict[str, Path]:
    files = {
        Sequence.T2: case.sequences.get(Sequence.T2),
        "reference": case.reference,
        "tumour": case.tumour,
    }
    return {column: path for column, path in files.items() if path is not None}


@as_mistakes()
def _image_grid(case: CaseFiles, sequence: Sequence) -> tuple[Grid, tuple[str, ...]]:
    """The working grid of an image, and what its header makes doubtful."""
    from napari_necroseg.core.io.nifti import read_header

    path = case.sequences[sequence]
    if _is_tiff(path):
        channel = list(Sequence).index(sequence) if case.shares_file else None
        image = read_image(path, spacing_mm=case.spacing_mm, channel=channel)
        return working_grid(image.volume.grid), image.notes
    grid, notes = read_header(path)
    return working_grid(grid), notes


def _check_t2(case: CaseFiles, grid: Grid, name: str) -> list[str]:
    """What is remarkable about a T2 image, which must cover the ceT1 image."""
    other, notes = _image_grid(case, Sequence.T2)
    return [*notes, *_compare(grid, other, name)]


def _check_mask(case: CaseFiles, path: Path, grid: Grid, name: str) -> list[str]:
    """What is remarkable about a mask, which may be smaller than the ceT1 image, but must lie in it."""
    mask = read_mask(path, spacing_mm=case.spacing_mm)
    other = working_grid(mask.volume.grid)
    is_placed = has_place(grid) and has_place(other)
    empty = () if mask.volume.voxels.any() else (f"{path.name}: the mask is empty.",)
    found = [*mask.notes, *empty, *_compare(grid, other, name, is_mask=True)]
    is_moved = is_placed and not grid.matches(other)
    return found + (list(outside_notes(mask.volume, grid, name)) if is_moved else [])


def _compare(grid: Grid, other: Grid, name: str, *, is_mask: bool = False) -> list[str]:
    """What is remarkable about the place of an image or mask on the ceT1 image."""
    try:
        how = check_onto(other, grid, name)
    except GeometryError as error:
        if not (has_place(grid) and has_place(other)):
            return [str(error)]
        return [f"{name} does not overlap with the ceT1 image at all; are both of the same examination?"]
    if not how or fits_by_index(other, grid):
        return [how] if how else []
    if is_mask:
        return [f"{name} is not on the grid of the ceT1 image and will be resampled onto it."]
    share = overlap_share(grid, other)
    few = f"{name} covers only {share:.0%} of the ceT1 image; are both of the same examination?"
    return [few] if share < LEAST_OVERLAP else []


def _without(case: CaseFiles, column: str) -> CaseFiles:
    if column == Sequence.T2:
        sequences = dict(case.sequences)
        del sequences[Sequence.T2]
        return replace(case, sequences=sequences)
    return replace(case, reference=None) if column == "reference" else replace(case, tumour=None)


def _is_tiff(path: Path) -> bool:
    return image_suffix(path) in TIFF_SUFFIXES
