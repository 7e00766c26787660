"""The progress of a study: a grid that fills in, runs that are done again, and words for each."""

import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication

from faked_study import (
    CONFIGURATIONS,
    about,
    advanced,
    done,
    planned,
    run,
    texts,
    write_study,
)
from napari_necroseg.core.config.study import Configuration, StudyConfig
from napari_necroseg.core.events import Progress
from napari_necroseg.core.study.run import (
    Run,
    RunFailed,
    RunStarted,
    runs_of,
)
from napari_necroseg.jobs.study_status import StudyStatus
from napari_necroseg.widgets.study.grid import _brief


def test_checking_shows_how_long_each_run_takes(qtbot, ready_study, fake_study):
    job = fake_study(*[planned(one) for one in runs_of(ready_study.choices.config())])
    job.go_on.set()
    with qtbot.waitSignal(ready_study.runner.finished):
        ready_study.buttons.check.click()
    assert job.asked[0].is_plan
    assert texts(ready_study) == ["12m", "12m"]
    assert "4 of 4 runs done." in ready_study.panel.message


def test_the_grid_fills_in_while_it_runs(qtbot, ready_study, fake_study, two_patients):
    first, second, third = run(), run(fold=2), run("3d:ceT1+T2")
    job = fake_study(
        *[planned(one) for one in runs_of(ready_study.choices.config())],
        RunStarted(**about(first)),
        done(first, dice=0.812),
        RunStarted(**about(second)),
        RunFailed(**about(second), done=1, total=4, reason="The memory did not suffice."),
        RunStarted(**about(third)),
        advanced(third, 0.25),
    )
    ready_study.start()
    ready_study.start()
    qtbot.waitUntil(lambda: ready_study.progress.grid.text(third) == "25%")
    assert texts(ready_study) == ["81", "✗"]
    assert texts(ready_study, "3d:ceT1+T2")[1] == "12m"
    assert list(ready_study.progress.grid.means()) == ["81.2 ⚠", ""]
    qtbot.waitUntil(lambda: ready_study.progress.said.said.startswith("1 of 4 runs done, 1 failed"))
    # The run that began last is followed.
    assert ready_study.progress.run_view.key == third.key
    assert ready_study.progress.run_view.curve.points == ((10, 0.5),)
    assert not ready_study.choices.isEnabled()
    assert [to_do.out for to_do in job.asked] == [two_patients.parent / "study" / "study-1"]
    assert job.asked[0].table == two_patients
    assert job.asked[0].config.configurations == CONFIGURATIONS


def test_a_cell_shows_its_run_and_a_failed_one_is_done_again(qtbot, ready_study, fake_study):
    first, second = run(), run(fold=2)
    job = fake_study(
        RunStarted(**about(first)),
        advanced(first, 0.1, loss=0.9, iteration=5),
        advanced(first, 0.2, loss=0.7, iteration=10),
        RunStarted(**about(second)),
        RunFailed(**about(second), done=1, total=4, reason="The memory did not suffice."),
    )
    ready_study.start()
    qtbot.waitUntil(lambda: ready_study.progress.grid.text(second) == "✗")
    ready_study.progress.grid.table.setCurrentCell(0, 0)
    assert ready_study.progress.run_view.curve.points == ((5, 0.9), (10, 0.7))
    assert "2D ceT1, fold 1: training, 20% of the run." in ready_study.progress.run_view.details.said
    assert not ready_study.progress.run_view.again_button.isVisibleTo(ready_study.progress.run_view)
    ready_study.progress.grid.table.setCurrentCell(0, 1)
    assert "The memory did not suffice." in ready_study.progress.run_view.details.said
    assert not ready_study.progress.run_view.again_button.isEnabled()
    with qtbot.waitSignal(ready_study.runner.finished):
        job.go_on.set()
    assert ready_study.progress.run_view.again_button.isEnabled()
    again = fake_study(RunStarted(**about(second)), done(second))
    with qtbot.waitSignal(ready_study.runner.finished):
        ready_study.progress.run_view.again_button.click()
        again.go_on.set()
    assert again.asked[0].only == (second.key,)
    assert ready_study.progress.grid.text(second) == "80"


def test_after_a_cancel_what_ran_is_interrupted_and_it_can_go_on(
    qtbot, ready_study, fake_study, two_patients
):
    fake_study(RunStarted(**about(run())), advanced(run(), 0.5))
    ready_study.start()
    qtbot.waitUntil(lambda: texts(ready_study)[0] == "50%")
    write_study(two_patients.parent / "study" / "study-1", two_patients)
    with qtbot.waitSignal(ready_study.runner.cancelled):
        ready_study.runner.cancel()
    qtbot.waitUntil(lambda: ready_study._opened is not None)
    assert texts(ready_study) == ["‖", "·"]
    assert ready_study.buttons.start.text() == "Go on"
    assert ready_study.buttons.start.isEnabled()
    assert "left" not in ready_study.progress.said.said


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(20, "20s"), (60, "1m"), (640, "11m"), (4640, "1.3h"), (36_000, "10h"), (200_000, "2.3d")],
)
def test_a_time_fits_into_a_cell(seconds, text):
    assert _brief(seconds) == text


def test_a_grid_of_very_many_runs_is_drawn_in_part(ready_study):
    status = StudyStatus()
    status.show(runs_of(StudyConfig(folds=50, seeds=5)), {})
    ready_study.progress.grid.show_status(status)
    assert ready_study.progress.grid.table.rowCount() * 50 == 1200
    assert "the first 1200 of these 1500 runs" in ready_study.progress.grid._rest.said
    last = Run(configuration=Configuration("3d:ceT1+T2"), fold=50, seed=4)
    status.take(done(last))
    ready_study.progress.grid.refresh(last.key, status)
    ready_study.progress.grid.show_status(StudyStatus())
    assert ready_study.progress.grid._rest.isHidden()


def test_a_burst_of_events_adds_up_all_runs_a_few_times(qtbot, study_dock, monkeypatch):
    added = []
    total = StudyStatus.total
    monkeypatch.setattr(StudyStatus, "total", lambda status: added.append(1) or total(status))
    for one in runs_of(StudyConfig(folds=20, seeds=10)):
        study_dock.progress.take(planned(one))
    qtbot.waitUntil(lambda: study_dock.progress.said.said == "0 of 1200 runs done.")
    assert len(added) <= 3
    assert study_dock.progress.grid.table.rowCount() * 20 == 1200


def test_the_bar_does_not_go_back_when_the_report_is_written(qtbot, ready_study, fake_study):
    one = run()
    job = fake_study(
        Progress(done=3, total=4, message="Reading d"),
        RunStarted(**about(one)),
        advanced(one, 0.5),
        Progress(done=0, total=9, message="Drawing"),
    )
    ready_study.start()
    qtbot.waitUntil(lambda: ready_study.panel.message == "Drawing")
    assert ready_study.panel._bar.value() / ready_study.panel._bar.maximum() == pytest.approx(0.125)
    job.go_on.set()
    qtbot.waitUntil(lambda: not ready_study.runner.is_busy)


def test_the_wheel_scrolls_the_dock_and_not_its_lists(qtbot, ready_study, two_patients):
    for before in ("one", "two"):
        write_study(two_patients.parent / "study" / before, two_patients)
    ready_study.place.show_project(two_patients.parent)
    chosen = ready_study.place.combo.currentText()
    at = QPointF(5, 5)
    turn = QWheelEvent(
        at,
        at,
        QPoint(),
        QPoint(0, -120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(ready_study.place.combo, turn)
    assert ready_study.place.combo.currentText() == chosen
