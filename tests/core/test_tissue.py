"""Neither a few wild voxels nor the background decide how an image is whitened."""

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_necroseg.core.tissue import (
    BRIGHTEST,
    DARKEST,
    blank_in_words,
    fit_to_interpolate,
    tissue_of,
    unreal_in_words,
    whiten_by_tissue,
    wild_in_words,
)

Image = NDArray[np.float32]
INSIDE = np.s_[1:9, 8:32, 10:40]


def head(background: float = 0.0) -> Image:
    """Tissue of 400 with noise and a bright part, cut out of its surroundings."""
    generator = np.random.default_rng(0)
    image = np.full((10, 40, 50), background, np.float32)
    image[INSIDE] = generator.normal(400, 80, image[INSIDE].shape).clip(20)
    image[3:6, 14:22, 16:26] += 500
    return image


def in_air() -> Image:
    """The same tissue in air that is noise, as scanners give it."""
    image = np.random.default_rng(1).gamma(2, 12, head().shape).astype(np.float32)
    image[INSIDE] = head()[INSIDE]
    return image


IMAGES = pytest.mark.parametrize("image", [head(), in_air()], ids=["cut out", "in air"])


@IMAGES
def test_tissue_becomes_0_with_a_deviation_of_1_between_two_ends(image: Image) -> None:
    white = whiten_by_tissue(image)
    assert white.dtype == np.float32
    assert abs(np.median(white[INSIDE])) < 0.6
    assert DARKEST <= white.min() < -2
    assert 2 < white.max() <= BRIGHTEST


@IMAGES
@pytest.mark.parametrize("value", [32767, -32768, 1e30, 20_000])
def test_one_voxel_changes_no_other(image: Image, value: float) -> None:
    wild = image.copy()
    wild[5, 20, 20] = value
    change = np.abs(whiten_by_tissue(wild) - whiten_by_tissue(image))
    beside = np.median(np.delete(whiten_by_tissue(image)[5, 19:22, 19:22], 4))
    assert whiten_by_tissue(wild)[5, 20, 20] == pytest.approx(beside, abs=0.03)
    change[5, 20, 20] = 0
    assert change.max() < 0.03


def test_wild_voxels_beside_each_other_are_cut_off() -> None:
    wild = head()
    wild[0, :3, :3] = wild[5, 20:23, 20:23] = 32767
    white = whiten_by_tissue(wild)
    assert (white[5, 21, 21], white[0, 0, 0]) == (BRIGHTEST, BRIGHTEST)
    assert white[5, 20, 20] < BRIGHTEST
    assert white[0, 2, 2] < -2


@IMAGES
def test_many_wild_voxels_change_hardly_anything(image: Image) -> None:
    wild = image.copy()
    places = np.random.default_rng(2).permutation(image[INSIDE].size)[:29]
    inside = wild[INSIDE].ravel()
    inside[places] = 32767
    wild[INSIDE] = inside.reshape(wild[INSIDE].shape)
    change = np.abs(whiten_by_tissue(wild) - whiten_by_tissue(image))[wild < 32767]
    assert np.median(change) < 0.25
    assert change.max() < 0.5


@pytest.mark.parametrize("background", [-1000, -32768, -1, 500, 1500, 32767])
def test_the_background_may_have_any_value(background: float) -> None:
    change = np.abs(whiten_by_tissue(head(background)) - whiten_by_tissue(head()))
    assert change.max() < 0.05


def test_the_background_may_be_anywhere_beside_tissue_around_0() -> None:
    image = (head() - 400) / 80
    cut_out = np.where(head() == 0, -100, image).astype(np.float32)
    far = np.where(head() == 0, -1000, image).astype(np.float32)
    np.testing.assert_allclose(whiten_by_tissue(cut_out), whiten_by_tissue(far), atol=0.01)
    np.testing.assert_allclose(whiten_by_tissue(far)[INSIDE], whiten_by_tissue(head())[INSIDE], atol=0.05)


