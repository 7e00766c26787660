"""Opens cases and cohorts for display, and saves masks."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_necroseg.core.case import Case, CaseFiles, Cohort
from napari_necroseg.core.errors import NecrosegError
from napari_necroseg.core.events import Event, Finished, Progress, Warned
from napari_necroseg.core.labels_folder import LABELS_FOLDER, corrected_path
from napari_necroseg.core.language import said
from napari_necroseg.core.output import sweep_all
from napari_necroseg.core.project.remembered import read_remembered
from napari_necroseg.core.volume import Origin, Volume, Voxels
from napari_necroseg.jobs.read_case import ReadAhead, read_for_display
from napari_necroseg.layerdata import (
    METADATA_KEY,
    MY_MASK,
    Began,
    LayerData,
    LayerSource,
    Role,
    case_layers,
    case_source,
    mask_layer,
    middle_slice,
)

if TYPE_CHECKING:
    from napari_necroseg.core.cohort.find import Gap
    from napari_necroseg.core.project.case_files import CaseOutput


@dataclass(frozen=True, kw_only=True, eq=False)
class OpenedCase:
    """A case, ready to be shown."""

    # The images, and the row of the cohort that they come from (None for a phantom).
    case: Case
    files: CaseFiles | None
    # What to show, from the lowest to the topmost.
    layers: tuple[LayerData, ...]
    first_slice: int
    # Masks of the previous case that were saved before this one was opened.
    saved: tuple["MaskToSave", ...] = ()


@dataclass(frozen=True, kw_only=True)
class OpenedCohort:
    """A cohort, its table, and the problems that were found in its folder.

    If `compared`, images that several cases share are among the problems. `first`: the case to open; the
    first of all if empty. `gaps`: images that are missing and may be chosen. `table`: where the table of a
    folder goes that has no case yet.
    """

    cohort: Cohort
    path: Path | None
    problems: tuple[str, ...] = ()
    compared: bool = False
    first: str = ""
    gaps: tuple["Gap", ...] = ()
    table: Path | None = None


@dataclass(frozen=True, kw_only=True)
class FoundTwins:
    """Images that several cases of a cohort share, one sentence each."""

    cohort: Cohort
    problems: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class MaskToSave:
    """Voxels of a mask in working order, and where they go.

    `key` tells the dock which layer was saved. A `record` of how the mask was made is written beside it.
    """

    path: Path
    voxels: Voxels
    origin: Origin
    key: int = 0
    record: Mapping[str, object] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class SavedMasks:
    """Masks that were saved."""

    masks: tuple[MaskToSave, ...]

    def __str__(self) -> str:
        paths = [str(mask.path) for mask in self.masks]
        text = "Saved " + ", ".join(dict.fromkeys(paths)) + "."
        if len(set(paths)) < len(paths):
            text += " Of two masks for one file the newer stands there, the older is an earlier version."
        return text


def open_case(
    files: CaseFiles,
    folder: Path | None,
    *,
    saves: Sequence[MaskToSave],
    stop: threading.Event,
    ahead: ReadAhead | None = None,
) -> Iterator[Event]:
    """Save the masks that the person wants to keep of the previous case, then read another one.

    `ahead` may hold the case already.

    The person's mask is shown in every case: the one that was saved (``labels/<case>.nii.gz``), else a copy
    of the saved prediction, else an empty one.
    """
    yield from _save_all(saves)
    if folder is not None:
        sweep_all(folder / LABELS_FOLDER)
    yield Progress(done=0, total=2, message=said("Reading {name} ...", name=files.name))
    case, layers = (None if ahead is None else ahead.take(files)) or read_for_display(files)
    yield Progress(done=1, total=2, message=said("Preparing {name} for display ...", name=files.name))
    if folder is not None:
        yield from _add_saved_masks(folder, case, layers=layers)
    yield _opened(case, files, layers=layers, saves=saves)


def open_phantom(index: int, saves: Sequence[MaskToSave], *, stop: threading.Event) -> Iterator[Event]:
    """Make a case of the numerical phantom."""
    from napari_necroseg.core.phantom.phantom import phantom_case

    yield from _save_all(saves)
    yield Progress(done=0, total=1, message="Making a phantom case ...")
    case = phantom_case(0, index)
    yield _opened(case, None, layers=case_layers(case), saves=saves)


def _opened(
    case: Case, files: CaseFiles | None, *, layers: Sequence[LayerData], saves: Sequence[MaskToSave]
) -> Finished[OpenedCase]:
    shown = [*layers]
    mine = _layer_of(Role.LABELS, shown)
    if mine is None:
        mine = _proposed_mask(case, _layer_of(Role.PREDICTION, shown))
        shown.append(mine)
    return Finished(
        result=OpenedCase(
            case=case,
            files=files,
            layers=tuple(shown),
            first_slice=middle_slice(case, mine[0]),
            saved=tuple(saves),
        )
    )


def _layer_of(role: Role, layers: Sequence[LayerData]) -> LayerData | None:
    return next((one for one in layers if one[1]["metadata"][METADATA_KEY].role is role), None)


def _proposed_mask(case: Case, prediction: LayerData | None) -> LayerData:
    """Return the person's mask before anything was drawn: a copy of a prediction, or empty."""
    if prediction is None:
        empty = Volume(np.zeros(case.grid.shape, np.uint8), case.grid)
        return mask_layer(empty, case_source(case, Role.LABELS), name=MY_MASK)
    run = prediction[1]["metadata"][METADATA_KEY].run
    source = case_source(case, Role.LABELS, run=run, began=Began.PREDICTION)
    return mask_layer(Volume((prediction[0] != 0).astype(np.uint8), case.grid), source, name=MY_MASK)


