"""Takes layers of the viewer as a case to train on, whoever opened them."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from napari.layers import Labels, Layer

from napari_necroseg.core.case import Sequence
from napari_necroseg.core.case_names import check_case_name, tidy_name
from napari_necroseg.core.config import Target
from napari_necroseg.core.errors import FileError, GeometryError
from napari_necroseg.core.images.file_image import FileImage
from napari_necroseg.core.volume import Affine, Grid, Origin, Position, Volume
from napari_necroseg.jobs.train import LayerCase
from napari_necroseg.layerdata import LayerSource, source_of

# A layer from elsewhere shows slices, rows and columns; these are their directions in the patient (R, A, S).
_WORKING_DIRECTIONS = np.array([[-1.0, 0, 0], [0, 0, -1], [0, -1, 0]])
_AXES = 3


def layer_case(layers: Mapping[Sequence, Layer], mask: Labels, *, target: Target) -> LayerCase:
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