@pytest.mark.parametrize(
    ("scale", "dtype"), [(1, np.int16), (1, np.uint16), (0.2, np.uint8), (1e4, np.float64)]
)
def test_scale_and_type_hardly_matter(scale: float, dtype: type) -> None:
    scaled = (in_air() * scale).round().astype(dtype)
    np.testing.assert_allclose(
        whiten_by_tissue(scaled)[INSIDE], whiten_by_tissue(in_air())[INSIDE], rtol=0.1, atol=0.15
    )


def test_bright_fat_at_the_end_of_8_bits_is_no_background() -> None:
    image = (in_air() / 2).clip(0, 255)
    image[:, :, -6:] = np.linspace(200, 300, 6).clip(0, 255)
    tissue = tissue_of(image)
    assert tissue is not None
    assert tissue.background == ()
    assert whiten_by_tissue(image)[:, :, -3:].min() > 0


def test_a_bright_frame_is_background() -> None:
    image = in_air()
    image[:, [0, -1]] = image[:, :, [0, -1]] = 30_000
    tissue = tissue_of(image)
    assert tissue is not None
    assert tissue.background == (30_000,)
    np.testing.assert_allclose(whiten_by_tissue(image)[INSIDE], whiten_by_tissue(in_air())[INSIDE], atol=0.2)


def test_many_voxels_are_measured_by_some_of_them() -> None:
    image = np.tile(head(), (1, 5, 6))
    few, many = tissue_of(head()), tissue_of(image)
    assert few is not None
    assert many is not None
    assert image.size > 2 * (1 << 18)
    assert many.mean == pytest.approx(few.mean, rel=0.01)
    assert many.deviation == pytest.approx(few.deviation, rel=0.02)


@pytest.mark.parametrize("value", [0, 7, -1000, 32767.5])
def test_a_constant_image_becomes_zeros(value: float) -> None:
    image = np.full((3, 8, 9), value, np.float32)
    assert tissue_of(image) is None
    assert not whiten_by_tissue(image).any()
    assert blank_in_words(image) == "the same value everywhere"


def test_tissue_of_one_value_stands_out_from_the_background() -> None:
    image = np.zeros((3, 12, 12), np.float32)
    image[:, 4:8, 4:8] = 100
    white = whiten_by_tissue(image)
    assert (white[:, 4:8, 4:8] == 0).all()
    assert (white[image == 0] == -1).all()


def test_a_constant_image_with_one_hot_voxel_shows_nothing() -> None:
    image = np.full((3, 8, 9), 7, np.float32)
    image[1, 4, 4] = 32767
    assert blank_in_words(image) == "the same value in all but 1 of its 216 voxels"
    assert not blank_in_words(head())
    mended, said = fit_to_interpolate(image)
    assert (mended == 7).all()
    assert said == ("it has the same value in all but 1 of its 216 voxels",)
    image[1, 4, 5] = 9
    assert not blank_in_words(image)


def test_wild_voxels_and_an_unreal_background_are_told_with_their_numbers() -> None:
    image = head()
    for voxels in (image, in_air()):
        tissue = tissue_of(voxels)
        assert tissue is not None
        assert (wild_in_words(voxels, tissue), unreal_in_words(tissue)) == ("", "")
    image[5, 20, 20], image[2, 9, 9] = 32767, -32768
    tissue = tissue_of(image)
    assert tissue is not None
    words = wild_in_words(image, tissue)
    assert words.startswith("2 voxels are no signal (-32768 to 32767; 98 % of the tissue lies from ")
    tissue = tissue_of(head(-1000))
    assert tissue is not None
    assert unreal_in_words(tissue) == "the background is -1000, which no scanner makes"
    assert not wild_in_words(head(-1000), tissue)


def test_what_is_interpolated_is_as_it_was_unless_it_is_unreal() -> None:
    same, said = fit_to_interpolate(image := head())
    assert (same is image, said) == (True, ())
    mended, said = fit_to_interpolate(head(-1000))
    np.testing.assert_array_equal(mended, head())
    assert len(said) == 1
    image[5, 20, 20] = 32767
    mended, (words,) = fit_to_interpolate(image)
    assert mended[5, 20, 20] == np.median(np.delete(head()[5, 19:22, 19:22], 4))
    assert words.startswith("1 voxel is no signal (32767; ")
