"""The figures of a report, after the paper's: box plots of all patients, and the outlines of three cases."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_necroseg.core.case import Case, Cohort
from napari_necroseg.core.case import Sequence as MRSequence
from napari_necroseg.core.case_names import named_file
from napari_necroseg.core.cohort.load import load_case
from napari_necroseg.core.config import Dimension
from napari_necroseg.core.config.study import Configuration
from napari_necroseg.core.display import PREDICTION_COLOUR, REFERENCE_COLOUR, display_range
from napari_necroseg.core.errors import FileError
from napari_necroseg.core.files import file_sha256, voxels_sha256
from napari_necroseg.core.images.read import read_mask_on
from napari_necroseg.core.masks.components import bounding_box
from napari_necroseg.core.scoring.statistics import mean
from napari_necroseg.core.study.record import StudyRecord
from napari_necroseg.core.study.report.findings import Findings
from napari_necroseg.core.study.results import Outcome
from napari_necroseg.core.study.run import Run
from napari_necroseg.core.volume import Volume, Voxels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


_SHOWN = {"dice": "Dice, %", "sensitivity": "Sensitivity, %"}

# Blue and orange of the Okabe-Ito palette, which colour-blind readers tell apart.
_INK = {"2d": "#0072b2", "3d": "#d55e00"}
_HALF_SPREAD = 0.16
BOX_PLOTS_CAPTION = (
    "Box: 25th to 75th percentile of the patients; line: median; whiskers: the furthest patient within 1.5 "
    "times the box; points: every patient. Blue: 2D; orange: 3D."
)
MARGIN_MM = 15.0
_SCALE_BAR_MM = 10.0
_SIDE_INCHES = 1.9
_NAME_CHARACTERS = 18
FIGURE_4_CAPTION = (
    "Sagittal slice in which the reference is largest, anterior on the left; green: reference, blue: "
    "prediction of a network that was not trained on this patient (the first seed, if there are several); "
    f"in the corner its Dice over the whole volume, in percent; cropped to both outlines plus {MARGIN_MM:g} "
    f"mm; the bar is {_SCALE_BAR_MM:g} mm; grey values from the 2nd to the 99.7th percentile of the image."
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
        for position, (one, values) in enumerate(zip(outcomes, columns, strict=True), start=1):
            half = _HALF_SPREAD if len(values) > 1 else 0.0
            spread = np.linspace(-half, half, len(values))
            ink = _INK[one.configuration.dimension]
            axes.plot(position + spread, values, "o", color=ink, alpha=0.65, markersize=4.5)
        axes.set(ylim=(-2, 102), ylabel=title)
        axes.grid(axis="y", alpha=0.3)
    return figure


def _label(outcome: Outcome, n_patients: int) -> str:
    return f"{outcome.configuration.heading.replace(' ', chr(10), 1)}\nn = {n_patients}"


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The cases that illustrate a study."""

    outcomes: tuple[Outcome, ...]
    # ``best``, ``median`` and ``worst``, if there are as many cases.
    cases: Mapping[str, str]
    # The rule by which they were chosen, in a sentence.
    rule: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Shown:
    """A predicted mask in a slice, and the Dice coefficient of the whole volume."""

    mask: Voxels
    dice: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Example:
    """One slice of a case."""

    case: str
    rank: str
    # ``(Y, X)`` by sequence.
    images: Mapping[str, Voxels]
    # Intensities to show as black and as white, of the whole image.
    ranges: Mapping[str, tuple[float, float]]
    # ``(Y, X)``, true inside.
    reference: Voxels
    predictions: Mapping[Configuration, Shown]
    # Of rows and of columns.
    spacing_mm: tuple[float, float]
    # From 1.
    slice_number: int


def choose(outcomes: Sequence[Outcome], dimension: Dimension) -> Choice | None:
    """Choose the best, the median and the worst case of a dimension; None if no case has all predictions.

    Cases are ranked by the Dice coefficient (mean over the seeds) of the configuration that sees most
    sequences if there is one with both, else by its mean over the configurations; equal ones by name.
    """
    shown = tuple(one for one in outcomes if one.configuration.dimension == dimension)
    both = [one for one in shown if len(one.configuration.sequences) > 1]
    ranked_by = both or shown
    common = [name for name in shown[0].values["dice"] if all(name in one.values["dice"] for one in shown)]
    if not common:
        return None
    dice = {name: mean([one.values["dice"][name] for one in ranked_by]) for name in common}
    ordered = sorted(common, key=lambda name: (-dice[name], name))
    by = both[0].configuration.heading if both else "the configurations shown (their mean)"
    rule = (
        f"Of {len(ordered)} cases that all of these configurations have predicted, the ones with the "
        f"highest, the median and the lowest Dice of {by}; of an even number, the better of the two in the "
        "middle; equal ones by name."
    )
    return Choice(outcomes=shown, cases=_of_ranks(ordered), rule=rule)


