"""Gives the panel the width that it had last, and remembers the one that a person draws it to.

napari itself keeps the size and the place of its window.
"""

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget

from napari_necroseg.core.project.remembered import read_remembered, remember
from napari_necroseg.widgets.shared.qt_parts import timer

USUAL_WIDTH_PX = 410
_STANDS_STILL_MS = 800


class KeptWidth(QObject):
    """Watches the width of the panel, which owns this object."""

    def __init__(self, panel: QWidget) -> None:
        super().__init__(panel)
        self._panel = panel
        self._is_given = False
        # First the width that came about when the panel was opened.
        self._known_px: int | None = None
        # The window lays its docks out first.
        self._soon = timer(self, 0, act=self._give)
        self._later = timer(self, _STANDS_STILL_MS, act=self._keep)
        panel.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802  # Qt's name
        """Look at the events of the panel; all of them go on to it."""
        if event is None or watched is not self._panel:
            return False
        if event.type() == QEvent.Type.Show and not self._is_given:
            self._soon.start()
        elif event.type() == QEvent.Type.Resize and self._is_given:
            self._later.start()
        return False

    def _give(self) -> None:
        dock = self._panel.parent()
        window = None if not isinstance(dock, QDockWidget) else dock.parent()
        if isinstance(dock, QDockWidget) and isinstance(window, QMainWindow):
            width = read_remembered().panel_width_px or USUAL_WIDTH_PX
            window.resizeDocks([dock], [width], Qt.Orientation.Horizontal)
            self._is_given = True
            self._later.start()

    def _keep(self) -> None:
        """Remember a width that a person gave; the first one may be what a small window left."""
        width = self._panel.width()
        if self._known_px is None:
            self._known_px = width
        elif width != self._known_px and self._panel.isVisible():
            self._known_px = width
            remember(panel_width_px=width)
