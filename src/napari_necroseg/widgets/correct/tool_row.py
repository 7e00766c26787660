"""A grid of icons for all tools that there are for the mask in work."""

from functools import partial

from napari.layers import Labels
from napari.utils.theme import get_theme
from qtpy.QtCore import QByteArray, QSize, Qt
from qtpy.QtGui import QIcon, QPainter, QPixmap
from qtpy.QtSvg import QSvgRenderer
from qtpy.QtWidgets import QGridLayout, QToolButton, QWidget

from napari_necroseg.widgets.shared.qt_parts import lay
from napari_necroseg.widgets.shared.tools import ICONS, ToolEntry
from napari_necroseg.widgets.shared.workspace import Workspace

_COLUMNS = 8
_ICON_PX = 22
# Icons are drawn larger than shown, so that they stay sharp on a screen of a finer scale.
_SCALE = 3
_STYLE = (
    "QToolButton { padding: 4px; border-radius: 4px; }"
    "QToolButton:checked { background: #1f6feb; }"
    "QToolButton:focus { border: 1px solid #1f6feb; }"
)


class ToolRow(QWidget):
    """The icons of `workspace.tools`; those of a mask in hand can be used."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._workspace = workspace
        self._mask: Labels | None = None
        self.buttons: dict[str, QToolButton] = {}
        self._grid = QGridLayout()
        self._grid.setSpacing(2)
        lay(self, self._grid)
        for column in range(_COLUMNS):
            self._grid.setColumnStretch(column, 1)
        self.refill()
        self.follow_hand()

    def refill(self, *_: object) -> None:
        """Make the buttons anew, if there are other tools."""
        entries = self._workspace.tools.entries
        if list(self.buttons) == [entry.name for entry in entries]:
            for entry in entries:
                self._follow(self.buttons[entry.name], entry)
            return
        for old in self.buttons.values():
            self._grid.removeWidget(old)
            old.deleteLater()
        self.buttons = {entry.name: QToolButton() for entry in entries}
        for place, entry in enumerate(entries):
            button = self.buttons[entry.name]
            button.setCheckable(bool(entry.mode))
            button.setAutoRaise(True)
            button.setIconSize(QSize(_ICON_PX, _ICON_PX))
            button.setStyleSheet(_STYLE)
            button.clicked.connect(partial(self._on_clicked, entry.name))
            self._follow(button, entry)
            self._grid.addWidget(button, *divmod(place, _COLUMNS))
        self.colour()
        self._on_mode()

    def _follow(self, button: QToolButton, entry: ToolEntry) -> None:
        button.setToolTip(entry.hint)
        button.setAccessibleName(entry.title)

    def _on_clicked(self, name: str, *_: object) -> None:
        for entry in self._workspace.tools.entries:
            if entry.name == name:
                entry.act()
        self._on_mode()

    def follow_hand(self, *_: object) -> None:
        """Be of use for the mask that is in hand now."""
        mask = self._workspace.in_hand
        if self._mask is not None and self._mask is not mask:
            self._mask.events.mode.disconnect(self._on_mode)
        if mask is not None and mask is not self._mask:
            mask.events.mode.connect(self._on_mode)
        self._mask = mask
        self.setEnabled(mask is not None)
        self._on_mode()

    def _on_mode(self, *_: object) -> None:
        """Show which of napari's tools is chosen."""
        mode = "" if self._mask is None else str(self._mask.mode)
        for entry in self._workspace.tools.entries:
            if entry.mode and entry.name in self.buttons:
                self.buttons[entry.name].setChecked(entry.mode == mode)

    def colour(self, *_: object) -> None:
        """Draw the icons in the colour of the window's theme."""
        colour = get_theme(self._workspace.layers.viewer.theme).icon.as_hex()
        for entry in self._workspace.tools.entries:
            if entry.name in self.buttons:
                self.buttons[entry.name].setIcon(icon(entry.icon, colour))


def icon(name: str, colour: str) -> QIcon:
    """Draw one of our icons in a colour; a file that is not there gives an empty one."""
    path = ICONS / f"{name}.svg"
    if not path.is_file():
        return QIcon()
    svg = path.read_text(encoding="utf-8")
    made = QIcon()
    for mode, shade in ((QIcon.Mode.Normal, colour), (QIcon.Mode.Disabled, "#80808080")):
        pixels = QPixmap(_SCALE * _ICON_PX, _SCALE * _ICON_PX)
        pixels.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixels)
        renderer = QSvgRenderer(QByteArray(svg.replace("currentColor", shade[:7]).encode()))
        painter.setOpacity(0.35 if mode is QIcon.Mode.Disabled else 1.0)
        renderer.render(painter)
        painter.end()
        made.addPixmap(pixels, mode)
    return made
