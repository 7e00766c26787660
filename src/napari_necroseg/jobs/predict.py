"""Predicts the open case, ready to be shown, or all cases of a cohort."""

import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_necroseg.core.case import Case, Cohort
from napari_necroseg.core.case_names import listed, name_among, names_in
from napari_necroseg.core.cohort.seen_cases import Known
from napari_necroseg.core.config import PredictConfig
from napari_necroseg.core.display import duration
from napari_necroseg.core.events import CaseDone, CaseFailed, Event, Finished, Progress, Warned
from napari_necroseg.core.language import said
from napari_necroseg.core.project.model_folder import WEIGHTS_NAME
from napari_necroseg.core.project.models import mean_name, members_of, run_name
from napari_necroseg.core.project.provenance import MaskState, provenance_of
from napari_necroseg.layerdata import LayerData, Role, case_source, mask_layer, probability_layer


@dataclass(frozen=True, kw_only=True, eq=False)
class CasePrediction:
    """A prediction of a case, ready to be shown."""

    # The case, and the model (the first of several).
    case: Case
    run: Path
    # The choices with which it was made.
    config: PredictConfig
    # The core's `Prediction`.
    prediction: Any
    # Uncertainty, probability and labels.
    layers: tuple[LayerData, ...]
    # Whether a model was trained on this case, or on one of its name, so that scores mean little.
    trained_on: Known


@dataclass(frozen=True, kw_only=True, eq=False)
class Place:
    """The part of the image to predict: world positions (mm) of a point, or of the corners of a box."""

    point_mm: tuple[float, float, float] | None = None
    box_mm: tuple[tuple[float, float, float], ...] | None = None


class WarmModels:
    """Keeps loaded models for the next case, as long as their files stay the same."""

    def __init__(self) -> None:
        self._models: dict[Path, tuple[object, Any]] = {}

    def load(self, runs: Sequence[Path], stop: threading.Event) -> Generator[Event, None, list[Any]]:
        """Load the models that are not kept yet; yield progress, return the models, and drop all others.

        An ensemble stands for its members.
        """
        yield Progress(done=0, total=0, message=said("Getting ready ..."))
        from napari_necroseg.core.network.model import load_model
        from napari_necroseg.core.project.models import distinct_runs

        kept: dict[Path, tuple[object, Any]] = {}
        distinct, repeated = distinct_runs(runs)
        if repeated:
            yield Warned(message=repeated)
        for run in distinct:
            yield Progress(done=0, total=0, message=said("Loading the model {name} ...", name=run.name))
            if stop.is_set():
                return []
            stamp, known = _stamp(run), self._models.get(run)
            kept[run] = known if known and stamp and known[0] == stamp else (stamp, load_model(run))
        self._models = kept
        return [model for _, model in kept.values()]


def predict_case(
    runs: Sequence[Path],
    case: Case,
    *,
    config: PredictConfig,
    place: Place,
    warm: WarmModels,
    stop: threading.Event,
) -> Iterator[Event]:
    """Load models and apply them to a case, or to a part of it."""
    models = yield from warm.load(runs, stop)
    if not models:
        return
    from napari_necroseg.core.network.device import hand_back_memory, resolve_device
    from napari_necroseg.core.network.images import check_images
    from napari_necroseg.core.prediction.predict import check_sequences, predict
    from napari_necroseg.core.prediction.region import region_of_box

    for model in models:
        check_sequences(model, case)
        check_images(case, model.config.sequences)
    region = None if place.box_mm is None else region_of_box(case.grid, place.box_mm)
    job = predict(models, case, config.changed(around=place.point_mm), region=region, stop=stop)
    try:
        for event in job:
            yield (
                _ready_to_show(event.result, case, runs=runs, config=config)
                if isinstance(event, Finished)
                else event
            )
    finally:
        # The viewer stays open; a training, which is another process, may need the card.
        job.close()
        hand_back_memory(resolve_device(config.device))


