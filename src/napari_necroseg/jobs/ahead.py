"""Reads the next case before it is wanted, and predicts it if a model is at hand."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from napari_necroseg.core.case import Case, CaseFiles
from napari_necroseg.core.config import PredictConfig
from napari_necroseg.core.events import Event, Finished, Progress
from napari_necroseg.core.labels_folder import LABELS_FOLDER, corrected_path
from napari_necroseg.core.project.predictions import saved_prediction
from napari_necroseg.jobs.cases import read_for_display
from napari_necroseg.jobs.predict import CasePrediction, Place, WarmModels, predict_case
from napari_necroseg.layerdata import LayerData


@dataclass(frozen=True, kw_only=True, eq=False)
class _Read:
    files: CaseFiles
    # Time and size of each file, which change with it.
    stamps: tuple[tuple[int, int], ...]
    case: Case
    layers: list[LayerData]


class ReadAhead:
    """Holds one case that was read ahead; it is handed out once, and only while its files are the same."""

    def __init__(self) -> None:
        self._read: _Read | None = None

    def holds(self, files: CaseFiles) -> bool:
        """Whether this case was read, and its files have not changed since."""
        read = self._read
        return read is not None and read.files == files and read.stamps == _stamps(files)

    def read(self, files: CaseFiles) -> Case:
        """Read a case in place of the one that is held, unless it is held already."""
        read = self._read
        if read is not None and self.holds(files):
            return read.case
        self._read = None
        stamps = _stamps(files)
        case, layers = read_for_display(files)
        self._read = _Read(files=files, stamps=stamps, case=case, layers=layers)
        return case

    def take(self, files: CaseFiles) -> tuple[Case, list[LayerData]] | None:
        """Hand the case out if it was read; None if it has to be read now."""
        if not self.holds(files):
            return None
        read, self._read = self._read, None
        return None if read is None else (read.case, read.layers)


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


def _stamps(files: CaseFiles) -> tuple[tuple[int, int], ...]:
    found = []
    for path in files.paths.values():
        try:
            stat = path.stat()
        except OSError:
            return ()
        found.append((stat.st_mtime_ns, stat.st_size))
    return tuple(found)
