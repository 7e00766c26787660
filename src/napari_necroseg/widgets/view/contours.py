"""The contours of a case, as a person thinks of them: which there are, their names, colours and looks."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from napari.layers import Labels, Layer
from napari.utils.colormaps import DirectLabelColormap
from qtpy.QtGui import QColor

from napari_necroseg.core.language import tr
from napari_necroseg.layerdata import OTHER_LABEL_COLOUR, LayerSource, Role, source_of
from napari_necroseg.widgets.shared.case_layers import SHOWN_ONLY, CaseLayers

# How much is seen through a filled area.
FILLED_OPACITY = 0.4
_KINDS: dict[Role | None, int] = {
    role: place
    for place, role in enumerate(
        (Role.LABELS, Role.PREDICTION, Role.IN_TRAINING, Role.REFERENCE, Role.TUMOUR, Role.PREVIEW)
    )
}
# What the program shows beside the contours.
_HELPERS = (Role.PROBABILITY, Role.UNCERTAINTY, *SHOWN_ONLY)


def contours(layers: CaseLayers) -> list[Labels]:
    """Return the masks that are somebody's or some model's, in a fixed order of kinds, the newest first."""
    return in_order(layer for layer in reversed(layers.masks()) if not is_helper(layer))


def in_order(found: Iterable[Labels]) -> list[Labels]:
    """Return masks in the order in which lists name them: the person's own first."""
    return sorted(found, key=lambda layer: _KINDS.get(_role(layer), len(_KINDS)))


def visible_contours(layers: CaseLayers) -> list[Labels]:
    """Return the masks that are shown, the lowest first; proposals included, since they are outlines, too."""
    hidden = (Role.ERRORS, Role.DISTANCE)
    return [one for one in layers.masks() if layers.aside.is_shown(one) and _role(one) not in hidden]


def helpers(layers: CaseLayers) -> list[Layer]:
    """Return the layers that explain the contours: probabilities, errors, proposals; the topmost first."""
    return [
        layer
        for layer in reversed(list(layers.viewer.layers))
        if is_helper(layer) and not layers.panes.is_mirror(layer)
    ]


def is_helper(layer: Layer) -> bool:
    """Whether a layer only explains others."""
    return _role(layer) in _HELPERS


def short_name(layer: Layer) -> str:
    """Return the name of a contour in the words of a reader."""
    source = source_of(layer.metadata)
    if source is None:
        return str(layer.name)
    return _name(source) or str(layer.name)


def short_names(found: Sequence[Layer]) -> list[str]:
    """Return the names of contours, numbered where two are alike."""
    names = [short_name(layer) for layer in found]
    return [
        name if names.count(name) == 1 else f"{name} ({names[: place + 1].count(name)})"
        for place, name in enumerate(names)
    ]


def colour_of(layer: Any) -> QColor:
    """Return the colour of a mask's contour."""
    red, green, blue, *_ = (float(part) for part in np.asarray(layer.get_color(1)).ravel())
    return QColor.fromRgbF(red, green, blue)


def set_colour(layer: Any, colour: QColor) -> None:
    """Give a mask's contour another colour; labels other than 1 keep theirs."""
    colours = {None: OTHER_LABEL_COLOUR, 0: "transparent", 1: colour.name()}
    layer.colormap = DirectLabelColormap(color_dict=colours)


def is_filled(layer: Any) -> bool:
    """Whether a mask is shown as an area, not as an outline."""
    return int(layer.contour) == 0


def set_filled(layer: Any, filled: bool) -> None:
    """Show a mask as an area that the image shines through, or as a full outline."""
    if filled == is_filled(layer):
        return
    layer.contour = 0 if filled else 1
    layer.opacity = FILLED_OPACITY if filled else 1.0


def _role(layer: Layer) -> Role | None:
    source = source_of(layer.metadata)
    return None if source is None else source.role


def _name(source: LayerSource) -> str:
    model = tr("Model {name}", name=source.run) if source.run else tr("Model")
    names = {
        Role.LABELS: tr("My mask"),
        Role.REFERENCE: tr("Reference"),
        Role.TUMOUR: tr("Tumour"),
        Role.PREDICTION: model,
        Role.IN_TRAINING: model,
        Role.PROBABILITY: tr("Probability"),
        Role.UNCERTAINTY: tr("Uncertainty"),
        Role.ERRORS: tr("Errors: missed orange, extra blue"),
        Role.DISTANCE: tr("Distance of the surfaces"),
        Role.PREVIEW: tr("Proposal"),
    }
    return names.get(source.role, "")
