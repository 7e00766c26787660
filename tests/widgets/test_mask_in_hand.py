"""The mask of a case is in hand at once, follows predictions until it is drawn on, and is never lost."""

from types import SimpleNamespace

import nibabel
import numpy as np
import pytest
from correcting import end, labels_of, sign_off, start, written

from napari_necroseg.core.cohort.load import load_case
from napari_necroseg.core.cohort.table import read_cohort
from napari_necroseg.core.labels_folder import journal_path
from napari_necroseg.core.project.review import Status, read_review, write_review
from napari_necroseg.core.volume import Volume
from napari_necroseg.layerdata import Role, case_layers, case_source, mask_layer, source_of
from napari_necroseg.widgets.correct.dock import Correct


def opened_again(qtbot, dock):
    """Open the case anew, as after a crash: its layers are gone."""
    case = dock.workspace.case
    end(dock)
    dock.viewer.layers.remove("my mask")
    dock.workspace.set_case(case, None)
    return case


def test_what_was_not_saved_is_taken_back_unasked_and_exactly(qtbot, opened):
    mask = start(qtbot, opened)
    mask.paint((2, 3, 3), 1)
    qtbot.wait(20)
    drawn = mask.data.copy()
    opened_again(qtbot, opened)
    qtbot.waitUntil(lambda: np.array_equal(opened.hand.mask.data, drawn))
    assert "of an earlier session" in opened.notice.text.said
    assert opened.found.said == ""
    # What it began with is known from the journal, so that the changes can be told.
    np.testing.assert_array_equal(opened.hand.before, opened.viewer.layers["prediction"].data)
    opened.hand.mask.paint((4, 3, 3), 1)
    qtbot.waitUntil(lambda: np.array_equal(written(opened), opened.hand.mask.data))


def test_what_was_taken_back_can_be_put_aside_and_nothing_is_locked(qtbot, opened):
    prediction = opened.viewer.layers["prediction"].data.copy()
    start(qtbot, opened).paint((2, 3, 3), 1)
    qtbot.wait(20)
    opened_again(qtbot, opened)
    qtbot.waitUntil(lambda: "Taken back" in opened.notice.text.said)
    opened.notice.button.click()
    mask = opened.hand.mask
    np.testing.assert_array_equal(mask.data, prediction)
    qtbot.waitUntil((labels_of(opened) / "a.journal-aside-001").exists)
    assert not journal_path(labels_of(opened), "a").exists()
    assert opened.workspace.journalling.unsaved() == []
    mask.paint((4, 3, 3), 1)
    qtbot.waitUntil(lambda: written(opened) is not None and np.array_equal(written(opened), mask.data))


def test_strokes_on_a_mask_that_is_signed_off_are_offered_only(qtbot, opened):
    mask = start(qtbot, opened)
    sign_off(qtbot, opened)
    signed = mask.data.copy()
    mask.paint((2, 3, 3), 1)
    qtbot.wait(20)
    drawn = mask.data.copy()
    end(opened)
    opened.workspace.layers.redraw(mask, signed)
    # As after a crash before the end of the work was noted.
    cases_review = read_review(labels_of(opened), "a")
    write_review(labels_of(opened), cases_review.signed_off(labels_of(opened) / "a.nii.gz", reader="AB"))
    opened.workspace.set_case(opened.workspace.case, None)
    qtbot.waitUntil(lambda: "was not saved" in opened.found.said)
    np.testing.assert_array_equal(opened.hand.mask.data, signed)
    with qtbot.waitSignal(opened.runner.finished):
        opened.back_button.click()
    np.testing.assert_array_equal(opened.hand.mask.data, drawn)
    assert "Taken back: 0.69 mL." in opened.panel.message


def test_work_that_is_put_aside_is_kept_under_another_name(qtbot, opened):
    start(qtbot, opened)
    sign_off(qtbot, opened)
    opened.viewer.layers["prediction"].paint((2, 3, 3), 1)
    qtbot.wait(20)
    end(opened)
    opened.workspace.set_case(opened.workspace.case, None)
    qtbot.waitUntil(lambda: opened.aside_button.isVisibleTo(opened))
    with qtbot.waitSignal(opened.runner.finished):
        opened.aside_button.click()
    names = {path.name for path in labels_of(opened).rglob("*")}
    assert "layer-001.journal-aside-001" in names
    assert "layer-001.journal" not in names
    qtbot.waitUntil(lambda: opened.found.said == "")


def test_a_prediction_replaces_an_untouched_mask_and_leaves_a_drawn_one(qtbot, opened, viewer):
    mask, case, layers = start(qtbot, opened), opened.workspace.case, opened.workspace.layers
    for number, is_drawn in ((1, False), (3, True)):
        if is_drawn:
            mask.paint((5, 3, 3), 1)
        before = mask.data.copy()
        moved = Volume(np.roll(case.reference.voxels, number, axis=2), case.grid)
        source = case_source(case, Role.PREDICTION, run=f"run-{number}")
        layers.add(mask_layer(moved, source, name=f"prediction {number}"), is_saved=False)
        np.testing.assert_array_equal(mask.data, before if is_drawn else moved.voxels)
        assert viewer.layers[f"prediction {number}"].visible is is_drawn
    assert source_of(mask.metadata).run == "run-1"


def test_a_steered_prediction_is_followed(qtbot, opened, viewer):
    mask, prediction = start(qtbot, opened), viewer.layers["prediction"]
    opened.workspace.layers.redraw(prediction, np.ones_like(prediction.data))
    assert mask.data.all()
    mask.paint((5, 3, 3), 0)
    opened.workspace.layers.redraw(prediction, np.zeros_like(prediction.data))
    assert mask.data.any()


