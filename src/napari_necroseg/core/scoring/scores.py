"""All scores of one case, and their summary over a cohort."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from statistics import fmean, median, stdev
from typing import Literal

from napari_necroseg.core.grids.slices import mask_to_slices
from napari_necroseg.core.scoring.overlap import Mask, count, dice, sensitivity, specificity
from napari_necroseg.core.scoring.regions import box_region, patch_region
from napari_necroseg.core.volume import Grid, Voxels

State = Literal["scored", "missed", "false_alarm", "nothing_to_find"]


@dataclass(frozen=True, kw_only=True)
class Scores:
    """How well one prediction agrees with its reference.

    Ratios are between 0 and 1, volumes in millilitres; what is undefined is nan. Specificity is counted
    over the whole image, over the reference's bounding box plus 10 mm (`specificity_box`), and over
    64 x 128 x 128 voxels about the reference's centroid on the 64-slice grid (`specificity_patch`).
    """

    dice: float
    sensitivity: float
    specificity: float
    specificity_box: float
    specificity_patch: float
    reference_ml: float
    prediction_ml: float
    volume_difference_ml: float
    volume_difference_percent: float
    state: State

    def __str__(self) -> str:
        remark = {"scored": "", "missed": " (missed)", "false_alarm": " (false alarm)"}.get(
            self.state, " (nothing to find, nothing found)"
        )
        return (
            f"Dice {_shown(self.dice)}, sensitivity {_shown(self.sensitivity)}, specificity "
            f"{_shown(self.specificity)} (box {_shown(self.specificity_box)}, patch "
            f"{_shown(self.specificity_patch)}), {self.prediction_ml:.2f} mL against "
            f"{self.reference_ml:.2f} mL{remark}"
        )


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Scores of a cohort, per score: mean, median and standard deviation (ddof 1) over the patients.

    Cases with nothing to find and false alarms are counted, not averaged; missed cases are averaged
    with their Dice of 0. A standard deviation of a single case is nan.
    """

    mean: dict[str, float]
    median: dict[str, float]
    std: dict[str, float]
    scored: int
    missed: int
    false_alarms: int
    nothing_to_find: int

    def __str__(self) -> str:
        counts = (
            f"{self.scored} scored, {self.missed} missed, {self.false_alarms} false alarms, "
            f"{self.nothing_to_find} with nothing to find"
        )
        rows = [
            f"{name:<26}{_shown(self.mean[name]):>9}{_shown(self.median[name]):>9}{_shown(self.std[name]):>9}"
            for name in SCORE_NAMES
        ]
        return "\n".join((f"{'':<26}{'mean':>9}{'median':>9}{'std':>9}", *rows, counts))


SCORE_NAMES = tuple(field.name for field in fields(Scores) if field.name != "state")


def score_masks(reference: Voxels, prediction: Voxels, grid: Grid) -> Scores:
    """Score a predicted mask against its reference.

    Parameters
    ----------
    reference, prediction
        ``(Z, Y, X)`` on `grid`, in working order; a voxel that is not 0 is inside.
    grid
        The working grid of the case's ceT1 image.
    """
    assert reference.shape == prediction.shape == grid.shape, (reference.shape, prediction.shape, grid.shape)
    reference, prediction = reference != 0, prediction != 0
    counts = count(reference, prediction)
    reference_ml = counts.reference * grid.voxel_ml
    difference_ml = (counts.prediction - counts.reference) * grid.voxel_ml
    return Scores(
        dice=dice(counts),
        sensitivity=sensitivity(counts),
        specificity=specificity(counts),
        specificity_box=_box_specificity(reference, prediction, grid),
        specificity_patch=_patch_specificity(reference, prediction),
        reference_ml=reference_ml,
        prediction_ml=counts.prediction * grid.voxel_ml,
        volume_difference_ml=difference_ml,
        volume_difference_percent=100 * difference_ml / reference_ml if counts.reference else math.nan,
        state=_state(bool(counts.reference), bool(counts.prediction)),
    )


def summarise(scores: Iterable[Scores]) -> Summary:
    """Summarise the scores of many cases; see `Summary` for what is averaged."""
    everything = list(scores)
    averaged = [one for one in everything if one.state in ("scored", "missed")]
    columns = {name: _defined(averaged, name) for name in SCORE_NAMES}
    return Summary(
        mean={name: fmean(values) if values else math.nan for name, values in columns.items()},
        median={name: median(values) if values else math.nan for name, values in columns.items()},
        std={name: stdev(values) if len(values) > 1 else math.nan for name, values in columns.items()},
        scored=_how_many(everything, "scored"),
        missed=_how_many(everything, "missed"),
        false_alarms=_how_many(everything, "false_alarm"),
        nothing_to_find=_how_many(everything, "nothing_to_find"),
    )


def _shown(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def _box_specificity(reference: Mask, prediction: Mask, grid: Grid) -> float:
    if not reference.any():
        return math.nan
    region = box_region(reference, grid.spacing_mm)
    return specificity(count(reference[region], prediction[region]))


def _patch_specificity(reference: Mask, prediction: Mask) -> float:
    reference_64 = mask_to_slices(reference) != 0
    if not reference_64.any():
        return math.nan
    prediction_64 = mask_to_slices(prediction) != 0
    region = patch_region(reference_64)
    return specificity(count(reference_64[region], prediction_64[region]))


def _state(has_reference: bool, has_prediction: bool) -> State:
    if has_reference:
        return "scored" if has_prediction else "missed"
    return "false_alarm" if has_prediction else "nothing_to_find"


def _defined(scores: Sequence[Scores], name: str) -> list[float]:
    values = [float(getattr(one, name)) for one in scores]
    return [value for value in values if not math.isnan(value)]


def _how_many(scores: Sequence[Scores], state: State) -> int:
    return sum(one.state == state for one in scores)
