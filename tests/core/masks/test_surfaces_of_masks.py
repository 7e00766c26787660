"""The surface of a mask for the view in space: closed, at the right place, and of the right size in mm."""

import numpy as np
import pytest

from napari_necroseg.core.masks import surface as module
from napari_necroseg.core.masks.surface import surface, volume_ml


def ball(spacing_mm, radius_mm=12.0):
    """A ball about the middle of a box of 60 mm."""
    shape = np.ceil(60 / np.array(spacing_mm)).astype(int)
    places = np.indices(shape).T * spacing_mm
    return (np.linalg.norm(places - 30.0, axis=-1) <= radius_mm).T


def is_closed(mesh):
    """Whether each edge belongs to two triangles, which run along it in opposite directions."""
    edges = np.concatenate([mesh.faces[:, pair] for pair in ([0, 1], [1, 2], [2, 0])])
    found = set(map(tuple, edges.tolist()))
    return len(found) == len(edges) and all((b, a) in found for a, b in found)


@pytest.mark.parametrize("spacing_mm", [(1.0, 1.0, 1.0), (4.0, 1.0, 1.0), (4.5, 0.7, 0.8)])
def test_a_ball_is_round_and_of_its_size_in_millimetres(spacing_mm):
    mask = ball(spacing_mm)
    mesh = surface(mask, spacing_mm)
    assert is_closed(mesh)
    assert volume_ml(mesh, spacing_mm) == pytest.approx(mask.sum() * np.prod(spacing_mm) / 1000, rel=0.08)
    from_middle_mm = np.linalg.norm(mesh.vertices * spacing_mm - 30.0, axis=1)
    assert from_middle_mm.max() < 12 + max(spacing_mm) / 2
    assert from_middle_mm.min() > 12 - max(spacing_mm) / 2


def test_the_surface_lies_where_the_mask_lies():
    mask = np.zeros((12, 30, 40), np.uint8)
    mask[2:5, 20:28, 3:33] = 1
    mesh = surface(mask, (4.0, 1.0, 1.0))
    np.testing.assert_allclose(mesh.vertices.min(axis=0), (1.5, 19.5, 2.5), atol=0.5)
    np.testing.assert_allclose(mesh.vertices.max(axis=0), (4.5, 27.5, 32.5), atol=0.5)


def test_one_voxel_and_the_edge_of_the_image_have_a_surface():
    mask = np.zeros((4, 6, 7), np.uint8)
    mask[0, 5, 0] = 3
    assert is_closed(surface(mask, (4.0, 1.0, 1.0)))
    assert is_closed(surface(np.ones((3, 4, 5)), (1.0, 1.0, 1.0)))


def test_an_empty_mask_has_no_surface():
    assert surface(np.zeros((3, 4, 5)), (1.0, 1.0, 1.0)) is None


def test_a_large_surface_is_made_coarser(monkeypatch):
    fine = surface(ball((1.0, 1.0, 1.0)), (1.0, 1.0, 1.0))
    monkeypatch.setattr(module, "MOST_CROSSINGS", 600)
    coarse = surface(ball((1.0, 1.0, 1.0)), (1.0, 1.0, 1.0))
    assert len(coarse.faces) < 0.4 * len(fine.faces)
    assert is_closed(coarse)
