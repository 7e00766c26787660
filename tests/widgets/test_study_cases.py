"""The cases of a study in its dock: each as predicted by the network that has not seen it."""

import numpy as np
import pytest

from faked_study import CONFIGURATIONS, predictions, result_of, write_study
from napari_necroseg.core.cohort.load import load_case
from napari_necroseg.core.cohort.table import read_cohort
from napari_necroseg.core.config.study import Configuration
from napari_necroseg.core.images.save import save_mask
from napari_necroseg.core.scoring.scores import score_masks
from napari_necroseg.core.study.record import write_record
from napari_necroseg.core.study.results import CaseResult, results_text
from napari_necroseg.layerdata import case_layers
from napari_necroseg.widgets.cases.dock import Cases
from napari_necroseg.widgets.study.dock import Study


@pytest.fixture
def dock(open_dock):
    return open_dock(Study)


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


def test_the_choice_of_predictions_stays_when_a_second_seed_renames_it(dock, make_case, tmp_path):
    a = make_case("a")
    results = [result_of(a, 1, 0.5, name) for name in CONFIGURATIONS]
    dock.cases.show_results(tmp_path, tmp_path, tuple(results))
    dock.cases.choice.setCurrentIndex(1)
    results.append(result_of(a, 1, 0.5, seed=1))
    dock.cases.show_results(tmp_path, tmp_path, tuple(results))
    assert dock.cases.choice.currentText() == "3D ceT1+T2, seed 0"
