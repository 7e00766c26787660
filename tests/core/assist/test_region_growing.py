"""Region growing: one field answers every tolerance, a gap in the rim is no door, a leak is no region."""

import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy import ndimage

from napari_necroseg.core.assist.rays import best_tolerance, closed, most_on_ray, next_on_ray
from napari_necroseg.core.assist.region_growing import growing_cost, region_growing
from napari_necroseg.core.assist.scene import Scene, make_scene
from napari_necroseg.core.case import Sequence
from napari_necroseg.core.config import AssistConfig


def scene_of(zone, **choices) -> Scene:
    return make_scene(zone.images, zone.seed, spacing_mm=zone.spacing_mm, config=AssistConfig(**choices))


def drawn(unlike: np.ndarray, seed, spacing_mm=(1.0, 1.0, 1.0)) -> Scene:
    """A scene of which the unlikeness is drawn by hand."""
    nothing = np.zeros(unlike.shape, bool)
    return Scene(
        scores=unlike[None].astype(np.float32),
        typical=np.zeros(1, np.float32),
        unlike=unlike.astype(np.float32),
        reach=~nothing,
        inside=nothing,
        outside=nothing,
        seed=seed,
        spacing_mm=spacing_mm,
        box=(slice(None),) * 3,
        image_shape=unlike.shape,
    )


def test_a_greater_tolerance_only_adds(make_zone: Callable) -> None:
    scene = scene_of(make_zone(noise=25))
    cost = growing_cost(scene, smooth_mm=1.5)
    regions = [region_growing(scene, cost, tolerance=tolerance) for tolerance in np.linspace(0.05, 4, 25)]
    sizes = [int(region.sum()) for region in regions]
    assert all(not (smaller & ~larger).any() for smaller, larger in pairwise(regions))
    assert sizes[0] < sizes[12] < sizes[-1]


def test_another_tolerance_takes_no_time_to_speak_of(make_zone: Callable) -> None:
    scene = scene_of(make_zone())
    cost = growing_cost(scene, smooth_mm=1.5)
    took = []
    for tolerance in (0.5, 1.0, 1.5, 2.0, 3.0):
        started = time.perf_counter()
        region_growing(scene, cost, tolerance=tolerance)
        took.append(time.perf_counter() - started)
    assert np.median(took) < 0.1


@pytest.mark.parametrize("tolerance", [0.2, 0.7, 1.5, 3.0])
def test_without_cleaning_up_it_is_what_is_connected_below_the_tolerance(make_zone, tolerance) -> None:
    scene = scene_of(make_zone(noise=25))
    below = (scene.unlike <= tolerance) & scene.reach
    below[scene.seed] = True
    components, _ = ndimage.label(below)
    np.testing.assert_array_equal(
        growing_cost(scene, smooth_mm=0) <= tolerance, components == components[scene.seed]
    )


def room(door: int) -> np.ndarray:
    """A room of 9 x 9 within walls, in a field of 25 x 25, with a door of so many voxels."""
    unlike = np.zeros((1, 25, 25))
    unlike[0, 7:18, 7:18] = 5
    unlike[0, 8:17, 8:17] = 0.1
    unlike[0, 12 - door // 2 : 12 + (door + 1) // 2, 17] = 0.1
    return unlike


def test_a_gap_that_the_ball_does_not_pass_is_no_door() -> None:
    for door, smooth_mm, leaks in ((1, 0, True), (1, 1.0, False), (3, 1.0, True), (0, 0, False)):
        scene = drawn(room(door), (0, 12, 12))
        region = region_growing(scene, growing_cost(scene, smooth_mm=smooth_mm), tolerance=1.0)
        assert bool(region[0, 2, 2]) == leaks
        assert region[0, 9:16, 9:16].all()


def test_the_straight_way_sees_nothing_behind_a_wall() -> None:
    seen = most_on_ray(drawn(room(1), (0, 12, 12)), room(1).astype(np.float32))[0]
    assert seen[12, 24] == np.float32(0.1)
    assert seen[2, 2] == 5
    assert seen[12, 2] == 5
    # Through the door, but off the straight line.
    assert seen[20, 22] == 5


def test_the_way_back_leads_to_the_click_one_voxel_at_a_time() -> None:
    shape, seed = (3, 6, 7), (1, 2, 5)
    ahead = next_on_ray(drawn(np.zeros(shape), seed))
    for start in np.ndindex(shape):
        here, n_steps = start, 0
        while here != seed:
            there = tuple(int(at) for at in np.unravel_index(ahead[here], shape))
            assert max(abs(a - b) for a, b in zip(here, there, strict=True)) == 1
            here, n_steps = there, n_steps + 1
        assert n_steps == max(abs(a - b) for a, b in zip(start, seed, strict=True))


def test_closing_opens_the_regions_of_all_tolerances() -> None:
    unlike = np.random.default_rng(2).random((5, 12, 13)).astype(np.float32)
    scene = drawn(unlike, (2, 6, 6))
    ball = ndimage.generate_binary_structure(3, 1)
    for tolerance in (0.2, 0.5, 0.8):
        eroded = ndimage.binary_erosion(unlike <= tolerance, ball, border_value=1)
        opened = ndimage.binary_dilation(eroded, ball)
        np.testing.assert_array_equal(closed(unlike, scene, gap_mm=1.0) <= tolerance, opened)


def test_the_best_tolerance_ends_at_the_edge_and_not_where_it_has_leaked() -> None:
    unlike = np.full((15, 40, 40), 0.6)
    distance = np.sqrt(
        sum((line - at) ** 2 for line, at in zip(np.indices(unlike.shape), (7, 20, 20), strict=True))
    )
    unlike[distance <= 6] = 3.0
    unlike[distance <= 5] = 0.2
    # The rim is open on one side.
    unlike[7, 20, 26:27] = 0.6
    scene = replace(drawn(unlike, (7, 20, 20)), reach=distance <= 12)
    cost = growing_cost(scene, smooth_mm=0)
    tolerance = best_tolerance(scene, cost)
    assert 0.2 <= tolerance < 0.6
    assert int((cost <= tolerance).sum()) == int((distance <= 5).sum())


def test_where_every_region_leaks_half_a_deviation_must_do() -> None:
    flat = drawn(np.full((3, 9, 9), 0.1), (1, 4, 4))
    assert best_tolerance(flat, np.full((3, 9, 9), 0.1, np.float32)) == 0.5


def test_millimetres_count_and_not_voxels() -> None:
    generator = np.random.default_rng(0)
    voxels = generator.normal(100, 10, (21, 21, 21)).astype(np.float32)
    scene = make_scene(
        {Sequence.CET1: voxels}, (10, 10, 10), spacing_mm=(4.0, 1.0, 2.0), config=AssistConfig(radius_mm=8)
    )
    assert scene.unlike.shape == (5, 17, 9)
    assert scene.seed == (2, 8, 4)
    assert scene.box == (slice(8, 13), slice(2, 19), slice(6, 15))
    assert [bool(scene.reach[at]) for at in ((0, 8, 4), (0, 7, 4), (2, 0, 4), (2, 8, 0))] == [
        True,
        False,
        True,
        True,
    ]
