"""Scores as tables: one row per case or per number, Markdown for a paper, and a record of their making."""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import Any, get_args

from napari_necroseg import __version__
from napari_necroseg.core.case_names import csv_cell, in_markdown, shown
from napari_necroseg.core.cohort.csv_table import LARGEST_TABLE_BYTES
from napari_necroseg.core.cohort.seen_cases import Known, known_by_record
from napari_necroseg.core.errors import FileError
from napari_necroseg.core.events import plain
from napari_necroseg.core.files import file_sha256, read_bytes, read_text
from napari_necroseg.core.project.provenance import Provenance
from napari_necroseg.core.scoring.pairs import MaskPair
from napari_necroseg.core.scoring.scores import SCORE_NAMES, Scores, State
from napari_necroseg.core.scoring.summary import Summary
from napari_necroseg.core.volume import Grid

# Scores that exist for several regions: metric and region.
_REGIONS = {
    "specificity": ("specificity", "native"),
    "specificity_box": ("specificity", "box"),
    "specificity_patch": ("specificity", "patch"),
}
_IN_MARKDOWN = {
    "dice": "Dice",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity (image)",
    "specificity_box": "Specificity (box)",
    "specificity_patch": "Specificity (patch)",
    "hd95_mm": "HD95, mm",
    "assd_mm": "ASSD, mm",
    "nsd": "NSD",
    "centroid_distance_mm": "Centroid distance, mm",
    "volume_difference_ml": "Volume difference, mL",
}
# Definitions, for readers of the file who do not have the program.
_DEFINITIONS = {
    "native": "all voxels of the case's ceT1 grid",
    "box": "the bounding box of the reference plus 10 mm",
    "patch": "64 x 128 x 128 voxels about the centroid of the reference on the grid of 64 slices",
    "surfaces": "area-weighted surface elements between eight neighbouring voxel centres",
    "hd95_mm": "the larger of both directed distances that 95 % of the area does not exceed",
    "lesions": "26-connected components; one voxel in common is a match",
    "means": "over scored and missed cases; standard deviation with ddof 1; intervals: 95 %, 2,000 bootstrap "
    "resamples of the patients, percentile method",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class ScoredCase:
    """A scored case: its files, grid and scores, and the provenance of its mask."""

    pair: MaskPair
    grid: Grid
    scores: Scores
    made: Provenance

    @property
    def trained_on(self) -> Known | None:
        """Whether the model was trained on it."""
        return known_by_record(self.made.record, siblings=self.pair.siblings)


def wide_table(scores: Mapping[str, Scores], *, known: Mapping[str, Known | None] | None = None) -> str:
    """Return CSV with one row per case; undefined scores are empty.

    With `known`, the last column says by what the model knew a case from its training: ``image``, ``patient``
    or ``name``; ``no`` for an unseen one, and nothing where the prediction's record does not tell.
    """
    names = ("case", *(field.name for field in fields(Scores)))
    rows = ((csv_cell(case), *plain(one).values()) for case, one in scores.items())
    if known is None:
        return csv_text(names, rows)
    return csv_text(
        (*names, "trained_on"), ((*row, known[case]) for row, case in zip(rows, scores, strict=True))
    )


def tidy_table(scores: Mapping[str, Scores]) -> str:
    """Return CSV with one row per case and score: ``case,metric,region,value``."""
    rows = (
        (csv_cell(case), *metric_and_region(name), value)
        for case, one in scores.items()
        for name, value in plain(one).items()
        if name in SCORE_NAMES
    )
    return csv_text(("case", "metric", "region", "value"), rows)


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return rows as CSV below the names of their columns; None is an empty cell."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows((columns, *rows))
    return text.getvalue()


def metric_and_region(score: str) -> tuple[str, str]:
    """Return the metric and the region of a score, by its name; most are over the whole image."""
    return _REGIONS.get(score, (score, "native"))


def markdown_table(summary: Summary) -> str:
    """Return the summary of a cohort as a table in Markdown."""
    lines = [
        "| score | mean (95 % interval) | median | standard deviation | quartiles |",
        "|---|---|---|---|---|",
    ]
    for name, title in _IN_MARKDOWN.items():
        mean = _number(summary.mean[name])
        if not math.isnan(summary.mean_low[name]):
            mean += f" ({_number(summary.mean_low[name])} to {_number(summary.mean_high[name])})"
        quartiles = f"{_number(summary.quartile_1[name])} to {_number(summary.quartile_3[name])}"
        median, std = _number(summary.median[name]), _number(summary.std[name])
        lines.append(f"| {title} | {mean} | {median} | {std} | {quartiles} |")
    counts = (
        f"{summary.scored} scored, {summary.missed} missed (in the means, with a Dice of 0 and infinite "
        f"distances), {summary.false_alarms} false alarms, {summary.nothing_to_find} with nothing to find."
    )
    remarks = summary.remarks(most_named=summary.with_reference + len(summary.without_reference))
    return "\n".join([*lines, "", " ".join([counts, *map(in_markdown, remarks)]), ""])


def record(cases: Iterable[ScoredCase], summary: Summary, *, tolerance_mm: float) -> dict[str, Any]:
    """Return how scores were made, ready for JSON: definitions, versions, files with hashes, and scores.

    Raises `FileError` if a file is gone that was read before.
    """
    return {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {"napari-necroseg": __version__, "numpy": version("numpy"), "scipy": version("scipy")}
        | {"python": python_version()},
        "nsd_tolerance_mm": tolerance_mm,
        "definitions": _DEFINITIONS,
        "cases": [_case_record(case) for case in cases],
        "summary": plain(summary),
    }


def is_alike(path: Path, text: str) -> bool:
    """Whether a file begins like this text: then it is an earlier table or record, and may be replaced."""
    first, *_ = text.splitlines()
    # The second line of a record is its date.
    begins = f'{first}\n  "made": "' if first == "{" else f"{first}\n"
    held = read_bytes(path)
    return not held or held.startswith(begins.encode())


def read_scores(path: Path) -> dict[str, Scores]:
    """Read a table with a row for each case; return the scores of each.

    Raises `FileError` if it is not such a table.
    """
    text = read_text(path, "a table of scores", most_bytes=LARGEST_TABLE_BYTES)
    try:
        return {row["case"]: _scores_of(row) for row in csv.DictReader(io.StringIO(text, newline=""))}
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise FileError(
            f"{path} is no table of scores; write it again with `necroseg score --csv`, or remove it."
        ) from error


def _case_record(case: ScoredCase) -> dict[str, Any]:
    try:
        files = {
            side: {"file": shown(path.name), "sha256": file_sha256(path)}
            for side, path in (("reference", case.pair.reference), ("prediction", case.pair.prediction))
        }
    except OSError as error:
        raise FileError(f"{error.filename} could be read a moment ago and is gone now.") from error
    return {
        "case": case.pair.case,
        "shape": list(case.grid.shape),
        "spacing_mm": list(case.grid.spacing_mm),
        "trained_on": case.trained_on,
        "mask": str(case.made.state),
        "corrected_by_hand": case.made.is_corrected,
        **files,
        "scores": plain(case.scores),
    }


def _scores_of(row: dict[str, str]) -> Scores:
    """Read the scores in a row; an empty cell is undefined."""
    state: State = get_args(State)[get_args(State).index(row["state"])]
    values: dict[str, Any] = {name: float(row[name] or "nan") for name in (*SCORE_NAMES, "nsd_tolerance_mm")}
    counts = {name: int(value) for name, value in values.items() if name.startswith("lesions_")}
    return Scores(state=state, **values | counts)


def _number(value: float) -> str:
    if math.isnan(value):
        return "-"
    return "∞" if math.isinf(value) else f"{value:.3f}"
