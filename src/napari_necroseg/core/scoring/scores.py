"""All scores of one case: over the volume, in three regions, by lesion, and slice by slice."""

import math
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
import scipy  # loads its parts at their first use: opening the panel does not wait for them
from numpy.typing import ArrayLike, NDArray

from napari_necroseg.core.errors import GeometryError
from napari_necroseg.core.grids.slices import mask_to_slices
from napari_necroseg.core.masks.components import NEIGHBOURS, Box, bounding_box
from napari_necroseg.core.scoring.overlap import Mask, count, dice, sensitivity, specificity
from napari_necroseg.core.scoring.surface import surface_distances
from napari_necroseg.core.volume import Grid, Volume, Voxels

State = Literal["scored", "missed", "false_alarm", "nothing_to_find"]

# Fields that are no scores.
_HOW = ("state", "nsd_tolerance_mm")
DEFAULT_TOLERANCE_MM = 2.0
BOX_MARGIN_MM = 10.0
PATCH_SHAPE = (64, 128, 128)

# Values of an error map.
AGREED, MISSED, EXTRA = 1, 2, 3


@dataclass(frozen=True, kw_only=True)
class Scores:
    """The agreement of one prediction with its reference.

    Ratios are between 0 and 1, volumes in millilitres; what is undefined is nan. Specificity is counted
    over the whole image, over the reference's bounding box plus 10 mm (`specificity_box`), and over
    64 x 128 x 128 voxels about the reference's centroid on the 64-slice grid (`specificity_patch`).
    Distances are of surfaces weighted by area, in mm: the 95th percentile (`hd95_mm`, the larger of both
    directions), the average (`assd_mm`), the share within a tolerance (`nsd`), and that of the centroids; if
    one mask is empty they are infinite, and `nsd` is 0. Lesions are 26-connected.
    """

    dice: float
    sensitivity: float
    specificity: float
    specificity_box: float
    specificity_patch: float
    hd95_mm: float
    assd_mm: float
    nsd: float
    nsd_tolerance_mm: float
    centroid_distance_mm: float
    reference_ml: float
    prediction_ml: float
    volume_difference_ml: float
    volume_difference_percent: float
    lesions_reference: int
    lesions_found: int
    lesions_extra: int
    state: State

    def __str__(self) -> str:
        remark = {"scored": "", "missed": " (missed)", "false_alarm": " (false alarm)"}.get(
            self.state, " (nothing to find, nothing found)"
        )
        return (
            f"Dice {shown(self.dice)}, sensitivity {shown(self.sensitivity)}, specificity "
            f"{shown(self.specificity)} (box {shown(self.specificity_box)}, patch "
            f"{shown(self.specificity_patch)}), HD95 {self.hd95_mm:.1f} mm, {self.prediction_ml:.2f} mL "
            f"against {self.reference_ml:.2f} mL{remark}"
        )


SCORE_NAMES = tuple(field.name for field in fields(Scores) if field.name not in _HOW)


def score_masks(  # noqa: PLR0917  # as the guide shows it
    reference: Volume | Voxels,
    prediction: Volume | Voxels,
    grid: Grid | None = None,
    *,
    tolerance_mm: float = DEFAULT_TOLERANCE_MM,
) -> Scores:
    """Score a predicted mask against its reference.

    Parameters
    ----------
    reference, prediction
        ``(Z, Y, X)`` in working order, as volumes or as arrays on `grid`; a voxel that is not 0 is inside.
    grid
        The working grid of the case's ceT1 image; that of the volumes if not given.
    tolerance_mm
        Distance that counts as agreement in `nsd`.

    Raises
    ------
    GeometryError
        If the masks are not on one grid, or no grid is given.
    """
    common = _common_grid(reference, prediction, grid=grid)
    return _scores(_inside(reference), _inside(prediction), grid=common, tolerance_mm=tolerance_mm)


