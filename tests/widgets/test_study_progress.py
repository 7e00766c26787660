"""The progress of a study: a grid that fills in, runs that are done again, and words for each."""

import dataclasses
import threading

import numpy as np
import pytest
from faked_study import CONFIGURATIONS, Job, about, done, run, settled, state_of, texts, write_study
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication

from napari_necroseg.core.cohort.load import load_case
from napari_necroseg.core.cohort.table import read_cohort
from napari_necroseg.core.config.study import StudyConfig
from napari_necroseg.core.events import Progress, Started
from napari_necroseg.core.images.save import save_mask
from napari_necroseg.core.scoring.scores import score_masks
from napari_necroseg.core.study.record import RunState
from napari_necroseg.core.study.results import CaseResult, results_text
from napari_necroseg.core.study.run import (
    Run,
    RunAdvanced,
    RunFailed,
    RunPlanned,
    RunStarted,
    runs_of,
)
from napari_necroseg.jobs import study
from napari_necroseg.jobs.study_status import StudyStatus, status_in_words, title_of
from napari_necroseg.widgets.study.dock import Study
from napari_necroseg.widgets.study.grid import _brief


def planned(one, state="waiting", **more):
    length = {"iterations": None, "minutes": 10.0}
    return RunPlanned(
        **about(one), **length, training=1, validation=1, state=state, key=one.key, estimated_s=720.0, **more
    )


def advanced(one, share, loss=0.5, iteration=10):
    return RunAdvanced(
        **about(one),
        phase="training",
        share=share,
        iteration=iteration,
        loss=loss,
        seconds=3.0,
        seconds_left=90.0,
    )


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
        results.append(CaseResult(configuration="2d:ceT1", fold=fold, seed=0, case=name, scores=scores))
        save = folder / "predictions" / "2d-ceT1_seed-0" / f"{name}.nii.gz"
        save.parent.mkdir(parents=True, exist_ok=True)
        save_mask(save, prediction, case.origin)
    (folder / "scores.csv").write_text(results_text(reversed(results)))
    dock.workspace.set_cohort(read_cohort(two_patients), two_patients)
    qtbot.waitUntil(lambda: dock.cases.table.rowCount() == 2)
    return dock


def test_many_points_of_a_loss_are_thinned_and_the_pace_tells_the_time_left(monkeypatch):
    board, one = StudyStatus(), run()
    board.show([one, run(fold=2)], {})
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    board.take(RunStarted(**about(one)))
    for n in range(3000):
        board.take(advanced(one, 0.5, iteration=n))
    assert 500 <= len(board.points(one.key)) <= 1000
    now[0] = 100.0
    # A quarter of all took 100 s.
    assert board.total().seconds_left == pytest.approx(300.0)
    assert board.take(Started(message="")) is None
    board.interrupt()
    assert board.total().seconds_left is None


def test_what_was_measured_stays_when_a_study_begins():
    board, one = StudyStatus(), run()
    board.take(planned(one))
    board.take(dataclasses.replace(planned(one), estimated_s=None, training=7))
    plan = board.standings[one.key].plan
    assert (plan.estimated_s, plan.training) == (720.0, 7)


def test_what_was_learned_stays_known_after_the_training():
    board, one = StudyStatus(), run()
    board.take(RunStarted(**about(one)))
    board.take(advanced(one, 0.5, loss=0.25, iteration=40))
    board.take(RunAdvanced(**about(one), phase="scoring", share=0.98))
    standing = board.standings[one.key]
    assert (standing.phase, standing.iteration, standing.loss) == ("scoring", 40, 0.25)
    # Begun again, it knows nothing of that.
    board.take(RunStarted(**about(one)))
    assert (board.standings[one.key].iteration, board.points(one.key)) == (0, ())


def test_the_mean_is_over_the_cases_that_have_something_to_find():
    """0.4 over one of three cases, and 0.8 over three: (0.4 + 3 * 0.8) / 4 = 0.7."""
    board, four = StudyStatus(), ("b", "c", "d", "e")
    states = [
        RunState(
            **about(run()), state="done", training=(), validation=("a", "x", "y"), mean_dice=0.4, scored=1
        ),
        RunState(**about(run(fold=2)), state="done", training=(), validation=four, mean_dice=0.8, scored=3),
        state_of(run(fold=3)),
    ]
    board.show([one.run for one in states], {one.run.key: one for one in states})
    assert board.mean_dice("2d:ceT1", 0) == pytest.approx(0.7)
    assert board.mean_dice("2d:ceT1", 1) is None
    said = status_in_words(board.standings[run().key])
    assert "Mean Dice 40.0 % over 1 case that it has not seen; 2 more have nothing to find." in said
    board.take(done(run(fold=3), dice=0.0, scored=4))
    assert board.mean_dice("2d:ceT1", 0) == pytest.approx(0.35)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(20, "20s"), (60, "1m"), (640, "11m"), (4640, "1.3h"), (36_000, "10h"), (200_000, "2.3d")],
)
def test_a_time_fits_into_a_cell(seconds, text):
    assert _brief(seconds) == text


