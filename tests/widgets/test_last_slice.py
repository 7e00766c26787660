"""Every slice of a case can be reached in the viewer, the last one included."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from napari.components import ViewerModel

from napari_necroseg.core.case import Case, Sequence
from napari_necroseg.core.grids.orient import working_grid
from napari_necroseg.core.volume import Grid, Origin, Volume
from napari_necroseg.layerdata import (
    Role,
    case_layers,
    case_source,
    mask_layer,
    placement,
    probability_layer,
)

BRAIN = Path(__file__).parents[3] / "shared" / "data" / "brain-necrosis"


def blank_case(grid: Grid) -> Case:
    """A case of one image whose voxels take no memory."""
    image = Volume(np.broadcast_to(np.float32(0), grid.shape), grid)
    return Case(name="a", sequences={Sequence.CET1: image}, origin=Origin(grid))


def shown(layers) -> ViewerModel:
    viewer = ViewerModel()
    for voxels, kwargs, kind in layers:
        getattr(viewer, f"add_{kind}")(voxels, **kwargs)
    return viewer


def reachable(viewer: ViewerModel, shape: tuple[int, ...]) -> bool:
    """Whether the sliders have a step for each slice, and stop at the last one."""
    for axis, n in enumerate(shape):
        viewer.dims.set_current_step(axis, n + 5)
        if viewer.dims.current_step[axis] != n - 1:
            return False
        if round(viewer.layers["ceT1"].world_to_data(viewer.dims.point)[axis]) != n - 1:
            return False
    return viewer.dims.nsteps == tuple(shape)


@pytest.mark.skipif(not BRAIN.is_dir(), reason="real data are only on this project's machines")
def test_the_last_slice_of_every_brain_case_is_reached_in_every_plane():
    for file in sorted(BRAIN.glob("case-*/ceT1.nii.gz")):
        header = nibabel.load(file)
        grid = working_grid(Grid(header.shape, header.affine))
        assert reachable(shown(case_layers(blank_case(grid))), grid.shape), file.parent.name


lengths = st.floats(0.05, 12.0)
places = st.floats(-2000.0, 2000.0)


@settings(max_examples=25)
@given(
    spacing=st.tuples(lengths, lengths, lengths),
    place=st.tuples(places, places, places),
    shape=st.tuples(st.integers(1, 60), st.integers(1, 60), st.integers(1, 60)),
    angle=st.floats(0.0, 0.6),
)
def test_the_last_slice_is_reached_whatever_the_spacing_and_the_place(spacing, place, shape, angle):
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.array([[-1, 0, 0], [0, 0, -1], [0, -1, 0]]) * spacing
    affine[:3, 3] = place
    grid = Grid(shape, affine)
    assert reachable(shown(case_layers(blank_case(grid))), shape)


@given(spacing=st.floats(1e-4, 100.0), place=st.floats(-1e5, 1e5), n=st.integers(1, 4000), data=st.data())
def test_every_slice_lies_exactly_at_its_multiple_of_the_spacing(spacing, place, n, data):
    affine = np.diag([spacing, 1.0, 1.0, 1.0])
    affine[0, 3] = place
    at = placement(Grid((n, 2, 2), affine))
    scale, start = at["scale"][0], at["translate"][0]
    index = data.draw(st.integers(0, n - 1))
    assert ((start + index * scale) - start) / scale == index
    # Less than a thousandth of a voxel from where it is, at the far end of the stack.
    assert abs(scale - spacing) * n < 1e-3 * spacing
    assert abs(start - place) < 1e-6 * spacing


def test_what_is_added_later_lies_exactly_on_the_images(make_case):
    """T2, a saved mask and a prediction come with grids that are nearly, not exactly, the case's."""
    case = make_case()
    nearly = case.grid.affine_ras.copy()
    nearly[:3, :3] *= 1 + 1e-7
    nearly[:3, 3] += 1e-5
    other = Grid(case.grid.shape, nearly)
    assert other.matches(case.grid)
    layers = case_layers(case)
    mask = Volume(np.zeros(other.shape, np.uint8), other)
    layers.append(mask_layer(mask, case_source(case, Role.PREDICTION), name="prediction"))
    doubt = Volume(np.zeros(other.shape, np.float32), other)
    layers.append(probability_layer(doubt, case_source(case, Role.UNCERTAINTY), name="uncertainty"))
    assert len({(kwargs["scale"], kwargs["translate"]) for _, kwargs, _ in layers}) == 1
    assert shown(layers).dims.nsteps == case.grid.shape
