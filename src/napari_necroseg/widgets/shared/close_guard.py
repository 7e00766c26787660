"""A window that is being closed: it asks about unsaved strokes first."""

import threading
from typing import Any

from napari.utils.notifications import show_error
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QApplication, QWidget

from napari_necroseg.widgets.shared import ask, case_jobs
from napari_necroseg.widgets.shared.messages import explain
from napari_necroseg.widgets.shared.saving import masks_to_save


class CloseGuard(QObject):
    """Asks before a viewer's window is closed by a person; a program that closes it is not held up.

    Parameters
    ----------
    window
        The window; it owns this object.
    workspace
        Of the viewer.
    """

    def __init__(self, window: QWidget, workspace: Any) -> None:
        super().__init__(window)
        self._window, self._workspace = window, workspace
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802  # Qt's name
        """Keep the window open if the person wishes that, or if saving fails."""
        if event is None or watched is not self._window or event.type() != QEvent.Type.Close:
            return False
        if self._may_close():
            return False
        event.ignore()
        return True

    def _may_close(self) -> bool:
        workspace = self._workspace
        unsaved = workspace.journalling.unsaved()
        if not unsaved:
            return True
        answer = ask.ask_about_unsaved(self._window, [layer.name for layer in unsaved])
        if answer == "discard":
            workspace.journalling.give_up(unsaved)
        return self._saved(unsaved) if answer == "save" else answer != "cancel"

    def _saved(self, unsaved: list[Any]) -> bool:
        """Save at once, since there is no later; False if that failed or was given up."""
        workspace = self._workspace
        try:
            saves = masks_to_save(self._window, unsaved, workspace.case_folder, kept=workspace.input_files)
            if saves is None:
                return False
            QApplication.setOverrideCursor(Qt.CursorShape.WaitCursor)
            try:
                list(case_jobs.save_masks(saves, threading.Event()))
            finally:
                QApplication.restoreOverrideCursor()
        except Exception as error:
            show_error(explain(error))
            return False
        workspace.layers.mark_saved(saves)
        return True
