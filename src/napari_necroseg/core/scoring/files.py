"""Scoring of masks on disk: which prediction belongs to which reference, on which grid they are compared."""

import csv
import io
import time
from collections.abc import Generator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, get_args

from napari_necroseg.core.case import Sequence
from napari_necroseg.core.errors import CohortError, FileError, GeometryError, NecrosegError
from napari_necroseg.core.events import CaseFailed, Event, Finished, Started, Warned, to_record
from napari_necroseg.core.grids.orient import to_working, working_grid
from napari_necroseg.core.grids.resample import overlap_share, resample_mask
from napari_necroseg.core.io.atomic import write_text
from napari_necroseg.core.io.cohort import read_cohort
from napari_necroseg.core.io.file_image import image_stem, image_suffix
from napari_necroseg.core.io.image import read_image, read_mask
from napari_necroseg.core.scoring.figures import write_figures
from napari_necroseg.core.scoring.scores import (
    DEFAULT_TOLERANCE_MM,
    SCORE_NAMES,
    Scores,
    State,
    score_masks,
)
from napari_necroseg.core.scoring.summary import summarise
from napari_necroseg.core.volume import Grid, Voxels


@dataclass(frozen=True, kw_only=True)
class MaskPair:
    """The two mask files of a case; `grid_file` is the image on whose grid they are compared."""

    case: str
    reference: Path
    prediction: Path
    grid_file: Path


@dataclass(frozen=True, kw_only=True)
class CaseScored(Event):
    """A case was scored, `done` of `total`."""

    event: ClassVar[str] = "case"
    case: str
    done: int
    total: int
    seconds: float
    result: Scores

    def __str__(self) -> str:
        return f"[{self.done}/{self.total}] {self.case}: {self.result}"


def score_files(
    pairs: tuple[MaskPair, ...],
    *,
    csv_path: Path | None = None,
    tolerance_mm: float = DEFAULT_TOLERANCE_MM,
    figures: Path | None = None,
) -> Generator[Event]:
    """Score pairs of masks; one that cannot be read is reported and does not stop the others.

    Parameters
    ----------
    pairs
        From `find_pairs`.
    csv_path
        Where to write the scores as a table, one row a case.
    tolerance_mm
        Distance that counts as agreement of surfaces.
    figures
        Folder for figures of the cohort.

    Yields
    ------
    Event
        `CaseScored` or `CaseFailed` a case, then `Finished` with a `Summary`.
    """
    yield Started(message=f"Scoring {len(pairs)} {'case' if len(pairs) == 1 else 'cases'}.")
    scored: list[CaseScored] = []
    for done, pair in enumerate(pairs, start=1):
        started = time.perf_counter()
        try:
            scores, notes = _score_pair(pair, tolerance_mm)
        except NecrosegError as error:
            yield CaseFailed(case=pair.case, done=done, total=len(pairs), reason=str(error))
            continue
        yield from (Warned(message=note) for note in notes)
        seconds = time.perf_counter() - started
        scored.append(CaseScored(case=pair.case, done=done, total=len(pairs), seconds=seconds, result=scores))
        yield scored[-1]
    if not scored:
        raise FileError("No case could be scored; the lines above say why.")
    if csv_path is not None:
        write_text(csv_path, _as_csv(scored))
    if figures is not None:
        write_figures({one.case: one.result for one in scored}, figures)
    yield Finished(result=summarise(one.result for one in scored))


def read_scores(path: Path) -> dict[str, Scores]:
    """Read a table that `score_files` wrote; return the scores of each case.

    Raises
    ------
    FileError
        If it is not such a table.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return {row["case"]: _scores_of(row) for row in csv.DictReader(file)}
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise FileError(
            f"{path} is no table of scores; write it again with `necroseg score --csv`, or remove it."
        ) from error


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
    return (MaskPair(case=case, reference=reference, prediction=prediction, grid_file=reference),)


def _pairs_of_cohort(table: Path, folder: Path) -> tuple[MaskPair, ...]:
    cases = [case for case in read_cohort(table) if case.reference is not None]
    predictions = _masks_in(folder) if folder.is_dir() else {}
    pairs = tuple(
        MaskPair(
            case=case.name,
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
        MaskPair(case=name, reference=path, prediction=of_prediction[name], grid_file=path)
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


def _score_pair(pair: MaskPair, tolerance_mm: float) -> tuple[Scores, tuple[str, ...]]:
    grid = _grid_of(pair.grid_file)
    reference, reference_notes = _mask_on(pair.reference, grid, pair.case)
    prediction, prediction_notes = _mask_on(pair.prediction, grid, pair.case)
    scores = score_masks(reference, prediction, grid, tolerance_mm=tolerance_mm)
    return scores, reference_notes + prediction_notes


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


def _as_csv(scored: list[CaseScored]) -> str:
    names = ["case", *(field.name for field in fields(Scores))]
    text = io.StringIO()
    writer = csv.DictWriter(text, names, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(to_record(one) for one in scored)
    return text.getvalue()


def _scores_of(row: dict[str, str]) -> Scores:
    """Turn a row back into scores; an empty cell is an undefined number."""
    state: State = get_args(State)[get_args(State).index(row["state"])]
    values: dict[str, Any] = {name: float(row[name] or "nan") for name in (*SCORE_NAMES, "nsd_tolerance_mm")}
    counts = {name: int(value) for name, value in values.items() if name.startswith("lesions_")}
    return Scores(state=state, **values | counts)
