"""The dock Study: a grid that fills in, runs again, a study from its files, and cases as predicted unseen."""

import dataclasses
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication

from napari_necroseg.core.case import CaseFiles, Cohort, Sequence
from napari_necroseg.core.cohort.load import load_case
from napari_necroseg.core.cohort.table import read_cohort, write_cohort
from napari_necroseg.core.config.study import StudyConfig
from napari_necroseg.core.events import Finished, Progress, Started
from napari_necroseg.core.images.save import save_mask
from napari_necroseg.core.scoring.scores import score_masks
from napari_necroseg.core.study.record import RunState, StudyCase, StudyRecord, read_study, write_record
from napari_necroseg.core.study.results import CaseResult, results_text
from napari_necroseg.core.study.run import (
    Run,
    RunAdvanced,
    RunDone,
    RunFailed,
    RunPlanned,
    RunStarted,
    runs_of,
)
from napari_necroseg.jobs import study, study_status
from napari_necroseg.jobs.study_status import StudyStatus, status_in_words, title_of
from napari_necroseg.layerdata import Role, case_layers
from napari_necroseg.widgets.cases.dock import Cases
from napari_necroseg.widgets.shared import qt_parts
from napari_necroseg.widgets.study.dock import QDesktopServices, Study
from napari_necroseg.widgets.study.grid import _brief

CONFIGURATIONS = ("2d:ceT1", "3d:ceT1+T2")


@dataclasses.dataclass(frozen=True)
class Result:
    folder: Path
    done: int = 4
    failed: int = 0
    total: int = 4
    report: Path | None = None

    def __str__(self):
        return f"{self.done} of {self.total} runs done."


def run(configuration="2d:ceT1", fold=1):
    return Run(configuration=configuration, fold=fold, seed=0)


def about(one):
    return {"configuration": one.configuration, "fold": one.fold, "seed": one.seed}


def planned(one, state="waiting", **more):
    length = {"iterations": None, "minutes": 10.0}
    return RunPlanned(
        **about(one), **length, training=1, validation=1, state=state, key=one.key, estimated_s=720.0, **more
    )


def done(one, dice=0.8, scored=1, **more):
    return RunDone(**about(one), done=1, total=4, seconds=60.0, mean_dice=dice, scored=scored, **more)


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


def settled(dock):
    """Let the dock look at all that was changed just now."""
    QApplication.processEvents()
    return dock


def name(dock, text):
    """Type a name, and press Enter."""
    dock.place.combo.setEditText(text)
    dock.place.combo.lineEdit().editingFinished.emit()


@pytest.fixture
def dock(open_dock):
    return open_dock(Study)


@pytest.fixture
def two_patients(cohort_table):
    """A cohort whose cases all have a reference; two folds of one case each."""
    cohort = read_cohort(cohort_table).only(("a", "b"))
    write_cohort(cohort_table, cohort)
    return cohort_table


@pytest.fixture
def make_folds(two_patients):
    def write(cohort, folds):
        cases = [dataclasses.replace(case, fold=fold) for case, fold in zip(cohort, folds, strict=True)]
        write_cohort(two_patients, Cohort(cases=tuple(cases)))

    return write


@pytest.fixture
def ready(dock, two_patients):
    dock.workspace.set_cohort(read_cohort(two_patients), two_patients)
    dock.choices.form.input("folds").set_value(2)
    for name, box in dock.choices.boxes.items():
        box.setChecked(name in CONFIGURATIONS)
    return settled(dock)


class Job:
    """A study that yields what the test gives it, then waits for its word; notes what was asked for."""

    def __init__(self, *events):
        self.events, self.asked = list(events), []
        self.go_on = threading.Event()

    def __call__(self, to_do, stop):
        self.asked.append(to_do)
        yield Started(message="A study of 4 runs.")
        yield from self.events
        while not self.go_on.wait(0.005):
            if stop.is_set():
                return
        yield Finished(result=Result(to_do.out))


@pytest.fixture
def fake(monkeypatch):
    def make(*events):
        job = Job(*events)
        monkeypatch.setattr(study, "do_study", job)
        return job

    return make


def texts(dock, configuration="2d:ceT1"):
    return [dock.progress.grid.text(run(configuration, fold)) for fold in (1, 2)]


