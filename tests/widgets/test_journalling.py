"""Every stroke of a hand is on disk, whoever made the layer and whatever becomes of it."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels

from napari_necroseg.core.case import Case
from napari_necroseg.core.files import disk
from napari_necroseg.core.labels_folder import corrected_path, journal_path
from napari_necroseg.core.project import journal_writer
from napari_necroseg.core.project.journal import recover
from napari_necroseg.core.project.journal_folder import JournalFolder
from napari_necroseg.core.volume import Volume
from napari_necroseg.jobs import cases, correct
from napari_necroseg.layerdata import METADATA_KEY, Role, case_layers, case_source, mask_layer
from napari_necroseg.widgets.shared.journalling import REMOVED, SAFE_AGAIN
from napari_necroseg.widgets.shared.workspace import Workspace, masks_to_save

SHAPE = (6, 40, 36)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return tmp_path / "study"


@pytest.fixture
def open_case(qapp, project, make_case):
    """Open a case in a viewer, in a project unless told otherwise."""
    opened: list[Workspace] = []
    # A workspace does not keep its viewer alive.
    viewers: list[ViewerModel] = []

    def make(name: str = "a", *, in_project: bool = True) -> Workspace:
        viewers.append(ViewerModel())
        workspace = Workspace.of(viewers[-1])
        workspace.cohort_path = project / "cohort.csv" if in_project else None
        case = make_case(name)
        list(workspace.layers.show(case_layers(case), first_slice=2))
        workspace.set_case(case, None)
        opened.append(workspace)
        return workspace

    yield make
    for workspace in opened:
        workspace.journalling.leave()
        for writer in list(workspace.journalling._writers):
            writer._thread.join(5)
            assert not writer._thread.is_alive()


@pytest.fixture
def workspace(open_case) -> Workspace:
    return open_case()


@pytest.fixture
def labels(project: Path) -> Path:
    return project / "labels"


def folder_of(workspace: Workspace) -> JournalFolder:
    return workspace.journalling._place.folder


def wait_until_written(qtbot, workspace: Workspace, layer: Labels) -> np.ndarray:
    """The mask as the journal has it, once that is begun and all is on disk."""
    qtbot.waitUntil(lambda: workspace.journalling.of(layer) is not None)
    held = workspace.journalling.of(layer)

    def is_written() -> bool:
        return held.path is not None and np.array_equal(written(workspace, held.path), layer.data != 0)

    qtbot.waitUntil(is_written)
    return written(workspace, held.path)


def written(workspace: Workspace, path: Path) -> np.ndarray:
    folder = folder_of(workspace)
    return recover(path, np.zeros(SHAPE, np.uint8), case=folder.key, any_base=True).voxels


def reopened(qtbot, open_case, name: str = "a", *, in_project: bool = True) -> Workspace:
    """Open the case in another viewer, and wait until it was looked what is kept."""
    workspace = open_case(name, in_project=in_project)
    with qtbot.waitSignal(workspace.journalling._lookups.done):
        workspace.journalling.look_up()
    return workspace


def take_back(workspace: Workspace, number: int = 0) -> Labels:
    kept, case = workspace.journalling.kept[number], workspace.case
    job = correct.take_back(
        workspace.journalling.folder_later(), case.name, kept=kept, stop=threading.Event()
    )
    taken = list(job)[-1].result
    return workspace.journalling.put_back(case, taken.kept, journal=taken.journal, found=taken.found)


def leave(workspace: Workspace) -> None:
    writers = list(workspace.journalling._writers)
    workspace.journalling.leave()
    for writer in writers:
        assert writer.wait(10)


def own_mask(workspace: Workspace) -> Labels:
    return workspace.layers.new_mask(workspace.case)


def napari_layer(workspace: Workspace) -> Labels:
    """What napari's own button adds on the chosen image."""
    viewer = workspace.layers.viewer
    viewer.layers.selection.active = viewer.layers["ceT1"]
    viewer._new_labels()
    return viewer.layers.selection.active


