import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import bootstrap

from napari_necroseg.core.errors import GeometryError
from napari_necroseg.core.grids.slices import mask_to_slices
from napari_necroseg.core.scoring.overlap import count, specificity
from napari_necroseg.core.scoring.scores import Scores, box_region, patch_about, score_masks
from napari_necroseg.core.scoring.summary import summarise
from napari_necroseg.core.volume import Grid, Volume


def block(shape: tuple[int, int, int], where: tuple[slice, slice, slice]) -> np.ndarray:
    mask = np.zeros(shape, np.uint8)
    mask[where] = 1
    return mask


@pytest.fixture
def grid(make_grid: Callable[..., Grid]) -> Grid:
    return make_grid((10, 50, 50), np.diag((-4.0, -1.0, -0.5, 1.0)))


def test_scores_of_a_prediction_that_is_half_the_reference(grid: Grid) -> None:
    reference = block(grid.shape, (slice(3, 5), slice(20, 30), slice(20, 30)))
    prediction = block(grid.shape, (slice(3, 5), slice(20, 25), slice(20, 30)))

    scores = score_masks(reference, prediction, grid)

    assert scores.dice == pytest.approx(2 * 100 / 300)
    assert scores.sensitivity == 0.5
    assert scores.specificity == scores.specificity_box == scores.specificity_patch == 1
    # 200 voxels of 4 x 1 x 0.5 mm are 400 cubic millimetres.
    assert scores.reference_ml == pytest.approx(0.4)
    assert scores.prediction_ml == pytest.approx(0.2)
    assert scores.volume_difference_ml == pytest.approx(-0.2)
    assert scores.volume_difference_percent == pytest.approx(-50)
    # The centres of 10 and of 5 rows lie 2.5 rows of 1 mm apart; the far face, 5 mm.
    assert scores.centroid_distance_mm == pytest.approx(2.5)
    assert scores.hd95_mm == pytest.approx(5.0)
    assert 0 < scores.assd_mm < 5.0
    assert (scores.lesions_reference, scores.lesions_found, scores.lesions_extra) == (1, 1, 0)
    assert scores.state == "scored"


def test_a_false_positive_far_away_lowers_only_the_wide_specificities(grid: Grid) -> None:
    reference = block(grid.shape, (slice(0, 1), slice(0, 2), slice(0, 2)))
    prediction = reference | block(grid.shape, (slice(9, 10), slice(45, 50), slice(45, 50)))

    scores = score_masks(reference, prediction, grid)

    assert scores.specificity == pytest.approx(1 - 25 / (10 * 50 * 50 - 4))
    assert scores.specificity_box == 1
    assert scores.specificity_patch < 1


@pytest.mark.parametrize(
    ("has_reference", "has_prediction", "state", "dice"),
    [
        (True, False, "missed", 0.0),
        (False, True, "false_alarm", 0.0),
        (False, False, "nothing_to_find", math.nan),
    ],
)
def test_empty_masks_are_never_quietly_perfect(
    grid: Grid, has_reference: bool, has_prediction: bool, state: str, dice: float
) -> None:
    full = block(grid.shape, (slice(3, 5), slice(20, 30), slice(20, 30)))
    empty = np.zeros_like(full)

    scores = score_masks(full if has_reference else empty, full if has_prediction else empty, grid)

    assert scores.state == state
    assert scores.dice == pytest.approx(dice, nan_ok=True)
    assert math.isnan(scores.volume_difference_percent) == (not has_reference)
    distances = (scores.hd95_mm, scores.assd_mm, scores.centroid_distance_mm)
    if state == "nothing_to_find":
        assert all(math.isnan(value) for value in (*distances, scores.nsd))
    else:
        assert (*distances, scores.nsd) == (math.inf, math.inf, math.inf, 0.0)


@pytest.mark.parametrize("seed", range(8))
def test_what_is_counted_in_boxes_is_what_is_counted_in_the_whole_image(grid: Grid, seed: int) -> None:
    generator = np.random.default_rng(seed)
    masks = np.zeros((2, *grid.shape), np.uint8)
    for mask in masks:
        z, y, x = (generator.integers(0, n - 4) for n in grid.shape)
        mask[z : z + 4, y : y + 9, x : x + 12] = (
            generator.random((4, 9, 12))[: len(mask) - z, : 50 - y, : 50 - x] < 0.7
        )
    reference, prediction = masks != 0
    scores = score_masks(*masks, grid)
    assert scores.specificity == pytest.approx(specificity(count(reference, prediction)))
    region = box_region(reference, grid.spacing_mm)
    assert scores.specificity_box == pytest.approx(specificity(count(reference[region], prediction[region])))
    reference_64, prediction_64 = (mask_to_slices(mask) != 0 for mask in masks)
    region = patch_about(np.argwhere(reference_64).mean(axis=0), reference_64.shape)
    expected = specificity(count(reference_64[region], prediction_64[region]))
    assert scores.specificity_patch == pytest.approx(expected)


def test_the_tolerance_is_the_persons(grid: Grid) -> None:
    reference = block(grid.shape, (slice(3, 5), slice(20, 30), slice(20, 30)))
    prediction = block(grid.shape, (slice(3, 5), slice(20, 33), slice(20, 30)))
    shares = [score_masks(reference, prediction, grid, tolerance_mm=mm).nsd for mm in (0.5, 2.0, 3.0)]
    assert shares[0] < shares[1] < shares[2] == 1.0