def write_study(folder, table, states=()):
    """Write a study of the cases a (fold 1) and b (fold 2), with what has become of its runs."""
    config = StudyConfig(configurations=CONFIGURATIONS, folds=2, minutes_per_run=3.0)
    folder.mkdir(parents=True, exist_ok=True)
    cases = {
        name: StudyCase(patient=name, fold=fold, target_ml=1.0, images_sha256={})
        for name, fold in (("a", 1), ("b", 2))
    }
    write_record(
        folder / "study.json", StudyRecord(config=config, cohort=str(table), cases=cases, versions={})
    )
    (folder / "runs").mkdir(exist_ok=True)
    for state in states:
        write_record(folder / "runs" / f"{state.run.key}.json", state)
    return folder


def state_of(one, state="done", **more):
    seen = ("a",) if one.fold == 1 else ("b",)
    return RunState(**about(one), state=state, training=("x",), validation=seen, **more)


def test_without_a_cohort_it_says_what_to_do(dock):
    assert "Open a cohort" in dock.summary.said
    assert not dock.buttons.start.isEnabled()
    dock.start()
    assert not dock.runner.is_busy


def test_a_pair_of_files_is_no_cohort(dock, two_patients):
    dock.workspace.set_cohort(read_cohort(two_patients), None)
    assert "a pair of files, not a cohort" in dock.summary.said
    assert not dock.buttons.start.isEnabled()


def test_what_will_happen_stands_in_a_sentence(ready, two_patients):
    assert "4 trainings: 2 configurations × 2 folds" in ready.summary.said
    assert "(about 1 of the 2)" in ready.summary.said
    assert "They train for 40 min in all; Check says how many run at once" in ready.summary.said
    ready.choices.form.input("workers").set_value(2)
    settled(ready)
    assert "They train for about 20 min, 2 at a time." in ready.summary.said
    assert ready.place.folder() == two_patients.parent / "study" / "study-1"
    assert texts(ready) == ["·", "·"]
    assert ready.progress.said.said == "0 of 4 runs done."


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"folds": 3}, "3 folds need as many patients, but there are 2"),
        ({"preset": "paper", "minutes_per_run": 5.0}, "the paper preset has a fixed length"),
        ({"minutes_per_run": 5.0, "steps_per_run": 100}, "minutes and iterations of a run were both given"),
    ],
)
def test_mistakes_are_told_in_words_before_anything_runs(ready, changes, words):
    for name, value in changes.items():
        ready.choices.form.input(name).set_value(value)
    settled(ready)
    assert words in ready.summary.said.lower()
    assert not ready.buttons.start.isEnabled()
    assert not ready.buttons.check.isEnabled()


def test_no_configuration_and_no_name_are_told(ready):
    ready.place.combo.setEditText("a/b")
    assert "cannot be called 'a/b'" in ready.summary.said
    ready.place.combo.setEditText(" ")
    assert "Give the study a name" in ready.summary.said
    for box in ready.choices.boxes.values():
        box.setChecked(False)
    settled(ready)
    assert "tick at least one" in ready.summary.said
    assert not ready.buttons.start.isEnabled()


def test_cases_that_lack_a_sequence_or_a_mask_are_named(dock, cohort_table):
    cohort = read_cohort(cohort_table)
    less = dataclasses.replace(cohort["b"], sequences={Sequence.CET1: cohort["b"].sequences[Sequence.CET1]})
    dock.workspace.set_cohort(Cohort(cases=(cohort["a"], less, cohort["c"])), cohort_table)
    assert "b (and 1 more) cannot take part: it has no T2." in dock.summary.said


def test_folds_that_a_table_gives_are_proposed_and_must_be_kept(ready, two_patients, make_folds):
    cohort = read_cohort(two_patients)
    make_folds(cohort, [1, 1])
    ready.workspace.set_cohort(read_cohort(two_patients), two_patients)
    ready.choices.form.input("folds").set_value(2)
    settled(ready)
    assert "the cases are in the folds 1" in ready.summary.said
    make_folds(cohort, [2, 1])
    ready.choices.form.input("folds").set_value(5)
    ready.workspace.set_cohort(read_cohort(two_patients), two_patients)
    assert ready.choices.config().folds == 2
    assert "4 trainings" in ready.summary.said
    # Those that Check has written come first.
    folder = two_patients.parent / "study" / "checked"
    folder.mkdir(parents=True)
    (folder / "folds.csv").write_text("case,patient,fold\na,a,1\nb,b,3\n")
    name(ready, "checked")
    assert "the cases are in the folds 1, 3" in ready.summary.said


