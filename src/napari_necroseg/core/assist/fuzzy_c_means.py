"""Fuzzy c-means of the intensities (Passera 2013): the clicked tissue, as far as a straight line reaches.

J. C. Bezdek, *Pattern Recognition with Fuzzy Objective Function Algorithms*, 1981: centres and memberships in
turns, the memberships by the inverse squares of the distances to the centres (exponent 2).
"""

import numpy as np
from numpy.typing import NDArray

from napari_necroseg.core.assist.rays import closed, most_on_ray, tidied
from napari_necroseg.core.assist.scene import Scene
from napari_necroseg.core.masks.components import Mask

# This many voxels, evenly spread, are enough to find a few centres.
MOST_VOXELS = 20_000
MOST_ROUNDS = 200
SETTLED = 1e-4
Rows = NDArray[np.float64]


def fuzzy_c_means(scene: Scene, *, clusters: int, smooth_mm: float) -> Mask:
    """Return the voxels ``(Z, Y, X)`` that a straight line from the click reaches within its cluster."""
    scores = np.moveaxis(scene.scores, 0, -1).astype(np.float64)
    points = scores[scene.reach]
    centres = fuzzy_centres(points[:: max(1, len(points) // MOST_VOXELS)], clusters)
    kind = int(memberships(scene.typical[None].astype(np.float64), centres).argmax())
    kinds = (
        memberships(scores.reshape(-1, scores.shape[-1]), centres).argmax(axis=1).reshape(scene.reach.shape)
    )
    other_kind = closed((kinds != kind).astype(np.float32), scene, gap_mm=smooth_mm)
    return tidied(most_on_ray(scene, other_kind) < 1, scene, smooth_mm=smooth_mm)


def fuzzy_centres(points: Rows, clusters: int) -> Rows:
    """Return the centres ``(cluster, channel)`` of fuzzy clusters of points ``(point, channel)``.

    They start at evenly spread quantiles of the first channel.
    """
    order = np.argsort(points[:, 0], kind="stable")
    starts = ((np.arange(clusters) + 0.5) / clusters * len(points)).astype(int)
    centres: Rows = points[order[starts]]
    for _ in range(MOST_ROUNDS):
        weights = memberships(points, centres) ** 2
        moved = weights.T @ points / weights.sum(axis=0)[:, None]
        shift = float(np.abs(moved - centres).max())
        centres = moved
        if shift < SETTLED:
            break
    return centres


def memberships(points: Rows, centres: Rows) -> Rows:
    """Return the share of each point in each cluster, ``(point, cluster)``; a point's add up to 1."""
    squares = ((points[:, None] - centres[None]) ** 2).sum(axis=2)
    # A point on a centre belongs to it wholly.
    closeness = 1 / np.maximum(squares, 1e-12)
    return np.asarray(closeness / closeness.sum(axis=1, keepdims=True))