def prediction(workspace: Workspace) -> Labels:
    case = workspace.case
    volume = Volume(np.roll(case.reference.voxels, 2, axis=1), case.grid)
    source = case_source(case, Role.PREDICTION, run="2d-ceT1-1")
    return workspace.layers.add(mask_layer(volume, source, name="prediction 2d-ceT1-1"), is_saved=False)


def copied(workspace: Workspace) -> Labels:
    source = workspace.layers.viewer.layers["reference"]
    data, state, _ = source.as_layer_data_tuple()
    return workspace.layers.viewer.add_layer(Labels(data.copy(), **state | {"name": "reference copy"}))


def loaded(workspace: Workspace) -> Labels:
    """A mask that napari has read with our reader: it names its own file as its case."""
    case = workspace.case
    data, kwargs, _ = mask_layer(
        case.reference, case_source(case, Role.REFERENCE), name="mask of a colleague"
    )
    source = kwargs["metadata"][METADATA_KEY]
    import dataclasses

    kwargs["metadata"] = {METADATA_KEY: dataclasses.replace(source, case="mask of a colleague")}
    return workspace.layers.viewer.add_layer(Labels(data, **kwargs))


def proposal(workspace: Workspace) -> Labels:
    case = workspace.case
    data, kwargs, _ = mask_layer(case.reference, case_source(case, Role.PREVIEW), name="first mask?")
    return workspace.layers.viewer.add_layer(Labels(data, **kwargs))


def reference(workspace: Workspace) -> Labels:
    layer = workspace.layers.viewer.layers["reference"]
    # Another hand may have unlocked it.
    layer.editable = True
    return layer


MAKERS = (own_mask, napari_layer, prediction, copied, loaded, proposal, reference)


@pytest.mark.parametrize("make", MAKERS)
def test_the_first_stroke_on_any_mask_of_the_case_begins_its_journal(qtbot, open_case, labels, make) -> None:
    workspace = open_case()
    layer = make(workspace)
    assert workspace.journalling.of(layer) is None
    layer.paint((3, 20, 18), 1)
    wait_until_written(qtbot, workspace, layer)
    layer.paint((4, 30, 6), 1)
    layer.paint((3, 20, 18), 0)
    drawn = wait_until_written(qtbot, workspace, layer)
    assert drawn.any()
    name = layer.name
    leave(workspace)
    again = reopened(qtbot, open_case)
    (kept,) = again.journalling.kept
    assert kept.is_own is (make in (own_mask, napari_layer, copied, loaded))
    back = take_back(again)
    np.testing.assert_array_equal(back.data, drawn)
    assert kept.is_own or back.name in (name, f"{name} [1]")


def test_several_layers_of_one_case_come_back_as_themselves(qtbot, open_case) -> None:
    workspace = open_case()
    made = [make(workspace) for make in (own_mask, prediction, copied, napari_layer)]
    for number, layer in enumerate(made):
        layer.paint((number, 5 * number + 5, 10), 1)
    drawn = {layer.name: wait_until_written(qtbot, workspace, layer) for layer in made}
    leave(workspace)
    again = reopened(qtbot, open_case)
    assert len(again.journalling.kept) == 4
    while again.journalling.kept:
        back = take_back(again)
        np.testing.assert_array_equal(back.data, drawn[back.name])


def test_what_no_hand_has_touched_is_neither_kept_nor_asked_about(qtbot, open_case, labels) -> None:
    workspace = open_case()
    layer = prediction(workspace)
    workspace.layers.redraw(layer, np.ones(SHAPE, np.uint8))
    workspace.layers.viewer.dims.set_current_step(0, 4)
    qtbot.wait(50)
    assert workspace.journalling.unsaved() == []
    assert workspace.layers.unsaved() == [layer]
    assert not labels.exists()