def test_signed_masks_are_used_if_wanted(qtbot, dock, cohort_table, fake, sign_off):
    assert dock.choices.corrected.isHidden()
    labels = cohort_table.parent / "labels"
    labels.mkdir()
    for name in ("a", "c"):
        shutil.copy(cohort_table.parent / "a" / "necrosis.nii.gz", labels / f"{name}.nii.gz")
    sign_off(labels, "c")
    dock.workspace.set_cohort(read_cohort(cohort_table), cohort_table)
    dock.choices.form.input("folds").set_value(3)
    settled(dock)
    assert "c cannot take part: it has no reference mask" in dock.summary.said
    assert "(1)" in dock.choices.corrected.text()
    dock.choices.corrected.setChecked(True)
    settled(dock)
    assert "18 trainings" in dock.summary.said
    job = fake()
    job.go_on.set()
    with qtbot.waitSignal(dock.runner.finished):
        dock.start()
    used = job.asked[0].cohort
    assert used["c"].reference == labels / "c.nii.gz"
    assert used["a"].reference == cohort_table.parent / "a" / "necrosis.nii.gz"
    dock.choices.unsigned.setChecked(True)
    assert dock.choices.cohort()["a"].reference == labels / "a.nii.gz"


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


def test_a_study_that_is_there_is_shown_from_its_files(qtbot, dock, two_patients):
    first, second, third = run(), run(fold=2), run("3d:ceT1+T2")
    states = [state_of(first, mean_dice=0.75), state_of(second, "failed", reason="No memory.")]
    folder = write_study(two_patients.parent / "study" / "before", two_patients, states)
    (folder / "report.html").touch()
    for one in (first, third):
        (folder / "models" / one.key).mkdir(parents=True)
    (folder / "models" / third.key / "checkpoint.safetensors").touch()
    history = "iteration,seconds,loss,validation_dice\n5,1,0.9,\n10,2,0.6,0.5\n"
    (folder / "models" / first.key / "history.csv").write_text(history)
    dock.workspace.set_cohort(read_cohort(two_patients), two_patients)
    qtbot.waitUntil(lambda: dock._opened is not None)
    assert dock.place.combo.currentText() == "before"
    assert texts(dock) == ["75", "✗"]
    assert texts(dock, "3d:ceT1+T2") == ["‖", "·"]
    assert dock.buttons.report.isEnabled()
    assert dock.buttons.start.text() == "Go on"
    # What would make it another study cannot be changed; what adds to it can.
    assert dock.choices.config().minutes_per_run == 3.0
    assert not dock.choices.form.input("minutes_per_run").enabled
    assert dock.choices.form.input("seeds").enabled
    dock.progress.grid.table.setCurrentCell(0, 0)
    qtbot.waitUntil(lambda: dock.progress.run_view.curve.points == ((5, 0.9), (10, 0.6)))
    assert dock.progress.run_view.curve.dice == ((10, 0.5),)
    dock.choices.boxes["2d:T2"].setChecked(True)
    settled(dock)
    assert dock.progress.said.said == "1 of 6 runs done, 1 failed."
    # Another name is another study.
    dock.place.combo.setEditText("study-1")
    assert texts(dock) == ["·", "·"]
    assert dock.choices.form.input("minutes_per_run").enabled
    assert dock.progress.run_view.isHidden()
    assert dock.buttons.start.text() == "Start"


def test_a_damaged_record_is_told(qtbot, dock, two_patients):
    folder = write_study(two_patients.parent / "study" / "before", two_patients)
    (folder / "study.json").write_text("{}")
    dock.workspace.set_cohort(read_cohort(two_patients), two_patients)
    qtbot.waitUntil(lambda: "damaged" in dock.panel.message)


def test_a_study_elsewhere_is_named_by_its_folder(qtbot, ready, two_patients, monkeypatch, tmp_path):
    folder = write_study(tmp_path / "elsewhere" / "old", two_patients, [state_of(run(), mean_dice=0.5)])
    monkeypatch.setattr(qt_parts, "ask_folder", lambda *_: folder)
    ready.place._browse()
    qtbot.waitUntil(lambda: texts(ready)[0] == "50")
    monkeypatch.setattr(qt_parts, "ask_folder", lambda *_: tmp_path / "new")
    ready.place._browse()
    assert ready.place.folder() == tmp_path / "new" / "study-1"
    monkeypatch.setattr(qt_parts, "ask_folder", lambda *_: None)
    ready.place._browse()
    assert ready.place.folder() == tmp_path / "new" / "study-1"


