"""The dock Cases on real files, in a viewer without a window."""

from pathlib import Path

import nibabel
import numpy as np
import pytest

from napari_necroseg.core.events import Finished, Progress
from napari_necroseg.core.grids.orient import to_working
from napari_necroseg.core.images.nifti import read_nifti_mask
from napari_necroseg.jobs import cases
from napari_necroseg.layerdata import case_layers, placeholder_layer
from napari_necroseg.widgets.cases.dock import Cases
from napari_necroseg.widgets.shared import qt_parts
from napari_necroseg.widgets.shared.workspace import Workspace


@pytest.fixture
def dock(open_dock):
    return open_dock(Cases)


def wait_for(qtbot, dock, name):
    qtbot.waitUntil(
        lambda: (
            dock.workspace.case is not None
            and dock.workspace.case.name == name
            and not dock.runner.is_busy
            and not dock.workspace.screen.is_busy
        )
    )


@pytest.fixture
def opened(qtbot, dock, cohort_table):
    dock.open_table(cohort_table)
    wait_for(qtbot, dock, "a")
    return dock


def said(dock):
    return [notice.text for notice in dock.notices.notices]


def texts(table, column):
    return [table.item(row, column).text() for row in range(table.rowCount())]


def test_nothing_is_open_at_first(dock):
    dock.show()
    assert not dock.table.isVisible()
    assert not dock.view._new.isEnabled()
    assert "No case is open" in dock.view.name.said


def test_a_cohort_shows_what_each_case_has_and_opens_the_first(opened, viewer):
    assert texts(opened.table, 0) == ["a", "b", "c"]
    assert texts(opened.table, 2) == ["✓", "✓", "✓"]
    assert texts(opened.table, 3) == ["✓", "✓", "–"]
    assert viewer.layers["reference"].data.sum() == 200
    assert "6 slices of 4.00 mm" in opened.view.about.said
    assert opened.view._place.text() == "1 of 3"


def test_next_and_previous_go_through_the_table_and_stop_at_its_ends(qtbot, opened):
    opened.view._next.click()
    wait_for(qtbot, opened, "b")
    opened.view._next.click()
    wait_for(qtbot, opened, "c")
    assert not opened.view._next.isEnabled()
    assert "no reference" in opened.view.about.said
    opened.step(1)
    assert not opened.runner.is_busy
    opened.view._previous.click()
    wait_for(qtbot, opened, "b")


def test_next_pressed_twice_at_once_goes_two_on(qtbot, opened):
    opened.step(1)
    opened.step(1)
    wait_for(qtbot, opened, "c")


def test_a_double_click_opens_a_row(qtbot, opened):
    opened.table.itemDoubleClicked.emit(opened.table.item(1, 3))
    wait_for(qtbot, opened, "b")


def test_cancelling_keeps_what_is_shown(qtbot, opened, viewer):
    before = viewer.layers["ceT1"].data
    with qtbot.waitSignal(opened.runner.cancelled):
        opened.step(1)
        opened.runner.cancel()
    assert viewer.layers["ceT1"].data is before
    assert opened.workspace.case.name == "a"


def test_the_person_is_asked_about_an_edit_and_cancel_keeps_it(qtbot, opened, viewer, answer):
    asked = answer("cancel")
    viewer.layers["reference"].paint((0, 5, 5), 1)
    opened.step(1)
    assert asked == [["reference"]]
    assert not opened.runner.is_busy
    assert viewer.layers["reference"].data[0, 5, 5] == 1


def test_a_discarded_edit_goes_and_its_file_is_untouched(qtbot, opened, viewer, answer, cohort_table):
    answer("discard")
    viewer.layers["reference"].paint((0, 5, 5), 1)
    opened.step(1)
    wait_for(qtbot, opened, "b")
    labels = cohort_table.parent / "labels"
    assert not (labels / "a.nii.gz").exists()
    # What was drawn is aside, and is not offered.
    qtbot.waitUntil(lambda: len(list((labels / "journals" / "a").glob("*-aside-001"))) == 1)
    opened.step(-1)
    wait_for(qtbot, opened, "a")
    assert viewer.layers["reference"].data.sum() == 200


