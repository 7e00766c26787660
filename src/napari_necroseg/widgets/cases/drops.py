"""Opens folders, tables and images that are dropped anywhere on the window; other files are napari's."""

from pathlib import Path
from typing import Any
from weakref import ref

from napari.components import ViewerModel
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QDropEvent, QGuiApplication
from qtpy.QtWidgets import QLineEdit, QWidget

from napari_necroseg.jobs.opening import is_wanted
from napari_necroseg.widgets.shared.workspace import Workspace

_OBJECT_NAME = "necroseg-drops"
_DRAGS = (QEvent.Type.DragEnter, QEvent.Type.DragMove, QEvent.Type.Drop)


def watch_window(viewer: ViewerModel, workspace: Workspace, *, also: QWidget) -> None:
    """Watch what is dropped on the window of a viewer, if it has one, and on a widget that may float."""
    window = getattr(getattr(viewer, "window", None), "_qt_window", None)
    if window is None:
        return
    drops = window.findChild(Drops, _OBJECT_NAME) or Drops(window, workspace)
    also.setAcceptDrops(True)
    also.installEventFilter(drops)


class Drops(QObject):
    """Takes what is dropped on a window before napari does, while there are parts that open it."""

    def __init__(self, window: QWidget, workspace: Workspace) -> None:
        super().__init__(window)
        self.setObjectName(_OBJECT_NAME)
        self._workspace = ref(workspace)
        self._judged: tuple[tuple[Path, ...], bool] = ((), False)
        window.setAcceptDrops(True)
        for one in (window, *window.findChildren(QWidget)):
            # A field for a path takes its file itself.
            if one.acceptDrops() and not isinstance(one, QLineEdit):
                one.installEventFilter(self)

    def eventFilter(self, _watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802  # Qt's name
        """Accept what is wanted here, and let everything else pass."""
        if event is None or event.type() not in _DRAGS or not isinstance(event, QDropEvent):
            return False
        paths = self._wanted(event)
        if not paths:
            return False
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()
        workspace = self._workspace()
        if event.type() == QEvent.Type.Drop and workspace is not None:
            workspace.paths_wanted.emit(paths)
        return True

    def _wanted(self, event: Any) -> tuple[Path, ...]:
        """Return the files of an event that are for this program; Alt and Shift ask for napari's readers."""
        workspace, mime = self._workspace(), event.mimeData()
        own_keys = Qt.KeyboardModifier.AltModifier | Qt.KeyboardModifier.ShiftModifier
        if workspace is None or not workspace.openers or not mime.hasUrls():
            return ()
        if QGuiApplication.keyboardModifiers() & own_keys:
            return ()
        urls = mime.urls()
        paths = tuple(Path(url.toLocalFile()) for url in urls if url.isLocalFile())
        if not paths or len(paths) < len(urls):
            return ()
        if paths != self._judged[0]:
            self._judged = (paths, is_wanted(paths))
        return paths if self._judged[1] else ()
