"""Writes the model card: what an exported network is, how it was made, how to run it, and its limits."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from napari_necroseg.core.config import usual_prediction
from napari_necroseg.core.network.model import Model
from napari_necroseg.core.network.unet import n_parameters
from napari_necroseg.core.scoring.scores import SCORE_NAMES, Scores
from napari_necroseg.core.scoring.summary import Summary, summarise
from napari_necroseg.core.scoring.tables import read_scores
from napari_necroseg.core.tissue import BRIGHTEST, DARKEST

SCORES_NAME = "scores.csv"
# The input of the code in the card.
_WHAT = {
    "patch": "a patch of your case",
    "volume": "your whole image",
    "tissue": "your whole image, not interpolated to slices yet,",
}


@dataclass(frozen=True, kw_only=True)
class Export:
    """An exported file: its hash, its largest difference from torch, and the packages that wrote it."""

    sha256: str
    difference: float
    versions: Mapping[str, str]


def read_run_scores(model: Model) -> dict[str, Scores]:
    """Read the scores in the run's folder, by case; none if it has no ``scores.csv``."""
    path = model.run / SCORES_NAME
    return read_scores(path) if path.exists() else {}


def model_card(model: Model, export: Export, *, scores: Mapping[str, Scores]) -> str:
    """Write the card, in Markdown. It names no case: a name may be a patient's."""
    from napari_necroseg.core.templates import render

    config, record = model.config, model.record
    n_slices, n_rows, n_columns = record.patch_shape
    names = "\n".join(sorted(model.cases)).encode()
    summary = summarise(scores) if scores else None
    return render(
        Path(__file__).with_name("templates"),
        "model_card.md",
        config=config,
        record=record,
        export=export,
        summary=summary,
        scores=[] if summary is None else _rows(summary),
        n_scored=len(scores),
        n_seen=len(set(scores) & set(model.cases)),
        dimension=config.dimension.upper(),
        is_2d=config.dimension == "2d",
        sequences=_list(config.sequences),
        widths=_list(record.widths),
        parameters=f"{n_parameters(model.network):,}",
        n_slices=n_slices,
        n_rows=n_rows,
        n_columns=n_columns,
        n_cases=len(model.cases),
        names_sha256=hashlib.sha256(names).hexdigest(),
        config_json=json.dumps(config.model_dump(mode="json"), indent=2),
        model_sha256=model.sha256,
        trained_with=_versions(record.versions),
        exported_with=_versions(export.versions),
        more="".join(f", {step}" for step in _further_steps(model)),
        what=_WHAT[config.whitening],
        shape=(len(config.sequences), *record.patch_shape),
        darkest=f"{DARKEST:g}",
        brightest=f"{BRIGHTEST:g}",
    )


def _further_steps(model: Model) -> list[str]:
    """Say what `necroseg predict` does beyond the network for a model of this preset."""
    usual = usual_prediction(model.config)
    steps = ["the mean over mirrored images"] if usual.tta else []
    if usual.slice_smoothing_mm and model.config.dimension == "2d":
        steps.append(f"a Gaussian of {usual.slice_smoothing_mm:g} mm across slices")
    if usual.smallest_share:
        steps.append(f"leaving out parts smaller than {usual.smallest_share:g} of the largest")
    return steps


def _rows(summary: Summary) -> list[tuple[str, ...]]:
    columns = (summary.mean, summary.median, summary.std)
    return [(name, *(_number(column[name]) for column in columns)) for name in SCORE_NAMES]


def _list(values: tuple[object, ...]) -> str:
    *first, last = map(str, values)
    return f"{', '.join(first)} and {last}" if first else last


def _versions(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"
