"""Looking at other patients while training, and starting from a model that was trained before."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from napari_necroseg.core.case import Cohort
from napari_necroseg.core.cohort.load import load_case
from napari_necroseg.core.config import usual_prediction
from napari_necroseg.core.errors import CohortError, ModelError
from napari_necroseg.core.events import Finished, TrainingStep, Validated, ValidationPicture, Warned
from napari_necroseg.core.network.model import load_model
from napari_necroseg.core.network.stopping import Controls
from napari_necroseg.core.prediction.predict import predict
from napari_necroseg.core.scoring.overlap import count, dice
from napari_necroseg.core.training.train import train_planned

SHORT = {"steps": 4, "validation_minutes": 1e-9}


def split(cohort: Cohort) -> tuple[Cohort, Cohort]:
    return Cohort(cases=cohort.cases[:2]), Cohort(cases=cohort.cases[2:])


def test_validation_scores_whole_cases_as_prediction_does_and_changes_nothing(
    cohort, plan_tiny, tmp_path
) -> None:
    learned, others = split(cohort)
    plan = plan_tiny(learned, **SHORT)
    events = list(train_planned(plan, learned, run=tmp_path / "run", validation=others))
    validations = [event for event in events if isinstance(event, Validated)]
    assert [event.iteration for event in validations] == [1, 2, 3, 4]
    model, case = load_model(tmp_path / "run"), load_case(others.cases[0])
    config = usual_prediction(plan.config).changed(threads=1, tta=False)
    assert config.smallest_share == 0.1
    last = list(predict(model, case, config))[-1]
    expected = dice(count(case.reference.voxels > 0, last.result.labels.voxels > 0))
    assert validations[-1].dice == {"case-2": expected}
    assert validations[-1].mean_dice == expected
    list(train_planned(plan, learned, run=tmp_path / "blind"))
    seeing, blind = (load_file(tmp_path / name / "weights.safetensors") for name in ("run", "blind"))
    assert all(torch.equal(seeing[name], blind[name]) for name in blind)
    lines = (tmp_path / "run" / "history.csv").read_text().splitlines()
    assert lines[0] == "iteration,seconds,loss,validation_dice"
    assert sum(not line.endswith(",") for line in lines[1:]) == 4


def test_the_labels_of_one_case_are_seen_where_they_were_asked_for(cohort, plan_tiny, tmp_path) -> None:
    learned, others = split(cohort)
    plan = plan_tiny(learned, steps=2)
    controls = Controls(picture="case-2")
    events = list(train_planned(plan, learned, run=tmp_path / "run", validation=others, controls=controls))
    (picture,) = [event for event in events if isinstance(event, ValidationPicture)]
    (validated,) = [event for event in events if isinstance(event, Validated)]
    assert picture.case == "case-2"
    assert picture.dice == validated.dice["case-2"]
    config = usual_prediction(plan.config).changed(threads=1, tta=False)
    *_, last = predict(load_model(tmp_path / "run"), load_case(others.cases[0]), config)
    assert np.array_equal(picture.labels.voxels, last.result.labels.voxels)
    silent = train_planned(plan, learned, run=tmp_path / "silent", validation=others)
    assert not any(isinstance(event, ValidationPicture) for event in silent)


def test_a_case_is_not_trained_and_validated_on(cohort, plan_tiny, tmp_path) -> None:
    with pytest.raises(CohortError, match="case-1 cannot be validated on: it is one of the training cases"):
        list(
            train_planned(
                plan_tiny(cohort), cohort, run=tmp_path / "run", validation=cohort.only(("case-1",))
            )
        )


def test_two_cases_of_a_patient_are_not_on_both_sides(cohort, plan_tiny, tmp_path) -> None:
    one_patient = Cohort(cases=tuple(replace(case, patient="P1") for case in cohort))
    learned, others = split(one_patient)
    with pytest.raises(CohortError, match="case-2 cannot be validated on: its patient is that of case-1"):
        list(train_planned(plan_tiny(learned), learned, run=tmp_path / "run", validation=others))


def test_a_validation_case_without_a_mask_is_refused(cohort, plan_tiny, tmp_path) -> None:
    learned, others = split(cohort)
    bare = Cohort(cases=tuple(type(c)(name=c.name, sequences=c.sequences) for c in others))
    with pytest.raises(CohortError, match="case-2 cannot be validated on: it has no reference mask"):
        list(train_planned(plan_tiny(learned), learned, run=tmp_path / "run", validation=bare))


def test_fine_tuning_starts_from_the_weights_and_remembers_the_cases(cohort, plan_tiny, tmp_path) -> None:
    learned, others = split(cohort)
    first = plan_tiny(learned, steps=40, learning_rate=1e-2, batch_size=8)
    list(train_planned(first, learned, run=tmp_path / "first"))
    model = load_model(tmp_path / "first")
    small = plan_tiny(others, steps=1, learning_rate=1e-12)
    events = list(train_planned(small, others, run=tmp_path / "second", model=model))
    scratch = list(train_planned(small, others, run=tmp_path / "scratch"))
    losses = [next(event.loss for event in of if isinstance(event, TrainingStep)) for of in (events, scratch)]
    assert losses[0] < losses[1]
    before, after = (load_file(tmp_path / name / "weights.safetensors") for name in ("first", "second"))
    assert torch.allclose(before["head.weight"], after["head.weight"], atol=1e-9)
    assert load_model(tmp_path / "second").cases == ("case-2", "case-0", "case-1")
    record = json.loads((tmp_path / "second" / "run.json").read_text())
    assert record["started_from"] == model.sha256
    assert isinstance(events[-1], Finished)
    assert math.isfinite(events[-1].result.loss)


def test_fine_tuning_shows_what_is_forgotten(cohort, plan_tiny, tmp_path) -> None:
    learned, others = split(cohort)
    first = plan_tiny(learned, steps=120, learning_rate=1e-2, batch_size=8)
    list(train_planned(first, learned, run=tmp_path / "first"))
    model = load_model(tmp_path / "first")
    # Learns at a rate that ruins whatever was there.
    ruinous = plan_tiny(others, steps=2, learning_rate=1.0)
    events = list(train_planned(ruinous, others, run=tmp_path / "ruined", model=model, validation=learned))
    validated = [event for event in events if isinstance(event, Validated)]
    assert [event.iteration for event in validated] == [0, 2]
    assert validated[0].mean_dice > 0.8 > validated[1].mean_dice + 0.05
    assert any("the model forgets" in event.message for event in events if isinstance(event, Warned))
    gentle = plan_tiny(others, steps=2, learning_rate=1e-9)
    events = list(train_planned(gentle, others, run=tmp_path / "kept", model=model, validation=learned))
    assert not any("forgets" in event.message for event in events if isinstance(event, Warned))


def test_a_model_that_learned_other_whitening_is_not_fine_tuned(cohort, plan_tiny, tmp_path) -> None:
    list(train_planned(plan_tiny(cohort), cohort, run=tmp_path / "first"))
    model = load_model(tmp_path / "first")
    plan = plan_tiny(cohort, whitening="volume")
    with pytest.raises(ModelError, match="whitened by patch, the training whitens by volume"):
        list(train_planned(plan, cohort, run=tmp_path / "second", model=model))


def test_a_model_that_learned_more_slices_is_not_fine_tuned(cohort, plan_tiny, tmp_path) -> None:
    list(train_planned(plan_tiny(cohort), cohort, run=tmp_path / "first"))
    model = load_model(tmp_path / "first")
    plan = replace(plan_tiny(cohort), patch_shape=(4, 16, 16))
    with pytest.raises(ModelError, match="has learned stacks of 8 slices, the training makes 4; choose"):
        list(train_planned(plan, cohort, run=tmp_path / "second", model=model))


def test_a_model_that_whitens_patches_is_not_fine_tuned_on_smaller_ones(cohort, plan_tiny, tmp_path) -> None:
    list(train_planned(plan_tiny(cohort), cohort, run=tmp_path / "first"))
    model = load_model(tmp_path / "first")
    plan = replace(plan_tiny(cohort), patch_shape=(8, 24, 24))
    with pytest.raises(ModelError, match="has learned patches of 16 pixels, each whitened by itself, the"):
        list(train_planned(plan, cohort, run=tmp_path / "second", model=model))


def test_a_model_of_another_kind_is_not_fine_tuned(cohort, plan_tiny, tmp_path) -> None:
    list(train_planned(plan_tiny(cohort, sequences=("ceT1",)), cohort, run=tmp_path / "first"))
    model = load_model(tmp_path / "first")
    with pytest.raises(ModelError, match="is a 2D network on ceT1, the training one in 2D on ceT1 and T2"):
        list(train_planned(plan_tiny(cohort), cohort, run=tmp_path / "second", model=model))
    assert not (tmp_path / "second").exists()
