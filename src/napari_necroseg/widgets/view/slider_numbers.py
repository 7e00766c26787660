"""Hides the numbers of napari's slider of slices, which count from 0, where a caption counts from 1.

The name of its axis, such as *row*, goes with them.
"""

from contextlib import suppress
from typing import Any

from napari.components import ViewerModel
from qtpy.QtWidgets import QWidget

_NUMBERS = ("slice_label", "slice_label_sep", "axis_label")


class SliderNumbers:
    """The numbers beside the sliders below the canvas; napari makes them anew with each number of axes."""

    def __init__(self, viewer: ViewerModel, qt_dims: Any) -> None:
        self._qt_dims = qt_dims
        self._are_shown = True
        viewer.dims.events.ndim.connect(self._apply)

    def show(self, shown: bool) -> None:
        """Show or hide the numbers."""
        if shown != self._are_shown:
            self._are_shown = shown
            self._apply()

    def _apply(self, _event: object = None) -> None:
        with suppress(RuntimeError):
            for slider in self._qt_dims.slider_widgets:
                for one in slider.findChildren(QWidget):
                    if one.objectName() in _NUMBERS:
                        one.setVisible(self._are_shown)
