"""The scores of an experiment as one tidy table, ``scores.csv``: a row a number."""

import csv
import hashlib
import io
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_necroseg.core.cohort.csv_table import LARGEST_TABLE_BYTES
from napari_necroseg.core.config.study import Configuration
from napari_necroseg.core.errors import FileError
from napari_necroseg.core.events import plain
from napari_necroseg.core.files import read_text
from napari_necroseg.core.scoring.scores import SCORE_NAMES, Scores, State
from napari_necroseg.core.scoring.tables import metric_and_region

SCORES_NAME = "scores.csv"
COLUMNS = ("configuration", "fold", "seed", "case", "metric", "region", "value")
_TOLERANCE = "nsd_tolerance_mm"
_NAME_OF = {metric_and_region(name): name for name in (*SCORE_NAMES, _TOLERANCE)}


@dataclass(frozen=True, kw_only=True)
class CaseResult:
    """How well one network did on one case that it was not trained on."""

    configuration: str
    fold: int
    seed: int
    case: str
    scores: Scores


def results_text(results: Iterable[CaseResult]) -> str:
    """Return the table as CSV; a value is empty where it is undefined, and ``inf`` where it is infinite."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in results:
        values = plain(one.scores)
        for (metric, region), name in _NAME_OF.items():
            value = values[name]
            row = (one.configuration, one.fold, one.seed, one.case, metric, region)
            writer.writerow((*row, "" if value is None else value))
    return text.getvalue()


def results_sha256(results: Iterable[CaseResult]) -> str:
    """Return the SHA-256 of a run's scores, in whatever order and way a program has written the file anew."""
    ordered = sorted(results, key=lambda one: one.case)
    return hashlib.sha256(results_text(ordered).encode()).hexdigest()


def read_results(path: Path) -> tuple[CaseResult, ...]:
    """Read the table of an experiment.

    Raises
    ------
    FileError
        If there is none, or it is not such a table.
    """
    found: dict[tuple[str, int, int, str], dict[str, float]] = {}
    text = read_text(path, "a table of scores", LARGEST_TABLE_BYTES)
    try:
        for row in csv.DictReader(io.StringIO(text, newline="")):
            key = (
                str(Configuration.parse(row["configuration"])),
                int(row["fold"]),
                int(row["seed"]),
                row["case"],
            )
            values = found.setdefault(key, {})
            values[_NAME_OF[row["metric"], row["region"]]] = float(row["value"] or "nan")
        return tuple(_result(*key, values) for key, values in found.items())
    except (KeyError, TypeError, ValueError, OverflowError, csv.Error) as error:
        raise FileError(
            f"{path} is no table of scores of a study: its columns are {','.join(COLUMNS)}. Write it again "
            "with `necroseg study`."
        ) from error


def _result(configuration: str, fold: int, seed: int, case: str, values: dict[str, float]) -> CaseResult:
    fields: dict[str, Any] = {name: values[name] for name in (*SCORE_NAMES, _TOLERANCE)}
    fields |= {name: int(value) for name, value in fields.items() if name.startswith("lesions_")}
    scores = Scores(state=_state(values), **fields)
    return CaseResult(configuration=configuration, fold=fold, seed=seed, case=case, scores=scores)


def _state(values: dict[str, float]) -> State:
    """Say again whether there was something to find, and something found."""
    if math.isnan(values["dice"]):
        return "nothing_to_find"
    if values["prediction_ml"] == 0:
        return "missed"
    return "scored" if values["reference_ml"] > 0 else "false_alarm"
