"""Graph cut from a click (after Egger 2015, RFA-Cut), refined by strokes (Boykov and Jolly 2001).

The nodes are the voxels of the box instead of points on rays, so that strokes are obeyed to the voxel; the
rays are edges from each voxel to the next one on the way to the click, which cannot be cut (Veksler 2008).
The mask minimises, over all masks that are star-shaped about the click (or the nearest stroke) and stay
within reach, the volume that is unlike the click plus a share of the surface, which is small where the image
has an edge:

    sum over voxels inside of ((unlike / tolerance)^2 - 1), at most 1
    + SURFACE_MM * sum over faces of exp(-difference^2 / (2 noise^2)) / spacing across the face

where unlike is that of the most unlike voxel on the way from the click, so that nothing behind the bright rim
is like the click, whatever its intensity. Of several such masks it is the smallest, which is unique: the
same for a mirrored image.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

from napari_necroseg.core.assist.rays import connected, next_on_ray
from napari_necroseg.core.assist.scene import Floats, Scene
from napari_necroseg.core.masks.components import Mask

# A surface weighs as much as a layer of this thickness, of voxels that are just like the click.
SURFACE_MM = 1.0

# Capacities are whole numbers; a voxel that is just like the click has this one.
UNIT = 1000
ALWAYS = 100_000_000

# A stroke also counts for the voxels about it, less with the distance; it overrules the image for some 2 mm.
STROKE_MM = 3.0
STROKE_WEIGHT = 1.5
Links = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]


def graph_cut(scene: Scene, seen: Floats, *, tolerance: float) -> Mask:
    """Return the mask ``(Z, Y, X)`` of the box that is cheapest to cut out.

    `seen` ``(Z, Y, X)`` is the greatest unlikeness on the way from the click (`most_on_ray`), `tolerance` the
    unlikeness at which inside and outside cost a voxel the same.
    """
    affinity = _affinity(scene, seen, tolerance=tolerance)
    source, sink = scene.unlike.size, scene.unlike.size + 1
    ends = [_between_voxels(scene), _rays(scene), _terminals(scene, affinity, source=source, sink=sink)]
    tails, heads, capacities = (np.concatenate(parts) for parts in zip(*ends, strict=True))
    n_nodes = scene.unlike.size + 2
    graph = csr_array((capacities, (tails, heads)), shape=(n_nodes, n_nodes))
    residual = graph - maximum_flow(graph, source, sink).flow
    # An explicit zero would still be an edge.
    residual.eliminate_zeros()
    inside = np.zeros(n_nodes, bool)
    inside[breadth_first_order(residual, source, return_predecessors=False)] = True
    return connected(inside[: scene.unlike.size].reshape(scene.unlike.shape), scene)


def _affinity(scene: Scene, seen: Floats, *, tolerance: float) -> Floats:
    """How much each voxel belongs to the mask, from -1 to 1, plus what strokes add."""
    affinity: Floats = np.clip(1 - (seen / tolerance) ** 2, -1, 1)
    for strokes, sign in ((scene.inside, 1), (scene.outside, -1)):
        if strokes.any():
            distance_mm = ndimage.distance_transform_edt(~strokes, sampling=scene.spacing_mm)
            affinity += sign * STROKE_WEIGHT * np.exp(-((distance_mm / STROKE_MM) ** 2))
    return affinity


def _between_voxels(scene: Scene) -> Links:
    """Edges of neighbours that share a face, both ways."""
    numbers = np.arange(scene.unlike.size, dtype=np.int32).reshape(scene.unlike.shape)
    steps = [np.linalg.norm(np.diff(scene.scores, axis=axis + 1), axis=0) for axis in range(3)]
    noise = 1.4826 * float(np.median(np.concatenate([step.ravel() for step in steps])))
    tails, heads, capacities = [], [], []
    for axis, step in enumerate(steps):
        before, after = (np.delete(numbers, end, axis).ravel() for end in (numbers.shape[axis] - 1, 0))
        ease = np.exp(-((step.ravel() / (noise or 1.0)) ** 2) / 2)
        # At least one, so that neighbours that differ completely are still linked.
        weight = (1 + UNIT * SURFACE_MM / scene.spacing_mm[axis] * ease).astype(np.int32)
        tails += [before, after]
        heads += [after, before]
        capacities += [weight, weight]
    return np.concatenate(tails), np.concatenate(heads), np.concatenate(capacities)


def _rays(scene: Scene) -> Links:
    """Edges to the next voxel on the way to the click, which is inside if the voxel is."""
    heads = next_on_ray(scene).astype(np.int32)
    farther = ~scene.seeds & scene.reach
    tails = np.flatnonzero(farther).astype(np.int32)
    return tails, heads[farther], np.full(len(tails), ALWAYS, np.int32)


def _terminals(scene: Scene, affinity: Floats, *, source: int, sink: int) -> Links:
    """Edges from the source to what is like the click, and from what is not to the sink."""
    weights = np.rint(UNIT * affinity).astype(np.int32)
    weights[~scene.reach] = -ALWAYS
    weights[scene.seeds] = ALWAYS
    weights = weights.ravel()
    liked, disliked = (np.flatnonzero(sign * weights > 0).astype(np.int32) for sign in (1, -1))
    tails = np.concatenate([np.full(len(liked), source, np.int32), disliked])
    heads = np.concatenate([liked, np.full(len(disliked), sink, np.int32)])
    return tails, heads, np.concatenate([weights[liked], -weights[disliked]])
