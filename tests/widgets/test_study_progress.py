"""The progress of a study: a grid that fills in, runs that are done again, and words for each."""

import numpy as np
import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication

from faked_study import (
    CONFIGURATIONS,
    Job,
    about,
    advanced,
    done,
    planned,
    run,
    settled,
    state_of,
    texts,
    write_study,
)
from napari_necroseg.core.cohort.load import load_case
from napari_necroseg.core.cohort.table import read_cohort
from napari_necroseg.core.config.study import Configuration, StudyConfig
from napari_necroseg.core.events import Progress
from napari_necroseg.core.images.save import save_mask
from napari_necroseg.core.scoring.scores import score_masks
from napari_necroseg.core.study.results import CaseResult, results_text
from napari_necroseg.core.study.run import (
    Run,
    RunFailed,
    RunStarted,
    runs_of,
)
from napari_necroseg.jobs import study
from napari_necroseg.jobs.study_status import StudyStatus
from napari_necroseg.widgets.study.dock import Study
from napari_necroseg.widgets.study.grid import _brief


@pytest.fixture
def dock(open_dock):
    return open_dock(Study)


@pytest.fixture
def ready(dock, two_patients):
    dock.workspace.set_cohort(read_cohort(two_patients), two_patients)
    dock.choices.form.input("folds").set_value(2)
    for name, box in dock.choices.boxes.items():
        box.setChecked(name in CONFIGURATIONS)
    return settled(dock)


@pytest.fixture
def fake(monkeypatch):
    def make(*events):
        job = Job(*events)
        monkeypatch.setattr(study, "do_study", job)
        return job

    return make


def test_checking_shows_how_long_each_run_takes(qtbot, ready, fake):
    job = fake(*[planned(one) for one in runs_of(ready.choices.config())])
    job.go_on.set()
    with qtbot.waitSignal(ready.runner.finished):
        ready.buttons.check.click()
    assert job.asked[0].is_plan
    assert texts(ready) == ["12m", "12m"]
    assert "4 of 4 runs done." in ready.panel.message


def test_the_grid_fills_in_while_it_runs(qtbot, ready, fake, two_patients):
    first, second, third = run(), run(fold=2), run("3d:ceT1+T2")
    job = fake(
        *[planned(one) for one in runs_of(ready.choices.config())],
        RunStarted(**about(first)),
        done(first, dice=0.812),
        RunStarted(**about(second)),
        RunFailed(**about(second), done=1, total=4, reason="The memory did not suffice."),
        RunStarted(**about(third)),
        advanced(third, 0.25),
    )
    ready.start()
    ready.start()
    qtbot.waitUntil(lambda: ready.progress.grid.text(third) == "25%")
    assert texts(ready) == ["81", "✗"]
    assert texts(ready, "3d:ceT1+T2")[1] == "12m"
    assert list(ready.progress.grid.means()) == ["81.2 ⚠", ""]
    qtbot.waitUntil(lambda: ready.progress.said.said.startswith("1 of 4 runs done, 1 failed"))
    # The run that began last is followed.
    assert ready.progress.run_view.key == third.key
    assert ready.progress.run_view.curve.points == ((10, 0.5),)
    assert not ready.choices.isEnabled()
    assert [to_do.out for to_do in job.asked] == [two_patients.parent / "study" / "study-1"]
    assert job.asked[0].table == two_patients
    assert job.asked[0].config.configurations == CONFIGURATIONS


def test_a_cell_shows_its_run_and_a_failed_one_is_done_again(qtbot, ready, fake):
    first, second = run(), run(fold=2)
    job = fake(
        RunStarted(**about(first)),
        advanced(first, 0.1, loss=0.9, iteration=5),
        advanced(first, 0.2, loss=0.7, iteration=10),
        RunStarted(**about(second)),
        RunFailed(**about(second), done=1, total=4, reason="The memory did not suffice."),
    )
    ready.start()
    qtbot.waitUntil(lambda: ready.progress.grid.text(second) == "✗")
    ready.progress.grid.table.setCurrentCell(0, 0)
    assert ready.progress.run_view.curve.points == ((5, 0.9), (10, 0.7))
    assert "2D ceT1, fold 1: training, 20% of the run." in ready.progress.run_view.details.said
    assert not ready.progress.run_view.again_button.isVisibleTo(ready.progress.run_view)
    ready.progress.grid.table.setCurrentCell(0, 1)
    assert "The memory did not suffice." in ready.progress.run_view.details.said
    assert not ready.progress.run_view.again_button.isEnabled()
    with qtbot.waitSignal(ready.runner.finished):
        job.go_on.set()
    assert ready.progress.run_view.again_button.isEnabled()
    again = fake(RunStarted(**about(second)), done(second))
    with qtbot.waitSignal(ready.runner.finished):
        ready.progress.run_view.again_button.click()
        again.go_on.set()
    assert again.asked[0].only == (second.key,)
    assert ready.progress.grid.text(second) == "80"


