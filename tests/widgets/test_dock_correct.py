"""The dock Correct: one mask in hand, every tool undoable, nothing lost."""

import shutil
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import nibabel
import numpy as np
import pytest
from correcting import begin_with, end, labels_of, sign_off, start, written

from napari_necroseg.core.cohort.load import load_case
from napari_necroseg.core.cohort.table import read_cohort
from napari_necroseg.core.errors import FileError
from napari_necroseg.core.files import disk
from napari_necroseg.core.labels_folder import journal_path
from napari_necroseg.core.masks.edits import disk_mm
from napari_necroseg.core.project import journal_writer
from napari_necroseg.core.project.journal import Journal, recover
from napari_necroseg.core.project.review import Review, Status, read_review, statuses, write_review
from napari_necroseg.core.volume import Volume
from napari_necroseg.jobs import cases
from napari_necroseg.layerdata import (
    Role,
    case_layers,
    case_source,
    mask_layer,
)
from napari_necroseg.widgets.shared import qt_parts
from napari_necroseg.widgets.shared.journalling import SAFE_AGAIN
from napari_necroseg.widgets.shared.workspace import masks_to_save


def test_a_copy_of_the_prediction_is_in_hand_without_a_button(qtbot, opened, viewer):
    prediction = viewer.layers["prediction"].data.copy()
    mask = start(qtbot, opened)
    # No brush is chosen: the first click on a case draws nothing.
    assert (mask.name, str(mask.mode)) == ("my mask", "pan_zoom")
    assert not viewer.layers["prediction"].visible
    assert opened.workspace.journalling.unsaved() == []
    assert not labels_of(opened).exists()
    np.testing.assert_array_equal(mask.data, prediction)
    mask.paint((2, 3, 3), 1)
    np.testing.assert_array_equal(viewer.layers["prediction"].data, prediction)
    qtbot.waitUntil(lambda: np.array_equal(written(opened), mask.data))


def test_the_brush_is_round_in_millimetres_flat_and_as_a_ball(qtbot, opened):
    begin_with(opened, "nothing")
    mask = start(qtbot, opened)
    spacing = opened.workspace.case.grid.spacing_mm
    opened.brush.radius_mm.setValue(4.4)
    for in_3d in (False, True):
        opened.brush.in_3d.setChecked(in_3d)
        mask.data_setitem(np.nonzero(mask.data), 0)
        mask.paint((3, 20, 18), 1)
        box, disk = disk_mm(spacing, (3, 20, 18), radius_mm=4.4, shape=mask.data.shape, in_3d=in_3d)
        expected = np.zeros(mask.data.shape, bool)
        expected[box] = disk
        np.testing.assert_array_equal(mask.data > 0, expected)
        assert bool(expected[2].any()) is in_3d
        distance = np.linalg.norm((np.argwhere(mask.data) - (3, 20, 18)) * spacing, axis=1)
        assert distance.max() <= 4.4


def test_strokes_stay_within_an_intensity_range_and_a_mask(qtbot, opened, viewer):
    begin_with(opened, "nothing")
    mask = start(qtbot, opened)
    image = viewer.layers["ceT1"]
    middle = float(np.median(image.data))
    opened.brush.image.choose(image)
    opened.brush.range.setValue((float(image.data.min()), middle))
    for stroke in (
        lambda: mask.paint((2, 19, 17), 1),
        lambda: mask.fill((2, 0, 0), 1),
        lambda: mask.paint_polygon([(2, 2, 2), (2, 2, 30), (2, 30, 20)], 1),
    ):
        mask.data_setitem(np.nonzero(mask.data), 0)
        stroke()
        assert mask.data.any()
        assert image.data[mask.data > 0].max() <= middle
    opened.brush.image.choose(None)
    opened.brush.within.choose(viewer.layers["reference"])
    mask.data_setitem(np.nonzero(mask.data), 0)
    mask.fill((2, 0, 0), 1)
    np.testing.assert_array_equal(mask.data[2], viewer.layers["reference"].data[2])


