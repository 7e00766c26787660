"""The keys of the view, which work whichever layer is active, and wherever in the window the focus is.

napari's keys of a layer go before those of the viewer, and its list of shortcuts takes only actions that are
there when it starts. So these keys are taken before napari hears of them, and are listed in the sheet of keys
(?) alone.
"""

from collections.abc import Callable
from dataclasses import dataclass

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QWidget

_KEYS = Qt.Key
_MODIFIERS = Qt.KeyboardModifier
_NAMED = {
    _KEYS.Key_F1: "F1",
    _KEYS.Key_F5: "F5",
    _KEYS.Key_F6: "F6",
    _KEYS.Key_F7: "F7",
    _KEYS.Key_F8: "F8",
    _KEYS.Key_F9: "F9",
    _KEYS.Key_Escape: "Esc",
    _KEYS.Key_PageUp: "PgUp",
    _KEYS.Key_PageDown: "PgDn",
    _KEYS.Key_Home: "Home",
    _KEYS.Key_End: "End",
    _KEYS.Key_Left: "←",
    _KEYS.Key_Right: "→",
    _KEYS.Key_Up: "↑",
    _KEYS.Key_Down: "↓",
    _KEYS.Key_Return: "Enter",
    _KEYS.Key_Enter: "Enter",
}


@dataclass(frozen=True, kw_only=True)
class Key:
    """A key, or several that do the same, and what they do.

    `act`: returns False if the key is napari's this time. `title`: what it does, in the person's language; an
    empty one is not listed. `on_canvas`: whether it works only while the canvas has the focus. `repeats`:
    whether it goes on while it is held down.
    """

    names: tuple[str, ...]
    title: str
    act: Callable[[], object]
    on_canvas: bool = False
    repeats: bool = False


class Keys(QObject):
    """Takes the keys of the view from the canvas, and from the window if nothing in it wants them.

    `is_on`: whether it takes any; off, all keys are napari's, but for those of `always`. `own`: the keys of
    the view itself.
    """

    def __init__(self, canvas: QWidget) -> None:
        super().__init__(canvas)
        self._canvas, self._window = canvas, canvas.window()
        self.is_on = True
        self.own: list[Key] = []
        self._others: list[Key] = []
        self.always: tuple[str, ...] = ()
        for widget in (canvas, self._window):
            if widget is not None:
                widget.installEventFilter(self)

    @property
    def entries(self) -> tuple[Key, ...]:
        """All keys; of two entries for one key, the later one is asked first."""
        return (*self.own, *self._others)

    def add(self, *keys: Key) -> None:
        """Listen to more keys."""
        self._others.extend(keys)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802  # Qt's name
        """Take a key, or let it go on to napari."""
        if not isinstance(event, QKeyEvent) or event.type() != QEvent.Type.KeyPress:
            return False
        if watched not in (self._canvas, self._window):
            return False
        return self._press(event, is_on_canvas=watched is self._canvas)

    def _press(self, event: QKeyEvent, *, is_on_canvas: bool) -> bool:
        name = name_of(event)
        if not name or not (self.is_on or name in self.always):
            return False
        for key in reversed(self.entries):
            if name not in key.names or (key.on_canvas and not is_on_canvas):
                continue
            if event.isAutoRepeat() and not key.repeats:
                return True
            if key.act() is not False:
                event.accept()
                return True
        return False


def name_of(event: QKeyEvent) -> str:
    """Return the name of a key as it is listed; empty for one with modifiers, which is not ours.

    Signs go by what they write, since [ and ? lie elsewhere, with other modifiers, on other keyboards.
    """
    text, held = event.text(), event.modifiers()
    if len(text) == 1 and text.isprintable() and not text.isalnum() and text != " ":
        return text
    if held & (_MODIFIERS.ControlModifier | _MODIFIERS.AltModifier | _MODIFIERS.MetaModifier):
        return ""
    named = _NAMED.get(_KEYS(event.key()), "")
    shifted = bool(held & _MODIFIERS.ShiftModifier)
    if named:
        return f"Shift+{named}" if shifted else named
    return "" if shifted or not text.isalpha() else text.upper()