def open_cohort(table: Path, stop: threading.Event) -> Iterator[Event]:
    """Read the table of a cohort."""
    from napari_necroseg.core.cohort.table import read_cohort

    yield Progress(done=0, total=1, message=said("Reading {name} ...", name=table.name))
    yield Finished(result=OpenedCohort(cohort=read_cohort(table), path=table))


def open_folder(folder: Path, table: Path, *, stop: threading.Event) -> Iterator[Event]:
    """Find and pair the images of a folder, write the table, and read it."""
    from napari_necroseg.core.cohort.prepare import prepare
    from napari_necroseg.core.cohort.table import read_cohort

    problems: tuple[str, ...] = ()
    for event in prepare(folder, out=table):
        if stop.is_set():
            return
        if isinstance(event, Finished):
            problems = tuple(str(problem) for problem in event.result.problems)
        else:
            yield event
    yield Finished(
        result=OpenedCohort(cohort=read_cohort(table), path=table, problems=problems, compared=True)
    )


def look_for_twins(cohort: Cohort, stop: threading.Event) -> Iterator[Event]:
    """Look whether two cases of a cohort hold the very same image."""
    from napari_necroseg.core.cohort.duplicates import find_twins

    yield Finished(result=FoundTwins(cohort=cohort, problems=(yield from find_twins(cohort))))


def make_phantom_cohort(folder: Path, cases: int, *, stop: threading.Event) -> Iterator[Event]:
    """Write a cohort of the numerical phantom, and read it."""
    from napari_necroseg.core.cohort.table import read_cohort
    from napari_necroseg.core.phantom.phantom import write_phantom_cohort

    for event in write_phantom_cohort(folder, cases=cases, seed=0):
        if stop.is_set():
            return
        if not isinstance(event, Finished):
            yield event
    table = folder / "cohort.csv"
    yield Finished(result=OpenedCohort(cohort=read_cohort(table), path=table))


def save_masks(saves: Sequence[MaskToSave], stop: threading.Event) -> Iterator[Event]:
    """Save masks onto the grids of their files; earlier ones are kept beside them."""
    yield from _save_all(saves)
    yield Finished(result=SavedMasks(masks=tuple(saves)))


def save_if_changed(mask: MaskToSave) -> Iterator[Event]:
    """Save a mask, unless its file holds the very same one."""
    from napari_necroseg.core.project.case_files import holds_mask

    if not holds_mask(_output(mask)):
        yield from _save_all([mask])


def _save_all(saves: Sequence[MaskToSave]) -> Iterator[Event]:
    from napari_necroseg.core.project.case_files import corrected_record, write_case

    for done, mask in enumerate(saves):
        yield Progress(done=done, total=len(saves), message=said("Saving {name} ...", name=mask.path.name))
        output = _output(mask)
        record = mask.record if mask.record is not None else corrected_record(output)
        write_case(replace(output, record=record), keeps_all=True)


def _output(mask: MaskToSave) -> "CaseOutput":
    from napari_necroseg.core.project.case_files import CaseOutput

    return CaseOutput(path=mask.path, mask=mask.voxels, origin=mask.origin)


def _add_saved_masks(folder: Path, case: Case, *, layers: list[LayerData]) -> Iterator[Event]:
    """Add the saved prediction, hidden, and the person's saved mask, if they are there."""
    from napari_necroseg.core.project.predictions import saved_prediction

    prediction = saved_prediction(folder, case.name, model=_remembered_model())
    if prediction is not None:
        source = case_source(case, Role.PREDICTION, run=prediction.parent.name)
        name = f"prediction {prediction.parent.name}"
        yield from _add_saved(prediction, case, source=source, name=name, layers=layers)
        for _, kwargs, _ in layers[-1:]:
            kwargs["visible"] = kwargs["metadata"][METADATA_KEY] is not source
    labels = corrected_path(folder / LABELS_FOLDER, case.name)
    if labels.exists():
        source = case_source(case, Role.LABELS, began=Began.SAVED)
        yield from _add_saved(labels, case, source=source, name=MY_MASK, layers=layers)


def _remembered_model() -> str:
    model = read_remembered().model
    return "" if model is None else model.name


def _add_saved(
    path: Path, case: Case, *, source: LayerSource, name: str, layers: list[LayerData]
) -> Iterator[Event]:
    from napari_necroseg.core.images.read import read_mask_on

    is_own = source.role is Role.LABELS
    what = "the mask that you saved" if is_own else "the saved prediction"
    try:
        mask = read_mask_on(path, case.grid, what=what, is_own=is_own)
    except NecrosegError as error:
        yield Warned(message=f"{what[0].upper()}{what[1:]} for this case is not shown: {error}")
        return
    yield from (Warned(message=note) for note in mask.notes)
    layers.append(mask_layer(mask.volume, source, name=name))