def test_a_run_is_told_in_words():
    board, one = StudyStatus(), Run(configuration="3d:ceT1+T2", fold=2, seed=1)
    assert title_of(one) == "3D ceT1+T2, fold 2, seed 1"
    board.take(planned(one, memory_gib=2.5, estimated_iterations=900))
    said = status_in_words(board.standings[one.key])
    assert "10 min (about 900 iterations) on 1 case, scored on 1." in said
    assert "It takes about 12 min and 2.5 GiB." in said
    board.take(done(one, dice=None))
    assert "Mean Dice undefined: none of the cases" in status_in_words(board.standings[one.key])


@pytest.fixture
def opened(qtbot, dock, two_patients):
    """The dock with a study that was there, of two configurations in two folds."""
    write_study(two_patients.parent / "study" / "before", two_patients, [state_of(run(), mean_dice=0.75)])
    dock.workspace.set_cohort(read_cohort(two_patients), two_patients)
    qtbot.waitUntil(lambda: dock._opened is not None)
    return settled(dock)


def test_a_grid_of_very_many_runs_is_drawn_in_part(ready):
    board = StudyStatus()
    board.show(runs_of(StudyConfig(folds=50, seeds=5)), {})
    ready.progress.grid.show_board(board)
    assert ready.progress.grid.table.rowCount() * 50 == 1200
    assert "the first 1200 of these 1500 runs" in ready.progress.grid._rest.said
    last = Run(configuration="3d:ceT1+T2", fold=50, seed=4)
    board.take(done(last))
    ready.progress.grid.refresh(last.key, board)
    ready.progress.grid.show_board(StudyStatus())
    assert ready.progress.grid._rest.isHidden()


def test_the_progress_is_that_of_the_runs_that_are_done_now(monkeypatch):
    """One run again of four, at a half after 100 s: 100 s are left, whatever the other three wait for."""
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    board, one = StudyStatus(), run()
    runs = runs_of(StudyConfig(configurations=CONFIGURATIONS, folds=2))
    board.show(runs, {one.key: state_of(one, "failed", reason="No memory.")})
    board.begin((one.key,))
    assert board.total().share == 0.0
    board.take(planned(one, state="failed"))
    board.take(planned(run(fold=2)))
    board.take(RunStarted(**about(one)))
    now[0] = 100.0
    board.take(advanced(one, 0.5))
    assert board.total().share == pytest.approx(0.5)
    assert board.total().seconds_left == pytest.approx(100.0)
    board.take(RunFailed(**about(one), done=1, total=4, reason="No memory."))
    assert board.total().share == 1.0


def test_going_on_counts_what_is_left_and_failed_runs_as_to_come():
    board = StudyStatus()
    first, second, *_ = runs = runs_of(StudyConfig(configurations=CONFIGURATIONS, folds=2))
    board.show(runs, {first.key: state_of(first, mean_dice=0.5), second.key: state_of(second, "failed")})
    board.begin()
    # The files of the first were found to be gone, those of the third to be there.
    board.take(planned(first))
    board.take(done(runs[2], was_done=True))
    assert board.total().share == 0.0
    board.take(RunStarted(**about(second)))
    board.take(done(second))
    assert board.total().share == pytest.approx(1 / 3)


def test_a_burst_of_events_adds_up_all_runs_a_few_times(qtbot, dock, monkeypatch):
    added = []
    total = StudyStatus.total
    monkeypatch.setattr(StudyStatus, "total", lambda board: added.append(1) or total(board))
    for one in runs_of(StudyConfig(folds=20, seeds=10)):
        dock.progress.take(planned(one))
    qtbot.waitUntil(lambda: dock.progress.said.said == "0 of 1200 runs done.")
    assert len(added) <= 3
    assert dock.progress.grid.table.rowCount() * 20 == 1200


def test_a_long_history_is_thinned_to_what_can_be_seen(opened):
    folder = opened._opened.folder
    path = folder / "models" / run().key / "history.csv"
    path.parent.mkdir(parents=True)
    rows = "".join(f"{n},1,0.5,\n" for n in range(1, 100_001))
    path.write_text(f"iteration,seconds,loss,validation_dice\n{rows}")
    (event,) = study.read_curve(folder, run().key, threading.Event())
    losses = event.result.losses
    assert len(losses) == 2000
    assert losses[-1] == (100_000, 0.5)


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
