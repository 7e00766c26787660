"""Outlines the clicked zone, on images in memory or in files."""

import threading
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from napari_necroseg.core.assist.fuzzy_c_means import fuzzy_c_means
from napari_necroseg.core.assist.graph_cut import graph_cut
from napari_necroseg.core.assist.markers import markers, random_walker, watershed
from napari_necroseg.core.assist.rays import best_tolerance, closed, most_on_ray
from napari_necroseg.core.assist.region_growing import growing_cost, region_growing
from napari_necroseg.core.assist.scene import Index, Scene, Spacing, Strokes, check_seed, make_scene
from napari_necroseg.core.case import CaseFiles, Sequence
from napari_necroseg.core.cohort.load import load_case
from napari_necroseg.core.config import AssistConfig
from napari_necroseg.core.errors import SettingsError
from napari_necroseg.core.events import Event, Finished, Started, Warned
from napari_necroseg.core.language import said
from napari_necroseg.core.masks.components import Mask, Size, measure
from napari_necroseg.core.output import check_out_file
from napari_necroseg.core.project.case_files import save_mask_version
from napari_necroseg.core.volume import Voxels

Stop = threading.Event | None
Point = tuple[float, float, float]


def assist(
    images: Mapping[Sequence, Voxels],
    seed: Index,
    *,
    spacing_mm: Spacing,
    config: AssistConfig,
    strokes: Strokes | None = None,
    stop: Stop = None,
) -> Mask | None:
    """Outline what was clicked, in images ``(Z, Y, X)`` on one grid; None if `stop` was set meanwhile.

    The mask ``(Z, Y, X)``, bool, is one part that holds the voxel `seed`; strokes are always obeyed, and
    parts that hold a stroke inside may lie apart. Raises `SettingsError` for a click outside of the image or
    in air, images that show nothing there, and strokes that contradict each other or the click.
    """
    try:
        check_stop(stop)
        check_seed(images, seed)
        check_stop(stop)
        scene = make_scene(images, seed, spacing_mm=spacing_mm, config=config, strokes=strokes)
        check_stop(stop)
        mask = _outlined(scene, config, stop=stop)
        check_stop(stop)
    except AssistStopped:
        return None
    return scene.in_image(mask)


def _outlined(scene: Scene, config: AssistConfig, *, stop: Stop) -> Mask:
    """Outline the zone in the box about the click."""
    if config.method == "fuzzy-c-means":
        return fuzzy_c_means(scene, clusters=config.clusters, smooth_mm=config.smooth_mm)
    if config.method == "region-growing":
        cost = growing_cost(scene, smooth_mm=config.smooth_mm)
        check_stop(stop)
        return region_growing(scene, cost, tolerance=config.tolerance or best_tolerance(scene, cost))
    unlike = most_on_ray(scene, closed(scene.unlike, scene, gap_mm=config.smooth_mm))
    tolerance = config.tolerance or best_tolerance(scene, unlike)
    check_stop(stop)
    if config.method == "graph-cut":
        return graph_cut(scene, unlike, tolerance=tolerance)
    marks = markers(scene, unlike, tolerance=tolerance)
    if config.method == "watershed":
        return watershed(scene, marks, smooth_mm=config.smooth_mm)
    return random_walker(scene, marks, tolerance=tolerance)


class AssistStopped(Exception):  # noqa: N818 - nothing went wrong
    """The computation was asked to stop; raised and caught within this module."""


def check_stop(stop: Stop) -> None:
    """Raise `AssistStopped` if the computation is to stop."""
    if stop is not None and stop.is_set():
        raise AssistStopped


@dataclass(frozen=True, kw_only=True)
class AssistedMask:
    """A first mask: its file, how it was made, its size, and where an earlier file of its name went."""

    case: str
    path: Path
    method: str
    seed_mm: Point
    seconds: float
    size: Size
    earlier: Path | None = None

    def __str__(self) -> str:
        return f"{self.case}: {self.size} by {self.method} in {self.seconds:.1f} s -> {self.path}"


def assist_files(
    files: CaseFiles, config: AssistConfig, *, seed_mm: Point, out: Path
) -> Generator[Event, None, None]:
    """Read a case without its masks, outline the zone about a point, and write its mask on the ceT1 grid.

    The point is a world position, RAS+, in mm. An earlier file of the mask's name is renamed. Yields
    `Started`, `Warned` for what should be known of the case, and `Finished` with an `AssistedMask`; raises
    `SettingsError`, `FileError` or `ResourceError` if the point, the case or the path of the mask cannot be
    used.
    """
    check_out(out, files)
    check_out_file(out)
    point = ", ".join(f"{value:.1f}" for value in seed_mm)
    yield Started(message=f"Outlining what lies about ({point}) mm in {files.name}: {config.method}.")
    case = load_case(replace(files.only_sequences(config.sequences), reference=None, tumour=None))
    yield from (Warned(message=said("{case}: {note}", case=case.name, note=note)) for note in case.notes)
    seed = case.grid.index_of(seed_mm, what="seed")
    started = time.monotonic()
    images = {
        name: volume.voxels
        for name, volume in case.sequences.items()
        if name in (Sequence.CET1, *config.sequences)
    }
    mask = assist(images, seed, spacing_mm=case.grid.spacing_mm, config=config)
    assert mask is not None, "nobody can stop it"
    seconds = time.monotonic() - started
    earlier = save_mask_version(out, mask.astype(np.uint8), origin=case.origin)
    if earlier is not None:
        yield Warned(message=f"{out.name} was there already; it is now {earlier.name}.")
    yield Finished(
        result=AssistedMask(
            case=case.name,
            path=out,
            method=config.method,
            seed_mm=seed_mm,
            seconds=seconds,
            size=measure(mask, case.grid),
            earlier=earlier,
        )
    )


def check_out(out: Path, files: CaseFiles) -> None:
    """Refuse to write a mask over a file of the case, or into a file of another kind, by `SettingsError`."""
    if not out.name.lower().endswith((".nii", ".nii.gz")) or out.is_dir():
        raise SettingsError(f"{out} is no name for a mask; end it with .nii.gz or .nii.")
    if out.resolve() in (path.resolve() for path in files.paths.values()):
        raise SettingsError(f"{out} is a file of the case itself; write the mask under another name.")
