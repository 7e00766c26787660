"""Choices: their bounds, the presets, and what contradicts what."""

import pytest
from pydantic import ValidationError

from napari_necroseg.core.case import Sequence
from napari_necroseg.core.config import (
    AUGMENT_SWITCHES,
    BY_PRESET,
    AugmentConfig,
    PredictConfig,
    TrainConfig,
    only,
    range_bounds,
    train_preset,
    usual_prediction,
)
from napari_necroseg.core.errors import SettingsError


@pytest.mark.parametrize(("dimension", "batch_size"), [("2d", 32), ("3d", 2)])
def test_the_paper_preset_has_the_papers_numbers(dimension, batch_size: int) -> None:
    config = train_preset("paper", dimension)
    assert config.batch_size == batch_size
    assert config.learning_rate == 0.001
    assert (config.alpha, config.beta) == (0.3, 0.7)
    assert config.patches_per_case == 1800
    assert config.precision == "fp32"
    assert config.augment == AugmentConfig()
    assert (config.target_share, config.slice_share) == (1, 0)
    assert (config.minutes, config.steps) == (None, None)


def test_the_fast_preset_takes_ten_minutes() -> None:
    config = train_preset("fast", "3d")
    assert (config.minutes, config.batch_size, config.dimension) == (10.0, 2, "3d")
    assert config.target_share < 1


def test_a_time_limit_contradicts_the_paper_preset() -> None:
    with pytest.raises(
        SettingsError, match="paper preset has a fixed length, so a time limit contradicts it"
    ):
        train_preset("paper").changed(minutes=5)


def test_patches_whitened_by_themselves_have_no_brightness_to_vary() -> None:
    with pytest.raises(SettingsError, match="no contrast or brightness left to vary"):
        TrainConfig.checked(intensity_spread=0.3)
    assert TrainConfig.checked(intensity_spread=0.3, whitening="volume").intensity_spread == 0.3


def test_slices_that_cannot_be_halved_four_times_are_refused() -> None:
    with pytest.raises(SettingsError, match="multiple of 16"):
        TrainConfig.checked(slices=40)


def test_iterations_and_a_time_limit_contradict_each_other() -> None:
    with pytest.raises(SettingsError, match="5 iterations and 2 minutes were both given"):
        TrainConfig.checked(steps=5, minutes=2)


def test_what_is_given_later_takes_the_place_of_the_other_bound() -> None:
    by_steps = train_preset("fast").changed(steps=5)
    assert (by_steps.steps, by_steps.minutes) == (5, None)
    by_time = by_steps.changed(minutes=3)
    assert (by_time.steps, by_time.minutes) == (None, 3)
    assert by_time.changed(seed=4).minutes == 3


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"steps": 0}, "steps: Input should be greater than or equal to 1"),
        ({"minutes": 0}, "minutes: Input should be greater than 0"),
        ({"dimension": "4d"}, "dimension: Input should be '2d' or '3d'"),
        ({"speed": 3}, "speed: Extra inputs are not permitted"),
        ({"target_share": 0}, "target_share: Input should be greater than"),
        ({"augment": {"scale_range": (1.4, 0.6)}}, "augment: the range scale_range goes from 1.4 to 0.6"),
        ({"augment": {"scale_range": (0.1, 1)}}, "augment: the range scale_range must lie between 0.2 and 3"),
        ({"augment": {"gamma_range": (0.5,)}}, "augment.gamma_range.1: Field required"),
        ({"sequences": ()}, "sequences: name one or two different sequences"),
        ({"sequences": ("T2", "T2")}, "sequences: name one or two different sequences"),
        ({"sequences": ("PD",)}, "sequences.0: Input should be 'ceT1' or 'T2'"),
        ({"alpha": 0, "beta": 0}, "Alpha and beta cannot both be 0"),
    ],
)
def test_a_wrong_choice_is_named_in_one_sentence(choices: dict, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        TrainConfig.checked(**choices)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_sequences_stand_in_one_order_whatever_was_typed() -> None:
    assert TrainConfig.checked(sequences=("T2", "ceT1")).sequences == (Sequence.CET1, Sequence.T2)


def test_a_config_is_frozen_and_its_json_gives_it_back() -> None:
    config = train_preset("fast").changed(sequences=("T2",), seed=3, augment={"mirror": False})
    assert TrainConfig.model_validate_json(config.model_dump_json()) == config
    with pytest.raises(ValidationError):
        config.seed = 4


@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_a_threshold_that_takes_everything_or_nothing_is_refused(threshold: float) -> None:
    with pytest.raises(SettingsError, match="threshold"):
        PredictConfig.checked(threshold=threshold)


@pytest.mark.parametrize("config", [TrainConfig, PredictConfig, AugmentConfig])
def test_every_choice_has_a_title_and_a_sentence_of_help(config) -> None:
    for name, field in config.model_fields.items():
        assert field.title, name
        assert field.description, name
        assert field.description.endswith("."), name


def test_the_papers_ranges_are_the_defaults() -> None:
    paper = AugmentConfig()
    assert all(getattr(paper, switch) for switch in AUGMENT_SWITCHES)
    assert paper.blur_sigma_voxels == (0, 0.5)
    assert paper.gamma_range == (0.5, 2)
    assert paper.mirror_probability == 0.5
    assert paper.scale_range == (0.6, 1.4)
    assert (paper.rotation_transversal_deg, paper.rotation_sagittal_deg) == ((-30, 30), (-20, 20))
    assert (paper.elastic_sigma_cells, paper.elastic_points) == ((0, 0.3), 3)
    assert paper.shift_voxels == 20


def test_only_the_named_transforms_stay() -> None:
    few = only("mirror", "translation")
    assert [name for name in AUGMENT_SWITCHES if getattr(few, name)] == ["mirror", "translation"]
    assert few.changed(**dict.fromkeys(AUGMENT_SWITCHES, True)) == AugmentConfig()


def test_every_range_and_number_of_the_augmentation_has_a_unit_or_none_and_bounds() -> None:
    for name, field in AugmentConfig.model_fields.items():
        if isinstance(field.default, tuple):
            least, most = range_bounds(field)
            assert least <= field.default[0] < field.default[1] <= most, name
            assert "unit" in field.json_schema_extra, name
        elif not isinstance(field.default, bool):
            assert {type(bound).__name__ for bound in field.metadata} == {"Ge", "Le"}, name


def test_papers_models_are_applied_as_printed_and_fast_ones_by_their_recipe() -> None:
    assert usual_prediction(train_preset("paper")) == PredictConfig()
    fast = train_preset("fast")
    usual = usual_prediction(fast)
    assert (usual.tta, usual.smallest_share, usual.slice_smoothing_mm) == (True, 0.1, 2.5)
    changed = {
        name for name in PredictConfig.model_fields if getattr(usual, name) != getattr(PredictConfig(), name)
    }
    assert changed == set(BY_PRESET)


def test_models_of_different_presets_are_applied_plainly_in_whatever_order() -> None:
    fast, paper = train_preset("fast"), train_preset("paper")
    assert usual_prediction(fast, fast.changed(seed=1)) == usual_prediction(fast)
    assert usual_prediction(fast, paper) == usual_prediction(paper, fast) == PredictConfig()


@pytest.mark.parametrize("choice", [{"mirror": False}, {"mirror_probability": 0.0}])
def test_images_are_not_mirrored_for_a_model_that_has_seen_none(choice: dict) -> None:
    fast = train_preset("fast")
    assert not usual_prediction(fast.changed(augment=fast.augment.changed(**choice))).tta
