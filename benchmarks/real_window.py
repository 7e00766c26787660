"""A person at a real window: looks for what is written there, moves the mouse, presses, scrolls and types.

Nothing of the program is called to act on it. What the person does is counted by a filter of all its events.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import QEvent, QEventLoop, QObject, QPoint, QPointF, Qt, QTimer
from qtpy.QtGui import QWheelEvent
from qtpy.QtOpenGLWidgets import QOpenGLWidget
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QAbstractButton, QApplication, QFileDialog, QLabel, QLineEdit, QMessageBox, QWidget

LONGEST_WAIT_S = 120.0
# A folder dialog is the system's: one click on the folder and one on Open.
CLICKS_OF_A_DIALOG = 2
_PRESSES = (QEvent.Type.MouseButtonPress, QEvent.Type.MouseButtonDblClick)


class StuckError(Exception):
    """The person does not find the way on."""


def serve(seconds: float) -> None:
    """Serve the window for a while, as `napari.run` does."""
    loop = QEventLoop()
    QTimer.singleShot(round(seconds * 1e3), loop.quit)
    loop.exec()


class Person:
    """Somebody at a viewer with mouse and keys; `clicks`, `keys` and `scrolls` count what was done.

    `initials`: typed where a dialog asks for a line. `answer`: the button to press in another dialog; without
    it, a question stops the person.
    """

    def __init__(self, viewer: Any, *, initials: str = "AB", answer: str = "") -> None:
        self.viewer, self.initials, self.answer = viewer, initials, answer
        # What was pressed, in words.
        self.pressed: list[str] = []
        self._asked = ""
        self._counter = _Counter()
        _application().installEventFilter(self._counter)
        # The press that opens a dialog returns only when the dialog is gone.
        self._watch = QTimer()
        self._watch.setInterval(100)
        self._watch.timeout.connect(self._answer_dialog)
        self._watch.start()

    @property
    def clicks(self) -> int:
        """The presses so far."""
        return self._counter.clicks

    @property
    def scrolls(self) -> int:
        """The turns of the wheel so far, by one notch each."""
        return self._counter.scrolls

    @property
    def keys(self) -> int:
        """The keys so far."""
        return self._counter.keys

    def leave(self) -> None:
        """Go away: nothing is counted any more."""
        self._watch.stop()
        _application().removeEventFilter(self._counter)

    @contextmanager
    def with_folder(self, folder: Path) -> Iterator[None]:
        """Answer folder dialogs: not by mouse, since such a dialog is the system's."""

        def answered(*_: object, **__: object) -> str:
            self._counter.clicks += CLICKS_OF_A_DIALOG
            return str(folder)

        before = QFileDialog.getExistingDirectory
        QFileDialog.getExistingDirectory = answered  # type: ignore[method-assign,assignment]
        try:
            yield
        finally:
            QFileDialog.getExistingDirectory = before  # type: ignore[method-assign]

    def wait_until(self, condition: Callable[[], object], what: str) -> None:
        """Wait until something is there to be seen.

        Raises `StuckError` if it does not come, or if a dialog asks something instead.
        """
        end = time.monotonic() + LONGEST_WAIT_S
        while not condition():
            if self._asked:
                raise StuckError(f"Instead of {what} a dialog asks: {self._asked}")
            if time.monotonic() > end:
                raise StuckError(f"Within {LONGEST_WAIT_S:.0f} s there was no {what}.")
            serve(0.02)

    def press(self, widget: QWidget, place: QPoint | None = None) -> None:
        """Move to a widget, or to a place in it, and press the left button.

        Raises `StuckError` if the widget is hidden, grey, or below something else.
        """
        place = widget.rect().center() if place is None else place
        if not (widget.isVisible() and widget.isEnabled()):
            raise StuckError(f"{_words_of(widget)!r} is hidden or grey.")
        under = QApplication.widgetAt(widget.mapToGlobal(place))
        if under is None or not (under is widget or widget.isAncestorOf(under)):
            raise StuckError(f"{_words_of(widget)!r} is out of sight, below {under}.")
        self.pressed.append(_words_of(widget))
        QTest.mouseMove(widget, place)
        QTest.mouseClick(widget, Qt.MouseButton.LeftButton, pos=place)

    def widget_named(self, name: str) -> Any:
        """Return the widget in sight that has this name in code, or None."""
        found = self.viewer.window._qt_window.findChildren(QWidget, name)
        return next((one for one in found if one.isVisible()), None)

    def choose(self, *texts: str) -> None:
        """Choose an entry of the menu bar, through its sub-menus."""
        place: Any = self.viewer.window._qt_window.menuBar()
        for text in texts:
            there = [entry.text() for entry in place.actions()]
            self.wait_until(lambda place=place, text=text: _entry(place, text), f"{text!r} among {there}")
            entry = _entry(place, text)
            assert entry is not None
            self.press(place, place.actionGeometry(entry).center())
            if entry.menu() is not None:
                place = entry.menu()
                self.wait_until(place.isVisible, f"menu {text!r}")

    def point_at(self, layer: Any, voxel: tuple[int, int, int]) -> None:
        """Scroll to the slice of a voxel of an image, and click on it in the pane that the image is in."""
        self.scroll_to(layer, voxel[0])
        self.press(self._canvas, place_of(self.viewer, layer, voxel))

    def scroll_to(self, layer: Any, number: int) -> None:
        """Turn the wheel over an image until a slice of it, counted from 0, is shown."""
        dims = self.viewer.dims
        for _ in range(2 * layer.data.shape[0]):
            if dims.current_step[0] == number:
                return
            self._turn_wheel(layer, forwards=dims.current_step[0] < number)
        raise StuckError(f"The wheel does not lead to slice {number + 1}.")

    @property
    def _canvas(self) -> QWidget:
        canvas: QWidget = self.viewer.window._qt_viewer.canvas.native
        return canvas

    def _turn_wheel(self, layer: Any, *, forwards: bool) -> None:
        middle = tuple(size // 2 for size in layer.data.shape)
        place = QPointF(place_of(self.viewer, layer, (middle[0], middle[1], middle[2])))
        event = QWheelEvent(
            place,
            QPointF(self._canvas.mapToGlobal(place.toPoint())),
            QPoint(),
            # Turned towards the person, it leads to the next slice.
            QPoint(0, -120 if forwards else 120),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(self._canvas, event)
        serve(0.02)

    def write_initials(self) -> None:
        """Write the initials where the cursor waits for them in an empty line, and press Enter."""
        serve(0.1)
        line = self.viewer.window._qt_window.focusWidget()
        if isinstance(line, QLineEdit) and line.isVisible() and not line.text():
            QTest.keyClicks(line, self.initials)
            QTest.keyClick(line, Qt.Key.Key_Return)

    def _answer_dialog(self) -> None:
        """Type the initials where they are asked for; any other question stops the person."""
        dialog = QApplication.activeModalWidget()
        if dialog is None:
            return
        wanted = [one for one in dialog.findChildren(QAbstractButton) if self.answer in one.text()]
        line = next((one for one in dialog.findChildren(QLineEdit) if one.isVisible()), None)
        if self.answer and wanted:
            self.press(wanted[0])
            return
        if line is None:
            self._asked = _words_of(dialog)
            dialog.close()
            return
        if not line.text():
            QTest.keyClicks(line, self.initials)
        QTest.keyClick(line, Qt.Key.Key_Return)


def place_of(viewer: Any, layer: Any, voxel: tuple[int, int, int]) -> QPoint:
    """Return where on the canvas the middle of a voxel of the slice in sight is drawn."""
    visual = viewer.window._qt_viewer.canvas.layer_to_visual[layer].node
    to_canvas = visual.get_transform("visual", "canvas")
    x, y = np.asarray(to_canvas.map([voxel[2] + 0.5, voxel[1] + 0.5]), float)[:2]
    return QPoint(round(x), round(y))


class _Counter(QObject):
    """Counts presses on visible widgets that take them, turns of the wheel, and keys."""

    def __init__(self) -> None:
        super().__init__()
        self.clicks = self.keys = self.scrolls = 0
        self._last: tuple[Any, int, QWidget | None] = (None, 0, None)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802  # Qt's name
        if event is not None and isinstance(watched, QWidget):
            kind = event.type()
            if kind in _PRESSES or kind in (QEvent.Type.Wheel, QEvent.Type.KeyPress):
                self._count(watched, event)
        return False

    def _count(self, widget: QWidget, event: Any) -> None:
        kind, time_ms, first = event.type(), event.timestamp(), self._last[2]
        is_handed_on = self._last[:2] == (kind, time_ms) and first is not None and widget.isAncestorOf(first)
        self._last = (kind, time_ms, widget)
        if is_handed_on:
            # The widget that got it ignored it, so that it goes on to the parent.
            return
        if kind == QEvent.Type.Wheel:
            self.scrolls += 1
        elif kind == QEvent.Type.KeyPress:
            self.keys += 1
        elif widget.isVisible() and widget.isEnabled():
            self.clicks += 1


def _application() -> QApplication:
    application = QApplication.instance()
    assert isinstance(application, QApplication)
    return application


def _entry(menu: Any, text: str) -> Any:
    """Return the entry of a menu or of the menu bar that says this, or None."""
    # napari adds in brackets whose it is.
    said = ((one, one.text().replace("&", "").split(" (")[0]) for one in menu.actions())
    return next((one for one, words in said if words == text), None)


def _words_of(widget: QWidget) -> str:
    if isinstance(widget, QMessageBox):
        return f"{widget.text()} {widget.informativeText()}"
    if isinstance(widget, QAbstractButton):
        return widget.text()
    if isinstance(widget, QOpenGLWidget):
        return "image"
    said = [label.text() for label in widget.findChildren(QLabel) if label.isVisible()]
    return " ".join(said) or type(widget).__name__
