"""An expert's mask is never changed: its layers are locked, and a copy is offered to whoever tries."""

import numpy as np
import pytest
from napari.layers import Labels
from napari.layers._source import layer_source
from napari.layers.labels._labels_key_bindings import labels_fun_to_mode
from napari.utils.notifications import notification_manager

from napari_necroseg.core.errors import FileError
from napari_necroseg.core.volume import Volume
from napari_necroseg.jobs.cases import SavedMasks, save_masks
from napari_necroseg.layerdata import Role, case_layers, case_source, mask_layer
from napari_necroseg.widgets.cases.dock import Cases
from napari_necroseg.widgets.shared import qt_parts
from napari_necroseg.widgets.shared.case_layers import COPY_TITLE, CaseLayers
from napari_necroseg.widgets.shared.workspace import masks_to_save


@pytest.fixture
def make_expert_case(make_case):
    """A case with a reference and a tumour."""

    def make(name="a", **kwargs):
        case = make_case(name, **kwargs)
        object.__setattr__(case, "tumour", Volume(case.reference.voxels.copy(), case.grid))
        return case

    return make


@pytest.fixture
def shown(viewer, make_expert_case):
    layers = CaseLayers(viewer)
    list(layers.show(case_layers(make_expert_case()), first_slice=2))
    viewer.layers["tumour"].visible = True
    return layers


@pytest.fixture
def offers():
    """The notifications that offer a copy, while the test runs."""
    seen = []
    notification_manager.notification_ready.connect(seen.append)
    yield seen
    notification_manager.notification_ready.disconnect(seen.append)


EXPERTS = ("reference", "tumour", "reference (on T2)")


@pytest.mark.parametrize("name", EXPERTS)
def test_no_key_of_napari_takes_a_tool_to_an_experts_mask(viewer, shown, offers, name):
    layer = viewer.layers[name]
    viewer.layers.selection.active = layer
    for key, _ in labels_fun_to_mode:
        key(layer)
        assert str(layer.mode) == "pan_zoom"
    assert not layer.editable
    assert COPY_TITLE in {title for offer in offers for title, _ in offer.actions}


@pytest.mark.parametrize("name", EXPERTS)
def test_nothing_unlocks_an_experts_mask(viewer, shown, make_expert_case, name):
    layer = viewer.layers[name]
    layer.editable = True
    assert not layer.editable
    layer.data = layer.data.copy()
    assert not layer.editable
    viewer.dims.order = (1, 0, 2)
    assert not layer.editable
    list(shown.show(case_layers(make_expert_case("b", shape=(7, 44, 38))), first_slice=1))
    assert not viewer.layers[name].editable


def test_an_experts_mask_that_comes_later_is_locked_too(viewer, shown, make_expert_case, make_case):
    list(shown.show(case_layers(make_case("b", has_reference=False)), first_slice=1))
    assert "reference" not in viewer.layers
    list(shown.show(case_layers(make_expert_case("c")), first_slice=1))
    assert not viewer.layers["reference"].editable
    assert not viewer.layers["tumour"].editable
    case = make_expert_case("c")
    later = shown.add(
        mask_layer(case.reference, case_source(case, Role.REFERENCE), name="again"), is_saved=True
    )
    assert not later.editable


def test_layers_that_were_there_before_the_docks_are_locked(viewer, make_expert_case):
    case = make_expert_case()
    voxels, kwargs, _ = mask_layer(case.reference, case_source(case, Role.REFERENCE), name="reference")
    with layer_source(reader_plugin="napari-necroseg"):
        layer = viewer.add_layer(Labels(voxels, **kwargs))
    assert layer.editable
    CaseLayers(viewer)
    assert not layer.editable


def test_the_offered_copy_is_ones_own_and_one_edit(viewer, shown, offers):
    reference = viewer.layers["reference"]
    before = reference.data.copy()
    reference.mode = "paint"
    (_, copy), *_ = offers[-1].actions
    copy(None)
    mine = shown.mine("a")
    np.testing.assert_array_equal(mine.data, before)
    assert (str(mine.mode), mine.editable) == ("paint", True)
    assert viewer.layers.selection.active is mine
    mine.paint((0, 1, 1), 1)
    np.testing.assert_array_equal(reference.data, before)
    mine.undo()
    mine.undo()
    assert not mine.data.any()


