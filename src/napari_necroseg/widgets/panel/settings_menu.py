"""The settings of the panel: language, mouse and keys, and what is remembered of the person."""

from functools import partial
from typing import get_args

from napari.components import ViewerModel
from qtpy.QtCore import Signal
from qtpy.QtGui import QActionGroup
from qtpy.QtWidgets import QMenu, QToolButton

from napari_necroseg.core.language import tr
from napari_necroseg.core.project.remembered import Language, forget, read_remembered, remember
from napari_necroseg.widgets.shared import qt_parts
from napari_necroseg.widgets.shared.qt_parts import given

_WIDTH_PX = 30


class SettingsButton(QToolButton):
    """A button that opens the settings; `language_chosen` is emitted when another language was chosen."""

    language_chosen = Signal()

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = viewer
        self.setText("⋯")
        self.setFixedWidth(_WIDTH_PX)
        self.setToolTip(tr("Settings: language, mouse and keys, what is remembered."))
        self.setAccessibleName(tr("Settings"))
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        # Without the arrow, for which there is no room.
        self.setStyleSheet(
            "QToolButton { font-size: 16px; font-weight: bold; } QToolButton::menu-indicator { image: none; }"
        )
        self.menu_shown = QMenu(self)
        self.menu_shown.aboutToShow.connect(self.fill)
        self.setMenu(self.menu_shown)

    def fill(self) -> None:
        """Show what is set now."""
        menu = self.menu_shown
        menu.clear()
        self._add_languages(given(menu.addMenu(tr("Language"))))
        menu.addSeparator()
        self._add_controls(menu)
        given(menu.addAction(tr("Clear what is remembered ..."))).triggered.connect(self._clear)

    def _add_controls(self, menu: QMenu) -> None:
        # Imported here, since the panel is opened before all that belongs to the canvas.
        from napari_necroseg.widgets.view.view import View

        view = View.of(self._viewer)
        controls = given(menu.addAction(tr("Mouse and keys of a reading workstation")))
        controls.setToolTip(
            tr("Off: the wheel zooms, and mouse and keys do over the images what they do in napari itself.")
        )
        controls.setCheckable(True)
        controls.setChecked(view.reader_controls)
        controls.setEnabled(view.screen is not None)
        # Qt holds no object for the sake of its methods, and this one is a mere handle.
        controls.toggled.connect(partial(View.set_reader_controls, view))
        captions = given(menu.addAction(tr("Captions on the images")))
        captions.setToolTip(tr("Sequence, slice, side, directions, window and level."))
        captions.setCheckable(True)
        captions.setChecked(read_remembered().captions)
        captions.setEnabled(view.screen is not None)
        captions.toggled.connect(partial(View.set_captions, view))
        menu.setToolTipsVisible(True)

    def _add_languages(self, menu: QMenu) -> None:
        now, group = read_remembered().language, QActionGroup(menu)
        for name, title in zip(get_args(Language), _languages(), strict=True):
            action = given(menu.addAction(title))
            action.setCheckable(True)
            action.setChecked(name == now)
            action.triggered.connect(partial(self._choose, name))
            group.addAction(action)

    def _choose(self, name: Language, *_: object) -> None:
        if read_remembered().language != name:
            remember(language=name)
            self.language_chosen.emit()

    def _clear(self) -> None:
        question = tr(
            "Forget recent projects, models from elsewhere, initials and settings? Cases, masks and models "
            "stay."
        )
        if qt_parts.ask_discard(self, question):
            before = read_remembered().language
            forget()
            if before != read_remembered().language:
                self.language_chosen.emit()


def _languages() -> tuple[str, ...]:
    """Return the names of the languages, in the order of `Language`; each in its own."""
    return (tr("That of the computer"), "Deutsch", "English")