def test_a_mask_that_is_let_go_has_naparis_own_brush_again(qtbot, opened):
    mask = start(qtbot, opened)
    opened._let_go()
    assert not {"_get_brush_mask_and_bbox", "_apply_mask_to_data"} & set(mask.__dict__)
    before = mask.data.copy()
    opened.tools.use("grow")
    np.testing.assert_array_equal(mask.data, before)


EDITS = (
    "interpolate",
    "next",
    "previous",
    "smooth",
    "grow",
    "shrink",
    "holes",
    "largest",
    "island",
)


@pytest.mark.parametrize("name", EDITS)
def test_every_tool_is_undone_to_the_bit_and_done_again(qtbot, opened, viewer, name):
    mask = start(qtbot, opened)
    mask.data_setitem(
        (np.array([0, 2, 2, 5]), np.array([1, 18, 30, 1]), np.array([1, 16, 30, 1])), [1, 0, 1, 1]
    )
    viewer.cursor.position = mask.data_to_world((2, 30, 30))
    viewer.dims.set_current_step(0, 2)
    before = mask.data.copy()
    opened.tools.use(name)
    after = mask.data.copy()
    assert (after != before).any(), opened.panel.message
    assert "mL" in opened.panel.message
    mask.undo()
    np.testing.assert_array_equal(mask.data, before)
    mask.redo()
    np.testing.assert_array_equal(mask.data, after)


def drag(dock, start, stop):
    """Press at one voxel of the mask, move, and release at another."""
    mask, (callback,) = dock.hand.mask, dock.viewer.mouse_drag_callbacks[-1:]
    event = SimpleNamespace(type="mouse_press", position=mask.data_to_world(start), pos=(0, 0))
    moves = callback(dock.viewer, event)
    next(moves)
    event.type, event.position = "mouse_move", mask.data_to_world(stop)
    next(moves)
    event.type = "mouse_release"
    assert next(moves, None) is None


@pytest.mark.parametrize(("name", "inside"), [("erase", 0), ("swap", 1)])
def test_a_drawn_box_is_erased_or_turned_inside_out(qtbot, opened, viewer, name, inside):
    mask = start(qtbot, opened)
    mask.mode = "paint"
    mask.data_setitem((np.array([2]), np.array([3]), np.array([3])), 1)
    before = mask.data.copy()
    opened.tools.use(name)
    assert "draw the box" in opened.panel.message
    assert (str(mask.mode), viewer.scene.camera.mouse_pan) == ("pan_zoom", False)
    drag(opened, (2, 5, 6), (2, 1, 1))
    assert mask.data[2, 3, 3] == 0
    assert set(mask.data[2, 1:6, 1:7].ravel()) <= {0, inside}
    rest = np.ones(before.shape, bool)
    rest[2, 1:6, 1:7] = False
    np.testing.assert_array_equal(mask.data[rest], before[rest])
    assert (str(mask.mode), viewer.scene.camera.mouse_pan) == ("paint", True)
    mask.undo()
    np.testing.assert_array_equal(mask.data, before)


def test_a_box_is_given_up_by_its_button_and_by_a_mere_click(qtbot, opened, viewer):
    mask = start(qtbot, opened)
    before, callbacks = mask.data.copy(), list(viewer.mouse_drag_callbacks)
    opened.tools.use("erase")
    opened.tools.use("erase")
    assert "given up" in opened.panel.message
    assert viewer.mouse_drag_callbacks == callbacks
    opened.tools.use("erase")
    press = SimpleNamespace(type="mouse_press", position=mask.data_to_world((2, 16, 16)), pos=(0, 0))
    click = viewer.mouse_drag_callbacks[-1](viewer, press)
    next(click)
    press.type = "mouse_release"
    assert next(click, None) is None
    assert viewer.mouse_drag_callbacks == callbacks
    np.testing.assert_array_equal(mask.data, before)


def test_what_cannot_be_done_is_said(qtbot, opened, viewer):
    mask = start(qtbot, opened)
    viewer.cursor.position = mask.data_to_world((0, 0, 0))
    opened.tools.use("island")
    assert "no part of the mask" in opened.panel.message
    viewer.dims.set_current_step(0, 5)
    opened.tools.use("next")
    assert "no slice 6" in opened.panel.message


