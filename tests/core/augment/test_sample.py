"""One resampling: to the bit where it is a crop, and as scipy and the closed formula say where it is not."""

import itertools
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from crops import crop_centre
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter1d, map_coordinates

from napari_necroseg.core.augment import _kernel, sample
from napari_necroseg.core.augment._kernel import engine
from napari_necroseg.core.augment._kernel.llvm_intrinsics import exp2, log2
from napari_necroseg.core.augment.intensity import apply_gamma, blur
from napari_necroseg.core.augment.mapping import Drawn, Mapping, lattice_of, map_draws
from napari_necroseg.core.augment.sample import make_batch, make_sample
from napari_necroseg.core.augment.source import Source, make_source

SHAPE = (8, 16, 12)
SPACING_MM = (3.0, 0.8, 0.5)
PLAIN = {"blur_sigma_voxels": (0.0, 0.0), "gamma": (1.0, 1.0)}


def source(*, size: tuple[int, int, int] = (8, 40, 30)) -> Source:
    target = np.zeros(size, np.uint8)
    target[2:6, 12:24, 10:20] = 1
    images = np.random.default_rng(0).random((2, *size), np.float32) + 1
    return make_source(images, target, spacing_mm=SPACING_MM)


def white_source() -> tuple[Source, np.ndarray]:
    images = np.random.default_rng(3).normal(0, 1, (2, 8, 40, 30)).astype(np.float32)
    return make_source(images, None, spacing_mm=SPACING_MM, is_white=True), images


@pytest.mark.parametrize("slice_index", [None, 5])
def test_what_is_white_already_stays_as_it_is_and_beyond_it_is_air(slice_index) -> None:
    case, images = white_source()
    drawn = Drawn(centre_voxels=crop_centre((0, -5, 12), SHAPE), slice_index=slice_index, **PLAIN)
    made = make_sample(case, drawn, patch_shape=SHAPE).images.numpy()
    air = images.min(axis=(1, 2, 3))[:, None, None, None]
    expected = np.concatenate([np.broadcast_to(air, (2, 8, 5, 12)), images[:, :, :11, 12:24]], axis=2)
    expected = expected if slice_index is None else expected[:, slice_index]
    np.testing.assert_allclose(made, expected, atol=1e-5)


def test_gamma_keeps_the_extremes_of_what_is_white() -> None:
    case, images = white_source()
    drawn = Drawn(centre_voxels=crop_centre((0, 10, 12), SHAPE), **(PLAIN | {"gamma": (2.0, 0.5)}))
    cut = images[:, :, 10:26, 12:24]
    low, high = (edge(cut, axis=(1, 2, 3), keepdims=True) for edge in (np.min, np.max))
    expected = low + (high - low) * ((cut - low) / (high - low)) ** np.array([2.0, 0.5])[:, None, None, None]
    np.testing.assert_allclose(make_sample(case, drawn, patch_shape=SHAPE).images, expected, atol=1e-3)
    # A slice's extremes are those of every fourth voxel of its patch, too: nearly the same.
    one = make_sample(case, replace(drawn, slice_index=3), patch_shape=SHAPE).images.numpy()
    for made, was in zip(one, cut[:, 3], strict=True):
        assert np.all(np.diff(made.ravel()[was.argsort(axis=None)]) >= 0)
        assert np.ptp(made) == pytest.approx(np.ptp(was), rel=0.2)


def random_draw(seed: int, **choices: object) -> Drawn:
    chance = np.random.default_rng(seed)
    values = {
        "centre_voxels": crop_centre((0, 8, 6), SHAPE),
        "shift_voxels": (3, -2),
        "is_mirrored": tuple((chance.random(3) < 0.5).tolist()),
        "scale": chance.uniform(0.6, 1.4),
        "rotation_transversal_deg": chance.uniform(-30, 30),
        "rotation_sagittal_deg": chance.uniform(-20, 20),
        "elastic_voxels": (0.5, 2.0, 2.0),
        "elastic_sigma_cells": 0.3,
        "elastic_seed": seed,
    }
    return Drawn(**(values | PLAIN | choices))