def test_a_mask_on_another_grid_is_said_not_to_be_kept(qtbot, workspace) -> None:
    told: list[str] = []
    workspace.journalling.told.connect(told.append)
    viewer = workspace.layers.viewer
    for layer in (
        viewer.add_labels(np.zeros((3, 8, 8), np.uint8), name="small"),
        viewer.add_labels(np.zeros(SHAPE, np.uint8), name="elsewhere"),
    ):
        for _ in range(2):
            layer.paint((1, 4, 4), 1)
            qtbot.wait(10)
            layer.paint((1, 4, 4), 0)
            qtbot.wait(10)
        assert workspace.journalling.of(layer) is None
    assert ["“small”" in told[0], "“elsewhere”" in told[1], len(told)] == [True, True, 2]


@pytest.mark.parametrize("label", [2, 7, 255])
def test_label_numbers_are_kept_as_mask_and_saved_as_0_and_1(
    qtbot, workspace, labels, label, tmp_path
) -> None:
    layer = own_mask(workspace)
    layer.selected_label = label
    layer.paint((3, 20, 18), label)
    wait_until_written(qtbot, workspace, layer)
    saves = masks_to_save(None, [layer], folder=workspace.case_folder)
    list(cases.save_masks(saves, threading.Event()))
    workspace.layers.mark_saved(saves)
    assert workspace.layers.unsaved() == []
    saved = folder_of(workspace).saved()
    assert set(np.unique(saved)) == {0, 1}
    np.testing.assert_array_equal(saved != 0, layer.data != 0)
    qtbot.waitUntil(lambda: not journal_path(labels, "a").exists())


def test_a_wide_layer_with_large_labels_is_kept_as_mask(qtbot, workspace) -> None:
    layer = workspace.layers.viewer.add_labels(
        np.zeros(SHAPE, np.int64),
        scale=workspace.layers.viewer.layers["ceT1"].scale,
        translate=workspace.layers.viewer.layers["ceT1"].translate,
    )
    layer.paint((3, 20, 18), 65536)
    np.testing.assert_array_equal(wait_until_written(qtbot, workspace, layer), layer.data != 0)


def change_by_undo(layer: Labels) -> None:
    layer.undo()


def change_by_redo(layer: Labels) -> None:
    layer.undo()
    layer.redo()


def change_by_bucket(layer: Labels) -> None:
    layer.fill((2, 0, 0), 1)


def change_by_polygon(layer: Labels) -> None:
    layer.paint_polygon([(2, 2, 2), (2, 2, 30), (2, 30, 20)], 1)


def change_in_3d(layer: Labels) -> None:
    layer.n_edit_dimensions, layer.brush_size = 3, 5
    layer.paint((3, 20, 18), 1)


def change_in_another_view(layer: Labels) -> None:
    layer.paint((3, 0, 18), 1)


def change_by_replacing(layer: Labels) -> None:
    layer.data = np.roll(layer.data, 3, axis=2)


def change_by_converting(layer: Labels) -> None:
    layer.data = layer.data.astype(np.int32)
    layer.paint((1, 5, 5), 300)


def change_by_hand(layer: Labels) -> None:
    layer.data[1, 2:4, 2:4] = 1
    layer.refresh()


def change_by_a_name(layer: Labels) -> None:
    layer.name = "a better name"
    layer.paint((1, 5, 5), 1)


CHANGES = (
    change_by_undo,
    change_by_redo,
    change_by_bucket,
    change_by_polygon,
    change_in_3d,
    change_in_another_view,
    change_by_replacing,
    change_by_converting,
    change_by_hand,
    change_by_a_name,
)


@pytest.mark.parametrize("change", CHANGES)
def test_every_way_to_change_a_mask_is_in_the_journal(qtbot, workspace, change) -> None:
    layer = own_mask(workspace)
    for place in ((3, 20, 18), (3, 30, 6)):
        layer.paint(place, 1)
        wait_until_written(qtbot, workspace, layer)
    change(layer)
    wait_until_written(qtbot, workspace, layer)


