"""Window and level of the sequences: dragged, from a preset, or automatic."""

from collections.abc import Mapping
from weakref import WeakKeyDictionary

import numpy as np
from napari.layers import Image

from napari_necroseg.core.display import display_range
from napari_necroseg.core.language import tr
from napari_necroseg.widgets.shared.workspace import Workspace
from napari_necroseg.widgets.view.geometry import is_sequence

# A drag over so many pixels changes the window or the level by the width of the window at its start.
_PIXELS_FOR_WIDTH = 300.0
# Enough for a percentile, and quick for a volume of any size.
_MOST_SAMPLES = 200_000
_LEAST_SHARE, _MOST_SHARE = 0.005, 3.0
# To the side of a drag, as a share of its length.
_STRAYS = 0.35
# Per cent of the intensities between which a preset is spread; the dark half of an MR image is air.
PRESETS: Mapping[str, tuple[float, float]] = {
    "strong": (25.0, 98.0),
    "dark": (5.0, 90.0),
    "bright": (50.0, 99.9),
}
Limits = tuple[float, float]


class Contrast:
    """Sets the windows of the sequences, and knows the one that each was opened with."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        # The window, and the lowest and highest intensity.
        self._opened: WeakKeyDictionary[Image, tuple[Limits, Limits]] = WeakKeyDictionary()
        workspace.layers.shown.connect(self._on_shown)
        self._on_shown()

    def sequences(self) -> list[Image]:
        """Return the sequences of the open case, from the lowest to the topmost."""
        return [layer for layer in self._workspace.layers.of_kind(Image) if is_sequence(layer)]

    def make_auto(self, image: Image) -> None:
        """Set the window that the image was opened with, which ignores outliers."""
        image.contrast_limits = self._of(image)[0]

    def use_preset(self, image: Image, name: str) -> None:
        """Set one of the presets."""
        if name == "all":
            image.contrast_limits = self._of(image)[1]
            return
        low, high = np.percentile(_sampled(image), PRESETS[name])
        self._set(image, (float(low), float(high)))

    def drag(self, image: Image, limits: Limits, *, right_px: float, down_px: float) -> None:
        """Set the window of an image that had these limits when the drag began."""
        right_px, down_px = straightened(right_px, down_px)
        self._set(image, dragged(limits, right_px=right_px, down_px=down_px))

    def _on_shown(self) -> None:
        for image in self.sequences():
            self._opened[image] = (limits_of(image), _range_of(image))

    def _of(self, image: Image) -> tuple[Limits, Limits]:
        return self._opened.get(image) or (display_range(_sampled(image)), _range_of(image))

    def _set(self, image: Image, limits: Limits) -> None:
        """Set a window that never closes, and whose middle stays where there are intensities.

        Its ends may lie beyond them: else a drag for the width would move the level, too.
        """
        lowest, highest = self._of(image)[1]
        reach = max(highest - lowest, 1e-6)
        level = min(max((limits[0] + limits[1]) / 2, lowest), highest)
        width = min(max(limits[1] - limits[0], _LEAST_SHARE * reach), _MOST_SHARE * reach)
        image.contrast_limits = (level - width / 2, level + width / 2)


def preset_titles() -> dict[str, tuple[str, str]]:
    """Return the title and the explanation of each preset."""
    return {
        "all": (tr("All intensities"), tr("From the lowest to the highest intensity: a flat picture.")),
        "strong": (tr("Strong contrast"), tr("A narrow window.")),
        "dark": (tr("Dark details"), tr("Sets dark tissue apart, such as a dark necrosis.")),
        "bright": (tr("Bright details"), tr("Sets bright tissue apart, such as an enhancing rim.")),
    }


def limits_of(image: Image) -> Limits:
    """Return the intensities that an image shows as black and as white."""
    low, high = image.contrast_limits
    return float(low), float(high)


def dragged(limits: Limits, *, right_px: float, down_px: float) -> Limits:
    """Return the limits after a drag: to the right widens the window, down raises the level (darker)."""
    width, level = limits[1] - limits[0], (limits[0] + limits[1]) / 2
    wider = width * float(np.exp(right_px / _PIXELS_FOR_WIDTH))
    moved = level + down_px / _PIXELS_FOR_WIDTH * width
    return moved - wider / 2, moved + wider / 2


def straightened(right_px: float, down_px: float) -> tuple[float, float]:
    """Return a drag without the little that a hand strays from a straight line."""
    if abs(down_px) < _STRAYS * abs(right_px):
        return right_px, 0.0
    if abs(right_px) < _STRAYS * abs(down_px):
        return 0.0, down_px
    return right_px, down_px


def _sampled(image: Image) -> np.ndarray:
    voxels = np.asarray(image.data).reshape(-1)
    return voxels[:: max(1, voxels.size // _MOST_SAMPLES)]


def _range_of(image: Image) -> Limits:
    low, high = image.contrast_limits_range
    return float(low), float(high)
