"""Which prediction belongs to which reference, and on which grid they are compared."""

from dataclasses import dataclass
from pathlib import Path

from napari_necroseg.core.case import Sequence
from napari_necroseg.core.errors import CohortError, FileError, GeometryError
from napari_necroseg.core.grids.orient import to_working, working_grid
from napari_necroseg.core.grids.resample import overlap_share, resample_mask
from napari_necroseg.core.io.cohort import read_cohort
from napari_necroseg.core.io.file_image import image_stem, image_suffix
from napari_necroseg.core.io.image import read_image, read_mask
from napari_necroseg.core.volume import Grid, Voxels


@dataclass(frozen=True, kw_only=True)
class MaskPair:
    """The two mask files of a case; `grid_file` is the image on whose grid they are compared."""

    case: str
    patient: str
    reference: Path
    prediction: Path
    grid_file: Path


@dataclass(frozen=True, kw_only=True, eq=False)
class ReadPair:
    """Both masks ``(Z, Y, X)`` on one grid, and what was noted when they were read."""

    reference: Voxels
    prediction: Voxels
    grid: Grid
    notes: tuple[str, ...]


def find_pairs(reference: Path, prediction: Path) -> tuple[MaskPair, ...]:
    """Find which prediction belongs to which reference.

    Parameters
    ----------
    reference, prediction
        Two files; two folders, whose files are paired by equal names; or a ``cohort.csv`` (or its folder)
        and a folder with ``<case>.nii.gz`` for each of its cases that has a reference.

    Raises
    ------
    NecrosegError
        If something named does not exist or nothing fits together.
    """
    for path in (reference, prediction):
        if not path.exists():
            raise FileError(f"There is no file or folder {path}.")
    if (reference / "cohort.csv").is_file():
        reference = reference / "cohort.csv"
    if reference.suffix.lower() == ".csv":
        return _pairs_of_cohort(reference, prediction)
    if reference.is_dir() and prediction.is_dir():
        return _pairs_of_folders(reference, prediction)
    if reference.is_dir() or prediction.is_dir():
        raise FileError("Give two files, two folders, or a cohort.csv and a folder; not a file and a folder.")
    case = image_stem(prediction)
    return (
        MaskPair(case=case, patient=case, reference=reference, prediction=prediction, grid_file=reference),
    )


def read_pair(pair: MaskPair) -> ReadPair:
    """Read the two masks of a case onto its grid.

    Raises
    ------
    NecrosegError
        If a file cannot be read, or lies elsewhere in space.
    """
    grid = _grid_of(pair.grid_file)
    reference, reference_notes = _mask_on(pair.reference, grid, pair.case)
    prediction, prediction_notes = _mask_on(pair.prediction, grid, pair.case)
    notes = reference_notes + prediction_notes
    return ReadPair(reference=reference, prediction=prediction, grid=grid, notes=notes)


def _pairs_of_cohort(table: Path, folder: Path) -> tuple[MaskPair, ...]:
    cases = [case for case in read_cohort(table) if case.reference is not None]
    predictions = _masks_in(folder) if folder.is_dir() else {}
    pairs = tuple(
        MaskPair(
            case=case.name,
            patient=case.patient_or_name,
            reference=case.reference,
            prediction=predictions[case.name],
            grid_file=case.sequences[Sequence.CET1],
        )
        for case in cases
        if case.reference is not None and case.name in predictions
    )
    if not pairs:
        raise CohortError(
            f"{folder} holds no prediction for any of the {len(cases)} cases with a reference in "
            f"{table.name}; predictions are named like their case."
        )
    return pairs


def _pairs_of_folders(references: Path, predictions: Path) -> tuple[MaskPair, ...]:
    of_reference, of_prediction = _masks_in(references), _masks_in(predictions)
    pairs = tuple(
        MaskPair(case=name, patient=name, reference=path, prediction=of_prediction[name], grid_file=path)
        for name, path in sorted(of_reference.items())
        if name in of_prediction
    )
    if not pairs:
        raise FileError(
            f"No file in {predictions} ({len(of_prediction)} images) has the name of one in {references} "
            f"({len(of_reference)} images)."
        )
    return pairs


def _masks_in(folder: Path) -> dict[str, Path]:
    images = (path for path in sorted(folder.iterdir()) if image_suffix(path) and path.is_file())
    return {image_stem(path): path for path in images if not path.name.startswith(".")}


def _grid_of(path: Path) -> Grid:
    if image_suffix(path).startswith((".tif", ".ome")):
        return working_grid(read_image(path, channel=0).volume.grid)
    from napari_necroseg.core.io.nifti import read_header

    return working_grid(read_header(path)[0])


def _mask_on(path: Path, grid: Grid, case: str) -> tuple[Voxels, tuple[str, ...]]:
    image = read_mask(path)
    mask = to_working(image.volume)
    if mask.grid.matches(grid):
        return mask.voxels, image.notes
    if overlap_share(mask.grid, grid) == 0:
        raise GeometryError(
            f"{path.name} lies elsewhere in space than the image of {case}; they are not of one examination."
        )
    note = f"{case}: {path.name} is on a grid of its own and was resampled for scoring."
    return resample_mask(mask, grid).voxels, (*image.notes, note)
