"""The dock Study: a grid that fills in, runs again, a study from its files, and cases as predicted unseen."""

import dataclasses
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from napari_necroseg.core.case import Cohort, Sequence
from napari_necroseg.core.config.study import StudyConfig
from napari_necroseg.core.events import Finished, Started
from napari_necroseg.core.io.cohort import read_cohort, write_cohort
from napari_necroseg.core.io.load import load_case
from napari_necroseg.core.io.save import save_mask
from napari_necroseg.core.scoring.scores import score_masks
from napari_necroseg.core.study.events import RunAdvanced, RunDone, RunFailed, RunPlanned, RunStarted
from napari_necroseg.core.study.record import RunState, StudyCase, StudyRecord, write_record
from napari_necroseg.core.study.results import CaseResult, results_text
from napari_necroseg.core.study.runs import Run, runs_of
from napari_necroseg.layerdata import Role, case_layers
from napari_necroseg.widgets.cases.dock import Cases
from napari_necroseg.widgets.shared import ask
from napari_necroseg.widgets.study import jobs
from napari_necroseg.widgets.study.board import Board
from napari_necroseg.widgets.study.dock import QDesktopServices, Study
from napari_necroseg.widgets.study.grid import _brief
from napari_necroseg.widgets.study.words import standing_in_words, title_of

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


def done(one, dice=0.8, **more):
    return RunDone(**about(one), done=1, total=4, seconds=60.0, mean_dice=dice, **more)


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
    dock.choices.form.editor("folds").set_value(2)
    for name, box in dock.choices.boxes.items():
        box.setChecked(name in CONFIGURATIONS)
    return dock


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
        monkeypatch.setattr(jobs, "do_study", job)
        return job

    return make


def texts(dock, configuration="2d:ceT1"):
    return [dock.grid.text(run(configuration, fold)) for fold in (1, 2)]


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
    assert not dock.start_button.isEnabled()
    dock.start()
    assert not dock.runner.is_busy


def test_a_pair_of_files_is_no_cohort(dock, two_patients):
    dock.workspace.set_cohort(read_cohort(two_patients), None)
    assert "a pair of files, not a cohort" in dock.summary.said
    assert not dock.start_button.isEnabled()


def test_what_will_happen_stands_in_a_sentence(ready, two_patients):
    assert "4 trainings: 2 configurations × 2 folds" in ready.summary.said
    assert "(about 1 of the 2)" in ready.summary.said
    assert "One after another they train for 40 min" in ready.summary.said
    ready.choices.form.editor("workers").set_value(2)
    assert "They train for about 20 min, 2 at a time." in ready.summary.said
    assert ready.place.folder() == two_patients.parent / "study" / "study-1"
    assert texts(ready) == ["·", "·"]
    assert ready.progress.said == "0 of 4 runs done."


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"folds": 3}, "3 folds need at least 3 patients, but the cohort has 2"),
        ({"preset": "paper", "minutes_per_run": 5.0}, "the paper preset has a fixed length"),
        ({"minutes_per_run": 5.0, "steps_per_run": 100}, "minutes and iterations of a run were both given"),
    ],
)
def test_mistakes_are_told_in_words_before_anything_runs(ready, changes, words):
    for name, value in changes.items():
        ready.choices.form.editor(name).set_value(value)
    assert words in ready.summary.said.lower()
    assert not ready.start_button.isEnabled()
    assert not ready.check_button.isEnabled()


def test_no_configuration_and_no_name_are_told(ready):
    ready.place.combo.setEditText("a/b")
    assert "cannot be called 'a/b'" in ready.summary.said
    ready.place.combo.setEditText(" ")
    assert "Give the study a name" in ready.summary.said
    for box in ready.choices.boxes.values():
        box.setChecked(False)
    assert "tick at least one" in ready.summary.said
    assert not ready.start_button.isEnabled()