def predict_all(
    runs: Sequence[Path],
    cohort: Cohort,
    *,
    config: PredictConfig,
    out: Path,
    warm: WarmModels,
    stop: threading.Event,
) -> Iterator[Event]:
    """Apply models to every case of a cohort, and write the masks; a mask that exists already stays."""
    models = yield from warm.load(runs, stop)
    if not models:
        return
    from napari_necroseg.core.prediction.predict_cohort import predict_cohort

    there = names_in(out)
    masks = {name: name_among(there, f"{name}.nii.gz") for name in cohort.names}
    yield from _left_out({name: out / mask for name, mask in masks.items() if mask}, models=models)
    left = tuple(name for name, mask in masks.items() if mask is None)
    yield from _counted(predict_cohort(models, cohort.only(left), config, out=out, stop=stop), left)


def _left_out(masks: Mapping[str, Path], *, models: Sequence[Any]) -> Iterator[Event]:
    """Say which cases have a mask already, those whose mask is another than it would be one by one."""
    remarks = {name: about_mask(mask, {model.sha256 for model in models}) for name, mask in masks.items()}
    plain = [name for name, remark in remarks.items() if not remark]
    if plain:
        yield Warned(
            message=said(
                "{n} left out, since {folder} holds a mask already: {cases}.",
                n=len(plain),
                folder=masks[plain[0]].parent.name,
                cases=listed(plain),
            )
        )
    for name, remark in remarks.items():
        if remark:
            folder = masks[name].parent.name
            yield Warned(message=f"{name} is left out: {folder} holds a mask of it already{remark}.")


def _counted(events: Iterator[Event], cases: Sequence[str]) -> Iterator[Event]:
    """Say of the steps of each case which case it is, of how many, and how long all will take."""
    n_done, began_s = 0, time.monotonic()
    for event in events:
        match event:
            case Progress(done=done, total=total):
                share = done / total if total else 0.0
                words = _place(cases, n_done, seconds=time.monotonic() - began_s)
                yield Progress(done=round(100 * (n_done + share)), total=100 * len(cases), message=words)
            case CaseDone() | CaseFailed():
                n_done = event.done
                yield event
            case _:
                yield event


def _place(cases: Sequence[str], n_done: int, *, seconds: float) -> str:
    number, total, case = n_done + 1, len(cases), cases[n_done]
    if n_done == 0:
        return said("Case {number} of {total}: {case}", number=number, total=total, case=case)
    left = duration(seconds / n_done * (total - n_done))
    return said(
        "Case {number} of {total}: {case}; about {time} left",
        number=number,
        total=total,
        case=case,
        time=left,
    )


def about_mask(mask: Path, models: Set[str]) -> str:
    """Say how a mask differs from what these models (by their SHA-256) would make; nothing if it does not."""
    made = provenance_of(mask)
    if made.state is MaskState.CHANGED:
        return ", which was changed after it was written"
    if made.is_corrected:
        return ", corrected by hand"
    members = made.record.get("models")
    known = {one.get("sha256") for one in members if isinstance(one, dict)} if members else set()
    if known and known != models:
        return " by another model; remove it to predict the case with this one"
    return ""


def _stamp(run: Path) -> object:
    """Return time and size of the weights in a folder, which change with the model; None without any."""
    path = run / WEIGHTS_NAME
    if not path.is_file():
        return None
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size


def _ready_to_show(
    prediction: Any, case: Case, *, runs: Sequence[Path], config: PredictConfig
) -> Finished[Any]:
    run, n_models = runs[0], len(prediction.provenance["models"])
    others = max(0, n_models - max(1, len(members_of(run))))
    name = f"{run_name(run)} + {others}" if others else run_name(run)
    sources = {role: case_source(case, role, run=mean_name(runs)) for role in Role}
    labels = mask_layer(prediction.labels, sources[Role.PREDICTION], name=f"prediction {name}")
    return Finished(
        result=CasePrediction(
            case=case,
            run=run,
            config=config,
            prediction=prediction,
            layers=(
                probability_layer(
                    prediction.uncertainty, sources[Role.UNCERTAINTY], name=f"uncertainty {name}"
                ),
                probability_layer(
                    prediction.probability, sources[Role.PROBABILITY], name=f"probability {name}"
                ),
                labels,
            ),
            trained_on=prediction.provenance["trained_on"],
        )
    )
