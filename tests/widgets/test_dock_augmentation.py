"""The dock Augmentation preview: what it shows is what a training would see."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import QPointF, Qt
from qtpy.QtTest import QTest

from napari_necroseg.core.augment.draw import Sampling, draw_sample, generator_of, sampling_of
from napari_necroseg.core.augment.sample import make_sample
from napari_necroseg.core.config import AugmentConfig, TrainConfig, only, train_preset
from napari_necroseg.core.plan import Plan, patch_shape_of
from napari_necroseg.core.training.mini_batches import mini_batch
from napari_necroseg.core.training.sources import training_source
from napari_necroseg.jobs.preview import Sheet, View
from napari_necroseg.layerdata import case_layers
from napari_necroseg.widgets.augmentation.dock import Augmentation
from napari_necroseg.widgets.shared import qt_parts
from napari_necroseg.widgets.train.dock import Train

PATCH_SHAPE = (64, 128, 128)
PLAIN = Sampling(patch_shape=PATCH_SHAPE, is_2d=False, augment=only())


@pytest.fixture
def dock(open_dock):
    dock = open_dock(Augmentation)
    dock.resize(380, 900)
    dock.show()
    return dock


@pytest.fixture
def open_case(qtbot, dock, make_case):
    def open_it(**choices):
        case = make_case(**choices)
        list(dock.workspace.layers.show(case_layers(case), first_slice=2))
        dock.workspace.set_case(case, None)
        settle(qtbot, dock)
        return case

    return open_it


def settle(qtbot, dock):
    """Wait until what is shown is what is wished for, the patch included."""

    def is_settled():
        shown = dock.picture.shown
        if isinstance(shown, View):
            return shown.request == dock.request() and shown.after_ml is not None and not dock.latest.is_busy
        return isinstance(shown, Sheet) and shown.request == dock.request() and not dock.latest.is_busy

    qtbot.waitUntil(is_settled)


def plan_of(training, case):
    return Plan(
        config=training,
        cases=(case.name,),
        iterations=9,
        seconds=None,
        patch_shape=patch_shape_of(training),
    )


def choose(dock, preset, dimension):
    dock.whose.preset.setCurrentText(preset)
    dock.whose.is_3d.setChecked(dimension == "3d")


def grey(images, source):
    """From -2 to 3; from air on, where whole images were whitened."""
    images = images.numpy()
    black = np.float32(-2) if source.air is None else source.air[: len(images), None, None]
    return (((images - black) / (3 - black)).clip(0, 1) * 255).astype(np.uint8)


def assert_shown(dock, images, source):
    """Each voxel is four pixels of one grey."""
    for made, expected in zip(dock.picture.shown.augmented, grey(images, source), strict=True):
        np.testing.assert_array_equal(made[::2, ::2, 0], expected)
        np.testing.assert_array_equal(made[1::2, 1::2, 2], expected)


@pytest.mark.parametrize("dimension", ["2d", "3d"])
@pytest.mark.parametrize("preset", ["fast", "paper"])
def test_what_is_shown_is_the_sample_that_a_training_makes(qtbot, dock, open_case, preset, dimension):
    case = open_case()
    choose(dock, preset, dimension)
    dock.has_outline.setChecked(False)
    dock.seed.setValue(4)
    training = train_preset(preset, dimension).changed(seed=4, batch_size=1)
    source = training_source(case, training, n_slices=training.slices)
    plan = plan_of(training, case)
    for number in (7, 8):
        drawn = draw_sample(
            source, sampling_of(training, plan.patch_shape), generator=generator_of(4, number)
        )
        index = 21 if drawn.slice_index is None else drawn.slice_index
        dock.number.setValue(number)
        dock.slice.setValue(index)
        settle(qtbot, dock)
        assert dock.picture.shown.drawn == replace(drawn, slice_index=None)
        made = mini_batch([source], plan, iteration=number).images[0]
        assert_shown(dock, made if dimension == "2d" else made[:, index], source)


def test_a_patch_of_fast_is_smaller_and_what_it_varies_is_said(qtbot, dock, open_case):
    open_case()
    assert dock.picture.shown.augmented[0].shape == (128, 128, 3)
    assert "contrast" in dock.values.said
    assert "brightness" in dock.values.said
    dock.slice.setValue(48)
    dock.whose.is_3d.setChecked(True)
    settle(qtbot, dock)
    assert (dock.slice.maximum(), dock.slice.value()) == (31, 24)
    choose(dock, "paper", "2d")
    settle(qtbot, dock)
    assert (dock.slice.maximum(), dock.slice.value()) == (63, 48)
    assert dock.picture.shown.augmented[0].shape == (256, 256, 3)
    assert "contrast" not in dock.values.said


def test_the_original_is_of_the_same_place_also_where_a_patch_lies_elsewhere(qtbot, dock, open_case):
    case = open_case()
    dock.has_outline.setChecked(False)
    dock.controls.set_config(only())
    training = train_preset("fast").changed(augment=only())
    source = training_source(case, training, n_slices=64)
    sampling = sampling_of(training, (64, 64, 64))
    places = set()
    for number in range(6):
        dock.number.setValue(number)
        settle(qtbot, dock)
        drawn = draw_sample(source, sampling, generator=generator_of(0, number))
        places.add(drawn.centre_voxels)
        plain = replace(drawn, slice_index=32, contrast=(), brightness=())
        original = make_sample(source, plain, patch_shape=(64, 64, 64)).images
        for shown, expected in zip(dock.picture.shown.originals, grey(original, source), strict=True):
            np.testing.assert_array_equal(shown[::2, ::2, 0], expected)
    assert len(places) > 1


def test_one_value_is_exactly_that_value(qtbot, dock, open_case):
    case = open_case()
    choose(dock, "paper", "2d")
    dock.has_outline.setChecked(False)
    dock.by_value.setChecked(True)
    dock.controls.switches["elastic"].setChecked(False)
    dock.controls.singles["scale_range"].setValue(0.75)
    dock.controls.singles["gamma_range"].setValue(1.5)
    dock.controls.flips[1].setChecked(True)
    settle(qtbot, dock)
    source = training_source(case, TrainConfig(), n_slices=64)
    plain = draw_sample(source, PLAIN, generator=generator_of(0, 0))
    drawn = replace(plain, scale=0.75, gamma=(1.5, 1.5), is_mirrored=(False, True, False))
    assert dock.picture.shown.drawn == drawn
    assert_shown(
        dock, make_sample(source, replace(drawn, slice_index=32), patch_shape=PATCH_SHAPE).images, source
    )
    assert "factor 0.75" in dock.values.said
    assert "mirrored head-foot" in dock.values.said


def test_the_volume_of_the_necrosis_before_and_after_is_said(qtbot, dock, open_case):
    open_case()
    choose(dock, "paper", "2d")
    dock.by_value.setChecked(True)
    dock.controls.switches["elastic"].setChecked(False)
    settle(qtbot, dock)
    shown = dock.picture.shown
    assert shown.before_ml == shown.after_ml > 0
    assert f"{shown.before_ml:.2f} mL in the case" in dock.necrosis.said
    dock.controls.shifts[0].setValue(60)
    dock.controls.shifts[1].setValue(60)
    settle(qtbot, dock)
    assert dock.picture.shown.after_ml < shown.before_ml


@pytest.mark.parametrize(("preset", "dimension"), [("fast", "2d"), ("fast", "3d"), ("paper", "3d")])
def test_the_contact_sheet_shows_the_samples_of_a_training(qtbot, dock, open_case, preset, dimension):
    case = open_case()
    choose(dock, preset, dimension)
    dock.has_outline.setChecked(False)
    dock.sheet.setCurrentText("9 draws")
    settle(qtbot, dock)
    # A training whose 2D samples at the necrosis all show it.
    training = train_preset(preset, dimension).changed(batch_size=1)
    source = training_source(case, training, n_slices=training.slices)
    plan = plan_of(training, case)
    sampling = sampling_of(training, plan.patch_shape)
    at_necrosis = replace(sampling, is_2d=True, slice_share=1.0)
    for number, tile in enumerate(dock.picture.shown.tiles):
        index = draw_sample(source, at_necrosis, generator=generator_of(0, number)).slice_index
        if dimension == "3d":
            made = mini_batch([source], plan, iteration=number).images[0, :, index]
        else:
            drawn = draw_sample(source, sampling, generator=generator_of(0, number))
            made = make_sample(source, replace(drawn, slice_index=index), patch_shape=plan.patch_shape).images
        np.testing.assert_array_equal(tile[::2, ::2, 0], grey(made, source)[0])


def test_ranges_follow_the_preset_until_they_are_changed(qtbot, dock, open_case):
    open_case()
    assert dock.controls.config() == train_preset("fast").augment
    choose(dock, "paper", "2d")
    assert dock.controls.config() == AugmentConfig()
    dock.controls.switches["blur"].setChecked(False)
    choose(dock, "fast", "2d")
    assert dock.controls.config() == AugmentConfig(blur=False)
    dock.ranges.reset()
    assert dock.controls.config() == train_preset("fast").augment


def test_what_is_off_cannot_be_set_neither_as_a_range_nor_as_one_value(dock):
    # As with the preset fast.
    slider = dock.controls.singles["rotation_transversal_deg"]
    assert not slider.isEnabled()
    assert not dock.controls.ranges["rotation_transversal_deg"].isEnabled()
    dock.controls.switches["rotation"].setChecked(True)
    assert slider.isEnabled()


@pytest.mark.parametrize("has_reference", [True, False])
def test_presets_that_are_switched_to_and_fro_ask_for_slices_that_are_there(
    qtbot, dock, open_case, has_reference
):
    open_case(has_reference=has_reference)
    for sheet in ("one draw", "9 draws"):
        dock.sheet.setCurrentText(sheet)
        choose(dock, "paper", "3d")
        settle(qtbot, dock)
        dock.slice.setValue(63)
        # Without a pause, as fast as a hand, and as fast as a program can.
        choose(dock, "fast", "3d")
        dock.whose.is_3d.setChecked(False)
        dock.whose.is_3d.setChecked(True)
        settle(qtbot, dock)
        assert dock.slice.value() == 31
        assert "fail" not in dock.picture.message


def test_a_new_draw_and_back(qtbot, dock, open_case):
    open_case()
    first = dock.picture.shown
    dock.new_draw()
    settle(qtbot, dock)
    assert dock.picture.shown.drawn != first.drawn
    dock.previous_draw()
    dock.previous_draw()
    settle(qtbot, dock)
    assert dock.number.value() == 0
    assert dock.picture.shown.drawn == first.drawn


def test_without_a_case_it_says_what_to_do(dock):
    assert "Open a case" in dock.picture.message


def test_a_case_without_t2_or_reference_is_shown(dock, open_case):
    open_case(has_t2=False, has_reference=False)
    assert dock.picture.shown.names == ("ceT1",)
    assert "none is outlined" in dock.necrosis.said


def test_layers_of_another_size_are_refused_and_the_old_picture_goes(qtbot, dock, open_case, viewer):
    open_case()
    other = viewer.add_image(np.zeros((3, 4, 5)), name="elsewhere")
    dock.choice.t2.choose(other)
    assert "not lie on the same grid" in dock.picture.message
    qtbot.wait(300)
    assert dock.picture.shown is None
    dock.choice.t2.choose(None)
    flat = viewer.add_image(np.zeros((4, 5)), name="flat")
    dock.choice.cet1.choose(flat)
    assert "another number of axes" in dock.picture.message


def test_a_tile_of_the_contact_sheet_shows_that_draw_alone(qtbot, dock, open_case):
    open_case()
    dock.sheet.setCurrentText("16 draws")
    settle(qtbot, dock)
    assert len(dock.picture.shown.tiles) == 16
    dock.picture.grab()
    middle = dock.picture._boxes[5].center()
    QTest.mouseClick(dock.picture, Qt.MouseButton.LeftButton, pos=QPointF(middle).toPoint())
    settle(qtbot, dock)
    assert isinstance(dock.picture.shown, View)
    assert dock.picture.shown.request.number == 5


def test_use_for_training_reaches_the_dock_train_and_stays_with_another_preset(
    qtbot, dock, open_case, open_dock
):
    train = open_dock(Train)
    assert train._config().augment == only("mirror", "translation")
    choose(dock, "paper", "2d")
    dock.controls.switches["elastic"].setChecked(False)
    dock.controls.ranges["scale_range"].setValue((0.8, 1.2))
    dock.ranges.use_for_training()
    wanted = AugmentConfig(elastic=False, scale_range=(0.8, 1.2))
    assert train._config().augment == wanted
    train.form.input("preset").set_value("paper")
    assert train._config().preset == "paper"
    assert train._config().augment == wanted
    # What is shown is what is handed over, also where it is the preset's of one dock and not of the other.
    train.form.input("preset").set_value("fast")
    dock.ranges.reset()
    dock.ranges.use_for_training()
    assert train._config().augment == AugmentConfig()


def test_save_and_load_and_a_file_that_is_something_else(tmp_path, dock, monkeypatch):
    path = tmp_path / "mine.json"
    monkeypatch.setattr(qt_parts, "ask_where_to_save", lambda *_, **__: path)
    monkeypatch.setattr(qt_parts, "ask_preset", lambda *_, **__: path)
    dock.controls.ranges["gamma_range"].setValue((0.7, 1.4))
    dock.ranges.save()
    kept = dock.controls.config()
    dock.ranges.reset()
    assert dock.controls.config() == train_preset("fast").augment
    dock.ranges.load()
    assert dock.controls.config() == kept
    path.write_text("not json")
    dock.ranges.load()
    assert "holds no JSON" in dock.ranges.message.said
    assert dock.controls.config() == kept
    monkeypatch.setattr(qt_parts, "ask_preset", lambda *_, **__: Path(tmp_path / "absent.json"))
    dock.ranges.load()
    assert "could not be read" in dock.ranges.message.said


def test_every_field_of_the_augmentation_has_a_control_and_comes_back(dock):
    other = AugmentConfig(
        blur=False,
        blur_sigma_voxels=(0.1, 0.4),
        mirror_probability=0.2,
        rotation_sagittal_deg=(-5, 10),
        elastic_points=5,
        elastic_in_plane_voxels=4.5,
        shift_voxels=7,
    )
    dock.controls.set_config(other)
    assert dock.controls.config() == other


def test_the_thread_is_gone_after_the_dock_was_closed(qtbot, threads, dock, open_case):
    open_case()
    dock.shut_down()
    qtbot.waitUntil(lambda: not threads())


def test_nothing_is_computed_behind_another_dock_and_it_follows_when_it_is_shown(qtbot, dock, open_case):
    open_case()
    before = dock.picture.shown
    dock.hide()
    dock.new_draw()
    qtbot.wait(300)
    assert dock.picture.shown is before
    dock.show()
    settle(qtbot, dock)
    assert dock.picture.shown.request.number == 1


def test_own_ranges_are_there_again_in_the_next_session_until_they_are_reset(dock, open_dock):
    dock.controls.ranges["gamma_range"].setValue((0.7, 1.4))
    dock.ranges.use_for_training()
    again = open_dock(Augmentation)
    assert again.controls.config() == dock.controls.config()
    again.ranges.reset()
    assert open_dock(Augmentation).controls.config() == train_preset("fast").augment
