"""The dock Study: its choices, a study from its files, and what a person is told."""

import dataclasses
import shutil

import numpy as np
import pytest

from faked_study import (
    CONFIGURATIONS,
    Job,
    about,
    done,
    predictions,
    result_of,
    run,
    settled,
    state_of,
    texts,
    type_name,
    write_study,
)
from napari_necroseg.core.case import Cohort, Sequence
from napari_necroseg.core.cohort.load import load_case
from napari_necroseg.core.cohort.table import read_cohort
from napari_necroseg.core.config.study import Configuration
from napari_necroseg.core.images.save import save_mask
from napari_necroseg.core.scoring.scores import score_masks
from napari_necroseg.core.study.record import read_study, write_record
from napari_necroseg.core.study.results import CaseResult, results_text
from napari_necroseg.core.study.run import (
    RunStarted,
)
from napari_necroseg.jobs import study, study_status
from napari_necroseg.layerdata import case_layers
from napari_necroseg.widgets.cases.dock import Cases
from napari_necroseg.widgets.shared import qt_parts
from napari_necroseg.widgets.study.dock import QDesktopServices, Study


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
    type_name(ready, "checked")
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
        network = Configuration("2d:ceT1")
        results.append(CaseResult(configuration=network, fold=fold, seed=0, case=name, scores=scores))
        save = folder / "predictions" / "2d-ceT1_seed-0" / f"{name}.nii.gz"
        save.parent.mkdir(parents=True, exist_ok=True)
        save_mask(save, prediction, case.origin)
    (folder / "scores.csv").write_text(results_text(reversed(results)))
    dock.workspace.set_cohort(read_cohort(two_patients), two_patients)
    qtbot.waitUntil(lambda: dock.cases.table.rowCount() == 2)
    return dock


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
    assert [one.state for one in ready.progress.status.runs.values()] == ["done", "done"]
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
    qtbot.waitUntil(lambda: ready.progress.status.runs[first.key].iteration > 0, timeout=60_000)
    with qtbot.waitSignal(ready.runner.cancelled):
        ready.runner.cancel()
    assert ready.progress.grid.text(first) == "‖"
    qtbot.waitUntil(ready.buttons.start.isEnabled)
    assert ready.buttons.start.text() == "Go on"


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
    type_name(opened, "new")
    opened.choices.form.input("seeds").set_value(1)
    assert opened.choices.config().seeds == 1
    assert box.isEnabled()


def test_nothing_starts_before_the_study_that_is_there_was_read(qtbot, ready, fake, two_patients):
    folder = write_study(two_patients.parent / "study" / "before", two_patients)
    job = fake()
    type_name(ready, "before")
    assert ready._opened is None
    assert ready.summary.said == "Reading this study ..."
    assert not ready.buttons.start.isEnabled()
    ready.start()
    ready.check()
    assert job.asked == []
    qtbot.waitUntil(lambda: ready._opened is not None)
    assert ready.buttons.start.isEnabled()
    # Nor after that failed; what was greyed is not any more.
    type_name(ready, "new")
    (folder / "study.json").write_text("{}")
    type_name(ready, "before")
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
    type_name(ready, odd)
    qtbot.waitUntil(lambda: ready._opened is not None)
    type_name(ready, f"{odd} 2, new")
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
    type_name(ready, "other")
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
    type_name(ready, "foreign")
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


def test_a_study_whose_folder_was_removed_is_forgotten(opened):
    shutil.rmtree(opened._opened.folder)
    opened.choices.changed.emit()
    settled(opened)
    assert opened._opened is None
    assert opened.buttons.start.text() == "Start"
    assert opened.choices.form.input("minutes_per_run").enabled


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