def test_the_keys_use_the_tools(qtbot, opened):
    mask = start(qtbot, opened)
    keys = {str(key) for key in mask.keymap}
    assert {entry.shown_key for entry in opened.tools.entries if not entry.mode} <= keys
    # napari asks every action of a key for its name, whichever key is pressed.
    assert all(action.__name__ for action in mask.keymap.values())
    before = mask.data.copy()
    mask.keymap[next(key for key in mask.keymap if str(key) == "Shift+G")](mask)
    assert mask.data.sum() > before.sum()


def test_every_stroke_tool_and_undo_is_in_the_journal(qtbot, opened):
    mask = start(qtbot, opened)
    for change in (
        partial(mask.paint, (2, 3, 3), 1),
        partial(opened.tools.use, "grow"),
        mask.undo,
        mask.redo,
        partial(mask.fill, (4, 0, 0), 1),
    ):
        change()
        qtbot.waitUntil(lambda: np.array_equal(written(opened), mask.data))


def test_the_draft_is_a_mask_that_any_program_reads(qtbot, opened, monkeypatch):
    monkeypatch.setattr(journal_writer, "DRAFT_S", 0.1)
    monkeypatch.setattr(journal_writer, "_LOOK_S", 0.02)
    mask = start(qtbot, opened)
    mask.paint((2, 3, 3), 1)
    qtbot.wait(20)
    qtbot.waitUntil((labels_of(opened) / "drafts" / "a.nii.gz").exists)
    draft = nibabel.load(labels_of(opened) / "drafts" / "a.nii.gz")
    assert np.asarray(draft.dataobj).sum() == mask.data.sum()
    assert opened.workspace.layers.unsaved()


def save(qtbot, dock):
    saves = masks_to_save(dock, [dock.hand.mask], folder=dock.workspace.folder)
    list(cases.save_masks(saves, None))
    dock.workspace.layers.mark_saved(saves)


def test_a_saved_mask_leaves_no_journal_and_no_draft_behind(qtbot, opened, monkeypatch):
    monkeypatch.setattr(journal_writer, "DRAFT_S", 0.1)
    monkeypatch.setattr(journal_writer, "_LOOK_S", 0.02)
    mask = start(qtbot, opened)
    mask.paint((2, 3, 3), 1)
    qtbot.waitUntil((labels_of(opened) / "drafts" / "a.nii.gz").exists)
    save(qtbot, opened)
    end(opened)
    assert sorted(path.name for path in labels_of(opened).rglob("*.*")) == ["a.nii.gz", "a.review.json"]


def test_another_case_in_the_same_layer_never_gets_into_the_journal(qtbot, opened, cohort_table):
    mask = start(qtbot, opened)
    mask.paint((2, 3, 3), 1)
    qtbot.waitUntil(lambda: np.array_equal(written(opened), mask.data))
    drawn = mask.data.copy()
    writer = opened.workspace.journalling.of(opened.hand.mask).writer
    other = read_cohort(cohort_table)["c"]
    case = load_case(other)
    layers = [
        *case_layers(case),
        mask_layer(
            Volume(np.ones(case.grid.shape, np.uint8), case.grid),
            case_source(case, Role.LABELS),
            name="my mask",
        ),
    ]
    list(opened.workspace.layers.show(layers, first_slice=2))
    qtbot.wait(200)
    opened.workspace.set_case(case, other)
    writer.wait(60)
    found = recover(journal_path(labels_of(opened), "a"), np.zeros_like(drawn), case="a", any_base=True)
    np.testing.assert_array_equal(found.voxels, drawn)


def test_a_mask_that_cannot_be_kept_is_not_said_to_be_safe(qtbot, opened, monkeypatch):
    def read_only(*_, **__):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(disk, "write", read_only)
    start(qtbot, opened).paint((5, 3, 3), 1)
    # The writer knows it before the person is told.
    qtbot.waitUntil(lambda: "no longer safe" in opened.panel.message)
    assert opened.workspace.journalling.trouble
    assert "Read-only file system" in opened.panel.message


def test_a_folder_that_cannot_be_written_to_is_told_at_the_first_stroke(qtbot, opened):
    labels_of(opened).write_text("a file where the folder should be")
    start(qtbot, opened).paint((5, 3, 3), 1)
    qtbot.waitUntil(lambda: "labels" in opened.panel.message)
    assert "⚠" in opened.panel.message