def test_the_report_opens_in_the_browser(qtbot, dock, two_patients, monkeypatch):
    folder = write_study(two_patients.parent / "study" / "before", two_patients)
    (folder / "report.html").touch()
    dock.workspace.set_cohort(read_cohort(two_patients), two_patients)
    opened = []
    monkeypatch.setattr(QDesktopServices, "openUrl", opened.append)
    dock.buttons.report.click()
    assert [url.toLocalFile() for url in opened] == [str(folder / "report.html")]


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


def predictions(dock, name):
    return dock.workspace.layers.find(name, [Role.PREDICTION])


def test_a_mean_over_fewer_cases_than_the_study_has_says_so(scored):
    shown = scored._opened
    scored.cases.show_results(shown.folder, shown.table, shown.results, 6)
    assert "2 of the 6 cases, mean Dice 75.0 %" in scored.cases.summary.said


def test_a_case_opens_with_the_prediction_of_the_network_that_has_not_seen_it(qtbot, scored, open_dock):
    assert [scored.cases.table.item(row, 0).text() for row in range(2)] == ["a", "b"]
    assert scored.cases.table.item(0, 1).text() == "50.0"
    assert "2 cases, mean Dice 75.0 %" in scored.cases.summary.said
    open_dock(Cases)
    scored.cases.table.cellDoubleClicked.emit(0, 0)
    qtbot.waitUntil(lambda: len(predictions(scored, "a")) == 1)
    (layer,) = predictions(scored, "a")
    reference = scored.workspace.case.reference.voxels
    np.testing.assert_array_equal(layer.data, np.roll(reference, 5, axis=1))
    assert layer.contour == 1
    # Nothing is shown twice, and what was drawn on stays beside what is on disk.
    scored.cases.open("a")
    qtbot.waitUntil(lambda: not scored.cases.reading.is_busy)
    assert predictions(scored, "a") == [layer]
    layer.data[0, 0, 0] = 1
    scored.cases.open("a")
    qtbot.waitUntil(lambda: len(predictions(scored, "a")) == 2)
    assert layer.data[0, 0, 0] == 1


def test_next_goes_to_the_case_with_the_next_best_dice(qtbot, scored, open_dock):
    open_dock(Cases)
    scored.cases.table.step(1)
    qtbot.waitUntil(lambda: len(predictions(scored, "a")) == 1)
    list(scored.workspace.layers.show((), first_slice=0))
    scored.cases.table.step(1)
    qtbot.waitUntil(lambda: len(predictions(scored, "b")) == 1)
    scored.cases.table.step(1)
    assert scored.workspace.case.name == "b"


def test_another_case_that_was_opened_instead_gets_no_prediction(qtbot, scored, make_case):
    def begin(name):
        scored.workspace.opening = name

    scored.workspace.case_wanted.connect(begin)
    scored.cases.open("a")
    assert scored.cases._awaited[0] == "a"
    other = make_case("b")
    for data in case_layers(other):
        scored.workspace.layers.add(data, is_saved=True)
    scored.workspace.set_case(other, None)
    scored.workspace.set_case(make_case("a"), None)
    assert not scored.cases.reading.is_busy
    assert predictions(scored, "a") == []


def test_more_scores_leave_the_row_that_was_chosen(scored):
    scored.cases.table.selectRow(1)
    results = [one for group in scored.cases._results.values() for one in group]
    scored.cases.show_results(scored._opened.folder, scored._opened.table, tuple(results))
    assert scored.cases.table.chosen() == "b"


def test_a_case_of_the_same_name_in_another_cohort_is_not_taken_for_it(scored, make_case, tmp_path):
    scored.workspace.set_case(make_case("a"), None)
    scored.workspace.cohort_path = tmp_path / "other" / "cohort.csv"
    scored.cases.open("a")
    assert f"This study is of the cohort {tmp_path / 'study' / 'cohort.csv'}" in scored.panel.message
    assert not scored.cases.reading.is_busy


def test_without_the_dock_cases_a_double_click_says_so(scored):
    scored.cases.table.cellDoubleClicked.emit(0, 0)
    assert "Open the dock Cases" in scored.panel.message


def test_a_prediction_that_is_gone_is_told(qtbot, scored, make_case):
    (scored._opened.folder / "predictions" / "2d-ceT1_seed-0" / "a.nii.gz").unlink()
    scored.workspace.set_case(make_case("a"), None)
    scored.cases.open("a")
    qtbot.waitUntil(lambda: "a.nii.gz" in scored.panel.message)


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


