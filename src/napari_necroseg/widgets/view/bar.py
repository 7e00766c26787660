"""The view bar: a slim row of buttons above the images, to which each part of the view adds its own."""

from collections.abc import Callable
from itertools import pairwise
from typing import Literal
from weakref import ref

from napari.components import ViewerModel
from napari.utils.theme import get_theme
from qtpy.QtCore import Qt
from qtpy.QtGui import QAction, QIcon
from qtpy.QtWidgets import QSizePolicy, QToolBar, QToolButton, QWidget

from napari_necroseg.core.language import tr
from napari_necroseg.widgets.shared.qt_parts import beside, given, lay

# From left to right; between two groups that are not empty there is a line.
GROUPS = ("layers", "planes", "contrast", "contours", "tools", "figure", "help")
Group = Literal["layers", "planes", "contrast", "contours", "tools", "figure", "help"]
# What is never in the menu of what has no room.
_KEPT = ("figure", "help")
_STYLE = """
QToolBar {{ border: 0px; padding: 1px; spacing: 2px; }}
QToolButton {{ background: transparent; color: {text}; border: 1px solid transparent; border-radius: 3px;
    padding: 3px 7px; }}
QToolButton:hover {{ background: {foreground}; border-color: {highlight}; }}
QToolButton:checked {{ background: {primary}; border-color: {highlight}; }}
QToolButton:focus {{ border: 1px solid {text}; }}
QToolButton:disabled {{ color: {highlight}; }}
QToolButton[popupMode="2"] {{ padding-right: 16px; }}
QToolButton#qt_toolbar_ext_button {{ padding: 0px; font-size: 15px; border-color: {highlight}; }}
QToolBar::separator {{ background: {highlight}; width: 1px; margin: 4px 3px; }}
"""


class ViewBar(QWidget):
    """A row of buttons in groups; what has no room goes into a menu, but for the last two groups.

    Clicks leave the focus with the canvas, whose keys go on working; Tab reaches each button.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        # Whoever finds the bar by its viewer must not keep that viewer alive.
        self._viewer = ref(viewer)
        self._groups: dict[str, list[QAction]] = {name: [] for name in GROUPS}
        self._lines: dict[str, QAction] = {}
        self._yielding, self._kept = QToolBar(), QToolBar()
        for row in (self._yielding, self._kept):
            row.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._kept.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)
        for name in GROUPS:
            self._lines[name] = given(self._row_of(name).addSeparator())
            self._lines[name].setVisible(False)
        layout = beside(self._yielding, self._kept, wide=self._yielding)
        layout.setSpacing(0)
        lay(self, layout)
        self._name_rest()
        self._follow_theme()
        viewer.events.theme.connect(self._follow_theme)

    def actions(self) -> list[QAction]:
        """Return all buttons and lines, from left to right."""
        return [*self._yielding.actions(), *self._kept.actions()]

    def add_button(
        self,
        group: Group,
        text: str,
        *,
        help_text: str,
        act: Callable[[], object] | None = None,
        toggled: Callable[[bool], object] | None = None,
    ) -> QAction:
        """Add a button that does something, or one that stays down (`toggled`) until it is pressed again."""
        action = QAction(text, self)
        action.setToolTip(help_text)
        if toggled is not None:
            action.setCheckable(True)
            action.toggled.connect(toggled)
        if act is not None:
            action.triggered.connect(lambda _checked=False: act())
        self._row_of(group).insertAction(self._lines[group], action)
        self._put(group, action)
        return action

    def add_widget(self, group: Group, widget: QWidget) -> QAction:
        """Add any other widget; the action that is returned shows and hides it."""
        action = given(self._row_of(group).insertWidget(self._lines[group], widget))
        self._put(group, action)
        return action

    def retitle(self, action: QAction, *, text: str, help_text: str) -> None:
        """Give a button other texts, in another language."""
        action.setText(text)
        action.setToolTip(help_text)

    def button_of(self, action: QAction) -> QToolButton:
        """Return the button of an action, to give it a menu, say."""
        button = self._widget_of(action)
        assert isinstance(button, QToolButton)
        return button

    def go_before(self, canvas: QWidget) -> None:
        """Let Tab walk through the buttons as they stand, and then on to the canvas."""
        buttons = [self._widget_of(action) for action in self.actions()]
        walk = [*(one for one in buttons if isinstance(one, QToolButton)), canvas]
        for one, following in pairwise(walk):
            QWidget.setTabOrder(one, following)

    def _row_of(self, group: str) -> QToolBar:
        return self._kept if group in _KEPT else self._yielding

    def _widget_of(self, action: QAction) -> QWidget | None:
        return self._yielding.widgetForAction(action) or self._kept.widgetForAction(action)

    def _put(self, group: Group, action: QAction) -> None:
        self._groups[group].append(action)
        widget = self._widget_of(action)
        if isinstance(widget, QToolButton):
            widget.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        filled = [name for name in GROUPS if self._groups[name]]
        for name, line in self._lines.items():
            line.setVisible(name in filled[:-1])

    def _name_rest(self) -> None:
        """Let the button of the menu at the end be seen: Qt's arrow is dark on dark."""
        rest = self._yielding.findChild(QToolButton, "qt_toolbar_ext_button")
        if rest is not None:
            rest.setIcon(QIcon())
            rest.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
            rest.setText("»")
            rest.setAccessibleName(tr("More"))
            rest.setFocusPolicy(Qt.FocusPolicy.TabFocus)

    def _follow_theme(self, _event: object = None) -> None:
        viewer = self._viewer()
        if viewer is None:
            return
        theme = get_theme(viewer.theme)
        colours = {
            name: getattr(theme, name).as_hex() for name in ("text", "foreground", "primary", "highlight")
        }
        self.setStyleSheet(_STYLE.format(**colours))
