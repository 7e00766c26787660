"""The dock Study: its choices, a study from its files, and what a person is told."""

import dataclasses
import shutil

import pytest

from faked_study import (
    CONFIGURATIONS,
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
from napari_necroseg.core.cohort.table import read_cohort
from napari_necroseg.core.study.record import read_study, write_record
from napari_necroseg.core.study.results import results_text
from napari_necroseg.core.study.run import (
    RunStarted,
)
from napari_necroseg.jobs import study_status
from napari_necroseg.layerdata import case_layers
from napari_necroseg.widgets.cases.dock import Cases
from napari_necroseg.widgets.shared import qt_parts
from napari_necroseg.widgets.study.dock import QDesktopServices


def test_without_a_cohort_it_says_what_to_do(study_dock):
    assert "Open a cohort" in study_dock.summary.said
    assert not study_dock.buttons.start.isEnabled()
    study_dock.start()
    assert not study_dock.runner.is_busy


def test_a_pair_of_files_is_no_cohort(study_dock, two_patients):
    study_dock.workspace.set_cohort(read_cohort(two_patients), None)
    assert "a pair of files, not a cohort" in study_dock.summary.said
    assert not study_dock.buttons.start.isEnabled()


def test_what_will_happen_stands_in_a_sentence(ready_study, two_patients):
    assert "4 trainings: 2 configurations × 2 folds" in ready_study.summary.said
    assert "(about 1 of the 2)" in ready_study.summary.said
    assert "They train for 40 min in all; Check says how many run at once" in ready_study.summary.said
    ready_study.choices.form.input("workers").set_value(2)
    settled(ready_study)
    assert "They train for about 20 min, 2 at a time." in ready_study.summary.said
    assert ready_study.place.folder() == two_patients.parent / "study" / "study-1"
    assert texts(ready_study) == ["·", "·"]
    assert ready_study.progress.said.said == "0 of 4 runs done."


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"folds": 3}, "3 folds need as many patients, but there are 2"),
        ({"preset": "paper", "minutes_per_run": 5.0}, "the paper preset has a fixed length"),
        ({"minutes_per_run": 5.0, "steps_per_run": 100}, "minutes and iterations of a run were both given"),
    ],
)
def test_mistakes_are_told_in_words_before_anything_runs(ready_study, changes, words):
    for name, value in changes.items():
        ready_study.choices.form.input(name).set_value(value)
    settled(ready_study)
    assert words in ready_study.summary.said.lower()
    assert not ready_study.buttons.start.isEnabled()
    assert not ready_study.buttons.check.isEnabled()


def test_no_configuration_and_no_name_are_told(ready_study):
    ready_study.place.combo.setEditText("a/b")
    assert "cannot be called 'a/b'" in ready_study.summary.said
    ready_study.place.combo.setEditText(" ")
    assert "Give the study a name" in ready_study.summary.said
    for box in ready_study.choices.boxes.values():
        box.setChecked(False)
    settled(ready_study)
    assert "tick at least one" in ready_study.summary.said
    assert not ready_study.buttons.start.isEnabled()


def test_cases_that_lack_a_sequence_or_a_mask_are_named(study_dock, cohort_table):
    cohort = read_cohort(cohort_table)
    less = dataclasses.replace(cohort["b"], sequences={Sequence.CET1: cohort["b"].sequences[Sequence.CET1]})
    study_dock.workspace.set_cohort(Cohort(cases=(cohort["a"], less, cohort["c"])), cohort_table)
    assert "b (and 1 more) cannot take part: it has no T2." in study_dock.summary.said


