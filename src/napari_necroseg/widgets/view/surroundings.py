"""What surrounds the images: black in every theme, and a hint of use to a reader in the status bar."""

from contextlib import suppress
from typing import Any
from weakref import ref

from napari.components import ViewerModel
from napari.utils.color import ColorValue

from napari_necroseg.core.language import tr


class Surroundings:
    """Black around the images, as on a reading workstation, and in the status bar what the mouse does.

    `are_on`: whether they are; off, both are napari's own.
    """

    def __init__(self, viewer: ViewerModel, status_bar: Any) -> None:
        self._viewer, self._status_bar = ref(viewer), status_bar
        self.are_on = False
        viewer.events.help.connect(self.follow)

    def set_on(self, wanted: bool) -> None:
        """Take the surroundings, or leave them to napari."""
        viewer = self._viewer()
        if viewer is None:
            return
        self.are_on = wanted
        viewer.canvas.background_color_override = ColorValue("black") if wanted else None
        self.follow()

    def follow(self, _event: object = None) -> None:
        """Write the hint, in place of keys of napari that mostly do not hold here."""
        viewer = self._viewer()
        if viewer is not None:
            with suppress(RuntimeError):
                self._status_bar.setHelpText(_hint() if self.are_on else viewer.help)


def _hint() -> str:
    return tr("Wheel: slices  ·  Ctrl + wheel: zoom  ·  right drag: window and level  ·  ?: all keys")
