"""A real napari, in a process of its own, in which a mask is drawn by real keys and mouse events.

``python drawing_program.py TABLE EXPECTED HOW``: what is drawn is saved as EXPECTED before each line on
standard output says so. HOW it ends: "kill" draws on until it is killed; "later" and "save" press Ctrl+Q
twice, and answer the question with that.
"""

import sys
import time
from pathlib import Path

import napari
import numpy as np
from qtpy.QtCore import QPoint, Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QDialog, QMessageBox

from napari_necroseg.widgets.shared.workspace import Workspace

ANSWERS = {"later": "Keep for later", "save": "Save"}


def main() -> None:
    table, expected, how = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    viewer = napari.Viewer(show=True)
    viewer.window._qt_window.resize(1200, 800)
    _, cases = viewer.window.add_plugin_dock_widget("napari-necroseg", "Cases")
    cases.open_table(table)
    workspace = Workspace.of(viewer)
    wait_until(lambda: workspace.case is not None and not workspace.screen.is_busy)
    cases.view._new.click()
    layer = viewer.layers.selection.active
    canvas = viewer.window._qt_viewer.canvas.native
    wait(0.3)
    for number in range(4):
        if number == 2:
            # A new label number: napari's key M.
            QTest.keyClick(canvas, Qt.Key.Key_M)
        draw(canvas, number, is_held=False)
        wait(0.3)
        tell(layer, expected, f"stroke {number}")
    if how == "kill":
        draw(canvas, 5, is_held=True)
        wait(1.0)
        tell(layer, expected, "held")
        wait(60)
    quit_by_keys(viewer, how)
    napari.run()
    say("ended")


def draw(canvas, number: int, *, is_held: bool) -> None:
    """Drag from one place of the left pane to another."""
    start = QPoint(canvas.width() // 4 - 40 + 15 * number, canvas.height() // 2 - 30 + 12 * number)
    QTest.mouseMove(canvas, start)
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=start)
    for step in range(1, 6):
        QTest.mouseMove(canvas, start + QPoint(4 * step, 2 * step))
        QApplication.processEvents()
    if not is_held:
        QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=start + QPoint(20, 10))


def tell(layer, expected: Path, what: str) -> None:
    temporary = expected.with_suffix(".part.npy")
    np.save(temporary, layer.data)
    temporary.replace(expected)
    say(f"{what} {np.count_nonzero(layer.data)} {layer.data.max()}")


def quit_by_keys(viewer, how: str) -> None:
    """Do what Ctrl+Q does, do it again in napari's own question, then answer the one about the strokes.

    Without a window manager no window is active, and none gets the keys themselves.
    """

    def answer() -> None:
        asked = QApplication.activeModalWidget()
        if isinstance(asked, QMessageBox):
            say(f"asked: {asked.text()}")
            next(one for one in asked.buttons() if one.text().replace("&", "") == ANSWERS[how]).click()
            return
        if isinstance(asked, QDialog):
            asked.accept()
        QTimer.singleShot(200, answer)

    window = viewer.window._qt_window
    QTimer.singleShot(0, lambda: window.close(quit_app=True, confirm_need=True))
    QTimer.singleShot(400, answer)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def wait(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.005)


def wait_until(condition) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        wait(0.01)


if __name__ == "__main__":
    main()