def test_a_write_that_fails_is_told_while_one_draws(qtbot, opened, monkeypatch):
    monkeypatch.setattr(journal_writer, "RETRY_S", 0.1)
    mask = start(qtbot, opened)
    mask.paint((5, 3, 3), 1)
    qtbot.waitUntil(lambda: np.array_equal(written(opened), mask.data))

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk_is_full:
        disk_is_full.setattr(disk, "write", full)
        mask.paint((2, 3, 3), 1)
        qtbot.waitUntil(lambda: "no longer safe" in opened.panel.message)
        mask.paint((4, 3, 3), 1)
        qtbot.wait(200)
    qtbot.waitUntil(lambda: np.array_equal(written(opened), mask.data))
    qtbot.waitUntil(lambda: opened.panel.message == SAFE_AGAIN)


def test_slices_are_listed_by_doubt_and_ticked_when_seen(qtbot, opened, viewer):
    start(qtbot, opened)
    rows = [opened.check.rows.item(row).text().split(",")[0] for row in range(opened.check.rows.count())]
    assert rows == ["   slice 4", "   slice 2", "✓ slice 3"]
    opened.check.next_button.click()
    assert viewer.dims.current_step[0] == 3
    opened.check.next_button.click()
    assert viewer.dims.current_step[0] == 1
    assert opened.check.progress.text() == "3 of 3 seen"


def test_a_case_without_a_project_is_kept_safe_in_the_data_folder(qtbot, correct_dock, make_case):
    dock, case = correct_dock, make_case()
    list(dock.workspace.layers.show(case_layers(case), first_slice=2))
    dock.workspace.set_case(case, None)
    mask = start(qtbot, dock)
    mask.paint((3, 20, 18), 1)
    dock.tools.use("grow")
    drawn = mask.data.copy()
    end(dock)
    dock.viewer.layers.remove("my mask")
    dock.workspace.set_case(case, None)
    qtbot.waitUntil(lambda: np.array_equal(dock.hand.mask.data, drawn))
    assert "Taken back" in dock.notice.text.said


def test_a_mask_is_signed_off_with_what_changed_and_who_did_it(qtbot, opened):
    mask = start(qtbot, opened)
    before = mask.data.copy()
    opened.tools.use("largest")
    mask.data_setitem((np.array([4]), np.array([5]), np.array([5])), 1)
    sign_off(qtbot, opened)
    review = read_review(labels_of(opened), "a")
    counts = before.sum(), mask.data.sum()
    assert (review.status, review.reader) == (Status.REVIEWED, "AB")
    assert review.changes.dice == pytest.approx(2 * counts[0] / (counts[0] + counts[1]))
    assert review.changes.slices == (4,)
    assert statuses(opened.workspace.cohort, labels_of(opened))["a"] is Status.REVIEWED
    assert "signed off by AB" in opened.reviewing.part.state.said
    assert "1 slice changed" in opened.reviewing.part.state.said
    assert opened.workspace.layers.unsaved() == [opened.viewer.layers["prediction"]]


def test_a_mask_that_was_signed_off_in_another_window_is_not_replaced_unasked(
    qtbot, opened, cohort_table, monkeypatch
):
    mask = start(qtbot, opened)
    mask.data_setitem((np.array([4]), np.array([5]), np.array([5])), 1)
    qtbot.waitUntil(lambda: opened.reviewing._known[0] is opened.workspace.case)
    labels = labels_of(opened)
    theirs = labels / "a.nii.gz"
    labels.mkdir(exist_ok=True)
    shutil.copy(cohort_table.parent / "a" / "necrosis.nii.gz", theirs)
    write_review(labels, Review(case="a").signed_off(theirs, reader="XY"))
    before, asked, answers = theirs.read_bytes(), [], [False, True]

    def answer(_parent, question):
        asked.append(question)
        return answers[len(asked) - 1]

    monkeypatch.setattr(qt_parts, "ask_replace", answer)
    opened.reviewing.part.initials.setText("AB")
    opened.reviewing.sign_off()
    qtbot.waitUntil(lambda: "The other mask stays" in opened.panel.message)
    assert theirs.read_bytes() == before
    assert read_review(labels, "a").reader == "XY"
    assert "XY" in asked[0]
    opened.reviewing.sign_off()
    qtbot.waitUntil(lambda: read_review(labels, "a").reader == "AB")
    assert (labels / "a_earlier-001.nii.gz").read_bytes() == before
    assert len(asked) == 2


