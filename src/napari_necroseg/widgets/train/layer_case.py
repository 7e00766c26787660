"""Makes a case of layers of the viewer, whoever opened them."""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from napari.layers import Labels, Layer

from napari_necroseg.core.case import CaseFiles, DrawnMask, Sequence
from napari_necroseg.core.case_names import check_case_name, tidy_name
from napari_necroseg.core.config import Target
from napari_necroseg.core.errors import FileError, GeometryError
from napari_necroseg.core.events import Event, Finished, Progress
from napari_necroseg.core.images.file_image import FileImage
from napari_necroseg.core.volume import Affine, Grid, Origin, Position, Volume
from napari_necroseg.layerdata import LayerSource, source_of

# A layer from elsewhere shows slices, rows and columns; these are their directions in the patient (R, A, S).
_WORKING_DIRECTIONS = np.array([[-1.0, 0, 0], [0, 0, -1], [0, -1, 0]])
_AXES = 3


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerCase:
    """Layers as they were when the person added them: later strokes are not included."""

    # Of the case.
    name: str
    # By sequence; ceT1 is always there.
    images: Mapping[Sequence, FileImage]
    # The drawn mask, and what it shows.
    mask: FileImage
    target: Target
    # As in the cohort, if the case is in it.
    patient: str = ""


def layer_case(layers: Mapping[Sequence, Layer], mask: Labels, target: Target) -> LayerCase:
    """Take layers as they are now; the mask is copied.

    Raises FileError if a layer has other axes than slices, rows and columns.
    """
    cet1 = layers[Sequence.CET1]
    source = source_of(cet1.metadata)
    directions = _WORKING_DIRECTIONS if source is None else _directions(source.grid)
    drawn = _file_image(mask, directions)
    copied = Volume((np.asarray(mask.data) > 0).astype(np.uint8), drawn.volume.grid)
    return LayerCase(
        name=_case_name(cet1, source),
        images={sequence: _file_image(layer, directions) for sequence, layer in layers.items()},
        mask=FileImage(volume=copied, origin=drawn.origin),
        target=target,
    )


def load_layer_case(taken: LayerCase, _stop: threading.Event) -> Iterator[Event]:
    """Bring layers onto the grid of the ceT1 layer; the result is a row of a cohort with the voxels in it."""
    from napari_necroseg.core.cohort.load import assemble_case

    yield Progress(done=0, total=1, message=f"Taking over the layers of {taken.name} ...")
    case = assemble_case(taken.name, taken.images, masks={taken.target: taken.mask})
    paths = {sequence: image.origin.path or Path(taken.name) for sequence, image in taken.images.items()}
    drawn: dict[str, DrawnMask] = {taken.target: DrawnMask(whose="layers")}
    files = CaseFiles(name=taken.name, sequences=paths, patient=taken.patient, loaded=case, drawn=drawn)
    yield Finished(result=files.with_file(taken.target, Path(taken.name)))


def _file_image(layer: Layer, directions: Affine) -> FileImage:
    if layer.ndim != _AXES or getattr(layer, "rgb", False) or getattr(layer, "multiscale", False):
        raise FileError(
            f"The layer {layer.name!r} is no plain stack of slices, rows and columns; choose one that is."
        )
    source = source_of(layer.metadata)
    if source is not None and source.grid.shape == layer.data.shape:
        # Layers lie where they are shown, also those of a file that does not say where it lies.
        grid = replace(source.grid, position=Position.STATED, in_file=None)
        return FileImage(volume=Volume(layer.data, grid), origin=source.origin)
    grid = _shown_grid(layer, directions)
    return FileImage(volume=Volume(layer.data, grid), origin=Origin(grid))


def _shown_grid(layer: Layer, directions: Affine) -> Grid:
    """Where napari shows a layer, in the patient; `directions` are those of napari's three axes."""
    corner = np.asarray(layer.data_to_world((0, 0, 0)))
    steps = np.array([layer.data_to_world(index) for index in np.eye(_AXES)]) - corner
    to_mm = np.array([_millimetres(layer, axis) for axis in range(_AXES)])
    affine = np.eye(4)
    affine[:3, :3] = directions @ (steps * to_mm).T
    affine[:3, 3] = directions @ (corner * to_mm)
    return Grid(layer.data.shape, affine)


def _millimetres(layer: Layer, axis: int) -> float:
    """How long a unit of an axis is; a layer in pixels has the spacing that it shows."""
    unit = layer.units[axis]
    if unit.is_compatible_with("mm"):
        return float((1 * unit).to("mm").magnitude)
    if unit.dimensionless or str(unit) == "pixel":
        return 1.0
    raise GeometryError(f"The layer {layer.name!r} is measured in {unit}; give it millimetres.")


def _directions(grid: Grid) -> Affine:
    return np.asarray(grid.affine_ras[:3, :3] / np.asarray(grid.spacing_mm))


def _case_name(cet1: Layer, source: LayerSource | None) -> str:
    """Name of the case that a layer shows; that of a layer from elsewhere must serve as a file name, too."""
    name = tidy_name(str(cet1.name)) if source is None else source.case
    problem = check_case_name(name)
    if problem is not None:
        raise FileError(f"Rename the ceT1 layer: {problem}.")
    return name
