"""The map of a draw against independent implementations: SimpleITK's transforms and scipy's B-splines."""

import math

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from crops import crop_centre
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import BSpline
from scipy.ndimage import gaussian_filter

from napari_necroseg.core.augment.mapping import Drawn, Mapping, lattice_of, map_draws
from napari_necroseg.core.augment.sample import resampled
from napari_necroseg.core.augment.source import make_source

SHAPE = (8, 16, 12)
SPACING_MM = (3.0, 0.8, 0.5)
PLAIN = {"blur_sigma_voxels": (0.0,), "gamma": (1.0,)}


def mapped(**choices: object) -> Mapping:
    return map_draws([Drawn(**(PLAIN | choices))], [SPACING_MM], patch_shape=SHAPE)


def by_simpleitk(image: np.ndarray, drawn: Drawn) -> np.ndarray:
    """Each step as a transform of SimpleITK, in millimetres, columns first; the last one is applied first."""
    spacing = np.array(SPACING_MM)
    middle_mm = ((np.array(SHAPE) - 1) / 2 + (0, *drawn.shift_voxels)) * spacing
    centre_mm = np.array(drawn.centre_voxels) * spacing
    flips = [-1.0 if is_mirrored else 1.0 for is_mirrored in drawn.is_mirrored]
    # SimpleITK maps from the patch to the source: each step is undone, in the reverse order.
    tilt_back, turn_back = sitk.Euler3DTransform(), sitk.Euler3DTransform()
    tilt_back.SetRotation(math.radians(drawn.rotation_sagittal_deg), 0, 0)
    turn_back.SetRotation(0, 0, math.radians(drawn.rotation_transversal_deg))
    steps = [
        sitk.TranslationTransform(3, centre_mm[::-1].tolist()),
        sitk.ScaleTransform(3, flips[::-1]),
        sitk.ScaleTransform(3, [1 / drawn.scale] * 3),
        turn_back,
        tilt_back,
        sitk.TranslationTransform(3, (-middle_mm[::-1]).tolist()),
    ]
    # Zeros beyond the border, blended with the last voxel, as everywhere in the engine.
    source = sitk.GetImageFromArray(np.pad(image, 2))
    source.SetSpacing(spacing[::-1].tolist())
    source.SetOrigin((-2 * spacing[::-1]).tolist())
    return sitk.GetArrayFromImage(
        sitk.Resample(
            source,
            SHAPE[::-1],
            sitk.CompositeTransform(steps),
            sitk.sitkLinear,
            (0, 0, 0),
            spacing[::-1].tolist(),
        )
    )


@pytest.mark.parametrize("seed", range(12))
def test_a_random_draw_agrees_with_simpleitk(seed: int) -> None:
    chance = np.random.default_rng(seed)
    image = chance.random((8, 40, 30), np.float32)
    flips = tuple((chance.random(3) < 0.5).tolist())
    down, right = chance.integers(-5, 6, 2).tolist()
    drawn = Drawn(
        centre_voxels=crop_centre((0, 12, 9), SHAPE),
        shift_voxels=(down, right),
        is_mirrored=flips,
        scale=chance.uniform(0.6, 1.4),
        rotation_transversal_deg=chance.uniform(-30, 30),
        rotation_sagittal_deg=chance.uniform(-20, 20),
        **PLAIN,
    )
    case = make_source(image[None], None, spacing_mm=SPACING_MM)
    made = resampled(
        [case], map_draws([drawn], [SPACING_MM], patch_shape=SHAPE), lattices=[lattice_of(SHAPE)], channels=1
    )[0, 0]
    np.testing.assert_allclose(made, by_simpleitk(image - image.min(), drawn), atol=2e-4)