def test_drawing_after_the_sign_off_takes_it_back(qtbot, opened):
    mask = start(qtbot, opened)
    sign_off(qtbot, opened)
    mask.paint((4, 3, 3), 1)
    qtbot.wait(20)
    end(opened)
    assert read_review(labels_of(opened), "a").status is Status.IN_WORK


def test_looking_at_a_reviewed_mask_does_not_take_it_back(qtbot, opened):
    start(qtbot, opened)
    sign_off(qtbot, opened)
    opened.viewer.dims.set_current_step(0, 4)
    end(opened)
    assert read_review(labels_of(opened), "a").status is Status.REVIEWED


@pytest.mark.parametrize("initials", ["", "A1", "12"])
def test_initials_are_asked_for(qtbot, opened, initials):
    start(qtbot, opened)
    opened.reviewing.part.initials.setText(initials)
    opened.reviewing.part.sign_button.click()
    assert "initials" in opened.panel.message
    assert not (labels_of(opened) / "a.nii.gz").exists()


def test_the_next_case_is_looked_for_by_status(qtbot, opened):
    start(qtbot, opened)
    sign_off(qtbot, opened)
    wanted = []
    opened.workspace.case_wanted.connect(wanted.append)
    part = opened.reviewing.part
    part.next_button.click()
    part.previous_button.click()
    assert wanted == ["b", "c"]
    part.which.setCurrentText("in work")
    part.next_button.click()
    assert "No other case: in work" in opened.panel.message


def test_reviewed_masks_are_offered_to_the_training(qtbot, opened):
    part = opened.reviewing.part
    qtbot.waitUntil(lambda: not opened.reviewing._quiet.is_busy)
    assert not part.improve_button.isEnabled()
    start(qtbot, opened)
    sign_off(qtbot, opened)
    wanted = []
    opened.workspace.improvement_wanted.connect(wanted.append)
    part.improve_button.click()
    assert wanted == [("a",)]


def test_begun_anew_is_an_edit_that_can_be_undone(qtbot, opened):
    mask = start(qtbot, opened)
    mask.paint((4, 3, 3), 1)
    drawn = mask.data.copy()
    begin_with(opened, "nothing")
    assert not mask.data.any()
    mask.undo()
    np.testing.assert_array_equal(mask.data, drawn)
    qtbot.waitUntil(lambda: np.array_equal(written(opened), drawn))


def test_a_new_layer_over_a_saved_mask_is_signed_off_as_it_is(qtbot, opened):
    start(qtbot, opened)
    sign_off(qtbot, opened)
    opened.viewer.layers.remove("my mask")
    opened.workspace.layers.new_mask(opened.workspace.case)
    qtbot.waitUntil(lambda: opened.hand.mask is not None)
    begin_with(opened, "nothing")
    opened.reviewing.part.sign_button.click()
    assert "The mask is empty: press again" in opened.panel.message
    sign_off(qtbot, opened)
    assert not np.asarray(nibabel.load(labels_of(opened) / "a.nii.gz").dataobj).any()
    assert np.asarray(nibabel.load(labels_of(opened) / "a_earlier-001.nii.gz").dataobj).any()
    review = read_review(labels_of(opened), "a")
    assert (review.status, review.changes.after_ml) == (Status.REVIEWED, 0)


def test_the_same_mask_is_signed_off_again_without_another_version(qtbot, opened):
    start(qtbot, opened)
    sign_off(qtbot, opened)
    sign_off(qtbot, opened, "CD")
    assert read_review(labels_of(opened), "a").reader == "CD"
    assert not list(labels_of(opened).glob("*earlier*"))


def test_there_is_one_mask_of_a_case_and_a_duplicate_is_not_it(qtbot, opened, viewer):
    mask = start(qtbot, opened)
    assert opened.workspace.layers.new_mask(opened.workspace.case) is mask
    viewer.add_layer(type(mask)(mask.data.copy(), name="my mask copy", metadata=dict(mask.metadata)))
    assert opened.workspace.layers.mine("a") is mask