def test_a_whole_study_from_the_dock(qtbot, ready, two_patients, open_dock):
    ready.choices.boxes["3d:ceT1+T2"].setChecked(False)
    for name, value in (("steps_per_run", 2), ("workers", 1), ("threads", 1), ("device", "cpu")):
        ready.choices.form.input(name).set_value(value)
    results, heard = [], []
    ready.workspace.models_changed.connect(lambda: heard.append("models"))
    ready.runner.finished.connect(results.append)
    ready.runner.failed.connect(results.append)
    ready.buttons.start.click()
    qtbot.waitUntil(lambda: len(results) == 1, timeout=60_000)
    assert results[0].startswith("2 of 2 runs are done; the report is ")
    assert [one.state for one in ready.progress.board.standings.values()] == ["done", "done"]
    assert heard == ["models"]
    qtbot.waitUntil(lambda: ready.cases.table.rowCount() == 2)
    assert ready.buttons.start.text() == "Go on"
    ready.progress.grid.table.setCurrentCell(0, 1)
    qtbot.waitUntil(lambda: len(ready.progress.run_view.curve.points) > 0)
    # The images that are read to be shown are those that it was trained on.
    open_dock(Cases)
    ready.cases.open("b")
    qtbot.waitUntil(lambda: len(predictions(ready, "b")) == 1)


def test_a_real_study_is_cancelled_within_two_seconds(qtbot, ready):
    for field, value in (("steps_per_run", 100_000), ("workers", 1), ("threads", 1), ("device", "cpu")):
        ready.choices.form.input(field).set_value(value)
    ready.buttons.start.click()
    first = run()
    qtbot.waitUntil(lambda: ready.progress.board.standings[first.key].iteration > 0, timeout=60_000)
    with qtbot.waitSignal(ready.runner.cancelled):
        ready.runner.cancel()
    assert ready.progress.grid.text(first) == "‖"
    qtbot.waitUntil(ready.buttons.start.isEnabled)
    assert ready.buttons.start.text() == "Go on"


@pytest.fixture
def other_cohort(tmp_path, write_case):
    """A cohort of other patients in another project, whose cases are called a and b, too."""
    rows = []
    for case in ("a", "b"):
        folder = write_case(tmp_path / "other" / case, shape=(6, 40, 36))
        sequences = {sequence: folder / f"{sequence}.nii.gz" for sequence in Sequence}
        rows.append(CaseFiles(name=case, sequences=sequences, reference=folder / "necrosis.nii.gz"))
    table = tmp_path / "other" / "cohort.csv"
    write_cohort(table, Cohort(cases=tuple(rows)))
    return table


def result_of(case, fold, dice, configuration="2d:ceT1", seed=0):
    reference, grid = case.reference.voxels, case.grid
    scores = score_masks(reference, reference, grid, tolerance_mm=2.0)
    scores = dataclasses.replace(scores, dice=dice)
    return CaseResult(configuration=configuration, fold=fold, seed=seed, case=case.name, scores=scores)


def test_another_cohort_that_is_opened_while_a_study_runs_gets_none_of_its_masks(
    qtbot, ready, fake, make_case, two_patients, other_cohort
):
    folder = write_study(two_patients.parent / "study" / "study-1", two_patients)
    (folder / "scores.csv").write_text(results_text([result_of(make_case("a"), 1, 0.5)]))
    (folder / "study.json").unlink()
    job = fake(RunStarted(**about(run())), done(run()))
    ready.start()
    qtbot.waitUntil(lambda: ready.cases.table.rowCount() == 1)
    ready.workspace.set_case(make_case("a"), None)
    for table in (other_cohort, None):
        ready.workspace.set_cohort(read_cohort(other_cohort), table)
        ready.cases.open("a")
        assert f"This study is of the cohort {two_patients}" in ready.panel.message
        assert not ready.cases.reading.is_busy
        ready.panel.say("")
    # When it is over, the dock turns to what was opened meanwhile.
    ready.workspace.set_cohort(read_cohort(other_cohort), other_cohort)
    with qtbot.waitSignal(ready.runner.finished):
        job.go_on.set()
    assert ready.place.folder() == other_cohort.parent / "study" / "study-1"
    assert ready.cases.isHidden()
    assert ready.buttons.start.text() == "Start"