def read_example(findings: Findings, cohort: Cohort, *, choice: Choice, rank: str) -> Example:
    """Read the slice of a chosen case in which its reference is largest.

    Raises `NecrosegError` if an image or a mask is gone or has changed.
    """
    name = choice.cases[rank]
    case = load_case(cohort[name])
    reference = _reference(case, findings.record)
    index = int(np.count_nonzero(reference.voxels, axis=(1, 2)).argmax())
    _, row_mm, column_mm = case.grid.spacing_mm
    return Example(
        case=name,
        rank=rank,
        images={str(sequence): volume.voxels[index] for sequence, volume in case.sequences.items()},
        ranges={str(sequence): display_range(volume.voxels) for sequence, volume in case.sequences.items()},
        reference=reference.voxels[index] != 0,
        predictions={
            one.configuration: _shown(findings, one, case=case, index=index) for one in choice.outcomes
        },
        spacing_mm=(row_mm, column_mm),
        slice_number=index + 1,
    )


def _of_ranks(ordered: list[str]) -> dict[str, str]:
    """Pick best, median and worst; a single case is the best, two are the best and the worst."""
    ranks = {"best": 0, "median": (len(ordered) - 1) // 2, "worst": len(ordered) - 1}
    chosen: dict[str, str] = {}
    for rank in ("best", "worst", "median"):
        if ordered[ranks[rank]] not in chosen.values():
            chosen[rank] = ordered[ranks[rank]]
    return {rank: chosen[rank] for rank in ranks if rank in chosen}


def _reference(case: Case, record: StudyRecord) -> Volume:
    target, known = record.config.target, record.cases[case.name]
    mask = case.mask(target)
    if mask is None or not mask.voxels.any():
        raise FileError(f"The {target} mask of {case.name} is gone or empty.")
    are_same = [known.target_sha256 in ("", voxels_sha256(mask))]
    are_same += [
        known.images_sha256[name] == voxels_sha256(image)
        for name, image in case.sequences.items()
        if name in known.images_sha256
    ]
    if not all(are_same):
        raise FileError(f"The images or the {target} mask of {case.name} are not those of the study.")
    return mask


def _shown(findings: Findings, outcome: Outcome, *, case: Case, index: int) -> Shown:
    first = outcome.of_case(case.name)[0]
    run = Run(configuration=first.configuration, fold=first.fold, seed=first.seed)
    path = named_file(findings.folder / "predictions" / run.out_of_fold, f"{case.name}.nii.gz")
    state = findings.states.get(run.key)
    known = None if state is None else state.predictions_sha256.get(case.name)
    mask = read_mask_on(path, case.grid)
    if mask.was_resampled or known not in (None, file_sha256(path)):
        raise FileError(f"{path.name} in {run.out_of_fold} is not the mask that was scored.")
    return Shown(mask=mask.volume.voxels[index] != 0, dice=first.scores.dice)


def figure_4(examples: Sequence[Example], configurations: Sequence[Configuration]) -> "Figure":
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
            _draw_image(axes, example, sequence=sequence)
        for axes, configuration in zip(row[len(sequences) :], configurations, strict=True):
            _draw_result(axes, example, configuration=configuration)
        row[0].set_ylabel(f"{example.rank}\n{_short(example.case)}", parse_math=False)
        _draw_scale_bar(row[0])
    for axes, title in zip(panels[0], [*sequences, *(one.heading for one in configurations)], strict=True):
        axes.set_title(title, fontsize=10)
    colours = {"reference": REFERENCE_COLOUR, "prediction": PREDICTION_COLOUR}
    lines = [Line2D([], [], color=colour, label=label) for label, colour in colours.items()]
    figure.legend(handles=lines, loc="outside lower center", ncols=2, frameon=False)
    return figure


def _draw_image(axes: "Axes", example: Example, *, sequence: str) -> None:
    """Draw one slice in millimetres, in its true proportions."""
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


def _draw_result(axes: "Axes", example: Example, *, configuration: Configuration) -> None:
    """Draw the outlines on the network's first sequence."""
    _draw_image(axes, example, sequence=str(configuration.sequences[0]))
    shown = example.predictions[configuration]
    _draw_outline(axes, example.reference, example=example, colour=REFERENCE_COLOUR)
    _draw_outline(axes, shown.mask, example=example, colour=PREDICTION_COLOUR)
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


def _draw_outline(axes: "Axes", mask: Voxels, *, example: Example, colour: str) -> None:
    if not mask.any():
        return
    # A frame of background closes outlines at the image border.
    padded = np.pad(mask, 1).astype(np.float32)
    rows, columns = ((np.arange(n) - 1) * mm for n, mm in zip(padded.shape, example.spacing_mm, strict=True))
    axes.contour(columns, rows, padded, levels=[0.5], colors=[colour], linewidths=1.4)


def _draw_scale_bar(axes: "Axes") -> None:
    left, right = axes.get_xlim()
    bottom, top = axes.get_ylim()
    x, y = left + 0.06 * (right - left), bottom + 0.06 * (top - bottom)
    axes.plot([x, x + _SCALE_BAR_MM], [y, y], color="white", linewidth=2.5, solid_capstyle="butt")


def _window_mm(example: Example) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the rows, then the columns, of a square about the reference and all predictions."""
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