def test_folds_that_a_table_gives_are_proposed_and_must_be_kept(ready_study, two_patients, make_folds):
    cohort = read_cohort(two_patients)
    make_folds(cohort, [1, 1])
    ready_study.workspace.set_cohort(read_cohort(two_patients), two_patients)
    ready_study.choices.form.input("folds").set_value(2)
    settled(ready_study)
    assert "the cases are in the folds 1" in ready_study.summary.said
    make_folds(cohort, [2, 1])
    ready_study.choices.form.input("folds").set_value(5)
    ready_study.workspace.set_cohort(read_cohort(two_patients), two_patients)
    assert ready_study.choices.config().folds == 2
    assert "4 trainings" in ready_study.summary.said
    # Those that Check has written come first.
    folder = two_patients.parent / "study" / "checked"
    folder.mkdir(parents=True)
    (folder / "folds.csv").write_text("case,patient,fold\na,a,1\nb,b,3\n")
    type_name(ready_study, "checked")
    assert "the cases are in the folds 1, 3" in ready_study.summary.said


def test_signed_masks_are_used_if_wanted(qtbot, study_dock, cohort_table, fake_study, sign_off):
    assert study_dock.choices.corrected.isHidden()
    labels = cohort_table.parent / "labels"
    labels.mkdir()
    for name in ("a", "c"):
        shutil.copy(cohort_table.parent / "a" / "necrosis.nii.gz", labels / f"{name}.nii.gz")
    sign_off(labels, "c")
    study_dock.workspace.set_cohort(read_cohort(cohort_table), cohort_table)
    study_dock.choices.form.input("folds").set_value(3)
    settled(study_dock)
    assert "c cannot take part: it has no reference mask" in study_dock.summary.said
    assert "(1)" in study_dock.choices.corrected.text()
    study_dock.choices.corrected.setChecked(True)
    settled(study_dock)
    assert "18 trainings" in study_dock.summary.said
    job = fake_study()
    job.go_on.set()
    with qtbot.waitSignal(study_dock.runner.finished):
        study_dock.start()
    used = job.asked[0].cohort
    assert used["c"].reference == labels / "c.nii.gz"
    assert used["a"].reference == cohort_table.parent / "a" / "necrosis.nii.gz"
    study_dock.choices.unsigned.setChecked(True)
    assert study_dock.choices.cohort()["a"].reference == labels / "a.nii.gz"


def test_a_study_that_is_there_is_shown_from_its_files(qtbot, study_dock, two_patients):
    first, second, third = run(), run(fold=2), run("3d:ceT1+T2")
    states = [state_of(first, mean_dice=0.75), state_of(second, "failed", reason="No memory.")]
    folder = write_study(two_patients.parent / "study" / "before", two_patients, states)
    (folder / "report.html").touch()
    for one in (first, third):
        (folder / "models" / one.key).mkdir(parents=True)
    (folder / "models" / third.key / "checkpoint.safetensors").touch()
    history = "iteration,seconds,loss,validation_dice\n5,1,0.9,\n10,2,0.6,0.5\n"
    (folder / "models" / first.key / "history.csv").write_text(history)
    study_dock.workspace.set_cohort(read_cohort(two_patients), two_patients)
    qtbot.waitUntil(lambda: study_dock._opened is not None)
    assert study_dock.place.combo.currentText() == "before"
    assert texts(study_dock) == ["75", "✗"]
    assert texts(study_dock, "3d:ceT1+T2") == ["‖", "·"]
    assert study_dock.buttons.report.isEnabled()
    assert study_dock.buttons.start.text() == "Go on"
    # What would make it another study cannot be changed; what adds to it can.
    assert study_dock.choices.config().minutes_per_run == 3.0
    assert not study_dock.choices.form.input("minutes_per_run").enabled
    assert study_dock.choices.form.input("seeds").enabled
    study_dock.progress.grid.table.setCurrentCell(0, 0)
    qtbot.waitUntil(lambda: study_dock.progress.run_view.curve.points == ((5, 0.9), (10, 0.6)))
    assert study_dock.progress.run_view.curve.dice == ((10, 0.5),)
    study_dock.choices.boxes["2d:T2"].setChecked(True)
    settled(study_dock)
    assert study_dock.progress.said.said == "1 of 6 runs done, 1 failed."
    # Another name is another study.
    study_dock.place.combo.setEditText("study-1")
    assert texts(study_dock) == ["·", "·"]
    assert study_dock.choices.form.input("minutes_per_run").enabled
    assert study_dock.progress.run_view.isHidden()
    assert study_dock.buttons.start.text() == "Start"


