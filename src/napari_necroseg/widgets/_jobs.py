"""The jobs of the docks: each strings functions of the core together into one generator of events."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_necroseg.core.case import Case, CaseFiles, Cohort
from napari_necroseg.core.config import PredictConfig
from napari_necroseg.core.errors import NecrosegError
from napari_necroseg.core.events import Event, Finished, Progress, Warned
from napari_necroseg.core.volume import Grid, Origin, Voxels
from napari_necroseg.layerdata import (
    LayerData,
    Role,
    case_layers,
    case_source,
    mask_layer,
    middle_slice,
    probability_layer,
)


@dataclass(frozen=True, kw_only=True, eq=False)
class OpenedCase:
    """A case, ready to be shown.

    Parameters
    ----------
    case, files
        The voxels, and the row of the cohort that they come from (None for the phantom).
    layers
        What to show, from the lowest to the topmost.
    first_slice
        Where to look first.
    """

    case: Case
    files: CaseFiles | None
    layers: tuple[LayerData, ...]
    first_slice: int


@dataclass(frozen=True, kw_only=True)
class OpenedCohort:
    """A cohort, its table, and what is wrong with the folder that it was found in."""

    cohort: Cohort
    path: Path | None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class MaskToSave:
    """Voxels of a mask in working order, and where they go.

    `key` is handed back, so that the dock knows which layer was saved.
    """

    path: Path
    voxels: Voxels
    origin: Origin
    key: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class SavedMasks:
    """Masks that are on disk now."""

    masks: tuple[MaskToSave, ...]

    def __str__(self) -> str:
        return "Saved " + ", ".join(str(mask.path) for mask in self.masks) + "."


@dataclass(frozen=True, kw_only=True, eq=False)
class CasePrediction:
    """What a model predicted for a case, ready to be shown.

    Parameters
    ----------
    case, run
        What was predicted, and by which model.
    layers
        Probability and labels.
    volume_ml
        Volume of the labels.
    was_trained_on
        Whether the model has seen a case of this name in training, so that scores on it mean little.
    """

    case: Case
    run: Path
    layers: tuple[LayerData, ...]
    volume_ml: float
    was_trained_on: bool


def open_case(
    files: CaseFiles, folder: Path | None, saves: Sequence[MaskToSave], _stop: threading.Event
) -> Iterator[Event]:
    """Save what the person wants to keep of the last case, then read another one.

    A mask that was drawn and saved earlier (``labels/<case>.nii.gz``) is shown again.
    """
    from napari_necroseg.core.io.load import load_case

    yield from _save_all(saves)
    yield Progress(done=0, total=2, message=f"Reading {files.name} ...")
    case = load_case(files)
    yield Progress(done=1, total=2, message=f"Preparing {files.name} for display ...")
    layers = case_layers(case)
    labels = None if folder is None else folder / "labels" / f"{files.name}.nii.gz"
    if labels is not None and labels.exists():
        yield from _add_saved_labels(labels, case, layers)
    yield Finished(
        result=OpenedCase(case=case, files=files, layers=tuple(layers), first_slice=middle_slice(case))
    )


def open_phantom(index: int, saves: Sequence[MaskToSave], _stop: threading.Event) -> Iterator[Event]:
    """Make a case of the numerical phantom."""
    from napari_necroseg.core.phantom.case import phantom_case

    yield from _save_all(saves)
    yield Progress(done=0, total=1, message="Making a phantom case ...")
    case = phantom_case(0, index)
    yield Finished(
        result=OpenedCase(
            case=case, files=None, layers=tuple(case_layers(case)), first_slice=middle_slice(case)
        )
    )


def open_cohort(table: Path, _stop: threading.Event) -> Iterator[Event]:
    """Read the table of a cohort."""
    from napari_necroseg.core.io.cohort import read_cohort

    yield Progress(done=0, total=1, message=f"Reading {table.name} ...")
    yield Finished(result=OpenedCohort(cohort=read_cohort(table), path=table))


def open_folder(folder: Path, table: Path, stop: threading.Event) -> Iterator[Event]:
    """Find and pair the images of a folder, write the table, and read it."""
    from napari_necroseg.core.io.cohort import read_cohort
    from napari_necroseg.core.io.prepare import prepare

    problems: tuple[str, ...] = ()
    for event in prepare(folder, out=table):
        if stop.is_set():
            return
        if isinstance(event, Finished):
            problems = tuple(str(problem) for problem in event.result.problems)
        else:
            yield event
    yield Finished(result=OpenedCohort(cohort=read_cohort(table), path=table, problems=problems))


def make_phantom_cohort(folder: Path, cases: int, stop: threading.Event) -> Iterator[Event]:
    """Write a cohort of the numerical phantom, and read it."""
    from napari_necroseg.core.io.cohort import read_cohort
    from napari_necroseg.core.phantom.cohort import write_phantom_cohort

    for event in write_phantom_cohort(folder, cases=cases, seed=0):
        if stop.is_set():
            return
        if not isinstance(event, Finished):
            yield event
    table = folder / "cohort.csv"
    yield Finished(result=OpenedCohort(cohort=read_cohort(table), path=table))


def save_masks(saves: Sequence[MaskToSave], _stop: threading.Event) -> Iterator[Event]:
    """Save masks onto the grids of their files; earlier ones are kept beside them."""
    yield from _save_all(saves)
    yield Finished(result=SavedMasks(masks=tuple(saves)))


def predict_case(run: Path, case: Case, config: PredictConfig, stop: threading.Event) -> Iterator[Event]:
    """Load a model and apply it to a case."""
    yield Progress(done=0, total=0, message="Loading PyTorch ...")
    from napari_necroseg.core.learning.checkpoint import load_model
    from napari_necroseg.core.learning.predict import predict

    yield Progress(done=0, total=0, message=f"Loading the model {run.name} ...")
    model = load_model(run)
    if stop.is_set():
        return
    for event in predict(model, case, config, stop=stop):
        is_result = isinstance(event, Finished)
        yield _case_prediction(event.result, case, run, model.cases) if is_result else event


def score_layers(
    reference: Voxels, prediction: Voxels, grid: Grid, _stop: threading.Event
) -> Iterator[Event]:
    """Score a prediction against a reference, both copies of what is on the screen."""
    from napari_necroseg.core.scoring.scores import score_masks

    yield Finished(result=score_masks(reference, prediction, grid))


def _case_prediction(prediction: Any, case: Case, run: Path, trained_on: Sequence[str]) -> Finished[Any]:
    voxels_inside = int(np.count_nonzero(prediction.labels.voxels))
    labels = mask_layer(
        prediction.labels, case_source(case, Role.PREDICTION, run.name), f"prediction {run.name}"
    )
    probability = probability_layer(
        prediction.probability, case_source(case, Role.PROBABILITY, run.name), f"probability {run.name}"
    )
    return Finished(
        result=CasePrediction(
            case=case,
            run=run,
            layers=(probability, labels),
            volume_ml=voxels_inside * case.grid.voxel_ml,
            was_trained_on=case.name in trained_on,
        )
    )


def _save_all(saves: Sequence[MaskToSave]) -> Iterator[Event]:
    from napari_necroseg.core.io.versions import save_mask_version

    for done, mask in enumerate(saves):
        yield Progress(done=done, total=len(saves), message=f"Saving {mask.path.name} ...")
        save_mask_version(mask.path, mask.voxels, mask.origin)


def _add_saved_labels(path: Path, case: Case, layers: list[LayerData]) -> Iterator[Event]:
    from napari_necroseg.core.grids.orient import to_working
    from napari_necroseg.core.grids.resample import resample_mask
    from napari_necroseg.core.io.image import read_mask

    try:
        mask = to_working(read_mask(path).volume)
        if not mask.grid.matches(case.grid):
            mask = resample_mask(mask, case.grid)
    except NecrosegError as error:
        yield Warned(message=f"The mask that you saved for this case is not shown: {error}")
        return
    layers.append(mask_layer(mask, case_source(case, Role.LABELS), "my mask"))