def test_cases_that_lack_a_sequence_or_a_mask_are_named(dock, cohort_table):
    cohort = read_cohort(cohort_table)
    less = dataclasses.replace(cohort["b"], sequences={Sequence.CET1: cohort["b"].sequences[Sequence.CET1]})
    dock.workspace.set_cohort(Cohort(cases=(cohort["a"], less, cohort["c"])), cohort_table)
    assert "2 of 3 cases lack" in dock.summary.said
    assert "b (no T2)" in dock.summary.said
    assert "c (no reference mask)" in dock.summary.said


def test_folds_that_a_table_gives_are_proposed_and_must_be_kept(ready, two_patients, make_folds):
    cohort = read_cohort(two_patients)
    make_folds(cohort, [1, 1])
    ready.workspace.set_cohort(read_cohort(two_patients), two_patients)
    ready.choices.form.editor("folds").set_value(2)
    assert "the cases are in the folds 1" in ready.summary.said
    make_folds(cohort, [2, 1])
    ready.choices.form.editor("folds").set_value(5)
    ready.workspace.set_cohort(read_cohort(two_patients), two_patients)
    assert ready.choices.config().folds == 2
    assert "4 trainings" in ready.summary.said
    # Those that Check has written come first.
    folder = two_patients.parent / "study" / "checked"
    folder.mkdir(parents=True)
    (folder / "folds.csv").write_text("case,patient,fold\na,a,1\nb,b,3\n")
    ready.place.combo.setEditText("checked")
    assert "the cases are in the folds 1, 3" in ready.summary.said


def test_corrected_masks_are_used_if_wanted(qtbot, dock, cohort_table, fake):
    assert dock.choices.corrected.isHidden()
    labels = cohort_table.parent / "labels"
    labels.mkdir()
    shutil.copy(cohort_table.parent / "a" / "necrosis.nii.gz", labels / "c.nii.gz")
    dock.workspace.set_cohort(read_cohort(cohort_table), cohort_table)
    dock.choices.form.editor("folds").set_value(3)
    assert "c (no reference mask)" in dock.summary.said
    assert "(1)" in dock.choices.corrected.text()
    dock.choices.corrected.setChecked(True)
    assert "18 trainings" in dock.summary.said
    job = fake()
    job.go_on.set()
    with qtbot.waitSignal(dock.runner.finished):
        dock.start()
    assert job.asked[0].cohort["c"].reference == labels / "c.nii.gz"


def test_checking_shows_how_long_each_run_takes(qtbot, ready, fake):
    job = fake(*[planned(one) for one in runs_of(ready.choices.config())])
    job.go_on.set()
    with qtbot.waitSignal(ready.runner.finished):
        ready.check_button.click()
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
    qtbot.waitUntil(lambda: ready.grid.text(third) == "25%")
    assert texts(ready) == ["81", "✗"]
    assert texts(ready, "3d:ceT1+T2")[1] == "12m"
    assert list(ready.grid.means()) == ["81.2", ""]
    assert ready.progress.said.startswith("1 of 4 runs done, 1 failed")
    # The run that began last is followed.
    assert ready.run_view.key == third.key
    assert ready.run_view.curve.points == ((10, 0.5),)
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
    qtbot.waitUntil(lambda: ready.grid.text(second) == "✗")
    ready.grid.table.setCurrentCell(0, 0)
    assert ready.run_view.curve.points == ((5, 0.9), (10, 0.7))
    assert "2D ceT1, fold 1: training, 20% of the run." in ready.run_view.details.said
    assert not ready.run_view.again_button.isVisibleTo(ready.run_view)
    ready.grid.table.setCurrentCell(0, 1)
    assert "The memory did not suffice." in ready.run_view.details.said
    assert not ready.run_view.again_button.isEnabled()
    with qtbot.waitSignal(ready.runner.finished):
        job.go_on.set()
    assert ready.run_view.again_button.isEnabled()
    again = fake(RunStarted(**about(second)), done(second))
    with qtbot.waitSignal(ready.runner.finished):
        ready.run_view.again_button.click()
        again.go_on.set()
    assert again.asked[0].only == (second.key,)
    assert ready.grid.text(second) == "80"


