"""From a click to a mask: the one function behind dock and command line."""

import threading
from collections.abc import Callable, Mapping

from napari_necroseg.core.assist.basins import divide, markers
from napari_necroseg.core.assist.clusters import cluster
from napari_necroseg.core.assist.graphcut import cut
from napari_necroseg.core.assist.growing import Flood
from napari_necroseg.core.assist.scene import Index, Scene, Strokes, check_seed, look
from napari_necroseg.core.assist.sight import closed, sight
from napari_necroseg.core.assist.standard import Floats, Spacing
from napari_necroseg.core.assist.stopping import Stopped, go_on
from napari_necroseg.core.assist.tolerance import best_tolerance
from napari_necroseg.core.assist.walker import walk
from napari_necroseg.core.case import Sequence
from napari_necroseg.core.config import AssistConfig, AssistMethod
from napari_necroseg.core.masks.clean import Mask
from napari_necroseg.core.volume import Voxels

Stop = threading.Event | None


def assist(
    images: Mapping[Sequence, Voxels],
    seed: Index,
    *,
    spacing_mm: Spacing,
    config: AssistConfig,
    strokes: Strokes | None = None,
    stop: Stop = None,
) -> Mask | None:
    """Outline what was clicked.

    Parameters
    ----------
    images
        ``(Z, Y, X)`` each, on one grid.
    seed
        The voxel that was clicked.
    spacing_mm
        Voxel spacing along the three axes.
    config
        The method, and how far it may go.
    strokes
        What was painted as inside and outside; always obeyed.
    stop
        Set it to end the computation after its present stage.

    Returns
    -------
    ndarray or None
        ``(Z, Y, X)``, bool: one part that holds the click (parts that hold a stroke inside may lie
        apart); None if it was stopped.

    Raises
    ------
    SettingsError
        For a click outside of the image or in air, images that show nothing there, or strokes that
        contradict each other or the click.
    """
    try:
        go_on(stop)
        check_seed(images, seed)
        go_on(stop)
        scene = look(images, seed, spacing_mm=spacing_mm, config=config, strokes=strokes)
        go_on(stop)
        mask = METHODS[config.method](scene, config, stop)
        go_on(stop)
    except Stopped:
        return None
    return scene.in_image(mask)


def _cut(scene: Scene, config: AssistConfig, stop: Stop) -> Mask:
    seen, tolerance = _seen(scene, config)
    go_on(stop)
    return cut(scene, seen, tolerance)


def _grow(scene: Scene, config: AssistConfig, stop: Stop) -> Mask:
    flood = Flood(scene, smooth_mm=config.smooth_mm)
    go_on(stop)
    return flood.at(config.tolerance or flood.tolerance)


def _divide(scene: Scene, config: AssistConfig, stop: Stop) -> Mask:
    marks = markers(scene, *_seen(scene, config))
    go_on(stop)
    return divide(scene, marks, smooth_mm=config.smooth_mm)


def _walk(scene: Scene, config: AssistConfig, stop: Stop) -> Mask:
    seen, tolerance = _seen(scene, config)
    go_on(stop)
    return walk(scene, markers(scene, seen, tolerance), tolerance)


def _cluster(scene: Scene, config: AssistConfig, stop: Stop) -> Mask:
    go_on(stop)
    return cluster(scene, clusters=config.clusters, smooth_mm=config.smooth_mm)


def _seen(scene: Scene, config: AssistConfig) -> tuple[Floats, float]:
    """How unlike the click what one sees from it is, and how much it may be."""
    seen = sight(scene, closed(scene.unlike, scene, config.smooth_mm))
    return seen, config.tolerance or best_tolerance(scene, seen)


METHODS: Mapping[AssistMethod, Callable[[Scene, AssistConfig, Stop], Mask]] = {
    "graph-cut": _cut,
    "region-growing": _grow,
    "watershed": _divide,
    "fuzzy-c-means": _cluster,
    "random-walker": _walk,
}
