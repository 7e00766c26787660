"""What all docks share: a job ends with its dock, and a closed dock hears nothing more."""

import dataclasses

import pytest
from qtpy.QtWidgets import QMainWindow, QScrollArea, QWidget

from napari_necroseg.core.case import CaseFiles, Cohort
from napari_necroseg.widgets.cases.dock import Cases
from napari_necroseg.widgets.predict.dock import Predict
from napari_necroseg.widgets.scores.dock import Scores
from napari_necroseg.widgets.shared.dock import Dock
from napari_necroseg.widgets.train.dock import Train


def test_a_dock_that_napari_takes_out_of_its_window_cancels_its_job(qtbot, open_dock, steered_job):
    job, home = steered_job(), QWidget()
    qtbot.addWidget(home)
    dock = open_dock(Dock)
    dock.setParent(home)
    dock.panel.run(job, "Working ...")
    with qtbot.waitSignal(dock.runner.cancelled, timeout=2000):
        dock.setParent(None)
    assert job.was_closed.is_set()


def test_moving_a_dock_from_one_window_to_another_does_not(qtbot, open_dock, steered_job):
    first, second, job = QMainWindow(), QMainWindow(), steered_job()
    qtbot.addWidget(first)
    qtbot.addWidget(second)
    dock = open_dock(Dock)
    dock.setParent(first)
    dock.panel.run(job, "Working ...")
    dock.setParent(second)
    with qtbot.waitSignal(dock.runner.finished):
        job.go_on.set()
    # Not to be deleted with the window, which goes as soon as the test ends.
    dock.setParent(None)


def test_a_window_that_is_deleted_with_its_dock_stops_the_job(qtbot, viewer, steered_job):
    job, home = steered_job(), QWidget()
    dock = Dock(viewer)
    dock.setParent(home)
    dock.panel.run(job, "Working ...")
    home.deleteLater()
    qtbot.waitUntil(job.was_closed.is_set, timeout=2000)


def test_a_closed_dock_hears_nothing_and_an_opened_one_hears_again(open_dock, make_case):
    home, dock = QWidget(), open_dock(Cases)
    dock.setParent(home)
    dock.setParent(None)
    dock.workspace.set_case(make_case("a"), None)
    assert "No case is open" in dock.view.name.said
    dock.setParent(home)
    dock.workspace.set_case(make_case("b"), None)
    assert dock.view.name.said == "b"
    dock.setParent(None)


@pytest.mark.parametrize("kind", [Cases, Train, Predict, Scores])
def test_no_dock_is_clipped_at_350_pixels(qtbot, open_dock, make_case, tmp_path, kind):
    dock = open_dock(kind)
    long = "a_rather_long_name_of_a_case_" * 3
    case = dataclasses.replace(make_case(long), notes=(f"{tmp_path}/{long}/{long}.nii.gz is odd.",))
    dock.workspace.set_run(tmp_path / long)
    dock.workspace.set_cohort(
        Cohort(cases=(CaseFiles(name=long, sequences={}),)), tmp_path / long / "cohort.csv"
    )
    dock.workspace.set_case(case, None)
    dock.panel.say(f"Saved {tmp_path}/{long}/{long}.nii.gz")
    dock.resize(350, 900)
    with qtbot.waitExposed(dock):
        dock.show()
    area = dock.findChild(QScrollArea)
    assert area.widget().minimumSizeHint().width() <= area.viewport().width()
    assert dock.minimumSizeHint().width() <= 350


@pytest.mark.parametrize("kind", [Cases, Train, Predict, Scores])
def test_every_button_is_explained(open_dock, kind):
    from qtpy.QtWidgets import QPushButton

    dock = open_dock(kind)
    ours = [button for button in dock.findChildren(QPushButton) if button.text() not in ("", "Open pair")]
    assert ours
    unexplained = [b.text() for b in ours if not b.toolTip() and "Advanced" not in b.text()]
    assert not [text for text in unexplained if text not in ("Open one pair of files", "Problems")]