def test_a_saved_edit_is_on_the_grid_of_the_file_and_shown_again(qtbot, opened, viewer, answer, cohort_table):
    answer("save")
    viewer.layers["reference"].brush_size = 1
    viewer.layers["reference"].paint((0, 5, 5), 1)
    drawn = viewer.layers["reference"].data.copy()
    opened.step(1)
    wait_for(qtbot, opened, "b")
    saved = cohort_table.parent / "labels" / "a.nii.gz"
    original = nibabel.load(cohort_table.parent / "a" / "ceT1.nii.gz")
    assert nibabel.load(saved).shape == original.shape
    np.testing.assert_array_equal(nibabel.load(saved).affine, original.affine)
    np.testing.assert_array_equal(to_working(read_nifti_mask(saved).volume).voxels, drawn)
    opened.step(-1)
    wait_for(qtbot, opened, "a")
    assert viewer.layers["reference"].data.sum() == 200
    np.testing.assert_array_equal(viewer.layers["my mask"].data, drawn)


def test_what_is_drawn_while_the_next_case_is_read_is_asked_about_too(
    qtbot, opened, viewer, answer, monkeypatch, steered_job
):
    asked = answer("discard")
    held = steered_job()
    original = cases.open_case

    def slow(*arguments, stop, **others):
        yield from held(stop)
        yield from original(*arguments, stop=stop, **others)

    monkeypatch.setattr(cases, "open_case", slow)
    opened.step(1)
    qtbot.waitUntil(lambda: opened.panel.message == "half way")
    viewer.layers["reference"].paint((0, 5, 5), 1)
    held.go_on.set()
    wait_for(qtbot, opened, "b")
    assert asked == [["reference"]]


def test_an_earlier_saved_mask_is_kept_beside_the_new_one(qtbot, opened, viewer, cohort_table):
    opened.new_mask()
    mask = viewer.layers["my mask"]
    mask.brush_size = 1
    for place in ((1, 3, 3), (1, 9, 9)):
        mask.paint(place, 1)
        with qtbot.waitSignal(opened.runner.finished):
            opened.save_masks()
    labels = cohort_table.parent / "labels"
    assert read_nifti_mask(labels / "a.nii.gz").volume.voxels.sum() == 2
    assert read_nifti_mask(labels / "a_earlier-001.nii.gz").volume.voxels.sum() == 1
    assert opened.workspace.layers.unsaved() == []


def test_a_damaged_saved_mask_is_told_and_the_case_opens(qtbot, dock, cohort_table):
    labels = cohort_table.parent / "labels"
    labels.mkdir()
    (labels / "a.nii.gz").write_bytes(b"no image")
    warnings = []
    dock.runner.reported.connect(warnings.append)
    dock.open_table(cohort_table)
    wait_for(qtbot, dock, "a")
    assert any("is not shown" in getattr(event, "message", "") for event in warnings)


def test_a_wrong_table_is_told_in_one_sentence(qtbot, dock, tmp_path):
    table = tmp_path / "cohort.csv"
    table.write_text("case,ceT1,T3\nx,missing.nii.gz,\n")
    with qtbot.waitSignal(dock.runner.failed) as failed:
        dock.open_table(table)
    assert "'T3'" in failed.args[0]
    assert dock.panel.message == failed.args[0]
    assert dock.runner.report == ""


def test_a_case_whose_files_are_gone_is_told_and_the_others_open(qtbot, dock, cohort_table):
    (cohort_table.parent / "a" / "ceT1.nii.gz").unlink()
    (cohort_table.parent / "b" / "T2.nii.gz").unlink()
    before = cohort_table.read_bytes()
    dock.open_table(cohort_table)
    wait_for(qtbot, dock, "b")
    assert texts(dock.table, 0) == ["b", "c"]
    assert texts(dock.table, 2) == ["–", "✓"]
    told = said(dock)
    assert "a: its ceT1 file is gone (a/ceT1.nii.gz). The case is left out until it is back." in told
    assert "b: its T2 file is gone (b/T2.nii.gz)." in told
    assert cohort_table.read_bytes() == before


def test_a_pair_of_files_becomes_a_cohort_of_one(qtbot, dock, viewer, tmp_path, write_case):
    folder = write_case(tmp_path / "b")
    dock.opening.pair.set_path("ceT1", folder / "ceT1.nii.gz")
    dock.opening.pair.set_path("Reference", folder / "necrosis.nii.gz")
    dock.opening.pair._open.click()
    wait_for(qtbot, dock, "b")
    assert [layer.name for layer in viewer.layers] == ["ceT1", "reference", "my mask"]
    assert dock.workspace.cohort.names == ("b",)
    assert dock.workspace.folder is None


def test_spacing_is_asked_for_only_with_tiff_files(qtbot, dock):
    pair = dock.opening.pair
    pair.set_path("ceT1", Path("a.nii.gz"))
    assert pair._spacing_row.isHidden()
    pair.set_path("ceT1", Path("a.tif"))
    assert not pair._spacing_row.isHidden()
    assert pair.files().spacing_mm is None
    for box, value in zip(pair._spacing, (4.0, 0.7, 0.6), strict=True):
        box.setValue(value)
    assert pair.files().spacing_mm == (4.0, 0.7, 0.6)