def test_another_image_under_the_name_of_a_case_gets_no_prediction(qtbot, scored, make_case, two_patients):
    scored.workspace.set_case(make_case("a", shape=(7, 44, 38)), None)
    scored.cases.open("a")
    qtbot.waitUntil(lambda: "The a that is open is another image" in scored.panel.message)
    assert predictions(scored, "a") == []
    # Nor on the same grid.
    scored.panel.say("")
    path = scored._opened.folder / "study.json"
    record = scored._opened.record
    a = record.cases["a"].model_copy(update={"images_sha256": {"ceT1": "0" * 64}})
    write_record(path, record.model_copy(update={"cases": {**record.cases, "a": a}}))
    scored.workspace.set_case(load_case(read_cohort(two_patients)["a"]), None)
    scored.cases.open("a")
    qtbot.waitUntil(lambda: "The a that is open is another image" in scored.panel.message)
    assert predictions(scored, "a") == []


def test_a_case_that_comes_later_with_another_cohort_is_not_the_one_that_was_wanted(
    scored, make_case, other_cohort
):
    scored.workspace.case_wanted.connect(lambda name: setattr(scored.workspace, "opening", name))
    scored.cases.open("a")
    scored.workspace.set_cohort(read_cohort(other_cohort), other_cohort)
    scored.workspace.set_case(make_case("a"), None)
    assert not scored.cases.reading.is_busy


def test_a_case_that_cannot_be_opened_is_told_and_not_waited_for(scored, two_patients):
    scored.workspace.case_wanted.connect(lambda _: None)
    scored.cases.open("a")
    assert scored.cases._awaited is None
    scored.workspace.set_cohort(read_cohort(two_patients).only(("b",)), two_patients)
    scored.cases.open("a")
    assert "a is not in the cohort that is open" in scored.panel.message


@pytest.fixture
def opened(qtbot, dock, two_patients):
    """The dock with a study that was there, of two configurations in two folds."""
    write_study(two_patients.parent / "study" / "before", two_patients, [state_of(run(), mean_dice=0.75)])
    dock.workspace.set_cohort(read_cohort(two_patients), two_patients)
    qtbot.waitUntil(lambda: dock._opened is not None)
    return settled(dock)


def test_what_a_study_has_stays_part_of_it(opened):
    box = opened.choices.boxes["2d:ceT1"]
    assert box.isChecked()
    assert not box.isEnabled()
    box.setChecked(False)
    assert settled(opened).choices.config().configurations == CONFIGURATIONS
    assert opened.progress.said.said == "1 of 4 runs done."
    record = opened._opened.record
    more = record.model_copy(update={"config": record.config.changed(seeds=3)})
    opened.choices.lock(more, None)
    opened.choices.form.input("seeds").set_value(1)
    assert opened.choices.config().seeds == 3
    name(opened, "new")
    opened.choices.form.input("seeds").set_value(1)
    assert opened.choices.config().seeds == 1
    assert box.isEnabled()


def test_one_core_is_left_and_the_result_needs_no_pytorch_here(monkeypatch, two_patients):
    asked = []

    def run_study(config, _cohort, **_):
        asked.append(config)
        yield Finished(result=Result(two_patients))

    monkeypatch.setattr("napari_necroseg.core.study.experiment.run_study", run_study)
    config = StudyConfig(folds=2)
    to_do = study.StudyToDo(
        config=config, cohort=read_cohort(two_patients), table=two_patients, out=two_patients.parent
    )
    (event,) = to_do({"stop": threading.Event()})
    assert asked[0].spare_cores == 1
    assert event.result == "4 of 4 runs done."


def test_nothing_starts_before_the_study_that_is_there_was_read(qtbot, ready, fake, two_patients):
    folder = write_study(two_patients.parent / "study" / "before", two_patients)
    job = fake()
    name(ready, "before")
    assert ready._opened is None
    assert ready.summary.said == "Reading this study ..."
    assert not ready.buttons.start.isEnabled()
    ready.start()
    ready.check()
    assert job.asked == []
    qtbot.waitUntil(lambda: ready._opened is not None)
    assert ready.buttons.start.isEnabled()
    # Nor after that failed; what was greyed is not any more.
    name(ready, "new")
    (folder / "study.json").write_text("{}")
    name(ready, "before")
    qtbot.waitUntil(lambda: "damaged" in ready.summary.said)
    ready.start()
    assert job.asked == []
    assert ready.choices.form.input("minutes_per_run").enabled


