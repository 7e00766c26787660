"""A part of a dock that can be folded away."""

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QSizePolicy, QWidget
from superqt import QCollapsible

# Qt's word for no limit.
_ANY_HEIGHT = 16_777_215


class Section(QCollapsible):
    """A collapsible part that is as high as it needs while it is open.

    superqt's own fixes the height when it is opened, so that sentences which come later are cut off.
    """

    def __init__(self, title: str = "", parent: QWidget | None = None) -> None:
        super().__init__(title, parent)
        # superqt's keeps it from being higher than its hint, which knows nothing of sentences that wrap.
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)

    def expand(self, animate: bool = False) -> None:
        """Open it; it is not animated, since its height is not known before."""
        super().expand(animate=animate)
        self.content().setMaximumHeight(_ANY_HEIGHT)

    def eventFilter(self, _watched: QObject | None, _event: QEvent | None) -> bool:  # noqa: N802  # Qt's name
        """Let what is inside grow."""
        return False
