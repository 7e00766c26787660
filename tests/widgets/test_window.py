"""A few whole ways through a real napari window."""

import threading

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_necroseg.core.events import Finished, Progress
from napari_necroseg.jobs import cases as cases_module
from napari_necroseg.layerdata import case_layers
from napari_necroseg.widgets.shared.workspace import Workspace

PLUGIN = "napari-necroseg"


@pytest.fixture
def window(make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    viewer.window._qt_window.resize(1200, 800)
    return viewer


def open_in(viewer, name):
    return viewer.window.add_plugin_dock_widget(PLUGIN, name)


def wait_until_shown(qtbot, workspace, name):
    qtbot.waitUntil(
        lambda: workspace.case is not None and workspace.case.name == name and not workspace.screen.is_busy,
    )


@pytest.fixture
def quick_phantom(monkeypatch, make_case):
    def made(index, saves, stop):
        yield Progress(done=0, total=1)
        case = make_case(f"phantom-{index + 1:02d}")
        yield Finished(
            result=cases_module.OpenedCase(
                case=case, files=None, layers=tuple(case_layers(case)), first_slice=2
            )
        )

    monkeypatch.setattr(cases_module, "open_phantom", made)


def test_the_sample_opens_in_the_panel_and_both_panes_take_the_brush(qtbot, window, quick_phantom):
    window.open_sample(PLUGIN, "phantom_case")
    workspace = Workspace.of(window)
    wait_until_shown(qtbot, workspace, "phantom-01")
    qtbot.waitUntil(lambda: "my mask" in window.layers)
    shown = [layer.name for layer in window.layers if not layer.name.startswith("my mask")]
    assert shown == ["T2", "reference (on T2)", "ceT1", "reference"]
    mine = window.layers["my mask"]
    window.layers.selection.active = mine
    canvas = window.window._qt_viewer.canvas.native
    qtbot.wait(200)
    middles = []
    for share in (0.25, 0.75):  # the middles of the left and of the right pane: one place in the patient
        mine.data = np.zeros_like(mine.data)
        mine.mode = "paint"
        place = QPoint(int(canvas.width() * share), canvas.height() // 2)
        QTest.mouseMove(canvas, place)
        QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=place)
        middles.append(np.argwhere(mine.data).mean(axis=0))
    np.testing.assert_allclose(middles[0], middles[1], atol=0.5)
    assert middles[0][0] == 2
    assert window.layers["my mask (on T2)"].data is mine.data
    mine.mode = "pan_zoom"


@pytest.mark.parametrize("name", ["Cases", "Train", "Predict", "Scores", "Study"])
def test_closing_a_dock_by_its_cross_cancels_its_job(qtbot, window, steered_job, name):
    dock, widget = open_in(window, name)
    job = steered_job()
    widget.panel.run(job, "Working ...")
    dock.destroyOnClose()
    qtbot.waitUntil(job.was_closed.is_set)
    qtbot.waitUntil(lambda: not widget.runner.is_busy)
    _, again = open_in(window, name)
    assert again is not widget


def test_closing_the_viewer_cancels_the_jobs_of_all_docks(qtbot, window, steered_job):
    jobs = [steered_job() for _ in range(3)]
    for name, job in zip(("Cases", "Train", "Predict"), jobs, strict=True):
        open_in(window, name)[1].panel.run(job, "Working ...")
    window.close()
    for job in jobs:
        qtbot.waitUntil(job.was_closed.is_set)


def test_a_case_is_read_outside_the_thread_of_the_screen(qtbot, window, monkeypatch, cohort_table):
    from napari_necroseg.core.cohort import load

    threads = []
    original = load.load_case

    def noted(files):
        threads.append(threading.current_thread())
        return original(files)

    monkeypatch.setattr(load, "load_case", noted)
    _, cases = open_in(window, "Cases")
    cases.open_table(cohort_table)
    wait_until_shown(qtbot, cases.workspace, "a")
    assert threads
    assert threading.main_thread() not in threads
