"""What every method must do: find the zone, hold the click, be one part, obey strokes, refuse nonsense."""

import threading
from collections.abc import Callable
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_necroseg.core.assist.assist import assist
from napari_necroseg.core.assist.scene import Strokes
from napari_necroseg.core.case import Sequence
from napari_necroseg.core.config import AssistConfig, AssistMethod
from napari_necroseg.core.errors import SettingsError
from napari_necroseg.core.scoring.overlap import count, dice

METHODS = get_args(AssistMethod)

NEIGHBOURS = np.ones((3, 3, 3), bool)
every_method = pytest.mark.parametrize("method", METHODS)


def agreement(reference: np.ndarray, mask: np.ndarray) -> float:
    return dice(count(reference, mask))


def outlined(zone, method: str, *, seed=None, images=None, strokes=None, **choices) -> np.ndarray:
    mask = assist(
        images or zone.images,
        seed or zone.seed,
        spacing_mm=zone.spacing_mm,
        config=AssistConfig(method=method, **choices),
        strokes=strokes,
    )
    assert mask is not None
    return mask


@every_method
@pytest.mark.parametrize("rng", range(3))
@pytest.mark.parametrize("has_t2", [True, False])
def test_a_dark_zone_with_a_bright_rim_is_found(make_zone: Callable, method, rng, has_t2) -> None:
    zone = make_zone(rng=rng, has_t2=has_t2)
    mask = outlined(zone, method)
    assert (mask.dtype, mask.shape) == (bool, zone.inside.shape)
    assert agreement(zone.inside, mask) > 0.8
    assert ndimage.label(mask, NEIGHBOURS)[1] == 1


@every_method
def test_a_click_off_the_middle_finds_it_too(make_zone: Callable, method) -> None:
    zone = make_zone()
    assert agreement(zone.inside, outlined(zone, method, seed=(9, 37, 31))) > 0.8


@settings(max_examples=10)
@given(rng=st.integers(0, 10_000), method=st.sampled_from(METHODS))
def test_wherever_one_clicks_the_click_is_in_one_part_within_the_radius(rng: int, method: str) -> None:
    generator = np.random.default_rng(rng)
    shape, spacing = (9, 20, 22), (3.5, 0.8, 1.1)
    voxels = ndimage.gaussian_filter(generator.normal(size=shape), 1.5).astype(np.float32)
    seed = tuple(int(generator.integers(n)) for n in shape)
    config = AssistConfig(method=method, radius_mm=8)
    try:
        mask = assist({Sequence.CET1: voxels}, seed, spacing_mm=spacing, config=config)
    except SettingsError as error:
        # Of a few of these clouds a dark part at the border passes for air; hypothesis complains of many.
        if "lies in the air" not in str(error):
            raise
        reject()
    assert mask is not None
    assert mask[seed]
    assert ndimage.label(mask, NEIGHBOURS)[1] == 1
    offsets_mm = (np.argwhere(mask) - seed) * spacing
    assert np.linalg.norm(offsets_mm, axis=1).max() <= 8 + 1e-6


@every_method
def test_a_moved_image_has_a_moved_mask(make_zone: Callable, method) -> None:
    zone = make_zone()
    before = outlined(zone, method, radius_mm=20)
    margins = ((3, 1), (5, 2), (0, 8))
    moved = {name: np.pad(voxels, margins, mode="reflect") for name, voxels in zone.images.items()}
    seed = tuple(at + margin[0] for at, margin in zip(zone.seed, margins, strict=True))
    after = outlined(zone, method, images=moved, seed=seed, radius_mm=20)
    np.testing.assert_array_equal(after, np.pad(before, margins))


@pytest.mark.parametrize("method", ["graph-cut", "region-growing"])
@pytest.mark.parametrize("axis", range(3))
def test_a_mirrored_image_has_a_mirrored_mask(make_zone: Callable, method, axis) -> None:
    zone = make_zone()
    seed = (9, 37, 31)
    mirrored_seed = tuple(
        n - 1 - at if a == axis else at for a, (at, n) in enumerate(zip(seed, zone.inside.shape, strict=True))
    )
    mirrored = {name: np.flip(voxels, axis) for name, voxels in zone.images.items()}
    mask = outlined(zone, method, seed=seed)
    np.testing.assert_array_equal(
        outlined(zone, method, images=mirrored, seed=mirrored_seed), np.flip(mask, axis)
    )


@every_method
def test_strokes_are_obeyed_to_the_voxel(make_zone: Callable, method) -> None:
    zone = make_zone()
    plain = outlined(zone, method)
    outside, inside = np.zeros_like(plain), np.zeros_like(plain)
    outside[8, 38, 30:40] = True
    inside[8, 20:23, 34] = True
    assert plain[outside].any()
    assert not plain[inside].all()
    mask = outlined(zone, method, strokes=Strokes(inside=inside, outside=outside))
    assert not mask[outside].any()
    assert mask[inside].all()
    assert mask[zone.seed]


def test_a_wall_of_strokes_keeps_the_graph_cut_from_what_lies_behind(make_zone: Callable) -> None:
    zone = make_zone()
    wall = np.zeros_like(zone.inside)
    wall[:, 38] = True
    mask = outlined(zone, "graph-cut", strokes=Strokes(outside=wall))
    assert zone.inside[:, 39:].any()
    assert not mask[:, 39:].any()
    assert agreement(zone.inside[:, :38], mask[:, :38]) > 0.8


