"""The step Draw & check: what the main button does next, the status line, and the way to the next case."""

from functools import partial

import numpy as np
import pytest
from correcting import labels_of
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_necroseg.core.case import Cohort, Sequence
from napari_necroseg.core.cohort.load import load_case
from napari_necroseg.core.cohort.table import read_cohort
from napari_necroseg.core.images.save import save_mask
from napari_necroseg.core.project.remembered import read_remembered, remember
from napari_necroseg.core.project.review import Status, read_review
from napari_necroseg.jobs import ahead
from napari_necroseg.layerdata import Began, Role, case_layers, source_of
from napari_necroseg.widgets.cases.dock import CasesParts
from napari_necroseg.widgets.panel.draw_step import DrawStep
from napari_necroseg.widgets.panel.status_line import StatusLine
from napari_necroseg.widgets.shared import qt_parts
from napari_necroseg.widgets.shared.worker import JobRunner


@pytest.fixture
def step(qtbot, viewer):
    """The step, the status line, and the parts that open cases."""
    made, cases = DrawStep(viewer), CasesParts(viewer)
    made.cases, made.status = cases, StatusLine(made.workspace)

    def stop(_widget):
        for part in (made, cases, made.status):
            part.shut_down()
        runners = [*made.findChildren(JobRunner), *cases.findChildren(JobRunner)]
        qtbot.waitUntil(lambda: not any(runner.is_busy for runner in runners))

    qtbot.addWidget(made, before_close_func=stop)
    return made


def open_first(qtbot, step, table):
    step.cases.open_table(table)
    wait_for(qtbot, step, read_cohort(table).names[0])


def wait_for(qtbot, step, name):
    workspace = step.workspace

    def stands():
        is_there = workspace.case is not None and workspace.case.name == name and not workspace.opening
        return is_there and not workspace.screen.is_busy and bool(step.correct.reviewing.statuses)

    qtbot.waitUntil(stands)
    qtbot.waitUntil(lambda: not step.correct.reviewing._quiet.is_busy and not step._settling.isActive())


@pytest.fixture
def opened(qtbot, step, cohort_table):
    open_first(qtbot, step, cohort_table)
    return step


def draw(step, at=(2, 18, 16)):
    step.workspace.in_hand.paint(at, 1)
    step.correct._list_slices()


def save_prediction(table, name, *, run="2d-1", moved=2):
    case = load_case(read_cohort(table)[name])
    path = table.parent / "predictions" / run / f"{name}.nii.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    voxels = np.roll(case.reference.voxels, moved, axis=1)
    save_mask(path, voxels, case.origin)
    return voxels


def test_without_a_case_one_is_to_be_opened(step):
    wanted = []
    step.workspace.step_wanted.connect(wanted.append)
    assert step.main().text == "Open a case"
    step.main().act()
    assert wanted == ["cases"]
    assert step.status.text.said == "No case is open."


def test_without_a_mask_the_main_button_is_the_click_on_the_zone(opened):
    assert opened.main().text == "Click on the zone"
    opened.main().act()
    assert opened.main().text == "Click into the zone ... (give up)"
    opened.main().act()
    assert opened.main().text == "Click on the zone"
    assert opened.empty_button.isVisibleTo(opened)


def test_without_a_mask_and_with_a_model_it_is_to_predict(opened, monkeypatch, tmp_path):
    monkeypatch.setattr(opened.predict.model, "run", lambda: tmp_path)
    assert opened.main().text == "Predict"


def test_a_model_that_cannot_read_the_case_or_has_failed_leaves_the_click(opened, monkeypatch, tmp_path):
    monkeypatch.setattr(opened.predict.model, "run", lambda: tmp_path)
    monkeypatch.setattr(opened.predict, "_sequences", (Sequence.CET1, "FLAIR"))
    assert opened.main().text == "Click on the zone"
    monkeypatch.setattr(opened.predict, "_sequences", (Sequence.CET1,))
    assert opened.main().text == "Predict"
    opened.predict.runner.failed.emit("The model has failed.")
    assert opened.main().text == "Click on the zone"