def test_after_a_cancel_what_ran_is_interrupted_and_it_can_go_on(qtbot, ready, fake, two_patients):
    fake(RunStarted(**about(run())), advanced(run(), 0.5))
    ready.start()
    qtbot.waitUntil(lambda: texts(ready)[0] == "50%")
    write_study(two_patients.parent / "study" / "study-1", two_patients)
    with qtbot.waitSignal(ready.runner.cancelled):
        ready.runner.cancel()
    qtbot.waitUntil(lambda: ready._opened is not None)
    assert texts(ready) == ["‖", "·"]
    assert ready.buttons.start.text() == "Go on"
    assert ready.buttons.start.isEnabled()
    assert "left" not in ready.progress.said.said


@pytest.fixture
def scored(qtbot, dock, two_patients):
    """A study whose predictions of a are moved by half, those of b are perfect."""
    folder = write_study(two_patients.parent / "study" / "before", two_patients)
    results = []
    for fold, (name, moved) in enumerate((("a", 5), ("b", 0)), start=1):
        case = load_case(read_cohort(two_patients)[name])
        prediction = np.roll(case.reference.voxels, moved, axis=1)
        scores = score_masks(case.reference.voxels, prediction, case.grid, tolerance_mm=2.0)
        network = Configuration("2d:ceT1")
        results.append(CaseResult(configuration=network, fold=fold, seed=0, case=name, scores=scores))
        save = folder / "predictions" / "2d-ceT1_seed-0" / f"{name}.nii.gz"
        save.parent.mkdir(parents=True, exist_ok=True)
        save_mask(save, prediction, case.origin)
    (folder / "scores.csv").write_text(results_text(reversed(results)))
    dock.workspace.set_cohort(read_cohort(two_patients), two_patients)
    qtbot.waitUntil(lambda: dock.cases.table.rowCount() == 2)
    return dock


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(20, "20s"), (60, "1m"), (640, "11m"), (4640, "1.3h"), (36_000, "10h"), (200_000, "2.3d")],
)
def test_a_time_fits_into_a_cell(seconds, text):
    assert _brief(seconds) == text


@pytest.fixture
def opened(qtbot, dock, two_patients):
    """The dock with a study that was there, of two configurations in two folds."""
    write_study(two_patients.parent / "study" / "before", two_patients, [state_of(run(), mean_dice=0.75)])
    dock.workspace.set_cohort(read_cohort(two_patients), two_patients)
    qtbot.waitUntil(lambda: dock._opened is not None)
    return settled(dock)


def test_a_grid_of_very_many_runs_is_drawn_in_part(ready):
    status = StudyStatus()
    status.show(runs_of(StudyConfig(folds=50, seeds=5)), {})
    ready.progress.grid.show_status(status)
    assert ready.progress.grid.table.rowCount() * 50 == 1200
    assert "the first 1200 of these 1500 runs" in ready.progress.grid._rest.said
    last = Run(configuration=Configuration("3d:ceT1+T2"), fold=50, seed=4)
    status.take(done(last))
    ready.progress.grid.refresh(last.key, status)
    ready.progress.grid.show_status(StudyStatus())
    assert ready.progress.grid._rest.isHidden()


def test_a_burst_of_events_adds_up_all_runs_a_few_times(qtbot, dock, monkeypatch):
    added = []
    total = StudyStatus.total
    monkeypatch.setattr(StudyStatus, "total", lambda status: added.append(1) or total(status))
    for one in runs_of(StudyConfig(folds=20, seeds=10)):
        dock.progress.take(planned(one))
    qtbot.waitUntil(lambda: dock.progress.said.said == "0 of 1200 runs done.")
    assert len(added) <= 3
    assert dock.progress.grid.table.rowCount() * 20 == 1200


def test_the_bar_does_not_go_back_when_the_report_is_written(qtbot, ready, fake):
    one = run()
    job = fake(
        Progress(done=3, total=4, message="Reading d"),
        RunStarted(**about(one)),
        advanced(one, 0.5),
        Progress(done=0, total=9, message="Drawing"),
    )
    ready.start()
    qtbot.waitUntil(lambda: ready.panel.message == "Drawing")
    assert ready.panel._bar.value() / ready.panel._bar.maximum() == pytest.approx(0.125)
    job.go_on.set()
    qtbot.waitUntil(lambda: not ready.runner.is_busy)


def test_the_wheel_scrolls_the_dock_and_not_its_lists(qtbot, ready, two_patients):
    for before in ("one", "two"):
        write_study(two_patients.parent / "study" / before, two_patients)
    ready.place.show_project(two_patients.parent)
    chosen = ready.place.combo.currentText()
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
    QApplication.sendEvent(ready.place.combo, turn)
    assert ready.place.combo.currentText() == chosen