def test_whatever_layer_is_drawn_on_is_in_hand_at_once(qtbot, opened, viewer):
    mask = start(qtbot, opened)
    viewer.layers.selection.active = viewer.layers["ceT1"]
    viewer._new_labels()
    drawn = viewer.layers.selection.active
    drawn.mode = "paint"
    drawn.paint((2, 3, 3), 1)
    assert opened.hand.mask is drawn
    assert str(drawn.mode) == "paint"
    # The untouched copy of the prediction goes: there is one mask of the person.
    qtbot.waitUntil(lambda: mask not in viewer.layers)
    assert opened.notice.text.said == ""
    qtbot.waitUntil(lambda: np.array_equal(written(opened), drawn.data))
    sign_off(qtbot, opened)
    saved = np.asarray(nibabel.load(labels_of(opened) / "a.nii.gz").dataobj)
    assert saved.sum() == drawn.data.sum()


def test_strokes_on_a_prediction_are_signed_off_as_the_persons_mask(qtbot, opened, viewer):
    prediction, before = viewer.layers["prediction"], start(qtbot, opened).data.copy()
    prediction.paint((5, 3, 3), 1)
    assert opened.hand.mask is prediction
    sign_off(qtbot, opened)
    saved = np.asarray(nibabel.load(labels_of(opened) / "a.nii.gz").dataobj)
    assert saved.sum() == prediction.data.sum() > before.sum()
    assert not (opened.workspace.folder / "predictions").exists()


@pytest.mark.parametrize("is_drawn", [False, True])
def test_a_removed_mask_is_offered_and_taken_back(qtbot, opened, viewer, is_drawn):
    mask = start(qtbot, opened)
    if is_drawn:
        mask.paint((5, 3, 3), 1)
    voxels = mask.data.copy()
    viewer.layers.remove(mask)
    assert opened.notice.text.said == "Mask removed. Take it back?"
    if is_drawn:
        qtbot.waitUntil(lambda: bool(opened.workspace.journalling.kept))
    opened.notice.button.click()
    qtbot.waitUntil(lambda: opened.hand.mask is not None)
    np.testing.assert_array_equal(opened.hand.mask.data, voxels)
    assert bool(opened.workspace.journalling.unsaved()) is is_drawn


def test_two_docks_do_not_share_one_mask(qtbot, opened, open_dock):
    mask = start(qtbot, opened)
    other = open_dock(Correct)
    assert (opened.hand.mask, other.hand.mask) == (None, mask)
    assert "in another dock" in opened.about.said
    other.shut_down()
    assert opened.hand.mask is mask
    assert opened.about.said == ""


def test_strokes_on_another_mask_do_not_overwrite_the_signed_one(qtbot, opened, viewer):
    mask = start(qtbot, opened)
    mask.paint((5, 3, 3), 1)
    viewer.layers.selection.active = viewer.layers["ceT1"]
    viewer._new_labels()
    drawn = viewer.layers.selection.active
    drawn.paint((2, 3, 3), 1)
    assert opened.hand.mask is drawn
    sign_off(qtbot, opened)
    assert opened.workspace.journalling.unsaved() == []
    assert "my mask were put aside" in opened.panel.message
    qtbot.waitUntil(lambda: len(list(labels_of(opened).rglob("*-aside-001"))) == 1)
    saved = np.asarray(nibabel.load(labels_of(opened) / "a.nii.gz").dataobj)
    assert saved.sum() == drawn.data.sum()


def test_the_button_for_a_part_waits_for_a_click_and_the_key_takes_what_is_under_the_pointer(
    qtbot, opened, viewer
):
    mask = start(qtbot, opened)
    mask.data_setitem((np.array([2, 5]), np.array([3, 3]), np.array([3, 3])), 1)
    whole = mask.data.copy()
    opened.tools.row.buttons["island"].click()
    assert "click on the part" in opened.panel.message
    place = viewer.layers["ceT1"].data_to_world((2, 3, 3))
    viewer.mouse_drag_callbacks[-1](viewer, SimpleNamespace(position=place))
    assert mask.data[2, 3, 3] == 0
    assert np.count_nonzero(mask.data) == np.count_nonzero(whole) - 1
    viewer.cursor.position = mask.data_to_world((5, 3, 3))
    mask.keymap[next(key for key in mask.keymap if str(key) == "Shift+D")](mask)
    assert mask.data[5, 3, 3] == 0


def test_a_case_change_in_small_steps_never_takes_a_sign_off_back(qtbot, opened, cohort_table):
    mask = start(qtbot, opened)
    sign_off(qtbot, opened)
    files = read_cohort(cohort_table)["c"]
    case = load_case(files)
    ones = Volume(np.ones(case.grid.shape, np.uint8), case.grid)
    layers = [
        mask_layer(ones, case_source(case, Role.PREDICTION, run="run"), name="prediction"),
        *case_layers(case),
        mask_layer(ones, case_source(case, Role.LABELS), name="my mask"),
    ]
    for _step in opened.workspace.layers.show(layers, first_slice=2):
        # A layer that comes in between is no reason to take the old mask in hand again.
        qtbot.wait(5)
        assert opened.hand.mask is None
    opened.workspace.set_case(case, files)
    assert opened.hand.mask is mask
    opened.hand.wait()
    assert read_review(labels_of(opened), "a").status is Status.REVIEWED
