"""Turns a case into napari layers, as plain tuples: no viewer is touched here."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_necroseg.core.case import Case, Sequence
from napari_necroseg.core.display import PREDICTION_COLOUR, REFERENCE_COLOUR, display_range
from napari_necroseg.core.language import to_translate
from napari_necroseg.core.volume import Grid, Origin, Volume, Voxels

LayerData = tuple[Voxels, dict[str, Any], str]

METADATA_KEY = "necroseg"
# The name of the layer that the person draws on.
MY_MASK = to_translate("my mask")
PLACEHOLDER = "placeholder"
UNITS = ("mm", "mm", "mm")
AXIS_LABELS = ("slice", "row", "column")
# Bits of a spacing: the last one is a ten-millionth of it.
_PLACE_BITS = 24


class Role(StrEnum):
    """The role of a layer: the image or mask that it shows."""

    CET1 = "ceT1"
    T2 = "T2"
    IMAGE = "image"
    REFERENCE = "reference"
    TUMOUR = "tumour"
    LABELS = "labels"
    PREDICTION = "prediction"
    PROBABILITY = "probability"
    UNCERTAINTY = "uncertainty"
    IN_TRAINING = "in training"
    ERRORS = "errors"
    DISTANCE = "distance"
    PREVIEW = "preview"


class Began(StrEnum):
    """What the person's mask of a case began with."""

    NOTHING = "nothing"
    PREDICTION = "prediction"
    SAVED = "saved"


COLOURS = {
    Role.REFERENCE: REFERENCE_COLOUR,
    Role.LABELS: "#fbf24a",
    Role.TUMOUR: "#e8500f",
    Role.PREDICTION: PREDICTION_COLOUR,
    Role.IN_TRAINING: PREDICTION_COLOUR,
    Role.PREVIEW: "#ff8fd0",
}
# Of several predictions, in turn.
PREDICTION_COLOURS = (PREDICTION_COLOUR, "#8358e8", "#c9fffb")
# Of an error map: agreement, missed, extra (orange and sky blue of Okabe and Ito).
ERROR_COLOURS = {1: "#ffffff40", 2: "#e69f00", 3: "#56b4e9"}
# Larger distances have the brightest colour.
MOST_SHOWN_MM = 10.0
# Cividis, made for people with colour vision deficiencies, from near (dark blue) to far (yellow).
_DISTANCE_COLOURS = {
    "colors": [
        (0.0, 0.0, 0.0, 0.0),
        (0.0, 0.135, 0.304, 1.0),
        (0.486, 0.482, 0.47, 1.0),
        (0.996, 0.909, 0.218, 1.0),
    ],
    "controls": [0.0, 0.0005, 0.5, 1.0],
    "name": "surface distance",
}
# Voxels with a label other than 1: not part of any mask of this program, so they stand out.
OTHER_LABEL_COLOUR = "#ffffff"


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerSource:
    """The source of a layer's voxels; kept in ``layer.metadata["necroseg"]``."""

    case: str
    role: Role
    # The file (for a case its ceT1 file) onto whose grid a mask is saved.
    origin: Origin
    # The working grid of the layer's voxels: the true affine, which the layer's `scale` only approximates.
    grid: Grid
    # The model that made a prediction, or the name of several whose mean it is; of the person's mask: of the
    # prediction that it began with.
    run: str = ""
    # Of the person's mask only.
    began: Began = Began.NOTHING


def source_of(metadata: dict[str, Any]) -> LayerSource | None:
    """Return the source of a layer, or None for a layer that this program did not make."""
    source = metadata.get(METADATA_KEY)
    return source if isinstance(source, LayerSource) else None


def spacing_mm_of(layer: Any) -> tuple[float, ...]:
    """Return the true spacing of a layer's voxels along three axes; its `scale` only approximates it.

    A layer that this program did not make, or whose shape has changed, has the spacing of its `scale`.
    """
    source = source_of(layer.metadata)
    if source is not None and source.grid.shape == layer.data.shape:
        return source.grid.spacing_mm
    return tuple(abs(float(step)) for step in layer.scale[-3:])


def case_layers(case: Case) -> list[LayerData]:
    """Turn a case into layers, from the lowest to the topmost: T2, ceT1, tumour (hidden), reference."""
    images = [(sequence, case.sequences.get(sequence)) for sequence in (Sequence.T2, Sequence.CET1)]
    layers = [
        image_layer(volume, case_source(case, Role(sequence)), name=str(sequence))
        for sequence, volume in images
        if volume is not None
    ]
    if case.tumour is not None:
        layers.append(mask_layer(case.tumour, case_source(case, Role.TUMOUR), name="tumour"))
        layers[-1][1]["visible"] = False
    if case.reference is not None:
        layers.append(mask_layer(case.reference, case_source(case, Role.REFERENCE), name="reference"))
    return layers


def case_source(case: Case, role: Role, *, run: str = "", began: Began = Began.NOTHING) -> LayerSource:
    """Return the source of a layer of a case."""
    return LayerSource(case=case.name, role=role, origin=case.origin, grid=case.grid, run=run, began=began)


def image_layer(volume: Volume, source: LayerSource, *, name: str) -> LayerData:
    """Turn an image in working order into a grey layer, with a display range that ignores outliers."""
    kwargs = placement(source.grid) | {
        "name": name,
        "colormap": "gray",
        "rgb": False,
        "contrast_limits": display_range(volume.voxels),
        "interpolation2d": "linear",
        "metadata": {METADATA_KEY: source},
    }
    return volume.voxels, kwargs, "image"


