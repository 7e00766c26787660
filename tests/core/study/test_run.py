import pytest

from napari_necroseg.core.case import Sequence
from napari_necroseg.core.config.study import Configuration, StudyConfig
from napari_necroseg.core.errors import SettingsError
from napari_necroseg.core.study.run import Run, runs_of, training_of


def test_the_papers_experiment_is_36_runs() -> None:
    runs = runs_of(StudyConfig())
    assert len(runs) == len({run.key for run in runs}) == 36
    assert [run.configuration for run in runs[::6]] == [
        "2d:ceT1",
        "2d:T2",
        "2d:ceT1+T2",
        "3d:ceT1",
        "3d:T2",
        "3d:ceT1+T2",
    ]
    assert runs[7] == Run(configuration=Configuration("2d:T2"), fold=2, seed=0)
    assert runs[7].key == "2d-T2_fold-2_seed-0"
    assert runs[7].out_of_fold == "2d-T2_seed-0"


def test_seeds_come_one_after_the_other() -> None:
    config = StudyConfig.checked(configurations=("2d:ceT1",), folds=2, seeds=2)
    assert [(run.seed, run.fold) for run in runs_of(config)] == [(0, 1), (0, 2), (1, 1), (1, 2)]


def test_a_configuration_is_read_whatever_the_order() -> None:
    assert str(Configuration(" 3d:T2+ceT1")) == "3d:ceT1+T2"
    assert Configuration("2d:T2").sequences == (Sequence.T2,)
    assert Configuration("2d:ceT1+T2").heading == "2D ceT1+T2"


@pytest.mark.parametrize("text", ["", "2d", "2d:", "4d:ceT1", "2d:T1", "2d:ceT1+ceT1", "ceT1"])
def test_what_is_no_configuration_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="is no configuration"):
        StudyConfig.checked(configurations=(text,))


def test_the_paper_preset_has_the_papers_choices() -> None:
    config = StudyConfig.checked(preset="paper")
    training = training_of(config, Run(configuration=Configuration("3d:ceT1+T2"), fold=1, seed=3))
    assert (training.preset, training.dimension, training.batch_size, training.seed) == ("paper", "3d", 2, 3)
    assert training.sequences == (Sequence.CET1, Sequence.T2)
    assert training.minutes is training.steps is None


def test_the_length_of_a_run_replaces_that_of_the_preset() -> None:
    run = Run(configuration=Configuration("2d:T2"), fold=1, seed=0)
    assert training_of(StudyConfig(), run).minutes == 10.0
    assert training_of(StudyConfig.checked(minutes_per_run=5), run).minutes == 5.0
    by_steps = training_of(StudyConfig.checked(steps_per_run=7), run)
    assert (by_steps.steps, by_steps.minutes) == (7, None)


@pytest.mark.parametrize(
    ("choices", "complaint"),
    [
        ({"preset": "paper", "minutes_per_run": 5}, "fixed length"),
        ({"steps_per_run": 5, "minutes_per_run": 5}, "both given"),
        ({"workers": 2, "scheduler": "tcp://a:1"}, "both given"),
        ({"folds": 1}, "folds"),
        ({"configurations": ("2d:T2", "2d:T2")}, "named twice"),
        ({"configurations": ()}, "at least one configuration"),
    ],
)
def test_choices_that_contradict_are_refused(choices: dict[str, object], complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        StudyConfig.checked(**choices)