def test_a_damaged_record_is_told(qtbot, study_dock, two_patients):
    folder = write_study(two_patients.parent / "study" / "before", two_patients)
    (folder / "study.json").write_text("{}")
    study_dock.workspace.set_cohort(read_cohort(two_patients), two_patients)
    qtbot.waitUntil(lambda: "damaged" in study_dock.panel.message)


def test_a_study_elsewhere_is_named_by_its_folder(qtbot, ready_study, two_patients, monkeypatch, tmp_path):
    folder = write_study(tmp_path / "elsewhere" / "old", two_patients, [state_of(run(), mean_dice=0.5)])
    monkeypatch.setattr(qt_parts, "ask_folder", lambda *_, **__: folder)
    ready_study.place._browse()
    qtbot.waitUntil(lambda: texts(ready_study)[0] == "50")
    monkeypatch.setattr(qt_parts, "ask_folder", lambda *_, **__: tmp_path / "new")
    ready_study.place._browse()
    assert ready_study.place.folder() == tmp_path / "new" / "study-1"
    monkeypatch.setattr(qt_parts, "ask_folder", lambda *_, **__: None)
    ready_study.place._browse()
    assert ready_study.place.folder() == tmp_path / "new" / "study-1"


def test_the_report_opens_in_the_browser(qtbot, study_dock, two_patients, monkeypatch):
    folder = write_study(two_patients.parent / "study" / "before", two_patients)
    (folder / "report.html").touch()
    study_dock.workspace.set_cohort(read_cohort(two_patients), two_patients)
    urls = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: urls.append(url) or bool(urls[1:]))
    study_dock.buttons.report.click()
    assert [url.toLocalFile() for url in urls] == [str(folder / "report.html")]
    # Without a browser, the path is said.
    assert str(folder / "report.html") in study_dock.panel.message
    study_dock.panel.say("")
    study_dock.buttons.report.click()
    assert study_dock.panel.message == ""


def test_a_whole_study_from_the_dock(qtbot, ready_study, two_patients, open_dock):
    ready_study.choices.boxes["3d:ceT1+T2"].setChecked(False)
    for name, value in (("steps_per_run", 2), ("workers", 1), ("threads", 1), ("device", "cpu")):
        ready_study.choices.form.input(name).set_value(value)
    results, heard = [], []
    ready_study.workspace.models_changed.connect(lambda: heard.append("models"))
    ready_study.runner.finished.connect(results.append)
    ready_study.runner.failed.connect(results.append)
    ready_study.buttons.start.click()
    qtbot.waitUntil(lambda: len(results) == 1, timeout=60_000)
    assert results[0].startswith("2 of 2 runs are done; the report is ")
    assert [one.state for one in ready_study.progress.status.runs.values()] == ["done", "done"]
    assert heard == ["models"]
    qtbot.waitUntil(lambda: ready_study.cases.table.rowCount() == 2)
    assert ready_study.buttons.start.text() == "Go on"
    ready_study.progress.grid.table.setCurrentCell(0, 1)
    qtbot.waitUntil(lambda: len(ready_study.progress.run_view.curve.points) > 0)
    # The images that are read to be shown are those that it was trained on.
    open_dock(Cases)
    ready_study.cases.open("b")
    qtbot.waitUntil(lambda: len(predictions(ready_study, "b")) == 1)


