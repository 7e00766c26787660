"""Predicting many cases: one that fails never stops the others."""

import json
import threading
import time
from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from napari_necroseg.core.case import Case, CaseFiles, Cohort
from napari_necroseg.core.config import PredictConfig
from napari_necroseg.core.errors import NecrosegError
from napari_necroseg.core.events import CaseDone, CaseFailed, Event, Finished, Warned
from napari_necroseg.core.io.atomic import write_text
from napari_necroseg.core.io.load import load_case
from napari_necroseg.core.io.made import Known, known_in_words, record_path
from napari_necroseg.core.io.save import save_mask, save_probability
from napari_necroseg.core.learning.checkpoint import Model
from napari_necroseg.core.learning.predict import Prediction, check_sequences, predict
from napari_necroseg.core.learning.volumes import only_needed
from napari_necroseg.core.masks.measure import measure
from napari_necroseg.core.volume import Volume


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


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is written of each case into the folder `out`.

    ``<case>.nii.gz`` (uint8, on the grid of the ceT1 file) and ``<case>.json`` (how it was made) always;
    ``<case>_probability.nii.gz`` and ``<case>_uncertainty.nii.gz`` (float32) if asked for.
    """

    out: Path
    probability: bool = False
    uncertainty: bool = False


def predict_cohort(
    models: Model | Sequence[Model],
    cohort: Cohort,
    config: PredictConfig,
    wanted: Wanted,
    *,
    stop: threading.Event | None = None,
) -> Generator[Event, None, None]:
    """Segment each case of a cohort and write what was found.

    Parameters
    ----------
    models
        From `load_model`; of several the mean probability counts.
    cohort
        The cases.
    config
        Threshold, what is tidied up, device, threads.
    wanted
        What is written, and where.
    stop
        Set it to end the job within two seconds; cases that are written stay, and there is no `Finished`.

    Yields
    ------
    Event
        `Warned` and `Progress` of each case, then its `CaseDone` or `CaseFailed`; a `Warned` if smaller parts
        were left out, another if models have learned from some of them; `Finished` with a `PredictedCohort`.
    """
    models = (models,) if isinstance(models, Model) else tuple(models)
    stop = stop or threading.Event()
    started = time.monotonic()
    failed = 0
    known: dict[str, Known | None] = {}
    left_out: list[float] = []
    for number, files in enumerate(cohort, start=1):
        before = time.monotonic()
        try:
            written = yield from _predict_files(models, files, config, wanted, stop)
        except NecrosegError as error:
            failed += 1
            yield CaseFailed(case=files.name, done=number, total=len(cohort), reason=str(error))
            continue
        if written is None:
            return
        known[files.name] = written.known
        left_out.append(written.left_out_ml)
        seconds = time.monotonic() - before
        yield CaseDone(case=files.name, done=number, total=len(cohort), seconds=seconds, path=written.path)
    if words := _left_out_in_words(left_out):
        yield Warned(message=words)
    if words := known_in_words(known, len(cohort)):
        yield Warned(message=words)
    yield Finished(
        result=PredictedCohort(
            out=wanted.out, done=len(cohort) - failed, failed=failed, seconds=time.monotonic() - started
        )
    )


@dataclass(frozen=True, kw_only=True)
class _Written:
    """A mask that was written, whether its models know the case, and what reached the threshold in vain."""

    path: Path
    known: Known
    left_out_ml: float


def _predict_files(
    models: Sequence[Model],
    files: CaseFiles,
    config: PredictConfig,
    wanted: Wanted,
    stop: threading.Event,
) -> Generator[Event, None, _Written | None]:
    """Read, predict and write one case; return None if the job was stopped."""
    for model in models:
        check_sequences(model, files)
    # Masks are not read: a damaged reference does not keep a case from being predicted.
    needed = {sequence for model in models for sequence in model.config.sequences}
    case = load_case(only_needed(files, tuple(needed)))
    for note in case.notes:
        yield Warned(message=f"{case.name}: {note}")
    for event in predict(models, case, config, stop=stop):
        if isinstance(event, Finished):
            made = event.result.provenance
            path = _write(wanted, case, event.result)
            return _Written(path=path, known=made["trained_on"], left_out_ml=made["left_out_ml"])
        yield event
    return None


def _write(wanted: Wanted, case: Case, prediction: Prediction) -> Path:
    path = wanted.out / f"{case.name}.nii.gz"
    save_mask(path, prediction.labels.voxels, case.origin)
    for name in ("probability", "uncertainty"):
        if getattr(wanted, name):
            volume: Volume = getattr(prediction, name)
            save_probability(wanted.out / f"{case.name}_{name}.nii.gz", volume.voxels, case.origin)
    size = measure(prediction.labels.voxels > 0, case.grid)
    record = {"case": case.name} | dict(prediction.provenance) | {"size": asdict(size)}
    write_text(record_path(path), json.dumps(record, indent=2) + "\n")
    return path


def _left_out_in_words(volumes_ml: Sequence[float]) -> str:
    """Say in how many cases parts of the outline were left out, and up to how much; nothing if in none."""
    some = [volume_ml for volume_ml in volumes_ml if volume_ml]
    if not some:
        return ""
    return (
        f"Smaller parts were left out in {len(some)} of {len(volumes_ml)} cases, {max(some):.2f} mL at most; "
        "--smallest-share 0 keeps them (Smallest share under Predict)."
    )