@pytest.fixture(params=["numba", "torch"], autouse=True)
def resampled(request, monkeypatch):
    """Each way of interpolating."""
    if request.param == "torch":
        monkeypatch.setattr(_kernel, "find_spec", lambda _name: None)
    else:
        assert find_spec("numba"), "numba is one of the packages that the tests need"
    return sample.resampled if request.param == "torch" else engine.resampled


def mapped(drawn: Drawn) -> Mapping:
    return map_draws([drawn], [SPACING_MM], patch_shape=SHAPE)


@pytest.mark.parametrize("flips", list(itertools.product([False, True], repeat=3)))
@pytest.mark.parametrize("corner", [(0, 10, 12), (0, -5, 25), (2, 35, -3)])
def test_a_draw_without_resampling_copies_the_voxels_to_the_bit(resampled, corner, flips) -> None:
    case = source()
    drawn = Drawn(centre_voxels=crop_centre(corner, SHAPE), is_mirrored=flips, **PLAIN)
    padded = np.pad(case.voxels.numpy(), ((0, 0), (50, 50), (50, 50), (50, 50)))
    place = tuple(slice(50 + start, 50 + start + n) for start, n in zip(corner, SHAPE, strict=True))
    axes = [axis for axis, is_flipped in enumerate(flips, start=1) if is_flipped]
    patch = torch.from_numpy(np.flip(padded[:, *place], axes).copy())
    copied = resampled([case], mapped(drawn), lattices=[lattice_of(SHAPE)], channels=3)[0]
    assert torch.equal(copied, patch)
    made = make_sample(case, drawn, patch_shape=SHAPE)
    assert torch.equal(made.target, patch[-1].to(torch.uint8))
    deviation, mean = torch.std_mean(patch[:-1].double(), dim=(1, 2, 3), correction=0, keepdim=True)
    torch.testing.assert_close(made.images.double(), (patch[:-1] - mean) / deviation, atol=1e-5, rtol=0)


@pytest.mark.parametrize("seed", range(10))
def test_any_draw_agrees_with_scipy(seed: int) -> None:
    case, drawn = source(), random_draw(seed)
    index = np.indices(SHAPE).reshape(3, -1).T
    places = mapped(drawn).to_source(index)[0].T
    # Zeros beyond the border, blended with the last voxel, as everywhere in the engine.
    padded = np.pad(case.voxels.numpy().astype(float), ((0, 0), (1, 1), (1, 1), (1, 1)))
    image, target = (
        map_coordinates(padded[channel], places + 1, order=1, mode="constant").reshape(SHAPE)
        for channel in (0, -1)
    )
    made = make_sample(case, drawn, patch_shape=SHAPE)
    np.testing.assert_allclose(made.images[0], (image - image.mean()) / image.std(), atol=1e-3)
    is_clear = np.abs(target - 0.5) > 1e-3
    np.testing.assert_array_equal(made.target.numpy()[is_clear], (target >= 0.5)[is_clear])


@given(st.floats(-30, 30), st.floats(-20, 20), st.floats(0.6, 1.4), st.tuples(*[st.floats(-4, 4)] * 3))
def test_a_landmark_moves_where_the_formula_says_in_millimetres(about_z, about_x, scale, offset) -> None:
    drawn = Drawn(
        centre_voxels=(4.0, 20.0, 15.0),
        scale=scale,
        rotation_transversal_deg=about_z,
        rotation_sagittal_deg=about_x,
        **PLAIN,
    )
    landmark = np.array([4.0, 20.0, 15.0]) + offset
    moved = mapped(drawn).to_patch(landmark[None])[0, 0] - (np.array(SHAPE) - 1) / 2
    before_mm, after_mm = np.multiply(offset, SPACING_MM), moved * SPACING_MM
    # A rotation and an isotropic factor keep all proportions of lengths in millimetres.
    assert np.linalg.norm(after_mm) == pytest.approx(scale * np.linalg.norm(before_mm), abs=1e-9)