def test_a_real_study_is_cancelled_within_two_seconds(qtbot, ready_study):
    for field, value in (("steps_per_run", 100_000), ("workers", 1), ("threads", 1), ("device", "cpu")):
        ready_study.choices.form.input(field).set_value(value)
    ready_study.buttons.start.click()
    first = run()
    qtbot.waitUntil(lambda: ready_study.progress.status.runs[first.key].iteration > 0, timeout=60_000)
    with qtbot.waitSignal(ready_study.runner.cancelled):
        ready_study.runner.cancel()
    assert ready_study.progress.grid.text(first) == "‖"
    qtbot.waitUntil(ready_study.buttons.start.isEnabled)
    assert ready_study.buttons.start.text() == "Go on"


def test_another_cohort_that_is_opened_while_a_study_runs_gets_none_of_its_masks(
    qtbot, ready_study, fake_study, make_case, two_patients, other_cohort
):
    folder = write_study(two_patients.parent / "study" / "study-1", two_patients)
    (folder / "scores.csv").write_text(results_text([result_of(make_case("a"), 1, 0.5)]))
    (folder / "study.json").unlink()
    job = fake_study(RunStarted(**about(run())), done(run()))
    ready_study.start()
    qtbot.waitUntil(lambda: ready_study.cases.table.rowCount() == 1)
    ready_study.workspace.set_case(make_case("a"), None)
    for table in (other_cohort, None):
        ready_study.workspace.set_cohort(read_cohort(other_cohort), table)
        ready_study.cases.open("a")
        assert f"This study is of the cohort {two_patients}" in ready_study.panel.message
        assert not ready_study.cases.reading.is_busy
        ready_study.panel.say("")
    # When it is over, the dock turns to what was opened meanwhile.
    ready_study.workspace.set_cohort(read_cohort(other_cohort), other_cohort)
    with qtbot.waitSignal(ready_study.runner.finished):
        job.go_on.set()
    assert ready_study.place.folder() == other_cohort.parent / "study" / "study-1"
    assert ready_study.cases.isHidden()
    assert ready_study.buttons.start.text() == "Start"


def test_what_a_study_has_stays_part_of_it(opened_study):
    box = opened_study.choices.boxes["2d:ceT1"]
    assert box.isChecked()
    assert not box.isEnabled()
    box.setChecked(False)
    assert settled(opened_study).choices.config().configurations == CONFIGURATIONS
    assert opened_study.progress.said.said == "1 of 4 runs done."
    record = opened_study._opened.record
    more = record.model_copy(update={"config": record.config.changed(seeds=3)})
    opened_study.choices.lock(more, None)
    opened_study.choices.form.input("seeds").set_value(1)
    assert opened_study.choices.config().seeds == 3
    type_name(opened_study, "new")
    opened_study.choices.form.input("seeds").set_value(1)
    assert opened_study.choices.config().seeds == 1
    assert box.isEnabled()


def test_nothing_starts_before_the_study_that_is_there_was_read(qtbot, ready_study, fake_study, two_patients):
    folder = write_study(two_patients.parent / "study" / "before", two_patients)
    job = fake_study()
    type_name(ready_study, "before")
    assert ready_study._opened is None
    assert ready_study.summary.said == "Reading this study ..."
    assert not ready_study.buttons.start.isEnabled()
    ready_study.start()
    ready_study.check()
    assert job.asked == []
    qtbot.waitUntil(lambda: ready_study._opened is not None)
    assert ready_study.buttons.start.isEnabled()
    # Nor after that failed; what was greyed is not any more.
    type_name(ready_study, "new")
    (folder / "study.json").write_text("{}")
    type_name(ready_study, "before")
    qtbot.waitUntil(lambda: "damaged" in ready_study.summary.said)
    ready_study.start()
    assert job.asked == []
    assert ready_study.choices.form.input("minutes_per_run").enabled


