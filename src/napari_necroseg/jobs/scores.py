"""Scores the masks on the screen, or all predictions in a folder."""

import threading
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from napari_necroseg.core.errors import ResourceError
from napari_necroseg.core.events import Event, Finished, Progress, Warned
from napari_necroseg.core.masks.components import Mask
from napari_necroseg.core.scoring.overlap import LiveCounts
from napari_necroseg.core.scoring.scores import Scores, SliceScores, error_map, score_slices
from napari_necroseg.core.scoring.surface import contour_distances
from napari_necroseg.core.volume import Grid, Volume


@dataclass(frozen=True, kw_only=True, eq=False)
class MasksToScore:
    """Copies of the masks on the screen, ``(Z, Y, X)``, and how to compare them."""

    # The masks; the last one is optional.
    reference: Mask
    prediction: Mask
    second_reader: Mask | None
    grid: Grid
    # Surfaces that are no further apart agree.
    tolerance_mm: float


@dataclass(frozen=True, kw_only=True, eq=False)
class ScoredLayers:
    """Scores of two masks, of their slices, maps of where they differ, and scores of a second reader."""

    # Of the prediction against the reference.
    scores: Scores
    # Of the second reader against the reference, and of the prediction against the second reader.
    reader: Scores | None
    against_reader: Scores | None
    # Of the prediction against the reference, along each axis: sagittal, axial and coronal slices.
    slices: tuple[SliceScores, SliceScores, SliceScores]
    # Maps of the prediction against the reference.
    errors: Volume
    distances_mm: Volume
    # Voxels by their agreement, to be updated while a mask is drawn on.
    counts: LiveCounts


def score_layers(masks: MasksToScore, stop: threading.Event) -> Iterator[Event]:
    """Score the masks on the screen."""
    from napari_necroseg.core.scoring.scores import score_masks

    def scores(reference: Mask, prediction: Mask) -> Scores:
        return score_masks(reference, prediction, masks.grid, tolerance_mm=masks.tolerance_mm)

    def across(axis: int) -> SliceScores:
        turned = (np.moveaxis(mask, axis, 0) for mask in (reference, prediction))
        return score_slices(*turned, voxel_ml=grid.voxel_ml)

    grid, reference, prediction, reader = masks.grid, masks.reference, masks.prediction, masks.second_reader
    distances = contour_distances(reference, prediction, spacing_mm=grid.spacing_mm)
    yield Finished(
        result=ScoredLayers(
            scores=scores(reference, prediction),
            reader=None if reader is None else scores(reference, reader),
            against_reader=None if reader is None else scores(reader, prediction),
            slices=(across(0), across(1), across(2)),
            errors=Volume(error_map(reference, prediction), grid),
            distances_mm=Volume(distances, grid),
            counts=LiveCounts(reference, prediction),
        )
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class ScoredCohort:
    """Scores of a folder of predictions: their summary, and figures (PNG) by name, if they can be drawn.

    `export` is the folder to which they were written, if any.
    """

    summary: Any
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    export: Path | None = None


def score_cohort(
    table: Path,
    folder: Path,
    *,
    stop: threading.Event,
    tolerance_mm: float,
    other: Path | None = None,
    is_reader: bool = False,
    export: Path | None = None,
) -> Iterator[Event]:
    """Score every prediction in a folder against the reference of its case.

    `table`, `folder`, `stop`: the table of the cohort, the folder of predictions, and the flag that stops the
    job. `tolerance_mm`: surfaces that are no further apart agree. `other`, `is_reader`: a folder to compare
    with, and whether it holds a second reader's masks rather than predictions. `export`: the folder to which
    all scores and figures are written.
    """
    from napari_necroseg.core.scoring.files import CaseScored, score_files

    scores: dict[str, Scores] = {}
    events = score_files(
        table,
        folder,
        tolerance_mm=tolerance_mm,
        against={other.name: other} if other is not None and not is_reader else {},
        second_reader=other if is_reader else None,
        export=export,
    )
    for event in events:
        if stop.is_set():
            return
        if isinstance(event, CaseScored):
            scores[event.case] = event.result
        if isinstance(event, Finished):
            yield Progress(done=0, total=0, message="Drawing ...")
            pictures = yield from _drawn(scores, export, n_unscored=event.result.unscored.count)
            yield Finished(result=ScoredCohort(summary=event.result, pictures=pictures, export=export))
        else:
            yield event


def _drawn(
    scores: Mapping[str, Scores], export: Path | None, *, n_unscored: int
) -> Generator[Event, None, dict[str, bytes]]:
    """Draw the figures for the dock, and into the export if there is one; none without matplotlib."""
    from napari_necroseg.core.scoring.figures import (
        check_figures,
        keep_foreign,
        png_figures,
        write_figures,
    )

    try:
        check_figures()
    except ResourceError:
        return {}
    if export is not None:
        yield from (Warned(message=note) for note in keep_foreign(export))
        write_figures(scores, export, n_unscored=n_unscored)
    return png_figures(scores, n_unscored=n_unscored)