def probability_layer(volume: Volume, source: LayerSource, *, name: str) -> LayerData:
    """Turn a probability, or an uncertainty (from 0 to 0.5), into a hidden, half transparent layer."""
    is_probability = source.role is Role.PROBABILITY
    kwargs = placement(source.grid) | {
        "name": name,
        "colormap": "magma" if is_probability else "viridis",
        "contrast_limits": (0.0, 1.0 if is_probability else 0.5),
        "blending": "additive",
        "opacity": 0.6,
        "visible": False,
        "metadata": {METADATA_KEY: source},
    }
    return volume.voxels.astype(np.float32, copy=False), kwargs, "image"


def mask_layer(volume: Volume, source: LayerSource, *, name: str) -> LayerData:
    """Turn a mask in working order into an outlined labels layer; the voxels are copied, to be drawn on."""
    colour = COLOURS.get(source.role, OTHER_LABEL_COLOUR)
    kwargs = placement(source.grid) | {
        "name": name,
        "colormap": {None: OTHER_LABEL_COLOUR, 0: "transparent", 1: colour},
        "opacity": 1.0,
        "metadata": {METADATA_KEY: source},
    }
    return np.array(volume.voxels, dtype=np.uint8, order="C"), kwargs, "labels"


def errors_layer(volume: Volume, source: LayerSource) -> LayerData:
    """Turn an error map into a filled labels layer in colours that differ in brightness and in blue, too."""
    kwargs = placement(source.grid) | {
        "name": "errors: missed orange, extra blue",
        "colormap": {None: OTHER_LABEL_COLOUR, 0: "transparent"} | ERROR_COLOURS,
        "opacity": 0.6,
        "metadata": {METADATA_KEY: source},
    }
    return volume.voxels.copy(), kwargs, "labels"


def distance_layer(distances_mm: Volume, source: LayerSource) -> LayerData:
    """Turn distances along a contour (mm, nan elsewhere) into an image that hides all but the contour.

    Voxels off the contour become 0, which is transparent; so a distance of 0 is shown as 0.01 mm, and an
    infinite one as the largest finite one.
    """
    voxels = distances_mm.voxels
    most = float(np.max(voxels[np.isfinite(voxels)], initial=MOST_SHOWN_MM))
    on_contour = np.nan_to_num(np.maximum(voxels, 0.01), nan=0.0, posinf=most)
    kwargs = placement(source.grid) | {
        "name": "surface distance, mm",
        "colormap": _DISTANCE_COLOURS,
        "contrast_limits": (0.0, MOST_SHOWN_MM),
        "blending": "translucent",
        "metadata": {METADATA_KEY: source},
    }
    return on_contour.astype(np.float32), kwargs, "image"


def placeholder_layer(name: str) -> LayerData:
    """Return an empty layer in place of a case that is being made; it is removed when the case is shown.

    napari demands a layer from sample data at once, and would freeze while the case is computed.
    """
    # A layer without units would make napari drop the units of all others.
    kwargs = {
        "name": name,
        "units": UNITS,
        "axis_labels": AXIS_LABELS,
        "metadata": {METADATA_KEY: PLACEHOLDER},
    }
    return np.empty((0, 3)), kwargs, "points"


def is_placeholder(metadata: dict[str, Any]) -> bool:
    """Whether a layer stands in place of a case that is being made."""
    return metadata.get(METADATA_KEY) == PLACEHOLDER


def placement(grid: Grid) -> dict[str, Any]:
    """Return scale, translation, units and axis names of a layer on a working grid.

    The translation is along the grid's own axes, so that layers of one examination lie on each other
    without an affine, which napari's brushes and slicing do not fully support. All numbers are rounded, by
    less than a ten-millionth of a voxel, to binary fractions with which napari calculates exactly: it
    counts slices by dividing lengths, and would lose the last one to rounding. Files are saved with the true
    grid, not with these numbers.
    """
    directions = grid.affine_ras[:3, :3] / np.asarray(grid.spacing_mm)
    corner_mm = directions.T @ grid.affine_ras[:3, 3]
    places = [
        _exact(spacing_mm, start_mm, n=n)
        for spacing_mm, start_mm, n in zip(grid.spacing_mm, corner_mm, grid.shape, strict=True)
    ]
    return {
        "scale": tuple(scale for scale, _ in places),
        "translate": tuple(start for _, start in places),
        "units": UNITS,
        "axis_labels": AXIS_LABELS,
    }


def _exact(spacing_mm: float, start_mm: float, *, n: int) -> tuple[float, float]:
    """Round spacing and start of an axis so that ``start + index * spacing`` is exact for every index."""
    # 53 bits hold a double; the sums below stay at least one short of that.
    farthest_mm = abs(start_mm) + n * spacing_mm
    step_exponent = max(math.frexp(spacing_mm)[1] - _PLACE_BITS, math.frexp(farthest_mm)[1] - 51)
    step = math.ldexp(1.0, step_exponent)
    return max(1, round(spacing_mm / step)) * step, round(start_mm / step) * step


def middle_slice(case: Case, mask: Voxels | None = None) -> int:
    """Return the slice to show first: where the reference, or else a mask, is largest, or the middle one."""
    reference = None if case.reference is None else case.reference.voxels
    shown = next((one for one in (reference, mask) if one is not None and one.any()), None)
    if shown is None:
        return case.grid.shape[0] // 2
    area: NDArray[np.int64] = np.count_nonzero(shown, axis=(1, 2))
    return int(area.argmax())