def test_one_damaged_file_hides_nothing_else_of_a_study(qtbot, dock, two_patients):
    states = [state_of(run(), mean_dice=0.75, scored=1), state_of(run(fold=2), mean_dice=0.5)]
    folder = write_study(two_patients.parent / "study" / "before", two_patients, states)
    (folder / "runs" / f"{run(fold=2).key}.json").write_text('{"state": "done"}')
    (folder / "runs" / ".half.json").write_text("")
    (folder / "scores.csv").write_text("configuration;fold;seed\n2d:ceT1;1;0\n")
    dock.workspace.set_cohort(read_cohort(two_patients), two_patients)
    qtbot.waitUntil(lambda: dock._opened is not None)
    assert texts(dock) == ["75", "·"]
    assert f"{run(fold=2).key}.json is damaged" in dock.panel.message
    assert "scores.csv is no table of scores" in dock.panel.message
    assert dock.buttons.start.isEnabled()


def test_masks_that_are_signed_meanwhile_are_offered(ready, two_patients, make_case, sign_off):
    labels = two_patients.parent / "labels"
    labels.mkdir()
    shutil.copy(two_patients.parent / "a" / "necrosis.nii.gz", labels / "a.nii.gz")
    sign_off(labels, "a")
    assert ready.choices.corrected.isHidden()
    layer = ready.workspace.layers.add(case_layers(make_case("a"))[-1], is_saved=True)
    ready.workspace.layers.saved.emit(layer)
    assert not ready.choices.corrected.isHidden()
    shutil.copy(labels / "a.nii.gz", labels / "b.nii.gz")
    sign_off(labels, "b")
    ready.workspace.set_case(make_case("a"), None)
    assert "(2)" in ready.choices.corrected.text()


def test_a_study_goes_on_with_the_masks_that_it_began_with(qtbot, dock, two_patients):
    labels = two_patients.parent / "labels"
    labels.mkdir()
    for case in ("a", "b"):
        shutil.copy(two_patients.parent / case / "necrosis.nii.gz", labels / f"{case}.nii.gz")
    folder = write_study(two_patients.parent / "study" / "before", two_patients)
    record = read_study(folder)
    targets = {"a": "../../labels/a.nii.gz", "b": "../../b/necrosis.nii.gz"}
    cases = {
        case: one.model_copy(update={"target_file": targets[case]}) for case, one in record.cases.items()
    }
    write_record(folder / "study.json", record.model_copy(update={"cases": cases}))
    dock.workspace.set_cohort(read_cohort(two_patients), two_patients)
    qtbot.waitUntil(lambda: dock._opened is not None)
    assert dock.choices.corrected.isChecked()
    assert not dock.choices.corrected.isEnabled()
    cohort = dock.choices.cohort()
    assert cohort["a"].reference == labels / "a.nii.gz"
    assert cohort["b"].reference == two_patients.parent / "b" / "necrosis.nii.gz"


@pytest.mark.parametrize("odd", ["results, v2", "-old", "x" * 130])
def test_a_study_in_a_folder_of_any_name_opens(qtbot, ready, two_patients, odd):
    write_study(two_patients.parent / "study" / odd, two_patients)
    name(ready, odd)
    qtbot.waitUntil(lambda: ready._opened is not None)
    name(ready, f"{odd} 2, new")
    assert "cannot be called" in ready.summary.said


def test_folds_that_check_has_written_are_told_with_the_remedy(ready, two_patients):
    folder = two_patients.parent / "study" / "study-1"
    folder.mkdir(parents=True)
    (folder / "folds.csv").write_text("case,patient,fold\na,a,1\nb,b,1\n")
    ready.choices.changed.emit()
    settled(ready)
    assert "study-1/folds.csv" in ready.summary.said
    assert "another name, or remove that file" in ready.summary.said


def test_what_was_only_checked_is_listed_and_its_name_is_free(ready, two_patients):
    root = two_patients.parent / "study"
    for checked in ("study-1", "mine"):
        (root / checked).mkdir(parents=True)
        (root / checked / "folds.csv").write_text("case,patient,fold\na,a,1\nb,b,2\n")
    ready.place.show_project(two_patients.parent)
    listed = [ready.place.combo.itemText(row) for row in range(ready.place.combo.count())]
    assert sorted(listed) == ["mine", "study-1"]
    (root / "study-1" / "models").mkdir()
    ready.place.show_project(two_patients.parent)
    assert "study-2" in [ready.place.combo.itemText(row) for row in range(ready.place.combo.count())]