def test_after_a_cancel_what_ran_is_interrupted_and_it_can_go_on(qtbot, ready, fake, two_patients):
    fake(RunStarted(**about(run())), advanced(run(), 0.5))
    ready.start()
    qtbot.waitUntil(lambda: texts(ready)[0] == "50%")
    write_study(two_patients.parent / "study" / "study-1", two_patients)
    with qtbot.waitSignal(ready.runner.cancelled, timeout=2000):
        ready.runner.cancel()
    qtbot.waitUntil(lambda: ready._opened is not None)
    assert texts(ready) == ["‖", "·"]
    assert ready.start_button.text() == "Go on"
    assert ready.start_button.isEnabled()
    assert "left" not in ready.progress.said


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
    assert dock.report_button.isEnabled()
    assert dock.start_button.text() == "Go on"
    # What would make it another study cannot be changed; what adds to it can.
    assert dock.choices.config().minutes_per_run == 3.0
    assert not dock.choices.form.editor("minutes_per_run").isEnabled()
    assert dock.choices.form.editor("seeds").isEnabled()
    dock.grid.table.setCurrentCell(0, 0)
    qtbot.waitUntil(lambda: dock.run_view.curve.points == ((5, 0.9), (10, 0.6)))
    assert dock.run_view.curve.dice == ((10, 0.5),)
    dock.choices.boxes["2d:T2"].setChecked(True)
    assert dock.progress.said == "1 of 6 runs done, 1 failed."
    # Another name is another study.
    dock.place.combo.setEditText("study-1")
    assert texts(dock) == ["·", "·"]
    assert dock.choices.form.editor("minutes_per_run").isEnabled()
    assert dock.run_view.isHidden()
    assert dock.start_button.text() == "Start"


def test_a_damaged_record_is_told(qtbot, dock, two_patients):
    folder = write_study(two_patients.parent / "study" / "before", two_patients)
    (folder / "study.json").write_text("{}")
    dock.workspace.set_cohort(read_cohort(two_patients), two_patients)
    qtbot.waitUntil(lambda: "damaged" in dock.panel.message)


def test_a_study_elsewhere_is_named_by_its_folder(qtbot, ready, two_patients, monkeypatch, tmp_path):
    folder = write_study(tmp_path / "elsewhere" / "old", two_patients, [state_of(run(), mean_dice=0.5)])
    monkeypatch.setattr(ask, "ask_folder", lambda *_: folder)
    ready.place._browse()
    qtbot.waitUntil(lambda: texts(ready)[0] == "50")
    monkeypatch.setattr(ask, "ask_folder", lambda *_: tmp_path / "new")
    ready.place._browse()
    assert ready.place.folder() == tmp_path / "new" / "study-1"
    monkeypatch.setattr(ask, "ask_folder", lambda *_: None)
    ready.place._browse()
    assert ready.place.folder() == tmp_path / "new" / "study-1"


def test_the_report_opens_in_the_browser(qtbot, dock, two_patients, monkeypatch):
    folder = write_study(two_patients.parent / "study" / "before", two_patients)
    (folder / "report.html").touch()
    dock.workspace.set_cohort(read_cohort(two_patients), two_patients)
    opened = []
    monkeypatch.setattr(QDesktopServices, "openUrl", opened.append)
    dock.report_button.click()
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


def test_a_case_opens_with_the_prediction_of_the_network_that_has_not_seen_it(qtbot, scored, open_dock):
    assert [scored.cases.table.item(row, 0).text() for row in range(2)] == ["a", "b"]
    assert scored.cases.table.item(0, 1).text() == "50.0"
    assert "2 cases, mean Dice 75.0 %" in scored.cases.summary.said
    open_dock(Cases)
    scored.cases.table.cellDoubleClicked.emit(0, 0)
    qtbot.waitUntil(lambda: len(predictions(scored, "a")) == 1, timeout=10_000)
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
    qtbot.waitUntil(lambda: len(predictions(scored, "a")) == 1, timeout=10_000)
    list(scored.workspace.layers.show((), first_slice=0))
    scored.cases.table.step(1)
    qtbot.waitUntil(lambda: len(predictions(scored, "b")) == 1, timeout=10_000)
    scored.cases.table.step(1)
    assert scored.workspace.case.name == "b"


