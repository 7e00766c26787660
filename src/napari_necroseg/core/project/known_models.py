"""Lists the trained models that are known on this computer, with what a person chooses one by."""

import csv
import io
import math
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from napari_necroseg.core.case_names import is_among
from napari_necroseg.core.project.model_folder import (
    HISTORY_NAME,
    MODELS_FOLDER,
    WEIGHTS_NAME,
    learned_cases,
    read_run_record,
)
from napari_necroseg.core.project.models import ENSEMBLE_NAME, find_ensembles, find_runs, modified_s

# A model of fewer steps has hardly begun to learn: it is listed, but never chosen unless a person does.
LEAST_ITERATIONS = 200
# A row of a long training takes some 40 bytes.
_MOST_HISTORY_BYTES = 50_000_000


@dataclass(frozen=True, kw_only=True)
class KnownModel:
    """A trained model, or an ensemble of several, on this computer."""

    run: Path
    # When its weights were written, in seconds since 1970.
    made_s: float
    # How many cases it has learned from, those of the model that it was improved from included.
    cases: int
    # Its mini-batches; None where no record tells.
    iterations: int | None = None
    sequences: tuple[str, ...] = ()
    # The mean Dice at the end of the training on cases that it has not learned from, and their number; nan
    # and 0 if it was not tested.
    dice: float = math.nan
    unseen: int = 0

    @property
    def is_ready(self) -> bool:
        """Whether it has learned for long enough to be chosen by itself."""
        return self.iterations is None or self.iterations >= LEAST_ITERATIONS

    @property
    def project(self) -> str:
        """The name of the folder of the project or study that it lies in; empty if it lies elsewhere."""
        models = self.run.parent
        return models.parent.name if models.name == MODELS_FOLDER else ""


def known_models(projects: Iterable[Path], *, others: Iterable[Path] = ()) -> tuple[KnownModel, ...]:
    """Return the models of project folders and single models elsewhere, the newest first, each once.

    Folders that are gone or cannot be read are passed over.
    """
    runs: list[Path] = []
    for folder in projects:
        with suppress(OSError):
            runs += [*find_runs(folder), *find_ensembles(folder)]
    runs += others
    distinct = {run.absolute(): run for run in reversed(runs)}
    found = [model for run in distinct.values() if (model := known_model(run)) is not None]
    return tuple(sorted(found, key=lambda model: model.made_s, reverse=True))


def known_model(run: Path) -> KnownModel | None:
    """Describe the model in a folder; None if there is none."""
    marks = [path for name in (WEIGHTS_NAME, ENSEMBLE_NAME) if (path := run / name).is_file()]
    if not marks:
        return None
    record = read_run_record(run)
    config, iterations = record.get("config"), record.get("iterations")
    sequences = config.get("sequences") if isinstance(config, dict) else None
    dice, unseen = dice_on_unseen(run)
    return KnownModel(
        run=run,
        made_s=modified_s(marks[0]),
        cases=len(set(learned_cases(run))),
        iterations=iterations if isinstance(iterations, int) else None,
        sequences=tuple(map(str, sequences)) if isinstance(sequences, list) else (),
        dice=dice,
        unseen=unseen,
    )


def is_ready(run: Path) -> bool:
    """Whether the model in a folder has learned for long enough; one without a record has."""
    iterations = read_run_record(run).get("iterations")
    return not isinstance(iterations, int) or iterations >= LEAST_ITERATIONS


def dice_on_unseen(run: Path) -> tuple[float, int]:
    """Return the last mean Dice on cases that a model never learned from, and their number; else nan and 0.

    A model that went on from another is watched on that one's own cases, which shows only what it forgets.
    """
    tested = read_run_record(run).get("validation")
    names = [str(name) for name in tested] if isinstance(tested, list) else []
    learned = learned_cases(run)
    if not names or any(is_among(name, learned) for name in names):
        return math.nan, 0
    dice = _last_dice(run / HISTORY_NAME)
    return (dice, 0 if math.isnan(dice) else len(names))


def _last_dice(history: Path) -> float:
    try:
        if history.stat().st_size > _MOST_HISTORY_BYTES:
            return math.nan
        rows = list(csv.DictReader(io.StringIO(history.read_text(encoding="utf-8", errors="replace"))))
    except (OSError, csv.Error):
        return math.nan
    for row in reversed(rows):
        with suppress(TypeError, ValueError):
            return float(row.get("validation_dice") or "")
    return math.nan


def to_use(models: Iterable[KnownModel], *, chosen: Path | None) -> KnownModel | None:
    """Return the chosen model if it is there; else the newest that has learned for long enough."""
    models = tuple(models)
    by_person = next((one for one in models if chosen is not None and one.run == chosen), None)
    return by_person or next((one for one in models if one.is_ready), None)