def test_a_folder_with_a_table_is_read_not_written_anew(qtbot, dock, cohort_table):
    before = cohort_table.read_bytes()
    dock.open_folder(cohort_table.parent)
    wait_for(qtbot, dock, "a")
    assert cohort_table.read_bytes() == before


def test_a_folder_of_cases_is_prepared_and_its_problems_are_shown(qtbot, dock, tmp_path, write_case):
    write_case(tmp_path / "study" / "one")
    (write_case(tmp_path / "study" / "two") / "ceT1.nii.gz").unlink()
    dock.open_folder(tmp_path / "study")
    wait_for(qtbot, dock, "one")
    assert dock.workspace.cohort.names == ("one",)
    assert any(text.startswith("two: no ceT1 image.") for text in said(dock))


def test_the_notes_of_a_case_are_shown(qtbot, dock, make_case):
    import dataclasses

    case = dataclasses.replace(make_case(), notes=("T2 was resampled.",))
    dock.workspace.set_case(case, None)
    dock.show()
    assert dock.view.notes.isVisible()
    assert dock.view.notes.said == "• T2 was resampled."


def test_a_phantom_is_opened_in_the_worker(qtbot, dock, viewer, make_case, monkeypatch):
    def made(index, saves, stop):
        yield Progress(done=0, total=1)
        case = make_case(f"phantom-{index + 1:02d}")
        yield Finished(
            result=cases.OpenedCase(case=case, files=None, layers=tuple(case_layers(case)), first_slice=0)
        )

    monkeypatch.setattr(cases, "open_phantom", made)
    dock.open_phantom_case()
    wait_for(qtbot, dock, "phantom-01")
    dock.open_phantom_case()
    wait_for(qtbot, dock, "phantom-02")


def test_a_phantom_that_is_cancelled_leaves_no_placeholder(qtbot, dock, viewer, monkeypatch, steered_job):
    job = steered_job()
    monkeypatch.setattr(cases, "open_phantom", lambda _index, saves, stop: job(stop))
    data, kwargs, _ = placeholder_layer("making a phantom")
    viewer.add_points(data, **kwargs)
    with qtbot.waitSignal(dock.runner.cancelled):
        dock.open_phantom_case()
        dock.runner.cancel()
    assert not viewer.layers


def test_a_phantom_without_a_file_is_saved_where_the_person_says(
    qtbot, dock, viewer, make_case, monkeypatch, tmp_path
):
    case = make_case("phantom-01")
    list(dock.workspace.layers.show(case_layers(case), first_slice=0))
    dock.workspace.set_case(case, None)
    dock.new_mask()
    viewer.layers["my mask"].paint((1, 3, 3), 1)
    monkeypatch.setattr(qt_parts, "ask_where_to_save", lambda *_, **__: None)
    dock.save_masks()
    assert not dock.runner.is_busy
    monkeypatch.setattr(qt_parts, "ask_where_to_save", lambda *_, **__: tmp_path / "mine")
    with qtbot.waitSignal(dock.runner.finished):
        dock.save_masks()
    assert (tmp_path / "mine.nii.gz").exists()


def test_the_dock_says_that_it_is_no_medical_device(dock):
    from qtpy.QtWidgets import QLabel

    assert any("not a medical device" in label.text() for label in dock.findChildren(QLabel))


def test_docks_of_one_viewer_share_a_workspace_and_those_of_another_do_not(viewer):
    from napari.components import ViewerModel

    assert Workspace.of(viewer) is Workspace.of(viewer)
    assert Workspace.of(viewer) is not Workspace.of(ViewerModel())


def test_equal_images_of_a_table_are_told(qtbot, dock, cohort_table):
    rng = np.random.default_rng(1)
    for folder in ("x", "y"):
        (cohort_table.parent / folder).mkdir()
    twin = cohort_table.parent / "x" / "ceT1.nii"
    nibabel.save(nibabel.Nifti1Image(rng.integers(0, 99, (9, 8, 6)).astype(np.int16), np.eye(4)), twin)
    (cohort_table.parent / "y" / "scan.nii").write_bytes(twin.read_bytes())
    cohort_table.write_text("case,ceT1\nx,x/ceT1.nii\ny,y/scan.nii\n", encoding="utf-8")
    dock.open_table(cohort_table)
    same = "x and y hold the very same image, voxel for voxel"
    qtbot.waitUntil(lambda: any(text.startswith(same) for text in said(dock)))
    wait_for(qtbot, dock, "x")
