"""Box plots of an experiment, as the paper's Figure 3: Dice and sensitivity of each configuration."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from napari_necroseg.core.study.findings import title_of
from napari_necroseg.core.study.outcomes import Outcome

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SHOWN = {"dice": "Dice, %", "sensitivity": "Sensitivity, %"}
# Blue and orange of the palette of Okabe and Ito: 2D and 3D are told apart by everyone.
_INK = {"2d": "#0072b2", "3d": "#d55e00"}
_HALF_SPREAD = 0.16

CAPTION = (
    "Box: 25th to 75th percentile of the patients; line: median; whiskers: the furthest patient within 1.5 "
    "times the box; points: every patient. Blue: 2D; orange: 3D."
)


def box_plots(outcomes: Sequence[Outcome]) -> "Figure":
    """Draw a box and every patient, in percent, for each configuration."""
    from matplotlib.figure import Figure

    width = max(4.2, 1.6 + 1.0 * len(outcomes))
    figure = Figure(figsize=(width, 6.4), layout="constrained")
    for axes, (score, title) in zip(figure.subplots(len(_SHOWN), 1), _SHOWN.items(), strict=True):
        columns = [100 * np.array(list(one.by_patient(score).values())) for one in outcomes]
        labels = [_label(one, len(values)) for one, values in zip(outcomes, columns, strict=True)]
        axes.boxplot(
            columns,
            tick_labels=labels,
            widths=0.5,
            showfliers=False,
            medianprops={"color": "black", "linewidth": 1.8},
        )
        for place, (one, values) in enumerate(zip(outcomes, columns, strict=True), start=1):
            half = _HALF_SPREAD if len(values) > 1 else 0.0
            spread = np.linspace(-half, half, len(values))
            ink = _INK[one.configuration.partition(":")[0]]
            axes.plot(place + spread, values, "o", color=ink, alpha=0.65, markersize=4.5)
        axes.set(ylim=(-2, 102), ylabel=title)
        axes.grid(axis="y", alpha=0.3)
    return figure


def _label(outcome: Outcome, n_patients: int) -> str:
    return f"{title_of(outcome.configuration).replace(' ', chr(10), 1)}\nn = {n_patients}"
