"""Predicting many cases: one that fails never stops the others."""

import json
import threading
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from napari_necroseg.core.case import Case, CaseFiles, Cohort
from napari_necroseg.core.config import PredictConfig
from napari_necroseg.core.errors import NecrosegError
from napari_necroseg.core.events import CaseDone, CaseFailed, Event, Finished, Warned
from napari_necroseg.core.io.atomic import write_text
from napari_necroseg.core.io.load import load_case
from napari_necroseg.core.io.save import save_mask, save_probability
from napari_necroseg.core.learning.checkpoint import Model
from napari_necroseg.core.learning.predict import Prediction, check_sequences, predict
from napari_necroseg.core.learning.volumes import only_needed


@dataclass(frozen=True, kw_only=True)
class PredictedCohort:
    """What a batch came to: the folder, and how many cases were done and failed."""

    out: Path
    done: int
    failed: int
    seconds: float

    def __str__(self) -> str:
        remark = f", {self.failed} not" if self.failed else ""
        return f"{self.done} predicted{remark} in {self.seconds:.0f} s; the masks are in {self.out}."


def predict_cohort(
    model: Model,
    cohort: Cohort,
    config: PredictConfig,
    *,
    out: Path,
    probability: bool = False,
    stop: threading.Event | None = None,
) -> Generator[Event, None, None]:
    """Segment each case of a cohort and write what was found.

    Parameters
    ----------
    model
        From `load_model`.
    cohort
        The cases.
    config
        Threshold, device, threads.
    out
        Gets ``<case>.nii.gz`` (uint8, on the grid of the ceT1 file) and ``<case>.json`` (how it was made).
    probability
        Write ``<case>_probability.nii.gz`` (float32), too.
    stop
        Set it to end the job within two seconds; cases that are written stay, and there is no `Finished`.

    Yields
    ------
    Event
        `Warned` and `Progress` of each case, then its `CaseDone` or `CaseFailed`; `Finished` with a
        `PredictedCohort`.
    """
    stop = stop or threading.Event()
    started = time.monotonic()
    failed = 0
    for number, files in enumerate(cohort, start=1):
        before = time.monotonic()
        try:
            path = yield from _predict_files(
                model, files, config, out=out, probability=probability, stop=stop
            )
        except NecrosegError as error:
            failed += 1
            yield CaseFailed(case=files.name, done=number, total=len(cohort), reason=str(error))
            continue
        if path is None:
            return
        seconds = time.monotonic() - before
        yield CaseDone(case=files.name, done=number, total=len(cohort), seconds=seconds, path=path)
    yield Finished(
        result=PredictedCohort(
            out=out, done=len(cohort) - failed, failed=failed, seconds=time.monotonic() - started
        )
    )


def _predict_files(
    model: Model,
    files: CaseFiles,
    config: PredictConfig,
    *,
    out: Path,
    probability: bool,
    stop: threading.Event,
) -> Generator[Event, None, Path | None]:
    """Read, predict and write one case; return the mask's path, or None if the job was stopped."""
    check_sequences(model, files)
    # Masks are not read: a damaged reference does not keep a case from being predicted.
    case = load_case(only_needed(files, model.config.sequences))
    for note in case.notes:
        yield Warned(message=f"{case.name}: {note}")
    for event in predict(model, case, config, stop=stop):
        if isinstance(event, Finished):
            return _write(out, case, event.result, probability=probability)
        yield event
    return None


def _write(out: Path, case: Case, prediction: Prediction, *, probability: bool) -> Path:
    path = out / f"{case.name}.nii.gz"
    save_mask(path, prediction.labels.voxels, case.origin)
    if probability:
        save_probability(out / f"{case.name}_probability.nii.gz", prediction.probability.voxels, case.origin)
    record = {"case": case.name} | dict(prediction.provenance)
    write_text(out / f"{case.name}.json", json.dumps(record, indent=2) + "\n")
    return path