@every_method
def test_a_single_slice_will_do(make_zone: Callable, method) -> None:
    zone = make_zone()
    flat = {name: voxels[8:9] for name, voxels in zone.images.items()}
    mask = outlined(zone, method, images=flat, seed=(0, 34, 34))
    assert agreement(zone.inside[8:9], mask) > 0.8


class AskedOften(threading.Event):
    """An event that is set from the n-th question on."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.left = n

    def is_set(self) -> bool:
        self.left -= 1
        return self.left < 0


@every_method
@pytest.mark.parametrize("n", range(4))
def test_a_stop_between_any_stages_ends_it_without_a_mask(make_zone: Callable, method, n) -> None:
    zone = make_zone()
    config = AssistConfig(method=method)
    stop = AskedOften(n)
    assert assist(zone.images, zone.seed, spacing_mm=zone.spacing_mm, config=config, stop=stop) is None
    # Asked no more once it said so.
    assert stop.left == -1


def test_a_stop_that_is_not_set_changes_nothing(make_zone: Callable) -> None:
    zone = make_zone()
    config, stop = AssistConfig(method="region-growing"), threading.Event()
    mask = assist(zone.images, zone.seed, spacing_mm=zone.spacing_mm, config=config, stop=stop)
    np.testing.assert_array_equal(mask, outlined(zone, "region-growing"))


@every_method
@pytest.mark.parametrize("seed", [(-1, 34, 34), (17, 34, 34), (8, 34, 69)])
def test_a_click_outside_of_the_image_is_refused(make_zone: Callable, method, seed) -> None:
    with pytest.raises(SettingsError, match=r"lies outside of the image, which has \(17, 69, 69\) voxels"):
        outlined(make_zone(), method, seed=seed)


def in_air(zone) -> dict[Sequence, np.ndarray]:
    """The images with 12 columns of air in front, noise and all."""
    noise = np.abs(np.random.default_rng(1).normal(0, 4, (17, 69, 12))).astype(np.float32)
    return {name: np.concatenate([noise, voxels], axis=2) for name, voxels in zone.images.items()}


def test_a_click_in_air_is_refused(make_zone: Callable) -> None:
    zone = make_zone()
    with pytest.raises(SettingsError, match="in the air about the patient"):
        outlined(zone, "graph-cut", images=in_air(zone), seed=(8, 34, 5))


def test_a_zone_as_dark_as_air_but_not_joined_to_it_is_no_air(make_zone: Callable) -> None:
    zone = make_zone(has_t2=False)
    images = in_air(zone)
    dark = np.pad(zone.inside, ((0, 0), (0, 0), (12, 0)))
    images[Sequence.CET1][dark] = 2
    assert agreement(dark, outlined(zone, "region-growing", images=images, seed=(8, 34, 46))) > 0.95


def test_images_that_show_nothing_are_refused(make_zone: Callable) -> None:
    zone = make_zone()
    flat = {name: np.full_like(voxels, 7) for name, voxels in zone.images.items()}
    with pytest.raises(SettingsError, match="one value only"):
        outlined(zone, "watershed", images=flat)


def test_one_sequence_that_shows_nothing_leaves_the_other(make_zone: Callable) -> None:
    zone = make_zone()
    images = dict(zone.images) | {Sequence.T2: np.full_like(zone.images[Sequence.T2], 7)}
    only = outlined(zone, "graph-cut", sequences=("ceT1",))
    np.testing.assert_array_equal(outlined(zone, "graph-cut", images=images), only)
    assert not np.array_equal(outlined(zone, "graph-cut"), only)


def test_what_is_no_number_or_not_on_one_grid_or_not_there_is_refused(make_zone: Callable) -> None:
    zone = make_zone()
    broken = zone.images[Sequence.T2].copy()
    broken[8, 30, 30] = np.nan
    with pytest.raises(SettingsError, match="T2 image near the click are not numbers"):
        outlined(zone, "graph-cut", images=dict(zone.images) | {Sequence.T2: broken})
    with pytest.raises(SettingsError, match="do not lie on one grid"):
        outlined(zone, "graph-cut", images=dict(zone.images) | {Sequence.T2: broken[:-1]})
    with pytest.raises(SettingsError, match="no T2 image to look at"):
        outlined(make_zone(has_t2=False), "graph-cut", sequences=("T2",))


def test_strokes_that_contradict_are_refused(make_zone: Callable) -> None:
    zone = make_zone()
    stroke, elsewhere = np.zeros_like(zone.inside), np.zeros_like(zone.inside)
    stroke[8, 34, 34:37] = True
    elsewhere[8, 20, 20] = True
    with pytest.raises(SettingsError, match="3 voxels are painted as inside and as outside"):
        outlined(zone, "graph-cut", strokes=Strokes(inside=stroke, outside=stroke))
    with pytest.raises(SettingsError, match="click lies on what is painted as outside"):
        outlined(zone, "graph-cut", strokes=Strokes(outside=stroke))
    with pytest.raises(SettingsError, match="strokes have"):
        outlined(zone, "graph-cut", strokes=Strokes(inside=elsewhere[:5]))


@every_method
def test_a_second_method_never_changes_the_images(make_zone: Callable, method) -> None:
    zone = make_zone()
    copies = {name: voxels.copy() for name, voxels in zone.images.items()}
    outlined(zone, method)
    for name, voxels in copies.items():
        np.testing.assert_array_equal(zone.images[name], voxels)
