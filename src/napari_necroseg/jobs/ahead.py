"""Reads the next case before it is wanted, and predicts it if a model is at hand."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from napari_necroseg.core.case import CaseFiles
from napari_necroseg.core.config import PredictConfig
from napari_necroseg.core.events import Event, Finished, Progress
from napari_necroseg.core.labels_folder import LABELS_FOLDER, corrected_path
from napari_necroseg.core.project.predictions import saved_prediction
from napari_necroseg.jobs.predict import CasePrediction, Place, WarmModels, predict_case
from napari_necroseg.jobs.read_case import ReadAhead


@dataclass(frozen=True, kw_only=True, eq=False)
class Prepared:
    """A case that was read ahead; its prediction, if one was made."""

    case: str
    prediction: CasePrediction | None = None


def prepare(
    files: CaseFiles,
    folder: Path,
    *,
    ahead: ReadAhead,
    run: Path | None,
    config: PredictConfig,
    warm: WarmModels,
    stop: threading.Event,
) -> Iterator[Event]:
    """Read a case, and predict it unless the project holds a prediction or the person's mask of it.

    `run` is the model; without one the case is only read.
    """
    case = ahead.read(files)
    yield Progress(done=1, total=2, message="")
    is_there = saved_prediction(folder, files.name) or corrected_path(folder / LABELS_FOLDER, files.name)
    if run is None or is_there.exists():
        yield Finished(result=Prepared(case=files.name))
        return
    for event in predict_case([run], case, config=config, place=Place(), warm=warm, stop=stop):
        if isinstance(event, Finished):
            yield Finished(result=Prepared(case=files.name, prediction=event.result))