def test_a_stroke_that_is_still_drawn_is_on_disk_after_a_moment(qtbot, workspace) -> None:
    layer = own_mask(workspace)
    with layer.block_history():
        layer.paint((3, 20, 18), 1)
        wait_until_written(qtbot, workspace, layer)
        layer.paint((3, 28, 18), 1)
        wait_until_written(qtbot, workspace, layer)


def test_the_first_stroke_holds_nobody_up(qtbot, open_case, monkeypatch) -> None:
    workspace = open_case()
    layer = own_mask(workspace)
    go_on = threading.Event()
    monkeypatch.setattr(disk, "fsync", lambda _file: go_on.wait(60))
    layer.paint((3, 20, 18), 1)
    started = time.perf_counter()
    workspace.journalling._begin_all()
    assert time.perf_counter() - started < 20
    go_on.set()
    wait_until_written(qtbot, workspace, layer)


def test_a_slow_disk_is_told_and_when_it_has_caught_up(qtbot, workspace, monkeypatch) -> None:
    from napari_necroseg.widgets.shared import journalling

    monkeypatch.setattr(journalling, "LATE_S", 0.2)
    told: list[str] = []
    workspace.journalling.told.connect(told.append)
    layer = own_mask(workspace)
    layer.paint((3, 20, 18), 1)
    wait_until_written(qtbot, workspace, layer)
    monkeypatch.setattr(disk, "fsync", lambda _file: time.sleep(1.2))
    layer.paint((3, 30, 18), 1)
    qtbot.waitUntil(lambda: len(told) == 2)
    assert "The disk is slow" in told[0]
    assert told[1] == SAFE_AGAIN


def test_a_full_disk_is_told_and_strokes_are_made_up_for(qtbot, workspace, monkeypatch) -> None:
    monkeypatch.setattr(journal_writer, "RETRY_S", 0.1)
    told: list[str] = []
    workspace.journalling.told.connect(told.append)
    layer = own_mask(workspace)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk_is_full:
        disk_is_full.setattr(disk, "write", full)
        layer.paint((3, 20, 18), 1)
        qtbot.waitUntil(lambda: bool(told))
        layer.paint((3, 30, 18), 1)
        assert workspace.journalling.trouble == told[0]
    assert told[0].count("no longer safe") == 1
    assert "No space left" in told[0]
    assert "Drawing goes on" in told[0]
    wait_until_written(qtbot, workspace, layer)
    qtbot.waitUntil(lambda: told[1:] == [SAFE_AGAIN])
    assert workspace.journalling.trouble == ""


def test_a_mask_that_is_removed_is_said_to_be_kept_and_taken_back(qtbot, workspace) -> None:
    told: list[str] = []
    workspace.journalling.told.connect(told.append)
    layer = own_mask(workspace)
    layer.paint((3, 20, 18), 1)
    drawn = wait_until_written(qtbot, workspace, layer)
    workspace.layers.viewer.layers.remove(layer)
    assert told == [REMOVED]
    qtbot.waitUntil(lambda: len(workspace.journalling.kept) == 1)
    np.testing.assert_array_equal(take_back(workspace).data, drawn)
    assert workspace.journalling.kept == ()


def test_what_was_taken_back_is_said_in_ml_also_when_no_edits_are_counted(qtbot, open_case) -> None:
    workspace = open_case()
    layer = own_mask(workspace)
    layer.paint((3, 20, 18), 1)
    wait_until_written(qtbot, workspace, layer)
    volume = f"{np.count_nonzero(layer.data) * workspace.case.grid.voxel_ml:.2f} mL"
    leave(workspace)
    for _ in range(2):
        workspace = reopened(qtbot, open_case)
        (kept,) = workspace.journalling.kept
        job = correct.take_back(
            workspace.journalling.folder_later(), workspace.case.name, kept=kept, stop=threading.Event()
        )
        taken = list(job)[-1].result
        counted = "" if not taken.found.edits else "1 edit, "
        assert str(taken) == f"Taken back: {counted}{volume}."
        workspace.journalling.put_back(workspace.case, taken.kept, journal=taken.journal, found=taken.found)
        leave(workspace)
    assert counted == "", "the second journal begins with the whole mask"