def test_a_name_on_its_way_opens_nothing(qtbot, ready, two_patients):
    write_study(two_patients.parent / "study" / "study-1", two_patients)
    name(ready, "other")
    ready.choices.form.input("minutes_per_run").set_value(7.0)
    for text in ("study-", "study-1", "study-10"):
        ready.place.combo.setEditText(text)
        assert not ready.reading.is_busy
    assert ready.choices.form.input("minutes_per_run").enabled
    assert ready.choices.config().minutes_per_run == 7.0
    assert ready.place.folder().name == "study-10"
    # A click on Start, with the name still in hand, does not start something else.
    ready.place.combo.setEditText("study-1")
    ready.start()
    assert not ready.runner.is_busy
    qtbot.waitUntil(lambda: ready._opened is not None)


def test_a_study_of_another_cohort_says_so_first(qtbot, ready, other_cohort):
    folder = write_study(ready.place.folder().parent / "foreign", other_cohort)
    (folder / "folds.csv").write_text("case,patient,fold\nx,x,1\ny,y,2\n")
    name(ready, "foreign")
    qtbot.waitUntil(lambda: ready._opened is not None)
    assert f"This study is of another cohort, {other_cohort}" in ready.summary.said
    assert not ready.buttons.start.isEnabled()


def test_the_model_that_a_study_starts_from_is_shown(opened, tmp_path):
    start = tmp_path / "far" / "model-7"
    record = opened._opened.record
    changed = record.model_copy(update={"config": record.config.changed(start_from=start)})
    opened.choices.lock(changed, None)
    assert opened.choices.start_from.combo.currentText() == "model-7"
    assert opened.choices.config().start_from == start
    # It is gone from there, and may be named anew.
    assert opened.choices.start_from.isEnabled()
    opened.choices.unlock()
    assert opened.choices.config().start_from is None


def test_several_changes_are_looked_at_once_with_a_training_a_configuration(ready, monkeypatch):
    asked = []
    real = study_status.training_of
    monkeypatch.setattr(study_status, "training_of", lambda *args: asked.append(args) or real(*args))
    for field, value in (("seeds", 9), ("workers", 2), ("minutes_per_run", 5.0)):
        ready.choices.form.input(field).set_value(value)
    settled(ready)
    assert "36 trainings" in ready.summary.said
    assert len(asked) == len(CONFIGURATIONS)


def test_the_last_round_of_workers_counts_whole(ready):
    """Four runs of ten minutes, three at a time: two rounds."""
    ready.choices.form.input("workers").set_value(3)
    settled(ready)
    assert "They train for about 20 min, 3 at a time." in ready.summary.said


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


def test_the_choice_of_predictions_stays_when_a_second_seed_renames_it(dock, make_case, tmp_path):
    a = make_case("a")
    results = [result_of(a, 1, 0.5, name) for name in CONFIGURATIONS]
    dock.cases.show_results(tmp_path, tmp_path, tuple(results))
    dock.cases.choice.setCurrentIndex(1)
    results.append(result_of(a, 1, 0.5, seed=1))
    dock.cases.show_results(tmp_path, tmp_path, tuple(results))
    assert dock.cases.choice.currentText() == "3D ceT1+T2, seed 0"


def test_a_study_whose_folder_was_removed_is_forgotten(opened):
    shutil.rmtree(opened._opened.folder)
    opened.choices.changed.emit()
    settled(opened)
    assert opened._opened is None
    assert opened.buttons.start.text() == "Start"
    assert opened.choices.form.input("minutes_per_run").enabled


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


def test_a_dock_that_was_closed_while_it_ran_reads_nothing_until_it_is_shown(
    qtbot, ready, fake, two_patients, monkeypatch
):
    fake(RunStarted(**about(run())))
    ready.start()
    qtbot.waitUntil(lambda: ready.progress.grid.text(run()) == "…")
    write_study(two_patients.parent / "study" / "study-1", two_patients)
    read = []
    monkeypatch.setattr(ready.reading, "read", read.append)
    with qtbot.waitSignal(ready.runner.cancelled):
        ready.shut_down()
    assert read == []
    ready._listeners.reconnect()
    ready.show()
    assert len(read) >= 1
    assert ready.choices.isEnabled()
    assert ready.progress.grid.text(run()) == "‖"
