"""Applies trained networks to a case: its probability, outline and uncertainty, and how they were made.

Axes: C channels (sequences), Z the network's slices, Y rows, X columns; N the case's own slices.
"""

import threading
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_

import numpy as np
from numpy.typing import NDArray

from napari_necroseg.core.case import Case, CaseFiles
from napari_necroseg.core.cohort.seen_cases import Known, marks_of
from napari_necroseg.core.config import PredictConfig, usual_prediction
from napari_necroseg.core.errors import ModelError
from napari_necroseg.core.events import Event, Finished, Warned
from napari_necroseg.core.language import said
from napari_necroseg.core.masks.components import left_out_ml, outline
from napari_necroseg.core.network.device import memory_errors, resolve_hardware, torch_settings
from napari_necroseg.core.network.images import image_notes
from napari_necroseg.core.network.model import Model, software_versions
from napari_necroseg.core.network.stopping import Stopped
from napari_necroseg.core.prediction.members import Members, Task, members_of
from napari_necroseg.core.prediction.region import Region, region_around
from napari_necroseg.core.volume import Volume


@dataclass(frozen=True, kw_only=True, eq=False)
class Prediction:
    """The findings of one or more models in a case, on the case's own grid in working order.

    Parameters
    ----------
    case
        The case's name.
    labels
        ``(Z, Y, X)``, uint8; 1 where `probability` reaches the threshold, cleaned up as configured.
    probability
        ``(Z, Y, X)``, float16, in [0, 1]; the mean over the models, and over mirrored images and neighbouring
        slices if configured.
    uncertainty
        ``(Z, Y, X)``, float16; the standard deviation between these predictions. For a single one it is
        sqrt(p (1 - p)), the standard deviation of a draw with this probability.
    provenance
        The models, settings, versions and time that made it; plain values, ready for JSON.
    """

    case: str
    labels: Volume
    probability: Volume
    uncertainty: Volume
    provenance: Mapping[str, object]


def predict(  # noqa: PLR0917  # as the guide shows it
    model: Model | Sequence[Model],
    case: Case,
    config: PredictConfig | None = None,
    *,
    region: Region | None = None,
    stop: threading.Event | None = None,
) -> Generator[Event, None, None]:
    """Segment a case.

    Parameters
    ----------
    model
        One model from `load_model`, or several, whose mean probability counts, each once.
    case
        On its working grid; must have the sequences that the models were trained on.
    config
        Threshold, clean-up, mirroring, smoothing across slices, device, threads; what is usual for the
        models' presets if None.
    region
        Predict this part only, elsewhere the probability is 0; the part that `config.around` names if None.
    stop
        Set it to end the job within two seconds. A stopped job yields no `Finished`.

    Yields
    ------
    Event
        `Progress` for each patch or some slices, `Warned`, then `Finished` with a `Prediction`.

    Raises
    ------
    ModelError
        If the case lacks a sequence.
    ResourceError
        If memory does not suffice, or the device is missing.
    SettingsError
        If the point of `config.around` lies outside of the image.
    """
    models = (model,) if isinstance(model, Model) else distinct(model)
    config = config or usual_prediction(*(one.config for one in models))
    for one in models:
        check_sequences(one, case)
    for note in dict.fromkeys(note for one in models for note in image_notes(case, one.config)):
        yield Warned(message=said("{case}: {note}", case=case.name, note=note))
    if region is None and config.around is not None:
        region = region_around(case.grid, config.around)
    started = time.monotonic()
    hardware, stop = resolve_hardware(config), stop or threading.Event()
    task = Task(case=case, config=config, hardware=hardware, region=region, stop=stop)
    with (
        memory_errors(f"the prediction of {case.name}", "close other programs or choose the device cpu"),
        torch_settings(hardware.threads),
    ):
        try:
            found = yield from members_of(models, task)
        except Stopped:
            return
    made = _provenance(models, config, found=found, region=region)
    made |= {"device": hardware.device, "threads": hardware.threads, "trained_on": known_by(models, case)}
    yield Finished(
        result=_prediction(
            case, config, found=found, provenance=made | {"seconds": time.monotonic() - started}
        )
    )


def distinct(models: Sequence[Model]) -> tuple[Model, ...]:
    """Return each model once: counted twice, it would only make the uncertainty too small."""
    found: dict[str | int, Model] = {}
    for model in models:
        found.setdefault(model.sha256 or id(model), model)
    return tuple(found.values())


def check_sequences(model: Model, case: Case | CaseFiles) -> None:
    """Refuse a case that lacks a sequence which the model was trained on."""
    missing = [str(sequence) for sequence in model.config.sequences if sequence not in case.sequences]
    if missing:
        raise ModelError(
            said(
                "The model {model} needs {needed}, but the case {case} has no {missing}. Add the image, or "
                "choose another model.",
                model=model.run.name,
                needed=" and ".join(model.config.sequences),
                case=case.name,
                missing=" and no ".join(missing),
            )
        )


def known_by(models: Sequence[Model], case: Case) -> Known:
    """Say whether one of the models was trained on a case, and how the case was recognised."""
    learned = reduce(or_, (model.learned for model in models))
    seen = {sequence for model in models for sequence in model.config.sequences}
    return learned.knows(case, marks_of(case, seen).values())


def _prediction(
    case: Case, config: PredictConfig, *, found: Members, provenance: Mapping[str, object]
) -> Prediction:
    # The outline is made of the very numbers that are kept and shown.
    probability = found.mean.astype(np.float16)
    voxel_ml = case.grid.voxel_ml
    labels = outline(probability, config, voxel_ml=voxel_ml)
    left_out = left_out_ml(probability, config.threshold, labels=labels, voxel_ml=voxel_ml)
    return Prediction(
        case=case.name,
        labels=Volume(labels, case.grid),
        probability=Volume(probability, case.grid),
        uncertainty=Volume(_uncertainty(found).astype(np.float16), case.grid),
        provenance=dict(provenance) | {"left_out_ml": left_out},
    )


def _uncertainty(found: Members) -> NDArray[np.float32]:
    if found.count == 1:
        return np.asarray(np.sqrt(found.mean * (1 - found.mean)))
    return found.deviation


def _provenance(
    models: Sequence[Model], config: PredictConfig, *, found: Members, region: Region | None
) -> dict[str, object]:
    first = models[0]
    return {
        "model": first.run.resolve().name,
        "model_sha256": first.sha256,
        "model_cases": sorted({name for model in models for name in model.cases}),
        "model_config": first.config.model_dump(mode="json"),
        "models": [{"model": model.run.resolve().name, "sha256": model.sha256} for model in models],
        "members": found.count,
        "uncertainty": "deviation between members" if found.count > 1 else "sqrt(p (1 - p)) of one member",
        "threshold": config.threshold,
        "fill_holes": config.fill_holes,
        "min_volume_ml": config.min_volume_ml,
        "smallest_share": config.smallest_share,
        "largest": config.largest,
        "tta": config.tta,
        "slice_smoothing_mm": config.slice_smoothing_mm,
        "region": None if region is None else {"rows": list(region.rows), "columns": list(region.columns)},
        "precision": ", ".join(sorted(found.precisions)),
        "versions": software_versions(),
    }