def test_a_quarter_turn_takes_right_to_up_and_below_to_lower_slices() -> None:
    centre = np.array([4.0, 20.0, 15.0])
    plain = {"centre_voxels": tuple(centre.tolist()), **PLAIN}
    in_plane = mapped(Drawn(rotation_transversal_deg=90, **plain))
    tilted = mapped(Drawn(rotation_sagittal_deg=90, **plain))
    middle = (np.array(SHAPE) - 1) / 2
    # 4 mm to the right (8 columns of 0.5 mm) come to lie 4 mm up (5 rows of 0.8 mm).
    np.testing.assert_allclose(
        in_plane.to_patch(np.add(centre, [[0, 0, 8]]))[0, 0] - middle, [0, -5, 0], atol=1e-9
    )
    # 6 mm below (7.5 rows) come to lie 6 mm (2 slices of 3 mm) towards lower slices.
    np.testing.assert_allclose(
        tilted.to_patch(np.add(centre, [[0, 7.5, 0]]))[0, 0] - middle, [-2, 0, 0], atol=1e-9
    )


def test_gamma_is_a_power_of_the_intensities_between_their_extremes() -> None:
    images = torch.tensor([[10.0, 12.0, 14.0, 18.0], [1.0, 2.0, 3.0, 4.0]]).reshape(1, 2, 1, 1, 4)
    apply_gamma([images], np.array([[2.0, 1.0]]))
    expected = torch.tensor([[10.0, 10.5, 12.0, 18.0], [1.0, 2.0, 3.0, 4.0]])
    torch.testing.assert_close(images.reshape(2, 4), expected)


@settings(max_examples=30)
@given(st.integers(0, 2**31), st.floats(-8, 8))
def test_there_and_back_is_the_same_place(seed: int, place: float) -> None:
    there = mapped(random_draw(seed % 1000))
    index = np.array([[4.0, 8.0 + place / 2, 6.0]])
    assert np.abs(there.to_patch(there.to_source(index), rounds=60) - index).max() < 0.05


@pytest.mark.parametrize("scale", [0.6, 0.8, 1.25, 1.4])
def test_the_volume_of_the_target_scales_with_the_cube_of_the_factor(scale: float) -> None:
    ball = (((np.indices((64, 64, 64)) - 31.5) ** 2).sum(axis=0) <= 18**2).astype(np.uint8)
    case = make_source(ball[None].astype(np.float32), ball, spacing_mm=SPACING_MM)
    drawn = Drawn(centre_voxels=(31.5,) * 3, scale=scale, blur_sigma_voxels=(0.0,), gamma=(1.0,))
    made = make_sample(case, drawn, patch_shape=(64, 64, 64))
    assert made.target.sum().item() / ball.sum() == pytest.approx(scale**3, rel=0.03)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("corner", [(0, 8, 6), (4, 33, 22), (-5, -4, -6)])