def test_a_duplicate_that_somebody_made_can_be_drawn_on(viewer, shown):
    reference = viewer.layers["reference"]
    copy = viewer.add_labels(reference.data.copy(), metadata=reference.metadata, name="copy")
    copy.mode = "paint"
    assert str(copy.mode) == "paint"


def test_a_duplicate_that_was_drawn_on_is_the_experts_no_more(viewer, shown, make_expert_case):
    """It would be taken for the reference by the scores, and by the next person."""
    reference = viewer.layers["reference"]
    copy = viewer.add_labels(reference.data.copy(), metadata=dict(reference.metadata), name="copy")
    shown.adopt(copy, make_expert_case())
    assert shown.find("a", [Role.REFERENCE]) == [reference]
    assert shown.find("a", [Role.LABELS]) == [copy]


def test_no_tool_stays_on_in_the_next_case(viewer, shown, make_expert_case):
    mine = shown.new_mask(make_expert_case())
    mine.mode = "paint"
    points = viewer.add_points(np.zeros((1, 3)), name="points")
    points.mode = "add"
    list(shown.show(case_layers(make_expert_case("b")), first_slice=1))
    assert {str(layer.mode) for layer in viewer.layers} == {"pan_zoom"}


@pytest.fixture
def cases(open_dock, make_expert_case):
    dock, case = open_dock(Cases), make_expert_case()
    list(dock.workspace.layers.show(case_layers(case), first_slice=2))
    dock.workspace.set_case(case, None)
    return dock


@pytest.mark.parametrize("name", ["reference", "reference (on T2)"])
def test_the_button_copies_the_mask_that_is_selected(cases, viewer, name):
    viewer.layers.selection.active = viewer.layers[name]
    cases.view._copy.click()
    np.testing.assert_array_equal(viewer.layers["my mask"].data, viewer.layers["reference"].data)
    assert "Ctrl+Z" in cases.panel.message


def test_the_button_says_what_to_select(cases, viewer):
    viewer.layers.selection.active = viewer.layers["ceT1"]
    cases.view._copy.click()
    assert "Select the reference" in cases.panel.message
    assert "my mask" not in viewer.layers


@pytest.mark.parametrize("role", ["reference", "tumour", "ceT1"])
def test_no_mask_is_saved_over_an_image_or_an_experts_mask(cases, tmp_path, monkeypatch, role):
    from napari_necroseg.core.case import CaseFiles, Sequence

    files = {name: tmp_path / f"{name}.nii.gz" for name in ("reference", "tumour", "ceT1")}
    for file in files.values():
        file.write_bytes(b"as it was")
    workspace = cases.workspace
    workspace.set_case(
        workspace.case,
        CaseFiles(
            name="a",
            sequences={Sequence.CET1: files["ceT1"]},
            reference=files["reference"],
            tumour=files["tumour"],
        ),
    )
    mine = workspace.layers.new_mask(workspace.case)
    mine.paint((2, 3, 3), 1)
    monkeypatch.setattr(qt_parts, "ask_where_to_save", lambda *_, **__: files[role])
    with pytest.raises(FileError, match="under another name"):
        masks_to_save(cases, [mine], folder=None, kept=workspace.input_files)
    assert files[role].read_bytes() == b"as it was"


def test_two_predictions_of_one_model_do_not_block_the_way_on(cases, tmp_path, make_expert_case):
    """Neither is lost: the newer one stands there, the other beside it."""
    from napari_necroseg.core.images.read import read_mask

    case, layers = make_expert_case(), cases.workspace.layers
    made = []
    for n in (1, 2):
        voxels = np.zeros(case.grid.shape, np.uint8)
        voxels[2, :n] = 1
        source = case_source(case, Role.PREDICTION, run="run")
        made.append(
            layers.add(mask_layer(Volume(voxels, case.grid), source, name="prediction"), is_saved=False)
        )
    assert layers.unsaved() == made
    saves = masks_to_save(cases, made, folder=tmp_path)
    *_, finished = save_masks(saves, None)
    assert "earlier version" in str(finished.result)
    assert str(SavedMasks(masks=tuple(saves[:1]))) == f"Saved {saves[0].path}."
    files = sorted((tmp_path / "predictions" / "run").glob("*.nii.gz"))
    assert [file.name for file in files] == ["a.nii.gz", "a_earlier-001.nii.gz"]
    counts = [np.count_nonzero(read_mask(file).volume.voxels) for file in files]
    assert counts == [2 * 36, 36]
    layers.mark_saved(finished.result.masks)
    assert layers.unsaved() == []
