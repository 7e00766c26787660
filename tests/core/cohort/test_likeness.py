"""A copy of an image in other intensities is recognised, and another image is not taken for one."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from napari_necroseg.core.cohort.duplicates import alike, likeness, pairs_alike
from napari_necroseg.core.grids.orient import to_working
from napari_necroseg.core.volume import Grid, Volume

Voxels = NDArray[np.float64]


def head(seed: int) -> Volume:
    """A bright ball in noisy air, its inside a texture of its own."""
    generator = np.random.default_rng(seed)
    shape = (16, 48, 44)
    z, y, x = np.ogrid[-1:1:16j, -1:1:48j, -1:1:44j]
    texture = gaussian_filter(generator.normal(0, 1, shape), (1, 2, 2))
    inside = 600 + 150 * texture / texture.std() + 100 * x
    air = np.abs(generator.normal(0, 15, shape))
    return Volume(np.where(z**2 + y**2 + x**2 < 0.9, inside, air).astype(np.float32), GRID)


GRID = Grid((16, 48, 44), np.array([[-4.0, 0, 0, 0], [0, 0, -0.8, 0], [0, -0.9, 0, 0], [0, 0, 0, 1]]))


@pytest.fixture(scope="module")
def images() -> list[Volume]:
    return [head(seed) for seed in range(4)]


def to_8_bits(voxels: Voxels) -> Voxels:
    return np.round(255 * (voxels - voxels.min()) / np.ptp(voxels))


COPIES: dict[str, Callable[[Voxels], Voxels]] = {
    "scaled and shifted": lambda voxels: np.round(voxels * 1.7 + 35),
    "a constant added": lambda voxels: voxels + 1000,
    "a constant taken away": lambda voxels: voxels - 1024,
    "8 bits": to_8_bits,
    "8 bits, the brightest cut": lambda voxels: to_8_bits(np.minimum(voxels, np.percentile(voxels, 95))),
    "halved by a slope": lambda voxels: np.round(voxels * 0.5) / 0.5,
    "gamma 0.5": lambda voxels: (voxels - voxels.min()) ** 0.5,
    "gamma 2": lambda voxels: (voxels - voxels.min()) ** 2,
    "one hot voxel": lambda voxels: np.where(voxels == voxels.max(), 32767, voxels),
    "some noise": lambda voxels: (
        voxels + np.random.default_rng(0).normal(0, 0.02 * voxels.std(), voxels.shape)
    ),
}


@pytest.mark.parametrize("change", COPIES.values(), ids=COPIES)
def test_a_copy_in_other_intensities_is_the_same_image(images, change) -> None:
    known = [likeness(image) for image in images]
    for place, image in enumerate(images):
        copy = Volume(change(image.voxels.astype(float)), image.grid)
        assert alike(likeness(copy), known) == place


def test_other_patients_are_no_copies(images) -> None:
    assert pairs_alike([likeness(image) for image in images]) == ()


def test_a_copy_with_its_axes_in_another_order_is_the_same_image(images) -> None:
    image = images[0]
    flip = np.eye(4)
    flip[:3, :3] = [[0, 0, -1], [1, 0, 0], [0, 1, 0]]
    flip[0, 3] = image.voxels.shape[0] - 1
    turned = image.voxels[::-1].transpose(1, 2, 0)
    saved = Volume(turned * 1.7 + 35, Grid(turned.shape, image.grid.affine_ras @ flip))
    assert alike(likeness(to_working(saved)), [likeness(image)]) == 0


def test_noise_with_the_same_lesion_is_another_image(make_grid) -> None:
    shape = (6, 40, 36)
    noise = [np.random.default_rng(seed).normal(100, 10, shape) for seed in range(4)]
    for voxels in noise:
        voxels[2:4, 14:24, 12:22] -= 60
    assert pairs_alike([likeness(Volume(voxels, make_grid(shape))) for voxels in noise]) == ()


@pytest.mark.parametrize("odd", ["", "AAAA", "?", "ü", "A" * 684])
def test_what_is_no_signature_is_like_nothing(images, odd) -> None:
    known = likeness(images[0])
    assert alike(odd, [odd, known]) is None
    assert alike(known, [odd, known]) == 1
    assert alike(known, []) is None
    flat = Volume(np.full(images[0].voxels.shape, 7.0), images[0].grid)
    assert likeness(flat) == ""