def test_a_mask_that_is_removed_at_once_after_a_stroke_has_it(qtbot, workspace) -> None:
    layer = own_mask(workspace)
    layer.paint((3, 20, 18), 1)
    wait_until_written(qtbot, workspace, layer)
    layer.paint((3, 30, 6), 1)
    drawn = layer.data.copy()
    workspace.layers.viewer.layers.remove(layer)
    qtbot.waitUntil(lambda: len(workspace.journalling.kept) == 1)
    np.testing.assert_array_equal(take_back(workspace).data, drawn)


def test_even_a_single_stroke_survives_the_bin(qtbot, workspace) -> None:
    layer = own_mask(workspace)
    layer.paint((3, 20, 18), 1)
    drawn = layer.data.copy()
    workspace.layers.viewer.layers.remove(layer)
    qtbot.waitUntil(lambda: len(workspace.journalling.kept) == 1)
    np.testing.assert_array_equal(take_back(workspace).data, drawn)


def test_another_case_in_the_same_layer_is_kept_for_itself(qtbot, open_case, make_case, labels) -> None:
    workspace = open_case()
    layer = own_mask(workspace)
    layer.paint((3, 20, 18), 1)
    drawn = wait_until_written(qtbot, workspace, layer)
    other: Case = make_case("b")
    mine = mask_layer(
        Volume(np.ones(SHAPE, np.uint8), other.grid), case_source(other, Role.LABELS), name="my mask"
    )
    list(workspace.layers.show([*case_layers(other), mine], first_slice=2))
    # Drawn before the case is said to be open.
    workspace.layers.viewer.layers["my mask"].paint((0, 5, 5), 0)
    workspace.set_case(other, None)
    second = wait_until_written(qtbot, workspace, workspace.layers.viewer.layers["my mask"])
    assert workspace.journalling.of(workspace.layers.viewer.layers["my mask"]).path == labels / "b.journal"
    leave(workspace)
    folder = JournalFolder.of_project(labels, "a", grid=other.grid)
    (kept,) = folder.kept()
    np.testing.assert_array_equal(recover(kept.path, np.zeros(SHAPE, np.uint8), case="a").voxels, drawn)
    assert not second.all()


def test_cases_of_one_name_in_two_projects_are_not_confused(qtbot, open_case, tmp_path, make_case) -> None:
    workspace = open_case()
    layer = own_mask(workspace)
    layer.paint((3, 20, 18), 1)
    drawn = wait_until_written(qtbot, workspace, layer)
    workspace.cohort_path = tmp_path / "other" / "cohort.csv"
    # The case of the first project is still open.
    layer.paint((4, 20, 18), 1)
    drawn = layer.data.copy()
    wait_until_written(qtbot, workspace, layer)
    assert (
        masks_to_save(None, [layer], folder=workspace.case_folder)[0].path.parent
        == tmp_path / "study" / "labels"
    )
    case = make_case("a")
    list(workspace.layers.show(case_layers(case), first_slice=2))
    workspace.set_case(case, None)
    assert not (tmp_path / "other").exists()
    again = reopened(qtbot, open_case)
    np.testing.assert_array_equal(take_back(again).data, drawn)


def test_a_pair_of_files_is_kept_in_the_data_folder_and_found_by_its_image(qtbot, open_case, project) -> None:
    workspace = open_case(in_project=False)
    layer = own_mask(workspace)
    layer.paint((3, 20, 18), 1)
    drawn = wait_until_written(qtbot, workspace, layer)
    leave(workspace)
    assert not project.exists()
    again = reopened(qtbot, open_case, in_project=False)
    np.testing.assert_array_equal(take_back(again).data, drawn)