def test_a_2d_sample_is_a_slice_of_the_volume_whitened_by_every_fourth_voxel(resampled, seed, corner) -> None:
    case, drawn = source(), random_draw(seed, centre_voxels=crop_centre(corner, SHAPE))
    one = make_sample(case, replace(drawn, slice_index=3), patch_shape=SHAPE)
    assert torch.equal(one.target, make_sample(case, drawn, patch_shape=SHAPE).target[3])
    # The voxels 2, 6, ... of the patch, each the middle of the block of the source in which it lies.
    index = np.stack(np.meshgrid(*[np.arange(2, n, 4) for n in SHAPE], indexing="ij"), -1).reshape(-1, 3)
    block = np.floor((mapped(drawn).to_source(index)[0] + 0.5) / 4).astype(int)
    is_inside = ((block >= 0) & (block < -(-np.array(case.shape) // 4))).all(axis=1)
    z, y, x = np.minimum(np.abs(block) * 4 + 2, np.array(case.shape) - 1).T
    shown = case.voxels.numpy()[:-1, z % 8, y % 40, x % 30] * is_inside
    raw = resampled([case], mapped(drawn), lattices=[lattice_of(SHAPE)], channels=2)[0, :, 3].numpy()
    mean, deviation = (of(shown, axis=1)[:, None, None] for of in (np.mean, np.std))
    np.testing.assert_allclose(one.images, (raw - mean) / deviation, atol=1e-4)


def test_every_fourth_voxel_stands_for_the_patch() -> None:
    z, y, x = np.ogrid[:32, :96, :96]
    wave = np.sin(z / 5) + np.sin(y / 9) * np.cos(x / 7)
    noise = np.random.default_rng(0).normal(0, 0.1, (32, 96, 96))
    case = make_source((wave + noise)[None].astype(np.float32), None, spacing_mm=SPACING_MM)
    slopes, offsets = [], []
    for seed in range(21):
        drawn = random_draw(seed, centre_voxels=(15.5, 47.5, 47.5), gamma=(0.7,), blur_sigma_voxels=(0.0,))
        volume = make_sample(case, drawn, patch_shape=(32, 64, 64)).images[0, 16]
        one = make_sample(case, replace(drawn, slice_index=16), patch_shape=(32, 64, 64)).images[0]
        slope, offset = np.polyfit(volume.ravel(), one.ravel(), 1)
        # Nearly a line: the extremes of the patch, between which gamma stretches, are estimates, too.
        assert np.corrcoef(volume.ravel(), one.ravel())[0, 1] > 0.9999
        slopes.append(slope)
        offsets.append(offset)
    # The same picture, whitened by an estimate of the same mean and deviation: of 2,048 voxels here.
    assert np.median(np.abs(np.array(slopes) - 1)) < 0.03
    assert np.median(np.abs(offsets)) < 0.03


def test_the_same_draw_gives_the_same_sample_alone_and_in_a_batch() -> None:
    case = source()
    draws = [
        random_draw(seed, slice_index=seed, blur_sigma_voxels=(0.4, 0.2), gamma=(0.7, 1.5)) for seed in (2, 5)
    ]
    batch = make_batch([case, case], draws, patch_shape=SHAPE)
    for number, drawn in enumerate(draws):
        assert torch.equal(batch.images[number], make_sample(case, drawn, patch_shape=SHAPE).images)
    assert set(batch.target.unique().tolist()) <= {0, 1}


def test_a_constant_image_gives_zeros_whatever_is_drawn() -> None:
    case = make_source(np.full((2, 8, 40, 30), 7, np.float32), None, spacing_mm=SPACING_MM)
    made = make_sample(case, random_draw(3, gamma=(0.5, 2.0)), patch_shape=SHAPE)
    assert not made.images.any()
    assert not made.target.any()


@pytest.mark.parametrize("n_slices", [1, 3])
def test_the_blur_agrees_with_scipy(n_slices: int) -> None:
    images = np.random.default_rng(0).random((2, 2, n_slices, 16, 12), np.float32)
    sigmas = np.array([[0.5, 1.3], [0.0, 0.2]])
    expected = images.copy()
    for place in np.ndindex(2, 2):
        for axis in (1, 2) if sigmas[place] else ():
            expected[place] = gaussian_filter1d(expected[place], sigmas[place], axis=axis, mode="nearest")
    made = torch.from_numpy(images)
    blur(made, sigmas)
    np.testing.assert_allclose(made, expected, atol=1e-6)


@pytest.mark.parametrize("slice_index", [None, 5])
@pytest.mark.parametrize("seed", range(4))
def test_numba_and_torch_make_the_same_sample(monkeypatch, seed: int, slice_index: int | None) -> None:
    chance = np.random.default_rng(seed)
    blurred = {"blur_sigma_voxels": tuple(chance.uniform(0, 2, 2)), "gamma": tuple(chance.uniform(0.5, 2, 2))}
    drawn = random_draw(seed, slice_index=slice_index, **blurred)
    case = source()
    by_one = make_sample(case, drawn, patch_shape=SHAPE)
    monkeypatch.setattr(_kernel, "find_spec", lambda _name: None)
    by_other = make_sample(case, drawn, patch_shape=SHAPE)
    torch.testing.assert_close(by_one.images, by_other.images, atol=1e-3, rtol=0)
    assert (by_one.target != by_other.target).float().mean() < 0.01


@pytest.mark.parametrize("choice", [{"scale": 0.0}, {"rotation_sagittal_deg": np.nan}])
def test_a_draw_that_leads_nowhere_is_refused(choice: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="a draw needs a scale above 0"):
        make_sample(source(), random_draw(1, **choice), patch_shape=SHAPE)


@given(st.floats(1e-30, 1), st.floats(0.2, 5))
def test_powers_by_series_are_right_to_a_few_parts_in_a_million(share: float, power: float) -> None:
    made = exp2(np.float32(power) * log2(np.float32(share)))
    exact = np.float64(np.float32(share)) ** np.float64(np.float32(power))
    assert made == pytest.approx(exact, rel=1e-5, abs=2**-125)
