"""The guarantee of necrosis: what is said to be shown is target in the sample that is made."""

from dataclasses import replace

import numpy as np
from crops import crop_centre
from hypothesis import given
from hypothesis import strategies as st

from napari_necroseg.core.augment.draw import centred_on_witness, voxels_shown
from napari_necroseg.core.augment.mapping import Drawn, map_draws
from napari_necroseg.core.augment.sample import make_sample
from napari_necroseg.core.augment.source import Source, make_source

SHAPE = (8, 16, 12)

draws = st.builds(
    Drawn,
    centre_voxels=st.just(crop_centre((0, 10, 8), SHAPE)),
    shift_voxels=st.tuples(st.integers(-12, 12), st.integers(-12, 12)),
    is_mirrored=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    scale=st.floats(0.6, 1.4),
    rotation_transversal_deg=st.floats(-30, 30),
    rotation_sagittal_deg=st.floats(-20, 20),
    elastic_voxels=st.sampled_from([(0.0, 0.0, 0.0), (0.5, 2.0, 2.0)]),
    elastic_seed=st.integers(0, 1000),
    blur_sigma_voxels=st.just((0.0,)),
    gamma=st.just((1.0,)),
)


def source(*, is_thin: bool) -> Source:
    target = np.zeros((8, 40, 30), np.uint8)
    if is_thin:
        target[3, [2, 37], 15] = 1
    else:
        target[2:6, 14:22, 11:18] = 1
    return make_source(
        np.random.default_rng(0).random((1, 8, 40, 30), np.float32), target, spacing_mm=(3, 0.8, 0.5)
    )


@given(draws, st.booleans(), st.none() | st.integers(1, 9))
def test_what_is_said_to_be_shown_is_target_in_the_sample(
    drawn: Drawn, is_thin: bool, most: int | None
) -> None:
    case = source(is_thin=is_thin)
    target = make_sample(case, drawn, patch_shape=SHAPE).target.numpy()
    seen = voxels_shown([case], map_draws([drawn], [case.spacing_mm], patch_shape=SHAPE), most=most)[0]
    assert most is None or len(seen) <= most
    for index in seen:
        assert target[tuple(index)] == 1


@given(draws, st.booleans())
def test_a_patch_centred_on_a_witness_shows_it_in_the_middle(drawn: Drawn, is_thin: bool) -> None:
    case = source(is_thin=is_thin)
    for number in range(len(case.witnesses)):
        pick = (number + 0.5) / len(case.witnesses)
        centred = centred_on_witness(case, drawn, patch_shape=SHAPE, pick=pick)
        assert make_sample(case, centred, patch_shape=SHAPE).target[4, 8, 6] == 1


def test_a_plain_crop_shows_every_slice_of_a_target_that_lies_inside() -> None:
    plain = Drawn(centre_voxels=crop_centre((0, 10, 8), SHAPE), blur_sigma_voxels=(0.0,), gamma=(1.0,))
    case = source(is_thin=False)
    away = replace(plain, shift_voxels=(40, 0))
    found, nothing = voxels_shown(
        [case, case], map_draws([plain, away], [case.spacing_mm] * 2, patch_shape=SHAPE)
    )
    assert found[:, 0].tolist() == [2, 3, 4, 5]
    assert not len(nothing)
