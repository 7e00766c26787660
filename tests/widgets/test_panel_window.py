"""The panel in a real window: it fits a small laptop, also with large pixels, and keeps its width."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_necroseg.core.project.remembered import read_remembered, remember
from napari_necroseg.widgets.panel.dock import STEPS

LAPTOP_PX = (1366, 768)
# Run with large pixels in a process of its own: Qt reads the factor when it starts.
PROGRAM = """
import json, napari
from qtpy.QtTest import QTest
from test_panel_window import LAPTOP_PX, fitting_steps
viewer = napari.Viewer()
viewer.window.resize(*LAPTOP_PX)
QTest.qWait(300)
_, panel = viewer.window.add_plugin_dock_widget("napari-necroseg", "Panel")
print(json.dumps([viewer.window._qt_window.devicePixelRatio(), fitting_steps(viewer, panel)]))
viewer.close()
"""


@pytest.fixture
def window(make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(*LAPTOP_PX)
    QTest.qWaitForWindowExposed(viewer.window._qt_window)
    return viewer


def open_panel(viewer):
    return viewer.window.add_plugin_dock_widget("napari-necroseg", "Panel")


def fitting_steps(viewer, panel):
    """Return the steps that show header, status and main button whole, in a window that has not grown."""
    window, fitting = viewer.window._qt_window, []
    while panel.is_being_built:
        QTest.qWait(20)
    for name in STEPS:
        panel.show_step(name)
        QTest.qWait(150)
        parts = [panel.header, panel.status, panel.main_button]
        shown = [part for part in parts if part.isVisibleTo(panel)]
        is_whole = all(part.visibleRegion().boundingRect() == part.rect() for part in shown)
        if is_whole and (window.width(), window.height()) == LAPTOP_PX:
            fitting.append(name)
    return fitting


def test_every_step_fits_the_screen_of_a_laptop(window):
    assert fitting_steps(window, open_panel(window)[1]) == list(STEPS)


def test_every_step_fits_with_pixels_twice_as_large():
    here = str(Path(__file__).parent)
    paths = os.pathsep.join([here, os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=os.environ | {"QT_SCALE_FACTOR": "2", "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [2.0, list(STEPS)]


def test_the_panel_has_the_width_that_it_had_and_remembers_a_new_one(qtbot, window):
    remember(panel_width_px=480)
    frame, panel = open_panel(window)
    qtbot.waitUntil(lambda: abs(panel.width() - 480) <= 2)
    qtbot.wait(900)
    assert read_remembered().panel_width_px == 480
    window.window._qt_window.resizeDocks([frame], [520], Qt.Orientation.Horizontal)
    qtbot.waitUntil(lambda: abs((read_remembered().panel_width_px or 0) - 520) <= 2)