def scored(state: str, dice: float) -> Scores:
    return Scores(
        dice=dice,
        sensitivity=dice,
        specificity=1.0,
        specificity_box=1.0,
        specificity_patch=math.nan,
        hd95_mm=math.inf if state == "missed" else 2.0,
        assd_mm=1.0,
        nsd=0.9,
        nsd_tolerance_mm=2.0,
        centroid_distance_mm=1.0,
        reference_ml=1.0,
        prediction_ml=1.0,
        volume_difference_ml=0.0,
        volume_difference_percent=0.0,
        lesions_reference=1,
        lesions_found=1,
        lesions_extra=0,
        state=state,
    )


def by_case(*scores: Scores) -> dict[str, Scores]:
    return {f"case-{number}": one for number, one in enumerate(scores)}


def test_missed_cases_stay_in_the_mean_and_the_others_are_counted() -> None:
    summary = summarise(
        by_case(
            scored("scored", 0.8),
            scored("scored", 0.7),
            scored("missed", 0.0),
            scored("false_alarm", 0.0),
            scored("nothing_to_find", math.nan),
        )
    )

    assert summary.mean["dice"] == pytest.approx(0.5)
    assert summary.median["dice"] == pytest.approx(0.7)
    assert summary.std["dice"] == pytest.approx(np.std([0.8, 0.7, 0.0], ddof=1))
    assert math.isnan(summary.mean["specificity_patch"])
    # A missed zone is infinitely far from being found, and is not left out of the mean.
    assert (summary.mean["hd95_mm"], summary.median["hd95_mm"]) == (math.inf, 2.0)
    assert math.isnan(summary.std["hd95_mm"])
    counts = (summary.scored, summary.missed, summary.false_alarms, summary.nothing_to_find)
    assert counts == (2, 1, 1, 1)


def test_a_single_case_has_no_standard_deviation() -> None:
    assert math.isnan(summarise(by_case(scored("scored", 0.8))).std["dice"])


def test_the_interval_of_the_mean_agrees_with_scipys() -> None:
    dice = np.random.default_rng(2).uniform(0.4, 0.95, 14)
    summary = summarise(by_case(*(scored("scored", value) for value in dice)))
    theirs = bootstrap((dice,), np.mean, n_resamples=20_000, method="percentile", rng=1).confidence_interval
    assert summary.mean_low["dice"] == pytest.approx(theirs.low, abs=0.01)
    assert summary.mean_high["dice"] == pytest.approx(theirs.high, abs=0.01)
    assert summary.quartile_1["dice"] == pytest.approx(np.quantile(dice, 0.25))
    assert summary.quartile_3["dice"] == pytest.approx(np.quantile(dice, 0.75))
    again = summarise(by_case(*(scored("scored", value) for value in dice)))
    assert again.mean_low == pytest.approx(summary.mean_low, nan_ok=True)


def test_an_infinite_distance_takes_the_interval_and_leaves_the_quartiles() -> None:
    summary = summarise(by_case(*[scored("scored", 0.8)] * 4, scored("missed", 0.0)))
    assert math.isnan(summary.mean_low["hd95_mm"])
    assert (summary.quartile_1["hd95_mm"], summary.quartile_3["hd95_mm"]) == (2.0, 2.0)
    assert "hd95_mm" in str(summary)


def test_cases_of_one_patient_are_drawn_together() -> None:
    alone = by_case(*(scored("scored", dice) for dice in (0.2, 0.4, 0.6, 0.8)))
    # Each case twice, under two names: no more patients than before, so the mean is no surer.
    doubled = alone | {f"{case}-again": one for case, one in alone.items()}
    patients = {case: case.removesuffix("-again") for case in doubled}
    one, two, naive = summarise(alone), summarise(doubled, patients), summarise(doubled)
    assert (two.mean_low["dice"], two.mean_high["dice"]) == pytest.approx(
        (one.mean_low["dice"], one.mean_high["dice"])
    )
    assert naive.mean_low["dice"] > two.mean_low["dice"]


def test_several_cases_of_a_single_patient_have_no_interval() -> None:
    summary = summarise(by_case(scored("scored", 0.2), scored("scored", 0.8)), {"case-0": "p", "case-1": "p"})
    assert math.isnan(summary.mean_low["dice"])
    assert summary.std["dice"] == pytest.approx(np.std([0.2, 0.8], ddof=1))


def test_volumes_bring_their_grid_and_must_share_it(grid: Grid) -> None:
    reference = block(grid.shape, (slice(3, 5), slice(20, 30), slice(20, 30)))
    prediction = block(grid.shape, (slice(3, 5), slice(20, 25), slice(20, 30)))
    volumes = Volume(reference, grid), Volume(prediction, grid)
    assert score_masks(*volumes) == score_masks(reference, prediction, grid)
    moved = Volume(prediction, Grid(grid.shape, grid.affine_ras + np.eye(4, k=3)))
    with pytest.raises(GeometryError, match="not on one grid"):
        score_masks(volumes[0], moved)
    with pytest.raises(GeometryError, match=r"10 x 50 x 50 voxels.*9 x 50 x 50"):
        score_masks(reference, prediction[1:], grid)
    with pytest.raises(GeometryError, match="size of a voxel"):
        score_masks(reference, prediction)
