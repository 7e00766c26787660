"""Hides all contours at once, and shows the same ones again."""

from weakref import WeakSet

from napari.layers import Labels
from psygnal import Signal

from napari_necroseg.widgets.shared.workspace import Workspace
from napari_necroseg.widgets.view.contours import visible_contours


class ContourSwitch:
    """All masks of the viewer; those that the person had hidden stay hidden.

    `changed`: emitted with whether they are hidden.
    """

    changed = Signal(bool)

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._hidden: WeakSet[Labels] = WeakSet()
        workspace.layers.leaving.connect(self.show)

    @property
    def are_hidden(self) -> bool:
        """Whether contours are hidden here."""
        return any(not mask.visible for mask in self._hidden)

    def toggle(self) -> None:
        """Hide all contours that are shown, or show them again."""
        if self.are_hidden:
            self.show()
        else:
            self.hide()

    def hide(self) -> None:
        """Hide all contours that are shown."""
        shown = visible_contours(self._workspace.layers)
        self._hidden = WeakSet(shown)
        for mask in shown:
            mask.visible = False
        self.changed.emit(bool(shown))

    def show(self) -> None:
        """Show again what was hidden; before another case is shown, too, which takes over the layers."""
        hidden, self._hidden = self._hidden, WeakSet()
        for mask in hidden:
            mask.visible = True
        self.changed.emit(False)