@pytest.mark.parametrize("points", [2, 3, 5])
def test_the_displacement_is_the_cubic_b_spline_of_its_control_points(points: int) -> None:
    bent = mapped(
        centre_voxels=(3.5, 7.5, 5.5), elastic_voxels=(1.0, 4.0, 4.0), elastic_points=points, elastic_seed=3
    )
    assert bent.control is not None
    index = np.random.default_rng(0).uniform((0, 0, 0), np.subtract(SHAPE, 1), (50, 3))
    # Control point k stands at cell k - 1, its basis spans two cells to both sides.
    knots = np.arange(-3, points + 3, dtype=float)
    cells = index / np.subtract(SHAPE, 1) * (points - 1)
    bases = [BSpline.design_matrix(cells[:, axis], knots, 3).toarray() for axis in range(3)]
    expected = np.einsum("nz,ny,nx,zyxd->nd", *bases, bent.control[0])
    np.testing.assert_allclose(bent.displacement(index)[0], expected, atol=1e-12)


def test_the_control_points_have_the_asked_deviation_and_smoothing_lowers_it() -> None:
    rough, smooth = (
        mapped(
            centre_voxels=(0.0, 0.0, 0.0),
            elastic_voxels=(2.0, 10.0, 5.0),
            elastic_points=8,
            elastic_sigma_cells=sigma,
        ).control
        for sigma in (0.0, 1.0)
    )
    assert rough is not None
    assert smooth is not None
    np.testing.assert_allclose(rough.std(axis=(0, 1, 2, 3)), (2, 10, 5), rtol=0.06)
    assert (smooth.std(axis=(0, 1, 2, 3)) < 0.4 * rough.std(axis=(0, 1, 2, 3))).all()


@given(
    st.sampled_from(["rotation_transversal_deg", "rotation_sagittal_deg"]),
    st.floats(-90, 90),
    st.tuples(*[st.floats(-6, 6)] * 3),
)
def test_a_turn_and_its_opposite_are_no_turn(name: str, angle: float, place: tuple) -> None:
    middle = (np.array(SHAPE) - 1) / 2
    there, back = (mapped(centre_voxels=tuple(middle.tolist()), **{name: a}) for a in (angle, -angle))
    index = (middle + place)[None]
    np.testing.assert_allclose(back.to_source(there.to_source(index)[0])[0], index, atol=1e-9)


@pytest.mark.parametrize("name", ["rotation_transversal_deg", "rotation_sagittal_deg"])
def test_an_image_turned_there_and_back_is_nearly_itself(name: str) -> None:
    size = (24, 40, 40)
    image = gaussian_filter(np.random.default_rng(0).random(size), 3).astype(np.float32)
    image = (image - image.min()) / (image.max() - image.min())
    centre = crop_centre((0, 0, 0), size)

    def turned(voxels: np.ndarray, angle: float) -> np.ndarray:
        case = make_source(voxels[None], None, spacing_mm=(1.2, 0.8, 0.8))
        drawn = Drawn(centre_voxels=centre, **({name: angle} | PLAIN))
        return resampled(
            [case],
            map_draws([drawn], [(1.2, 0.8, 0.8)], patch_shape=size),
            lattices=[lattice_of(size)],
            channels=1,
        )[0, 0].numpy()

    again = turned(turned(image, 15), -15)
    inner = (slice(9, 15), slice(14, 26), slice(14, 26))
    np.testing.assert_allclose(again[inner], image[inner], atol=0.03)
    # Once alone is something else.
    assert np.abs(turned(image, 15)[inner] - image[inner]).max() > 0.08


@given(st.tuples(st.booleans(), st.booleans(), st.booleans()))
def test_to_mirror_twice_is_to_leave_as_it_is(flips: tuple[bool, bool, bool]) -> None:
    image = np.random.default_rng(0).random((2, *SHAPE), np.float32)
    drawn = Drawn(centre_voxels=crop_centre((0, 0, 0), SHAPE), is_mirrored=flips, **PLAIN)

    def mirrored(voxels: np.ndarray) -> torch.Tensor:
        case = make_source(voxels, None, spacing_mm=SPACING_MM)
        return resampled(
            [case],
            map_draws([drawn], [SPACING_MM], patch_shape=SHAPE),
            lattices=[lattice_of(SHAPE)],
            channels=2,
        )[0]

    lowest = image.min(axis=(1, 2, 3), keepdims=True)
    np.testing.assert_array_equal(mirrored(mirrored(image).numpy()), image - lowest)
