"""The one door to a training: it plans by itself, and takes over what a start model dictates."""

from safetensors import safe_open

from napari_necroseg.core.case import Cohort
from napari_necroseg.core.config import train_preset
from napari_necroseg.core.events import Validated, Warned
from napari_necroseg.core.network.model import load_model
from napari_necroseg.core.training.start import prepare_training, train

SMALL = {
    "steps": 1,
    "minutes": None,
    "batch_size": 1,
    "slices": 32,
    "patch_side": 32,
    "threads": 1,
    "device": "cpu",
}


def test_a_cohort_and_choices_are_enough(cohort, tmp_path) -> None:
    config = train_preset("fast").changed(**SMALL)
    *_, last = train(cohort, config, out=str(tmp_path / "run"))
    assert (last.result.cases, last.result.iterations) == (3, 1)
    model = load_model(tmp_path / "run")
    assert (model.config, model.record.threads) == (config, 1)
    with safe_open(tmp_path / "run" / "weights.safetensors", "np") as file:
        assert file.keys()


def test_a_start_model_dictates_how_images_are_seen_and_its_own_cases_are_watched(cohort, tmp_path) -> None:
    one, others = Cohort(cases=cohort.cases[:1]), Cohort(cases=cohort.cases[1:])
    list(train(others, train_preset("fast").changed(**SMALL), out=tmp_path / "first"))
    other = train_preset("fast").changed(**(SMALL | {"slices": 64, "whitening": "volume"}))
    prepared = prepare_training(other, one, start_from=tmp_path / "first")
    assert (prepared.plan.config.slices, prepared.plan.config.whitening) == (32, "tissue")
    events = list(train(one, other, out=tmp_path / "second", start_from=tmp_path / "first", left_out=others))
    validated = [event for event in events if isinstance(event, Validated)]
    assert set(validated[0].dice) == {"case-1", "case-2"}
    assert not [
        event for event in events if isinstance(event, Warned) and "None of the cases" in event.message
    ]