def _scores(reference: Mask, prediction: Mask, *, grid: Grid, tolerance_mm: float) -> Scores:
    box = bounding_box(reference | prediction)
    if box is None:
        box = (slice(0, 1), slice(0, 1), slice(0, 1))
    near = reference[box], prediction[box]
    counts = count(*near, beside=reference.size - near[0].size)
    surfaces = surface_distances(*near, spacing_mm=grid.spacing_mm)
    lesions = count_lesions(*near)
    reference_ml = counts.reference * grid.voxel_ml
    difference_ml = (counts.prediction - counts.reference) * grid.voxel_ml
    return Scores(
        dice=dice(counts),
        sensitivity=sensitivity(counts),
        specificity=specificity(counts),
        specificity_box=_box_specificity(reference, prediction, box=box, grid=grid),
        specificity_patch=_patch_specificity(reference, prediction, box=box),
        hd95_mm=surfaces.hausdorff_mm(95.0),
        assd_mm=surfaces.average_mm(),
        nsd=surfaces.share_within(tolerance_mm),
        nsd_tolerance_mm=tolerance_mm,
        centroid_distance_mm=_centroid_distance_mm(*near, grid=grid),
        reference_ml=reference_ml,
        prediction_ml=counts.prediction * grid.voxel_ml,
        volume_difference_ml=difference_ml,
        volume_difference_percent=100 * difference_ml / reference_ml if counts.reference else math.nan,
        lesions_reference=lesions.reference,
        lesions_found=lesions.found,
        lesions_extra=lesions.extra,
        state=_state(bool(counts.reference), bool(counts.prediction)),
    )


def _common_grid(reference: Volume | Voxels, prediction: Volume | Voxels, *, grid: Grid | None) -> Grid:
    """Return the grid of both masks."""
    grids = [mask.grid for mask in (reference, prediction) if isinstance(mask, Volume)]
    if grid is None and not grids:
        raise GeometryError("Scores need the size of a voxel: give volumes, or arrays with their grid.")
    common = grid or grids[0]
    shapes = [np.shape(mask.voxels if isinstance(mask, Volume) else mask) for mask in (reference, prediction)]
    if not all(common.matches(other) for other in grids) or any(shape != common.shape for shape in shapes):
        raise GeometryError(
            f"The reference ({_by(shapes[0])} voxels) and the prediction ({_by(shapes[1])}) are not on one "
            "grid; read or resample them onto that of the ceT1 image."
        )
    return common


def _inside(mask: Volume | Voxels) -> Mask:
    inside: Mask = (mask.voxels if isinstance(mask, Volume) else np.asarray(mask)) != 0
    return inside


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def shown(value: float) -> str:
    """Write a score in a table; a dash where it is undefined."""
    return "-" if math.isnan(value) else f"{value:.3f}"


def _box_specificity(reference: Mask, prediction: Mask, *, box: Box, grid: Grid) -> float:
    if not reference[box].any():
        return math.nan
    region = box_region(reference, grid.spacing_mm)
    return specificity(count(reference[region], prediction[region]))


def _patch_specificity(reference: Mask, prediction: Mask, *, box: Box) -> float:
    """Specificity in the patch; only rows and columns of the `box` of both masks are interpolated."""
    _, rows, columns = box
    reference_64, prediction_64 = (
        mask_to_slices(mask[:, rows, columns]) != 0 for mask in (reference, prediction)
    )
    if not reference_64.any():
        return math.nan
    shape = (len(reference_64), *reference.shape[1:])
    centroid = np.argwhere(reference_64).mean(axis=0) + np.array([0, rows.start, columns.start])
    patch = patch_about(centroid, shape)
    part = patch[0], *(_within(whole, inner) for whole, inner in zip(patch[1:], (rows, columns), strict=True))
    n_voxels = math.prod(span.stop - span.start for span in patch)
    beside = n_voxels - reference_64[part].size
    return specificity(count(reference_64[part], prediction_64[part], beside=beside))


def _within(span: slice, box: slice) -> slice:
    """Return the part of a span that lies in a box, counted from the start of the box."""
    start = min(max(span.start, box.start), box.stop)
    return slice(start - box.start, max(start, min(span.stop, box.stop)) - box.start)


def _centroid_distance_mm(reference: Mask, prediction: Mask, *, grid: Grid) -> float:
    if not reference.any() or not prediction.any():
        return math.inf if reference.any() or prediction.any() else math.nan
    centres = [np.argwhere(mask).mean(axis=0) for mask in (reference, prediction)]
    return float(np.linalg.norm(grid.affine_ras[:3, :3] @ (centres[1] - centres[0])))


def _state(has_reference: bool, has_prediction: bool) -> State:
    if has_reference:
        return "scored" if has_prediction else "missed"
    return "false_alarm" if has_prediction else "nothing_to_find"