def test_two_masks_of_one_file_are_not_saved_over_each_other(qtbot, opened, viewer):
    mask = start(qtbot, opened)
    twin = viewer.add_layer(type(mask)(mask.data.copy(), name="twin", metadata=dict(mask.metadata)))
    twin.data_setitem((np.array([0]), np.array([0]), np.array([0])), 1)
    list(cases.save_masks(masks_to_save(opened, [mask, twin], folder=opened.workspace.folder), None))
    saved = [nibabel.load(file).get_fdata().sum() for file in sorted(labels_of(opened).glob("a*.nii.gz"))]
    assert saved == [twin.data.sum(), mask.data.sum()]


def test_a_stroke_that_was_undone_leaves_the_sign_off(qtbot, opened):
    mask = start(qtbot, opened)
    sign_off(qtbot, opened)
    mask.paint((4, 3, 3), 1)
    qtbot.wait(20)
    mask.undo()
    qtbot.wait(200)
    end(opened)
    assert read_review(labels_of(opened), "a").status is Status.REVIEWED


def test_work_that_was_saved_after_all_is_not_offered(qtbot, opened):
    mask = start(qtbot, opened)
    mask.paint((2, 3, 3), 1)
    qtbot.wait(20)
    saves = masks_to_save(opened, [mask], folder=opened.workspace.folder)
    # As when the program is killed between the save and what follows it.
    list(cases.save_masks(saves, None))
    end(opened)
    assert journal_path(labels_of(opened), "a").exists()
    opened.workspace.set_case(opened.workspace.case, None)
    qtbot.waitUntil(lambda: not journal_path(labels_of(opened), "a").exists())
    assert opened.found.said == ""


def test_a_newer_mask_on_disk_is_named_before_work_takes_its_place(qtbot, opened):
    mask = start(qtbot, opened)
    mask.paint((2, 3, 3), 1)
    qtbot.wait(20)
    saves = masks_to_save(opened, [mask], folder=opened.workspace.folder)
    end(opened)
    list(cases.save_masks([replace(saves[0], voxels=np.ones_like(saves[0].voxels))], None))
    opened.workspace.set_case(opened.workspace.case, None)
    qtbot.waitUntil(lambda: "was changed since" in opened.found.said)


def test_work_in_another_window_is_not_taken_over(qtbot, opened):
    mask = start(qtbot, opened)
    path = journal_path(labels_of(opened), "a")
    mask.paint((5, 3, 3), 1)
    qtbot.waitUntil(lambda: written(opened) is not None and np.array_equal(written(opened), mask.data))
    with pytest.raises(FileError, match="another window"):
        Journal.resume(path, np.zeros_like(mask.data), case="a", any_base=True)
    mask.paint((2, 3, 3), 1)
    qtbot.waitUntil(lambda: np.array_equal(written(opened), mask.data))


def test_a_mask_that_was_converted_is_still_kept_safe(qtbot, opened):
    mask = start(qtbot, opened)
    mask.data = mask.data.astype(np.int32)
    mask.paint((2, 3, 3), 1)
    qtbot.waitUntil(lambda: np.array_equal(written(opened), mask.data))


def test_the_intensity_range_is_that_of_the_image_that_is_seen(qtbot, opened, viewer):
    start(qtbot, opened)
    sign_off(qtbot, opened)
    image = viewer.layers["ceT1"]
    opened.brush.image.choose(image)
    image.data = image.data * 10
    image.contrast_limits_range = (float(image.data.min()), float(image.data.max()))
    opened.workspace.set_case(opened.workspace.case, None)
    assert opened.brush.range.value() == pytest.approx(tuple(image.contrast_limits_range))


def test_another_cohort_forgets_how_far_the_last_one_was(qtbot, opened):
    qtbot.waitUntil(lambda: bool(opened.reviewing._statuses))
    opened.workspace.set_cohort(opened.workspace.cohort.only(("b",)), None)
    opened.reviewing.step(1)
    assert opened.reviewing._statuses == {}