def test_a_second_window_is_told_and_its_strokes_are_kept_beside(qtbot, open_case) -> None:
    first = open_case()
    layer = own_mask(first)
    layer.paint((3, 20, 18), 1)
    wait_until_written(qtbot, first, layer)
    second = reopened(qtbot, open_case)
    assert [one.is_elsewhere for one in second.journalling.kept] == [True]
    other = own_mask(second)
    other.paint((1, 5, 5), 1)
    wait_until_written(qtbot, second, other)
    layer.paint((4, 20, 18), 1)
    mine = wait_until_written(qtbot, first, layer)
    assert second.journalling.of(other).path != first.journalling.of(layer).path
    theirs = other.data.copy()
    leave(first)
    leave(second)
    again = reopened(qtbot, open_case)
    assert len(again.journalling.kept) == 2
    np.testing.assert_array_equal(take_back(again).data, mine)
    np.testing.assert_array_equal(take_back(again).data, theirs)


def test_strokes_that_are_taken_back_do_not_replace_what_was_drawn_since(qtbot, open_case) -> None:
    first = open_case()
    layer = own_mask(first)
    layer.paint((3, 20, 18), 1)
    old = wait_until_written(qtbot, first, layer)
    leave(first)
    again = reopened(qtbot, open_case)
    newer = own_mask(again)
    newer.paint((0, 5, 5), 1)
    new = wait_until_written(qtbot, again, newer)
    back = take_back(again)
    assert back is not newer
    np.testing.assert_array_equal(back.data, old)
    np.testing.assert_array_equal(newer.data, new)


def test_strokes_that_are_not_wanted_go_aside_and_are_not_offered(qtbot, open_case, labels) -> None:
    workspace = open_case()
    layer = own_mask(workspace)
    layer.paint((3, 20, 18), 1)
    wait_until_written(qtbot, workspace, layer)
    workspace.journalling.give_up(workspace.journalling.unsaved())
    leave(workspace)
    assert reopened(qtbot, open_case).journalling.kept == ()
    assert (labels / "a.journal-aside-001").exists()


def test_a_stroke_that_was_undone_leaves_no_journal(qtbot, open_case, labels) -> None:
    workspace = open_case()
    layer = own_mask(workspace)
    layer.paint((3, 20, 18), 1)
    wait_until_written(qtbot, workspace, layer)
    layer.undo()
    leave(workspace)
    assert not journal_path(labels, "a").exists()


def test_a_saved_mask_needs_no_journal_until_the_next_stroke(qtbot, open_case, labels) -> None:
    workspace = open_case()
    layer = own_mask(workspace)
    layer.paint((3, 20, 18), 1)
    wait_until_written(qtbot, workspace, layer)
    saves = masks_to_save(None, [layer], folder=workspace.case_folder)
    list(cases.save_masks(saves, threading.Event()))
    workspace.layers.mark_saved(saves)
    qtbot.waitUntil(lambda: not journal_path(labels, "a").exists())
    layer.paint((3, 30, 6), 1)
    drawn = wait_until_written(qtbot, workspace, layer)
    leave(workspace)
    assert corrected_path(labels, "a").exists()
    again = reopened(qtbot, open_case)
    np.testing.assert_array_equal(take_back(again).data, drawn)


def test_strokes_that_are_not_on_disk_are_not_said_to_be_kept(qtbot, workspace, monkeypatch) -> None:
    monkeypatch.setattr(journal_writer, "RETRY_S", 0.1)
    layer = own_mask(workspace)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk_is_full:
        disk_is_full.setattr(disk, "write", full)
        layer.paint((3, 20, 18), 1)
        # Not told yet, but asked for.
        assert "No space left" in workspace.journalling.not_kept()
    wait_until_written(qtbot, workspace, layer)
    assert workspace.journalling.not_kept() == ""