def test_a_saved_prediction_is_shown_as_my_mask_and_is_nothing_to_ask_about(qtbot, step, cohort_table):
    voxels = save_prediction(cohort_table, "a")
    open_first(qtbot, step, cohort_table)
    mask = step.workspace.in_hand
    np.testing.assert_array_equal(mask.data, voxels)
    source = source_of(mask.metadata)
    assert (source.role, source.began, source.run) == (Role.LABELS, Began.PREDICTION, "2d-1")
    assert step.workspace.journalling.unsaved() == []
    assert [layer.visible for layer in step.predict.predictions()] == [False]
    assert step.main().text == "Sign off and next"
    qtbot.waitUntil(lambda: "as predicted" in step.status.state.said)


def test_a_prediction_that_is_written_meanwhile_is_shown_unless_one_has_begun(qtbot, opened, cohort_table):
    draw(opened)
    voxels, mask = save_prediction(cohort_table, "a"), opened.workspace.in_hand
    opened.workspace.files_changed.emit()
    assert not opened.workspace.opening
    mask.undo()
    opened.workspace.files_changed.emit()
    qtbot.waitUntil(lambda: np.array_equal(mask.data, voxels))
    wait_for(qtbot, opened, "a")


def test_of_several_predictions_that_of_the_model_in_use_is_shown(qtbot, step, cohort_table, tmp_path):
    voxels = save_prediction(cohort_table, "a")
    save_prediction(cohort_table, "a", run="2d-2", moved=4)
    remember(model=tmp_path / "models" / "2d-1")
    open_first(qtbot, step, cohort_table)
    np.testing.assert_array_equal(step.workspace.in_hand.data, voxels)


def test_signing_off_asks_for_initials_once_and_goes_to_the_next_case(qtbot, opened):
    draw(opened)
    assert opened.main().text == "Sign off and next"
    opened.main().act()
    assert "initials" in opened.correct.panel.message
    initials = opened.correct.reviewing.part.initials
    assert "border" in initials.styleSheet()
    QTest.keyClicks(initials, "AB")
    QTest.keyClick(initials, Qt.Key.Key_Return)
    wait_for(qtbot, opened, "b")
    assert initials.styleSheet() == ""
    assert read_review(labels_of(opened), "a").reader == "AB"
    assert read_remembered().initials == "AB"
    assert not opened.workspace.in_hand.data.any()
    draw(opened)
    opened.main().act()
    wait_for(qtbot, opened, "c")
    assert read_review(labels_of(opened), "b").status is Status.REVIEWED


def test_a_signed_mask_says_so_and_leads_on_until_all_are_signed(qtbot, opened):
    opened.correct.reviewing.part.initials.setText("AB")
    for name, after in (("a", "b"), ("b", "c")):
        draw(opened)
        opened.main().act()
        wait_for(qtbot, opened, after)
        assert read_review(labels_of(opened), name).status is Status.REVIEWED
    draw(opened)
    assert opened.main().text == "Sign off"
    opened.main().act()
    qtbot.waitUntil(lambda: "signed off by AB" in opened.status.state.said)
    assert opened.main().text == "All cases are signed off"
    opened.cases.open_case("a")
    wait_for(qtbot, opened, "a")
    assert "signed off by AB" in opened.status.state.said
    draw(opened, (4, 3, 3))
    opened.status.refresh()
    assert "in work, each stroke is kept" in opened.status.state.said
    assert opened.main().text == "Sign off"


def test_a_signature_outlives_a_change_of_case_that_adds_layers(qtbot, opened, cohort_table):
    # A prediction is a layer that the signed case does not have: it is added while that mask is shown.
    save_prediction(cohort_table, "b")
    opened.correct.reviewing.part.initials.setText("AB")
    draw(opened)
    opened.main().act()
    wait_for(qtbot, opened, "b")
    opened.cases.open_case("a")
    wait_for(qtbot, opened, "a")
    opened.cases.open_case("b")
    wait_for(qtbot, opened, "b")
    opened.correct.hand.wait()
    assert read_review(labels_of(opened), "a").status is Status.REVIEWED
    assert read_review(labels_of(opened), "b").status is Status.UNTOUCHED


