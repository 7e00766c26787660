"""The cases of a study in its dock: each as predicted by the network that has not seen it."""

import numpy as np

from faked_study import CONFIGURATIONS, predictions, result_of
from napari_necroseg.core.cohort.load import load_case
from napari_necroseg.core.cohort.table import read_cohort
from napari_necroseg.core.study.record import write_record
from napari_necroseg.layerdata import case_layers
from napari_necroseg.widgets.cases.dock import Cases


def test_a_mean_over_fewer_cases_than_the_study_has_says_so(scored_study):
    shown = scored_study._opened
    scored_study.cases.show_results(shown.folder, shown.table, results=shown.results, n_cases=6)
    assert "2 of the 6 cases, mean Dice 75.0 %" in scored_study.cases.summary.said


def test_a_case_opens_with_the_prediction_of_the_network_that_has_not_seen_it(qtbot, scored_study, open_dock):
    assert [scored_study.cases.table.item(row, 0).text() for row in range(2)] == ["a", "b"]
    assert scored_study.cases.table.item(0, 1).text() == "50.0"
    assert "2 cases, mean Dice 75.0 %" in scored_study.cases.summary.said
    open_dock(Cases)
    scored_study.cases.table.cellDoubleClicked.emit(0, 0)
    qtbot.waitUntil(lambda: len(predictions(scored_study, "a")) == 1)
    (layer,) = predictions(scored_study, "a")
    reference = scored_study.workspace.case.reference.voxels
    np.testing.assert_array_equal(layer.data, np.roll(reference, 5, axis=1))
    assert layer.contour == 1
    # Nothing is shown twice, and what was drawn on stays beside what is on disk.
    scored_study.cases.open("a")
    qtbot.waitUntil(lambda: not scored_study.cases.reading.is_busy)
    assert predictions(scored_study, "a") == [layer]
    layer.data[0, 0, 0] = 1
    scored_study.cases.open("a")
    qtbot.waitUntil(lambda: len(predictions(scored_study, "a")) == 2)
    assert layer.data[0, 0, 0] == 1


def test_next_goes_to_the_case_with_the_next_best_dice(qtbot, scored_study, open_dock):
    open_dock(Cases)
    scored_study.cases.table.step(1)
    qtbot.waitUntil(lambda: len(predictions(scored_study, "a")) == 1)
    list(scored_study.workspace.layers.show((), first_slice=0))
    scored_study.cases.table.step(1)
    qtbot.waitUntil(lambda: len(predictions(scored_study, "b")) == 1)
    scored_study.cases.table.step(1)
    assert scored_study.workspace.case.name == "b"


def test_another_case_that_was_opened_instead_gets_no_prediction(qtbot, scored_study, make_case):
    def begin(name):
        scored_study.workspace.opening = name

    scored_study.workspace.case_wanted.connect(begin)
    scored_study.cases.open("a")
    assert scored_study.cases._awaited[0] == "a"
    other = make_case("b")
    for data in case_layers(other):
        scored_study.workspace.layers.add(data, is_saved=True)
    scored_study.workspace.set_case(other, None)
    scored_study.workspace.set_case(make_case("a"), None)
    assert not scored_study.cases.reading.is_busy
    assert predictions(scored_study, "a") == []


def test_more_scores_leave_the_row_that_was_chosen(scored_study):
    scored_study.cases.table.selectRow(1)
    results = [one for group in scored_study.cases._results.values() for one in group]
    scored_study.cases.show_results(
        scored_study._opened.folder, scored_study._opened.table, results=tuple(results)
    )
    assert scored_study.cases.table.chosen() == "b"


def test_a_case_of_the_same_name_in_another_cohort_is_not_taken_for_it(scored_study, make_case, tmp_path):
    scored_study.workspace.set_case(make_case("a"), None)
    scored_study.workspace.cohort_path = tmp_path / "other" / "cohort.csv"
    scored_study.cases.open("a")
    assert f"This study is of the cohort {tmp_path / 'study' / 'cohort.csv'}" in scored_study.panel.message
    assert not scored_study.cases.reading.is_busy


def test_without_the_dock_cases_a_double_click_says_so(scored_study):
    scored_study.cases.table.cellDoubleClicked.emit(0, 0)
    assert "Open the dock Cases" in scored_study.panel.message


def test_a_prediction_that_is_gone_is_told(qtbot, scored_study, make_case):
    (scored_study._opened.folder / "predictions" / "2d-ceT1_seed-0" / "a.nii.gz").unlink()
    scored_study.workspace.set_case(make_case("a"), None)
    scored_study.cases.open("a")
    qtbot.waitUntil(lambda: "a.nii.gz" in scored_study.panel.message)


def test_another_image_under_the_name_of_a_case_gets_no_prediction(
    qtbot, scored_study, make_case, two_patients
):
    scored_study.workspace.set_case(make_case("a", shape=(7, 44, 38)), None)
    scored_study.cases.open("a")
    qtbot.waitUntil(lambda: "The a that is open is another image" in scored_study.panel.message)
    assert predictions(scored_study, "a") == []
    # Nor on the same grid.
    scored_study.panel.say("")
    path = scored_study._opened.folder / "study.json"
    record = scored_study._opened.record
    a = record.cases["a"].model_copy(update={"images_sha256": {"ceT1": "0" * 64}})
    write_record(path, record.model_copy(update={"cases": {**record.cases, "a": a}}))
    scored_study.workspace.set_case(load_case(read_cohort(two_patients)["a"]), None)
    scored_study.cases.open("a")
    qtbot.waitUntil(lambda: "The a that is open is another image" in scored_study.panel.message)
    assert predictions(scored_study, "a") == []


def test_a_case_that_comes_later_with_another_cohort_is_not_the_one_that_was_wanted(
    scored_study, make_case, other_cohort
):
    scored_study.workspace.case_wanted.connect(lambda name: setattr(scored_study.workspace, "opening", name))
    scored_study.cases.open("a")
    scored_study.workspace.set_cohort(read_cohort(other_cohort), other_cohort)
    scored_study.workspace.set_case(make_case("a"), None)
    assert not scored_study.cases.reading.is_busy


def test_a_case_that_cannot_be_opened_is_told_and_not_waited_for(scored_study, two_patients):
    scored_study.workspace.case_wanted.connect(lambda _: None)
    scored_study.cases.open("a")
    assert scored_study.cases._awaited is None
    scored_study.workspace.set_cohort(read_cohort(two_patients).only(("b",)), two_patients)
    scored_study.cases.open("a")
    assert "a is not in the cohort that is open" in scored_study.panel.message


def test_the_choice_of_predictions_stays_when_a_second_seed_renames_it(study_dock, make_case, tmp_path):
    a = make_case("a")
    results = [result_of(a, 1, 0.5, name) for name in CONFIGURATIONS]
    study_dock.cases.show_results(tmp_path, tmp_path, results=tuple(results))
    study_dock.cases.choice.setCurrentIndex(1)
    results.append(result_of(a, 1, 0.5, seed=1))
    study_dock.cases.show_results(tmp_path, tmp_path, results=tuple(results))
    assert study_dock.cases.choice.currentText() == "3D ceT1+T2, seed 0"
