"""Examples of an experiment as pictures, as the paper's Figure 4: images, then the result of each network."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_necroseg.core.case import Sequence as MRSequence
from napari_necroseg.core.config.study import Configuration
from napari_necroseg.core.display import PREDICTION_COLOUR, REFERENCE_COLOUR
from napari_necroseg.core.masks.components import bounding_box
from napari_necroseg.core.study.examples import Example
from napari_necroseg.core.study.findings import title_of
from napari_necroseg.core.volume import Voxels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARGIN_MM = 15.0
_SCALE_BAR_MM = 10.0
_SIDE_INCHES = 1.9
_NAME_CHARACTERS = 18

CAPTION = (
    "Sagittal slice in which the reference is largest, anterior on the left; green: reference, blue: "
    "prediction of a network that was not trained on this patient (the first seed, if there are several); "
    f"in the corner its Dice over the whole volume, in percent; cropped to both outlines plus {MARGIN_MM:g} "
    f"mm; the bar is {_SCALE_BAR_MM:g} mm; grey values from the 2nd to the 99.7th percentile of the image."
)


def gallery(examples: Sequence[Example], configurations: Sequence[str]) -> "Figure":
    """Draw a row for each example: its sequences, then the outlines of each configuration."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    sequences = [str(one) for one in MRSequence if any(str(one) in example.images for example in examples)]
    n_columns = len(sequences) + len(configurations)
    size = (_SIDE_INCHES * n_columns + 0.5, _SIDE_INCHES * len(examples) + 0.75)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(len(examples), n_columns, squeeze=False)
    for row, example in zip(panels, examples, strict=True):
        for axes, sequence in zip(row, sequences, strict=False):
            _draw_image(axes, example, sequence)
        for axes, configuration in zip(row[len(sequences) :], configurations, strict=True):
            _draw_result(axes, example, configuration)
        row[0].set_ylabel(f"{example.rank}\n{_short(example.case)}", parse_math=False)
        _draw_scale_bar(row[0])
    for axes, title in zip(panels[0], [*sequences, *map(title_of, configurations)], strict=True):
        axes.set_title(title, fontsize=10)
    colours = {"reference": REFERENCE_COLOUR, "prediction": PREDICTION_COLOUR}
    lines = [Line2D([], [], color=colour, label=label) for label, colour in colours.items()]
    figure.legend(handles=lines, loc="outside lower center", ncols=2, frameon=False)
    return figure


def _draw_image(axes: "Axes", example: Example, sequence: str) -> None:
    """Draw one slice in millimetres, so that the proportions are right."""
    axes.set(xticks=[], yticks=[], facecolor="black")
    (top, bottom), (left, right) = _window_mm(example)
    axes.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")
    if sequence not in example.images:
        return
    image = example.images[sequence]
    row_mm, column_mm = example.spacing_mm
    low, high = example.ranges[sequence]
    edges = (
        -0.5 * column_mm,
        (image.shape[1] - 0.5) * column_mm,
        (image.shape[0] - 0.5) * row_mm,
        -0.5 * row_mm,
    )
    axes.imshow(image, cmap="gray", vmin=low, vmax=high, extent=edges, interpolation="bilinear")
    axes.set(xlim=(left, right), ylim=(bottom, top))


def _draw_result(axes: "Axes", example: Example, configuration: str) -> None:
    """Draw the outlines on the first sequence that the network has seen."""
    _draw_image(axes, example, str(Configuration.parse(configuration).sequences[0]))
    shown = example.predictions[configuration]
    _draw_outline(axes, example.reference, example, REFERENCE_COLOUR)
    _draw_outline(axes, shown.mask, example, PREDICTION_COLOUR)
    remark = "" if shown.mask.any() else "\nnot in this slice"
    axes.text(
        0.03,
        0.97,
        f"{100 * shown.dice:.1f}{remark}",
        transform=axes.transAxes,
        va="top",
        fontsize=9,
        color="white",
        bbox={"facecolor": "black", "alpha": 0.6, "edgecolor": "none", "pad": 1.5},
    )


def _draw_outline(axes: "Axes", mask: Voxels, example: Example, colour: str) -> None:
    if not mask.any():
        return
    # A frame of background closes outlines at the border of the image.
    padded = np.pad(mask, 1).astype(np.float32)
    rows, columns = ((np.arange(n) - 1) * mm for n, mm in zip(padded.shape, example.spacing_mm, strict=True))
    axes.contour(columns, rows, padded, levels=[0.5], colors=[colour], linewidths=1.4)


def _draw_scale_bar(axes: "Axes") -> None:
    left, right = axes.get_xlim()
    bottom, top = axes.get_ylim()
    x, y = left + 0.06 * (right - left), bottom + 0.06 * (top - bottom)
    axes.plot([x, x + _SCALE_BAR_MM], [y, y], color="white", linewidth=2.5, solid_capstyle="butt")


def _window_mm(example: Example) -> tuple[tuple[float, float], tuple[float, float]]:
    """Rows, then columns, of a square about the reference and all predictions."""
    union: Any = example.reference.copy()
    for shown in example.predictions.values():
        union |= shown.mask
    box = bounding_box(union[np.newaxis])
    assert box is not None, "the reference is not empty"
    spans = [(side.start * mm, side.stop * mm) for side, mm in zip(box[1:], example.spacing_mm, strict=True)]
    half = max(stop - start for start, stop in spans) / 2 + MARGIN_MM
    centres = [(start + stop - mm) / 2 for (start, stop), mm in zip(spans, example.spacing_mm, strict=True)]
    return (centres[0] - half, centres[0] + half), (centres[1] - half, centres[1] + half)


def _short(name: str) -> str:
    return name if len(name) <= _NAME_CHARACTERS else f"{name[: _NAME_CHARACTERS - 1]}…"