def test_that_there_is_nothing_can_be_signed_off(qtbot, opened):
    opened.correct.reviewing.part.initials.setText("AB")
    opened.empty_button.click()
    assert "press again" in opened.correct.panel.message
    opened.empty_button.click()
    wait_for(qtbot, opened, "b")
    review = read_review(labels_of(opened), "a")
    assert (review.status, review.changes.after_ml) == (Status.REVIEWED, 0)


def test_enter_in_the_initials_never_signs_off_an_empty_mask(qtbot, opened):
    initials = opened.correct.reviewing.part.initials
    QTest.keyClicks(initials, "AB")
    QTest.keyClick(initials, Qt.Key.Key_Return)
    assert not opened.correct.runner.is_busy
    assert not labels_of(opened).exists()


def test_two_presses_go_on_by_one_case_only(qtbot, opened):
    opened.correct.reviewing.part.initials.setText("AB")
    draw(opened)
    opened.sign_off()
    opened.sign_off()
    assert opened.main().act is None
    qtbot.waitUntil(lambda: opened.workspace.case.name == "b" and not opened.workspace.opening)
    # A further press would be meant for the case before.
    assert opened.main().act is None
    wait_for(qtbot, opened, "b")
    assert opened.main().text == "Click on the zone"


def test_a_case_that_is_chosen_while_one_is_signed_off_is_the_one_that_opens(qtbot, opened):
    opened.correct.reviewing.part.initials.setText("AB")
    opened.next_case.goes_on = True
    opened.workspace.opening = "c"
    wanted = []
    opened.workspace.case_wanted.connect(wanted.append)
    opened.correct.reviewing.signed.emit()
    assert (wanted, opened.next_case.goes_on) == ([], False)
    opened.workspace.opening = ""


def test_no_slice_of_a_signed_mask_was_seen_is_said(qtbot, opened):
    opened.viewer_slice = opened.workspace.layers.viewer.dims.set_current_step
    opened.viewer_slice(0, 0)
    opened.correct.check.begin(None, None)
    opened.workspace.in_hand.data_setitem((np.array([5]), np.array([3]), np.array([3])), 1)
    opened.correct._list_slices()
    opened.correct.reviewing.part.initials.setText("AB")
    opened.main().act()
    wait_for(qtbot, opened, "b")
    assert "not looked at" in opened.correct.notice.text.said
    opened.correct.notice.button.click()
    wait_for(qtbot, opened, "a")


def test_the_status_line_follows_strokes_and_undo(qtbot, opened):
    status, mask = opened.status, opened.workspace.in_hand
    voxel_ml = opened.workspace.case.grid.voxel_ml
    qtbot.waitUntil(lambda: status.text.said == "a | my mask | empty")
    assert status.state.said == f"nothing drawn | reference {200 * voxel_ml:.2f} mL"
    mask.data_setitem((np.array([2] * 100), *np.divmod(np.arange(100) + 14 * 36 + 12, 36)), 1)
    qtbot.waitUntil(lambda: f"{100 * voxel_ml:.2f} mL, longest" in status.text.said)
    assert "in work, each stroke is kept | Dice 0." in status.state.said
    mask.undo()
    qtbot.waitUntil(lambda: status.text.said == "a | my mask | empty")


def test_a_full_disk_is_in_the_status_line(qtbot, opened, monkeypatch):
    monkeypatch.setattr(type(opened.workspace.journalling), "trouble", property(lambda _: "Full."))
    draw(opened)
    opened.status.refresh()
    assert "not on disk" in opened.status.state.said


def test_the_next_case_is_read_ahead_and_opened_from_memory(qtbot, opened, monkeypatch):
    files = opened.workspace.cohort["b"]
    qtbot.waitUntil(lambda: opened.workspace.ahead.holds(files))

    def never(_files):
        raise AssertionError("read again")

    monkeypatch.setattr("napari_necroseg.jobs.cases.read_for_display", never)
    opened.workspace.case_wanted.emit("b")
    wait_for(qtbot, opened, "b")
    assert opened.workspace.case.name == "b"