def test_another_case_that_was_opened_instead_gets_no_prediction(qtbot, scored, make_case):
    wanted = []
    scored.workspace.case_wanted.connect(wanted.append)
    scored.cases.open("a")
    assert wanted == ["a"]
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
    scored.cases.show_results(scored._opened.folder, tuple(results))
    assert scored.cases.table.chosen() == "b"
    assert scored.cases._cohort == scored.workspace.cohort_path


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
    board, one = Board(), run()
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
    board, one = Board(), run()
    board.take(planned(one))
    board.take(dataclasses.replace(planned(one), estimated_s=None, training=7))
    plan = board.standings[one.key].plan
    assert (plan.estimated_s, plan.training) == (720.0, 7)


def test_what_was_learned_stays_known_after_the_training():
    board, one = Board(), run()
    board.take(RunStarted(**about(one)))
    board.take(advanced(one, 0.5, loss=0.25, iteration=40))
    board.take(RunAdvanced(**about(one), phase="scoring", share=0.98))
    standing = board.standings[one.key]
    assert (standing.phase, standing.iteration, standing.loss) == ("scoring", 40, 0.25)
    # Begun again, it knows nothing of that.
    board.take(RunStarted(**about(one)))
    assert (board.standings[one.key].iteration, board.points(one.key)) == (0, ())


def test_the_mean_is_over_cases():
    board = Board()
    states = [
        state_of(run(), mean_dice=0.4),
        RunState(**about(run(fold=2)), state="done", training=(), validation=("b", "c", "d"), mean_dice=0.8),
        state_of(run(fold=3)),
    ]
    board.show([one.run for one in states], {one.run.key: one for one in states})
    assert board.mean_dice("2d:ceT1", 0) == pytest.approx(0.7)
    assert board.mean_dice("2d:ceT1", 1) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(20, "20s"), (60, "1m"), (640, "11m"), (4640, "1.3h"), (36_000, "10h"), (200_000, "2.3d")],
)
def test_a_time_fits_into_a_cell(seconds, text):
    assert _brief(seconds) == text


def test_a_run_is_told_in_words():
    board, one = Board(), Run(configuration="3d:ceT1+T2", fold=2, seed=1)
    assert title_of(one) == "3D ceT1+T2, fold 2, seed 1"
    board.take(planned(one, memory_gib=2.5, estimated_iterations=900))
    said = standing_in_words(board.standings[one.key])
    assert "10 min (about 900 iterations) on 1 case, scored on 1." in said
    assert "It takes about 12 min and 2.5 GiB." in said
    board.take(done(one, dice=None))
    assert "Mean Dice undefined over 1 case" in standing_in_words(board.standings[one.key])


def test_a_whole_study_from_the_dock(qtbot, ready, two_patients):
    ready.choices.boxes["3d:ceT1+T2"].setChecked(False)
    for name, value in (("steps_per_run", 2), ("workers", 1), ("threads", 1), ("device", "cpu")):
        ready.choices.form.editor(name).set_value(value)
    results, heard = [], []
    ready.workspace.models_changed.connect(lambda: heard.append("models"))
    ready.runner.finished.connect(results.append)
    ready.runner.failed.connect(results.append)
    ready.start_button.click()
    qtbot.waitUntil(lambda: len(results) == 1, timeout=60_000)
    assert (results[0].done, results[0].failed, results[0].total) == (2, 0, 2)
    assert [one.state for one in ready.board.standings.values()] == ["done", "done"]
    assert heard == ["models"]
    qtbot.waitUntil(lambda: ready.cases.table.rowCount() == 2)
    assert ready.start_button.text() == "Go on"
    ready.grid.table.setCurrentCell(0, 1)
    qtbot.waitUntil(lambda: len(ready.run_view.curve.points) > 0)