def test_one_damaged_file_hides_nothing_else_of_a_study(qtbot, study_dock, two_patients):
    states = [state_of(run(), mean_dice=0.75, scored=1), state_of(run(fold=2), mean_dice=0.5)]
    folder = write_study(two_patients.parent / "study" / "before", two_patients, states)
    (folder / "runs" / f"{run(fold=2).key}.json").write_text('{"state": "done"}')
    (folder / "runs" / ".half.json").write_text("")
    (folder / "scores.csv").write_text("configuration;fold;seed\n2d:ceT1;1;0\n")
    study_dock.workspace.set_cohort(read_cohort(two_patients), two_patients)
    qtbot.waitUntil(lambda: study_dock._opened is not None)
    assert texts(study_dock) == ["75", "·"]
    assert f"{run(fold=2).key}.json is damaged" in study_dock.panel.message
    assert "scores.csv is no table of scores" in study_dock.panel.message
    assert study_dock.buttons.start.isEnabled()


def test_masks_that_are_signed_meanwhile_are_offered(ready_study, two_patients, make_case, sign_off):
    labels = two_patients.parent / "labels"
    labels.mkdir()
    shutil.copy(two_patients.parent / "a" / "necrosis.nii.gz", labels / "a.nii.gz")
    sign_off(labels, "a")
    assert ready_study.choices.corrected.isHidden()
    layer = ready_study.workspace.layers.add(case_layers(make_case("a"))[-1], is_saved=True)
    ready_study.workspace.layers.saved.emit(layer)
    assert not ready_study.choices.corrected.isHidden()
    shutil.copy(labels / "a.nii.gz", labels / "b.nii.gz")
    sign_off(labels, "b")
    ready_study.workspace.set_case(make_case("a"), None)
    assert "(2)" in ready_study.choices.corrected.text()


def test_a_study_goes_on_with_the_masks_that_it_began_with(qtbot, study_dock, two_patients):
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
    study_dock.workspace.set_cohort(read_cohort(two_patients), two_patients)
    qtbot.waitUntil(lambda: study_dock._opened is not None)
    assert study_dock.choices.corrected.isChecked()
    assert not study_dock.choices.corrected.isEnabled()
    cohort = study_dock.choices.cohort()
    assert cohort["a"].reference == labels / "a.nii.gz"
    assert cohort["b"].reference == two_patients.parent / "b" / "necrosis.nii.gz"


@pytest.mark.parametrize("odd", ["results, v2", "-old", "x" * 130])
def test_a_study_in_a_folder_of_any_name_opens(qtbot, ready_study, two_patients, odd):
    write_study(two_patients.parent / "study" / odd, two_patients)
    type_name(ready_study, odd)
    qtbot.waitUntil(lambda: ready_study._opened is not None)
    type_name(ready_study, f"{odd} 2, new")
    assert "cannot be called" in ready_study.summary.said


def test_folds_that_check_has_written_are_told_with_the_remedy(ready_study, two_patients):
    folder = two_patients.parent / "study" / "study-1"
    folder.mkdir(parents=True)
    (folder / "folds.csv").write_text("case,patient,fold\na,a,1\nb,b,1\n")
    ready_study.choices.changed.emit()
    settled(ready_study)
    assert "study-1/folds.csv" in ready_study.summary.said
    assert "another name, or remove that file" in ready_study.summary.said


def test_what_was_only_checked_is_listed_and_its_name_is_free(ready_study, two_patients):
    root = two_patients.parent / "study"
    for checked in ("study-1", "mine"):
        (root / checked).mkdir(parents=True)
        (root / checked / "folds.csv").write_text("case,patient,fold\na,a,1\nb,b,2\n")
    ready_study.place.show_project(two_patients.parent)
    listed = [ready_study.place.combo.itemText(row) for row in range(ready_study.place.combo.count())]
    assert sorted(listed) == ["mine", "study-1"]
    (root / "study-1" / "models").mkdir()
    ready_study.place.show_project(two_patients.parent)
    assert "study-2" in [
        ready_study.place.combo.itemText(row) for row in range(ready_study.place.combo.count())
    ]