def test_a_file_that_was_changed_meanwhile_is_read_again(qtbot, opened):
    files = opened.workspace.cohort["b"]
    qtbot.waitUntil(lambda: opened.workspace.ahead.holds(files))
    path = files.paths["ceT1"]
    path.write_bytes(path.read_bytes() + b"\0")
    assert not opened.workspace.ahead.holds(files)
    assert opened.workspace.ahead.take(files) is None


def test_preparing_stops_at_the_first_stroke_and_predicts_no_more(qtbot, opened, monkeypatch, tmp_path):
    runs, stops = [], []

    def prepare(files, folder, *, ahead, run, config, warm, stop):
        runs.append(run)
        stops.append(stop)
        while not stop.wait(0.005):
            yield None

    monkeypatch.setattr(ahead, "prepare", prepare)
    monkeypatch.setattr(opened.predict.model, "run", lambda: tmp_path)
    next_case = opened.next_case
    next_case._prepared = ""
    next_case._prepare()
    qtbot.waitUntil(lambda: len(stops) == 1)
    draw(opened)
    assert stops[0].is_set()
    assert runs == [tmp_path]
    qtbot.waitUntil(lambda: not next_case._runner.is_busy)
    next_case._later.stop()
    next_case._prepare()
    qtbot.waitUntil(lambda: len(runs) == 2)
    assert runs[1] is None


def test_a_pair_in_no_project_is_saved_where_the_person_chooses(
    qtbot, step, make_case, monkeypatch, tmp_path
):
    case = make_case()
    list(step.workspace.layers.show(case_layers(case), first_slice=2))
    step.workspace.set_cohort(Cohort(cases=()), None)
    step.workspace.set_case(case, None)
    qtbot.waitUntil(lambda: not step._settling.isActive())
    draw(step)
    assert step.main().text == "Save the mask ..."
    wanted = [None, tmp_path / "mine.nii.gz"]
    monkeypatch.setattr(qt_parts, "ask_where_to_save", lambda *_, **__: wanted.pop(0))
    step.main().act()
    assert not step.correct.runner.is_busy
    step.main().act()
    qtbot.waitUntil(lambda: step.main().text == "The mask is saved")
    assert (tmp_path / "mine.nii.gz").exists()


def test_the_scores_are_built_when_they_are_asked_for_and_judge_my_mask(qtbot, opened):
    assert opened.scores is None
    opened.scores_section.expand()
    opened._on_scores(True)
    assert opened.scores.masks.prediction.layer() is opened.workspace.in_hand
    assert opened.scores in opened.parts


def test_a_removed_mask_is_the_next_thing_to_take_back(qtbot, opened):
    mask = opened.workspace.in_hand
    opened.workspace.layers.viewer.layers.remove(mask)
    assert opened.main().text == "Take the mask back"
    assert opened.status.text.said == "a | no mask"
    opened.main().act()
    assert opened.workspace.in_hand is mask


def test_tools_of_others_join_the_row_with_icon_key_and_explanation(opened):
    from napari_necroseg.widgets.shared.tools import ICONS, ToolEntry

    row, used = opened.correct.tools.row, []
    assert all((ICONS / f"{entry.icon}.svg").is_file() for entry in opened.workspace.tools.entries)
    assert all(not button.icon().isNull() for button in row.buttons.values())
    assert row.buttons["grow"].toolTip() == "Grow (Shift+G)\nMove the outline outwards."
    entry = ToolEntry(
        name="ruler", title="Ruler", key="", help="Measures.", icon="none", act=partial(used.append, 1)
    )
    opened.workspace.tools.join(entry)
    row.buttons["ruler"].click()
    assert used == [1]
    opened.workspace.tools.leave(entry)
    assert "ruler" not in row.buttons


def test_the_chosen_tool_is_marked_and_a_second_press_puts_it_down(opened):
    row, mask = opened.correct.tools.row, opened.workspace.in_hand
    row.buttons["mode-paint"].click()
    assert (str(mask.mode), row.buttons["mode-paint"].isChecked()) == ("paint", True)
    mask.mode = "erase"
    assert [row.buttons[name].isChecked() for name in ("mode-paint", "mode-erase")] == [False, True]
    row.buttons["mode-erase"].click()
    assert (str(mask.mode), row.buttons["mode-erase"].isChecked()) == ("pan_zoom", False)
