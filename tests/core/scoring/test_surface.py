"""Distances between surfaces: by hand, by geometry, by properties, and against other libraries."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_necroseg.core.scoring.surface import (
    contour_distances,
    element_areas_mm2,
    neighbourhoods,
    surface_distances,
)

SPACING = (4.0, 0.9, 0.9)


def ellipsoid(shape, centre, radii_mm, spacing=SPACING) -> np.ndarray:
    index = np.indices(shape).astype(float)
    squares = [((index[axis] - centre[axis]) * spacing[axis] / radii_mm[axis]) ** 2 for axis in range(3)]
    return np.sum(squares, axis=0) <= 1


def blobs(seed: int, shape=(9, 24, 22)) -> tuple[np.ndarray, np.ndarray]:
    """Two smooth random masks that overlap more or less."""
    generator = np.random.default_rng(seed)
    common = generator.normal(size=shape)
    masks = []
    for _ in range(2):
        field = ndimage.gaussian_filter(
            common + generator.uniform(0.2, 2) * generator.normal(size=shape), 1.5
        )
        masks.append(field > np.quantile(field, generator.uniform(0.7, 0.97)))
    return masks[0], masks[1]


def by_surface_distance(reference, prediction, spacing):
    import surface_distance

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = surface_distance.compute_surface_distances(reference, prediction, spacing)
        hd95 = surface_distance.compute_robust_hausdorff(found, 95)
        nsd = surface_distance.compute_surface_dice_at_tolerance(found, 2.0)
    weighted = [
        (found[f"distances_{way}"] * found[f"surfel_areas_{side}"]).sum()
        for way, side in (("gt_to_pred", "gt"), ("pred_to_gt", "pred"))
    ]
    area = found["surfel_areas_gt"].sum() + found["surfel_areas_pred"].sum()
    return hd95, nsd, sum(weighted) / area


@pytest.mark.parametrize("seed", range(200))
def test_random_pairs_agree_with_surface_distance(seed) -> None:
    reference, prediction = blobs(seed)
    spacing = tuple(np.random.default_rng(seed).uniform(0.4, 5.0, 3))
    ours = surface_distances(reference, prediction, spacing_mm=spacing)
    hd95, nsd, assd = by_surface_distance(reference, prediction, spacing)
    assert ours.hausdorff_mm() == pytest.approx(hd95, abs=1e-3)
    assert ours.share_within(2.0) == pytest.approx(nsd, abs=1e-3)
    assert ours.average_mm() == pytest.approx(assd, abs=1e-3)


def test_masks_at_the_border_of_the_image_agree_too() -> None:
    reference = np.ones((4, 6, 5), bool)
    prediction = reference.copy()
    prediction[0, :3] = False
    ours = surface_distances(reference, prediction, spacing_mm=SPACING)
    hd95, nsd, assd = by_surface_distance(reference, prediction, SPACING)
    assert (ours.hausdorff_mm(), ours.share_within(2.0), ours.average_mm()) == pytest.approx(
        (hd95, nsd, assd)
    )


@pytest.mark.parametrize("seed", range(10))
def test_random_pairs_agree_with_monai_where_it_counts_subvoxels(seed) -> None:
    import torch
    from monai.metrics import compute_surface_dice

    reference, prediction = blobs(seed)
    tensors = [torch.from_numpy(mask)[None, None] for mask in (prediction, reference)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = compute_surface_dice(
            *tensors, class_thresholds=[2.0], include_background=True, spacing=SPACING, use_subvoxels=True
        )
    ours = surface_distances(reference, prediction, spacing_mm=SPACING).share_within(2.0)
    assert ours == pytest.approx(float(theirs), abs=1e-3)


def test_every_neighbourhood_has_the_area_of_surface_distance() -> None:
    from surface_distance.lookup_tables import create_table_neighbour_code_to_surface_area

    theirs = create_table_neighbour_code_to_surface_area(SPACING)
    # Theirs counts the corner at (0, 0, 0) as the highest bit, ours as the lowest.
    order = [int(f"{code:08b}"[::-1], 2) for code in range(256)]
    np.testing.assert_allclose(element_areas_mm2(SPACING)[order], theirs, atol=1e-6)


def test_a_cube_is_an_octahedron_of_corners() -> None:
    mask = np.zeros((3, 3, 3), bool)
    mask[1, 1, 1] = True
    codes = neighbourhoods(mask)
    assert codes.shape == (4, 4, 4)
    assert sorted(codes[codes > 0]) == [1, 2, 4, 8, 16, 32, 64, 128]
    # Eight triangles between the middles of the cube's faces: half a voxel from its centre.
    assert element_areas_mm2((1.0, 1.0, 1.0))[codes].sum() == pytest.approx(8 * math.sqrt(3) / 2 * 0.25)


def test_planes_are_as_far_apart_as_they_are() -> None:
    reference = np.zeros((12, 20, 20), bool)
    reference[2:5] = True
    prediction = np.zeros_like(reference)
    prediction[2:8] = True
    found = surface_distances(reference, prediction, spacing_mm=SPACING)
    # One face is shared, the other lies three slices of 4 mm further.
    assert found.hausdorff_mm(100) == pytest.approx(12.0)
    assert found.hausdorff_mm(40) == pytest.approx(0.0)


def test_spheres_about_one_centre_differ_by_their_radii() -> None:
    spacing = (1.0, 0.5, 0.5)
    shape, centre = (41, 81, 81), (20, 40, 40)
    small, large = (ellipsoid(shape, centre, (radius,) * 3, spacing) for radius in (12.0, 17.0))
    found = surface_distances(small, large, spacing_mm=spacing)
    # An element lies between voxel centres: its place is known to half a voxel's diagonal.
    half_voxel = math.hypot(*spacing) / 2
    assert found.average_mm() == pytest.approx(5.0, abs=half_voxel)
    assert found.hausdorff_mm() == pytest.approx(5.0, abs=half_voxel)
    areas = [4 * math.pi * radius**2 for radius in (12.0, 17.0)]
    assert found.reference_mm2.sum() == pytest.approx(areas[0], rel=0.12)
    assert found.prediction_mm2.sum() == pytest.approx(areas[1], rel=0.12)
    assert found.share_within(5.0 - 2 * half_voxel) == 0.0
    assert found.share_within(5.0 + half_voxel) == 1.0


def test_the_table_of_disagreeing_libraries_has_our_answers() -> None:
    shape = (24, 80, 80)
    reference = ellipsoid(shape, (12, 40, 40), (20, 14, 14))
    far = reference.copy()
    far[2, 2:4, 2:4] = True
    with_far = surface_distances(reference, far, spacing_mm=SPACING)
    # A false positive of less than 5 % of the surface leaves HD95 untouched, and the maximum not.
    assert with_far.hausdorff_mm(95) == pytest.approx(by_surface_distance(reference, far, SPACING)[0])
    assert with_far.hausdorff_mm(95) == 0.0
    assert with_far.hausdorff_mm(100) > 40
    large = reference.copy()
    large[0:3, 0:12, 0:12] = True
    assert surface_distances(reference, large, spacing_mm=SPACING).hausdorff_mm(95) == pytest.approx(
        by_surface_distance(reference, large, SPACING)[0]
    )
    assert surface_distances(reference, large, spacing_mm=SPACING).hausdorff_mm(95) > 20
    nothing = np.zeros(shape, bool)
    missed = surface_distances(reference, nothing, spacing_mm=SPACING)
    assert (missed.hausdorff_mm(), missed.average_mm(), missed.share_within(2.0)) == (math.inf, math.inf, 0.0)
    both = surface_distances(nothing, nothing, spacing_mm=SPACING)
    assert all(math.isnan(x) for x in (both.hausdorff_mm(), both.average_mm(), both.share_within(2.0)))
    shifted = ellipsoid(shape, (12.5, 43, 41), (20, 14, 14))
    theirs = by_surface_distance(reference, shifted, SPACING)[1]
    assert 0.3 < theirs < 0.95
    assert surface_distances(reference, shifted, spacing_mm=SPACING).share_within(2.0) == pytest.approx(
        theirs, abs=1e-3
    )


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000))
def test_symmetry_translation_and_flips_change_nothing(seed) -> None:
    reference, prediction = blobs(seed, shape=(6, 14, 12))
    found = surface_distances(reference, prediction, spacing_mm=SPACING)
    values = (found.hausdorff_mm(), found.average_mm(), found.share_within(2.0))
    flipped = [np.flip(mask, (0, 2)) for mask in (reference, prediction)]
    moved = [np.pad(mask, ((3, 1), (0, 7), (2, 2))) for mask in (reference, prediction)]
    for pair in ((prediction, reference), flipped, moved):
        other = surface_distances(*pair, spacing_mm=SPACING)
        assert (other.hausdorff_mm(), other.average_mm(), other.share_within(2.0)) == pytest.approx(values)


def test_a_mask_is_no_distance_from_itself() -> None:
    mask, _ = blobs(3)
    found = surface_distances(mask, mask, spacing_mm=SPACING)
    assert (found.hausdorff_mm(100), found.average_mm(), found.share_within(0.0)) == (0.0, 0.0, 1.0)


def test_the_contour_of_a_moved_block_is_as_far_as_it_was_moved() -> None:
    reference = np.zeros((8, 30, 30), bool)
    reference[2:6, 8:18, 8:18] = True
    prediction = np.roll(reference, 3, axis=1)
    distances = contour_distances(reference, prediction, spacing_mm=SPACING)
    inner = ndimage.binary_erosion(reference, np.array([[[0, 1, 0], [1, 1, 1], [0, 1, 0]]]))
    np.testing.assert_array_equal(np.isfinite(distances), reference & ~inner)
    # The face that was moved away from, and the sides that the moved block still covers.
    assert distances[4, 8, 12] == pytest.approx(3 * 0.9)
    assert distances[4, 14, 8] == 0


@pytest.mark.parametrize("seed", range(12))
def test_the_largest_distance_on_the_contour_is_the_directed_hausdorff_distance(seed: int) -> None:
    reference, prediction = blobs(seed)
    distances = contour_distances(reference, prediction, spacing_mm=SPACING)
    # Each value is the distance of some surface element; in a single slice all of them lie along the contour.
    assert np.isin(
        np.round(distances[np.isfinite(distances)].astype(float), 4),
        np.round(surface_distances(reference, prediction, spacing_mm=SPACING).reference_mm, 4),
    ).all()
    flat = reference[4:5], prediction[4:5]
    furthest = surface_distances(*flat, spacing_mm=SPACING).reference_mm.max()
    assert np.nanmax(contour_distances(*flat, spacing_mm=SPACING)) == pytest.approx(furthest)
    assert not np.isfinite(distances[~reference]).any()
    moved = np.pad(reference, 3), np.pad(prediction, 3)
    again = contour_distances(*moved, spacing_mm=SPACING)[3:-3, 3:-3, 3:-3]
    np.testing.assert_array_equal(distances, again)


def test_a_contour_without_a_prediction_is_infinitely_far_and_without_a_reference_there_is_none() -> None:
    mask, nothing = np.zeros((4, 9, 9), bool), np.zeros((4, 9, 9), bool)
    mask[1:3, 3:6, 3:6] = True
    far = contour_distances(mask, nothing, spacing_mm=SPACING)
    assert np.count_nonzero(np.isposinf(far)) == 2 * 8
    assert np.isnan(far[1:3, 4, 4]).all()
    for prediction in (mask, nothing):
        assert np.isnan(contour_distances(nothing, prediction, spacing_mm=SPACING)).all()