def test_a_name_on_its_way_opens_nothing(qtbot, ready_study, two_patients):
    write_study(two_patients.parent / "study" / "study-1", two_patients)
    type_name(ready_study, "other")
    ready_study.choices.form.input("minutes_per_run").set_value(7.0)
    for text in ("study-", "study-1", "study-10"):
        ready_study.place.combo.setEditText(text)
        assert not ready_study.reading.is_busy
    assert ready_study.choices.form.input("minutes_per_run").enabled
    assert ready_study.choices.config().minutes_per_run == 7.0
    assert ready_study.place.folder().name == "study-10"
    # A click on Start, with the name still in hand, does not start something else.
    ready_study.place.combo.setEditText("study-1")
    ready_study.start()
    assert not ready_study.runner.is_busy
    qtbot.waitUntil(lambda: ready_study._opened is not None)


def test_a_study_of_another_cohort_says_so_first(qtbot, ready_study, other_cohort):
    folder = write_study(ready_study.place.folder().parent / "foreign", other_cohort)
    (folder / "folds.csv").write_text("case,patient,fold\nx,x,1\ny,y,2\n")
    type_name(ready_study, "foreign")
    qtbot.waitUntil(lambda: ready_study._opened is not None)
    assert f"This study is of another cohort, {other_cohort}" in ready_study.summary.said
    assert not ready_study.buttons.start.isEnabled()


def test_the_model_that_a_study_starts_from_is_shown(opened_study, tmp_path):
    start = tmp_path / "far" / "model-7"
    record = opened_study._opened.record
    changed = record.model_copy(update={"config": record.config.changed(start_from=start)})
    opened_study.choices.lock(changed, None)
    assert opened_study.choices.start_from.combo.currentText() == "model-7"
    assert opened_study.choices.config().start_from == start
    # It is gone from there, and may be named anew.
    assert opened_study.choices.start_from.isEnabled()
    opened_study.choices.unlock()
    assert opened_study.choices.config().start_from is None


def test_several_changes_are_looked_at_once_with_a_training_a_configuration(ready_study, monkeypatch):
    asked = []
    real = study_status.training_of
    monkeypatch.setattr(study_status, "training_of", lambda *args: asked.append(args) or real(*args))
    for field, value in (("seeds", 9), ("workers", 2), ("minutes_per_run", 5.0)):
        ready_study.choices.form.input(field).set_value(value)
    settled(ready_study)
    assert "36 trainings" in ready_study.summary.said
    assert len(asked) == len(CONFIGURATIONS)


def test_the_last_round_of_workers_counts_whole(ready_study):
    """Four runs of ten minutes, three at a time: two rounds."""
    ready_study.choices.form.input("workers").set_value(3)
    settled(ready_study)
    assert "They train for about 20 min, 3 at a time." in ready_study.summary.said


def test_a_study_whose_folder_was_removed_is_forgotten(opened_study):
    shutil.rmtree(opened_study._opened.folder)
    opened_study.choices.changed.emit()
    settled(opened_study)
    assert opened_study._opened is None
    assert opened_study.buttons.start.text() == "Start"
    assert opened_study.choices.form.input("minutes_per_run").enabled


def test_a_dock_that_was_closed_while_it_ran_reads_nothing_until_it_is_shown(
    qtbot, ready_study, fake_study, two_patients, monkeypatch
):
    fake_study(RunStarted(**about(run())))
    ready_study.start()
    qtbot.waitUntil(lambda: ready_study.progress.grid.text(run()) == "…")
    write_study(two_patients.parent / "study" / "study-1", two_patients)
    read = []
    monkeypatch.setattr(ready_study.reading, "read", read.append)
    with qtbot.waitSignal(ready_study.runner.cancelled):
        ready_study.shut_down()
    assert read == []
    ready_study._listeners.reconnect()
    ready_study.show()
    assert len(read) >= 1
    assert ready_study.choices.isEnabled()
    assert ready_study.progress.grid.text(run()) == "‖"