def box_region(reference: Mask, spacing_mm: tuple[float, float, float]) -> Box:
    """Bounding box of the reference, 10 mm wider on every side, clipped to the image.

    `reference`: ``(Z, Y, X)``, not empty. A voxel belongs to the box if its centre lies within 10 mm of the
    outermost voxel centres of the reference. `spacing_mm`: voxel spacing along the three axes.
    """
    box = bounding_box(reference)
    assert box is not None, "the reference is not empty"
    slices = []
    for inside, length, spacing in zip(box, reference.shape, spacing_mm, strict=True):
        # Rounding noise must not decide whether a voxel at exactly 10 mm belongs to the box.
        margin = int(BOX_MARGIN_MM / spacing + 1e-6)
        slices.append(slice(max(0, inside.start - margin), min(length, inside.stop + margin)))
    return (slices[0], slices[1], slices[2])


def patch_about(centroid: ArrayLike, shape: tuple[int, ...]) -> Box:
    """Return the paper's patch, 64 x 128 x 128 voxels about a point, clipped to the image.

    `centroid`: voxel index ``(3,)`` on the 64-slice grid: that of the reference's centroid. `shape`: ``(64,
    Y, X)``, of the image.
    """
    centres = np.asarray(centroid, dtype=np.float64)
    starts = [math.floor(c - n / 2 + 0.5) for c, n in zip(centres, PATCH_SHAPE, strict=True)]
    spans = [
        slice(max(0, start), min(length, start + n))
        for start, n, length in zip(starts, PATCH_SHAPE, shape, strict=True)
    ]
    # All 64 slices belong to the patch wherever the centroid lies along the slice axis.
    return (slice(0, shape[0]), spans[1], spans[2])


@dataclass(frozen=True, kw_only=True)
class Lesions:
    """Numbers of lesions: in the reference, touched by the prediction, and predicted without touching any."""

    reference: int
    found: int
    extra: int


def count_lesions(reference: Mask, prediction: Mask) -> Lesions:
    """Match the lesions of two masks ``(Z, Y, X)``: one voxel in common is a match."""
    of_reference, n_reference = scipy.ndimage.label(reference, NEIGHBOURS)
    of_prediction, n_prediction = scipy.ndimage.label(prediction, NEIGHBOURS)
    found = np.setdiff1d(of_reference[prediction], [0])
    matched = np.setdiff1d(of_prediction[reference], [0])
    return Lesions(reference=n_reference, found=len(found), extra=n_prediction - len(matched))


@dataclass(frozen=True, kw_only=True)
class SliceScores:
    """Per slice: Dice coefficient (nan where neither mask has voxels), and the volumes in it in mL."""

    dice: tuple[float, ...]
    reference_ml: tuple[float, ...]
    prediction_ml: tuple[float, ...]

    def worst_first(self) -> list[int]:
        """Return the slices on which the masks differ, the largest volume in error first."""
        overlap = [
            (1 - dice) * (reference + prediction) if not math.isnan(dice) else 0.0
            for dice, reference, prediction in zip(
                self.dice, self.reference_ml, self.prediction_ml, strict=True
            )
        ]
        order = sorted(range(len(overlap)), key=lambda number: -overlap[number])
        return [number for number in order if overlap[number] > 0]


def score_slices(reference: Mask, prediction: Mask, *, voxel_ml: float) -> SliceScores:
    """Score each slice of two masks ``(Z, Y, X)``."""
    both, in_reference, in_prediction = (
        np.count_nonzero(mask, axis=(1, 2)) for mask in (reference & prediction, reference, prediction)
    )
    total = in_reference + in_prediction
    with np.errstate(invalid="ignore"):
        dice = np.where(total > 0, 2 * both / total, np.nan)
    return SliceScores(
        dice=tuple(map(float, dice)),
        reference_ml=tuple(map(float, in_reference * voxel_ml)),
        prediction_ml=tuple(map(float, in_prediction * voxel_ml)),
    )


def error_map(reference: Mask, prediction: Mask) -> NDArray[np.uint8]:
    """Return where masks ``(Z, Y, X)`` agree (1), what was missed (2) and what is extra (3), uint8."""
    errors = np.zeros(reference.shape, np.uint8)
    errors[reference & prediction] = AGREED
    errors[reference & ~prediction] = MISSED
    errors[prediction & ~reference] = EXTRA
    return errors
