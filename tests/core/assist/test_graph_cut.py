"""The graph cut is the cheapest mask of all: compared with every mask that there is, on a few voxels."""

from itertools import product

import numpy as np
import pytest

from napari_necroseg.core.assist.graph_cut import SURFACE_MM, graph_cut
from napari_necroseg.core.assist.scene import Scene

SHAPE, SEED, SPACING = (1, 3, 4), (0, 1, 1), (3.0, 0.8, 1.3)
TOLERANCE = 1.0


def tiny(rng: int) -> Scene:
    scores = np.random.default_rng(rng).normal(0, 1.2, SHAPE).astype(np.float32)
    nothing = np.zeros(SHAPE, bool)
    return Scene(
        scores=scores[None],
        typical=np.zeros(1, np.float32),
        unlike=np.abs(scores),
        reach=~nothing,
        inside=nothing,
        outside=nothing,
        seed=SEED,
        spacing_mm=SPACING,
        box=(slice(None),) * 3,
        image_shape=SHAPE,
    )


def energy(mask: np.ndarray, scene: Scene, noise: float) -> float:
    """What the module says it minimises, per voxel volume."""
    total = np.clip((scene.unlike / TOLERANCE) ** 2 - 1, -1, 1)[mask].sum()
    for axis in (1, 2):
        is_cut = np.diff(mask.astype(int), axis=axis) != 0
        difference = np.diff(scene.scores[0], axis=axis)[is_cut]
        total += (SURFACE_MM / SPACING[axis] * np.exp(-((difference / noise) ** 2) / 2)).sum()
    return float(total)


@pytest.mark.parametrize("rng", range(12))
def test_no_mask_is_cheaper(rng: int) -> None:
    scene = tiny(rng)
    differences = [np.abs(np.diff(scene.scores[0], axis=axis)).ravel() for axis in (0, 1, 2)]
    noise = 1.4826 * float(np.median(np.concatenate(differences)))
    found = graph_cut(scene, scene.unlike, tolerance=TOLERANCE)
    assert found[SEED]
    masks = [np.array(bits, bool).reshape(SHAPE) for bits in product((0, 1), repeat=12)]
    allowed = [mask for mask in masks if mask[SEED] and is_star(mask)]
    assert any(np.array_equal(mask, found) for mask in allowed)
    # Capacities are rounded to a thousandth, of 12 voxels and 17 faces.
    assert energy(found, scene, noise) <= min(energy(mask, scene, noise) for mask in allowed) + 0.05


def is_star(mask: np.ndarray) -> bool:
    """All but the last column touch the click; that needs the voxel before it, in the same row.

    (From a corner the line goes half a row a step: halves are rounded to even, so it starts level.)
    """
    return not (mask[0, :, 3] & ~mask[0, :, 2]).any()
