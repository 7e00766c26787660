"""Folds napari's left column, its list and controls of layers, away and back, so that images get the room."""

from contextlib import suppress
from typing import Any

from napari.components import ViewerModel
from napari.settings import get_settings
from qtpy.QtCore import QEvent, QObject, Signal
from qtpy.QtWidgets import QWidget

from napari_necroseg.core.project.remembered import read_remembered, remember
from napari_necroseg.widgets.shared.qt_parts import timer


class LeftColumn(QObject):
    """Hides and shows the docks of napari's left column; what was chosen is remembered.

    napari may be set to keep its window as it is closed: the column is back by then, for who opens napari
    without this program.
    `changed`: emitted with whether it is folded.
    """

    changed = Signal(bool)

    def __init__(self, viewer: ViewerModel, window: QWidget) -> None:
        super().__init__(window)
        qt_viewer: Any = getattr(viewer, "window")._qt_viewer  # noqa: B009  # a model of the viewer has none
        self._docks: tuple[QWidget, ...] = (qt_viewer.dockLayerList, qt_viewer.dockLayerControls)
        self._window = window
        self.is_folded = False
        self._after_close = timer(self, 0, act=self._on_still_open)
        window.installEventFilter(self)

    def restore(self) -> None:
        """Fold the column if that was chosen last."""
        self._set(read_remembered().hides_layers)

    def fold(self, folded: bool) -> None:
        """Fold the column, or show it, and remember it."""
        self._set(folded)
        remember(hides_layers=folded)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802  # Qt's name
        """Show the column before napari saves how its window looks."""
        if watched is not self._window or event is None or event.type() != QEvent.Type.Close:
            return False
        if self.is_folded and get_settings().application.save_window_state:
            for dock in self._docks:
                dock.show()
            self._after_close.start()
        return False

    def _on_still_open(self) -> None:
        """Fold it again if the person has kept the window."""
        with suppress(RuntimeError):
            if self._window.isVisible():
                self._set(self.is_folded)

    def _set(self, folded: bool) -> None:
        self.is_folded = folded
        for dock in self._docks:
            dock.setVisible(not folded)
        self.changed.emit(folded)
