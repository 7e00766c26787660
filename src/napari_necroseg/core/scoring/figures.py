"""Scores of a cohort as figures: box plots as in the paper's Figure 3, and a Bland-Altman plot of volumes."""

import io
import math
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_necroseg.core.errors import ResourceError
from napari_necroseg.core.files import atomic_path, back_up, read_bytes
from napari_necroseg.core.scoring.scores import Scores

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("png", "svg", "pdf")
_NAMES = ("boxes", "volumes")
# Matplotlib writes its name into every file.
_DRAWN_BY = b"Matplotlib"
_BOXES = {"dice": "Dice", "sensitivity": "sensitivity", "specificity_box": "specificity\n(box)"}
_INK = "#0072b2"


def check_figures() -> None:
    """Refuse, before any work, to draw figures without matplotlib.

    Raises `ResourceError`, which says what to install.
    """
    if find_spec("matplotlib") is None:
        raise ResourceError('Figures need matplotlib: pip install "napari-necroseg[figures]".')


def write_figures(scores: Mapping[str, Scores], folder: Path, *, n_unscored: int = 0) -> tuple[Path, ...]:
    """Draw the scores of a cohort and write each figure as PNG, SVG and PDF.

    `scores`: by case; those with nothing to find and false alarms are left out, missed ones are not.
    `folder`: is made if it is missing; files of these names are replaced (see `keep_foreign`). `n_unscored`:
    how many more cases there are that have no scores; the titles say so.
    Returns the paths of ``boxes.*`` and ``volumes.*``.
    Raises `ResourceError` if matplotlib is missing, or the folder cannot be written.
    """
    check_figures()
    return tuple(
        path
        for name, figure in _figures(scores, n_unscored).items()
        for path in save_figure(figure, folder, name=name)
    )


def keep_foreign(folder: Path) -> Iterator[str]:
    """Rename files of other programs that have the names of these figures; yield a sentence for each."""
    for path in (folder / f"{name}.{suffix}" for name in _NAMES for suffix in FORMATS):
        if path.is_file() and _DRAWN_BY not in read_bytes(path):
            yield f"{path} is of another kind; it is kept as {back_up(path).name}."


def save_figure(figure: "Figure", folder: Path, *, name: str) -> tuple[Path, ...]:
    """Write a figure as PNG, SVG and PDF, without the time, and return their paths."""
    paths = tuple(folder / f"{name}.{suffix}" for suffix in FORMATS)
    for path, suffix in zip(paths, FORMATS, strict=True):
        with atomic_path(path) as temporary:
            figure.savefig(temporary, format=suffix, dpi=150, metadata=_undated(suffix))
    return paths


def png_figures(scores: Mapping[str, Scores], *, n_unscored: int = 0) -> dict[str, bytes]:
    """Draw the same figures and return each as the bytes of a PNG, by name."""
    check_figures()
    drawn = {}
    for name, figure in _figures(scores, n_unscored).items():
        # As wide as a dock, so that the text is not scaled down.
        figure.set_size_inches(3.4, 2.6)
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=100)
        drawn[name] = file.getvalue()
    return drawn


def _figures(scores: Mapping[str, Scores], n_unscored: int) -> "dict[str, Figure]":
    shown = {name: one for name, one in scores.items() if one.state in ("scored", "missed")}
    return {
        "boxes": box_plots(shown, n_unscored=n_unscored),
        "volumes": bland_altman(shown, n_unscored=n_unscored),
    }


def _title(scores: Mapping[str, Scores], n_unscored: int) -> str:
    return f"{len(scores)} cases" + (f"; {n_unscored} more without scores" if n_unscored else "")


def box_plots(scores: Mapping[str, Scores], *, n_unscored: int = 0) -> "Figure":
    """Draw Dice, sensitivity and specificity: median, quartiles, whiskers to 1.5 times the box, each case."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    columns = [_defined([getattr(one, name) for one in scores.values()]) for name in _BOXES]
    axes.boxplot(columns, tick_labels=list(_BOXES.values()), widths=0.5, showfliers=False)
    for position, values in enumerate(columns, start=1):
        spread = np.linspace(-0.12, 0.12, len(values)) if len(values) > 1 else np.zeros(len(values))
        axes.plot(position + spread, values, "o", color=_INK, alpha=0.6, markersize=4)
    axes.set(ylim=(-0.02, 1.02), title=_title(scores, n_unscored))
    axes.grid(axis="y", alpha=0.3)
    return figure


def bland_altman(scores: Mapping[str, Scores], *, n_unscored: int = 0) -> "Figure":
    """Draw the difference of volumes over their mean, its mean and limits of agreement (1.96 deviations)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    reference, prediction = (
        np.array([getattr(one, f"{name}_ml") for one in scores.values()])
        for name in ("reference", "prediction")
    )
    difference = prediction - reference
    axes.plot((reference + prediction) / 2, difference, "o", color=_INK, alpha=0.7)
    if len(difference) > 1:
        mean, limit = float(difference.mean()), 1.96 * float(difference.std(ddof=1))
        for value, style in ((mean, "-"), (mean - limit, "--"), (mean + limit, "--")):
            axes.axhline(value, color="0.3", linestyle=style, linewidth=1)
            axes.annotate(
                f"{value:+.2f}", (1.0, value), xycoords=("axes fraction", "data"), ha="right", va="bottom"
            )
    axes.set(
        xlabel="mean of both volumes, mL",
        ylabel="prediction - reference, mL",
        title=_title(scores, n_unscored),
    )
    axes.grid(alpha=0.3)
    return figure


def _defined(values: list[float]) -> list[float]:
    return [value for value in values if math.isfinite(value)]


def _undated(suffix: str) -> dict[str, Any]:
    """Leave out the date, so that the same scores give the same file."""
    return {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(suffix, {})
