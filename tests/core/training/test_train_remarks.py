"""What a training says before its time is spent, and what it refuses."""

import json
import shutil
from collections import namedtuple
from dataclasses import replace

import nibabel
import numpy as np
import pytest
import torch

from napari_necroseg.core.case import Cohort
from napari_necroseg.core.disk import file_lock, is_locked
from napari_necroseg.core.errors import CohortError, FileError, ModelError, ResourceError
from napari_necroseg.core.events import Checkpointed, Finished, TrainingStep, Validated, Warned
from napari_necroseg.core.network.model import load_model, new_network, save_run
from napari_necroseg.core.network.stopping import Controls
from napari_necroseg.core.project.model_folder import CHECKPOINT_NAME, lock_path
from napari_necroseg.core.training import train as train_module
from napari_necroseg.core.training.checkpoint import read_progress
from napari_necroseg.core.training.train import train_planned

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def _saved_after_each_step(monkeypatch) -> None:
    monkeypatch.setattr(train_module, "_SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    monkeypatch.setattr(train_module, "_SECONDS_BETWEEN_EVENTS", 0.0)


def warnings_of(events) -> list[str]:
    return [event.message for event in events if isinstance(event, Warned)]


def rewrite(path, change) -> None:
    image = nibabel.load(path)
    nibabel.save(nibabel.Nifti1Image(change(np.asarray(image.dataobj)), image.affine), path)


def test_a_case_without_target_makes_a_training_of_fixed_length_shorter(cohort, plan_tiny, tmp_path) -> None:
    rewrite(cohort.cases[1].reference, np.zeros_like)
    # A patch of 32 slices of each case, 16 slices a step.
    plan = plan_tiny(cohort, steps=None, patches_per_case=1, slices=32, batch_size=16)
    assert plan.iterations == 6
    *_, last = train_planned(plan, cohort, run=tmp_path / "run")
    assert (last.result.cases, last.result.iterations) == (2, 4)


@pytest.mark.parametrize(("sequence", "whitening"), [("ceT1", "patch"), ("T2", "volume")])
def test_an_image_that_shows_nothing_is_refused_by_its_name(
    cohort, plan_tiny, tmp_path, sequence, whitening
) -> None:
    rewrite(cohort.cases[1].sequences[sequence], lambda voxels: np.full_like(voxels, 7))
    plan = plan_tiny(cohort, whitening=whitening)
    with pytest.raises(CohortError, match=f"The {sequence} image of case-1 has the same value everywhere"):
        list(train_planned(plan, cohort, run=tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_one_case_is_told_unless_a_model_learns_on(cohort, plan_tiny, tmp_path) -> None:
    one, others = Cohort(cases=cohort.cases[:1]), Cohort(cases=cohort.cases[1:])
    said = warnings_of(train_planned(plan_tiny(one), one, run=tmp_path / "one"))
    assert any(message.startswith("There is only one case") for message in said)
    said = warnings_of(train_planned(plan_tiny(others), others, run=tmp_path / "two"))
    assert not said
    model = load_model(tmp_path / "two")
    said = warnings_of(
        train_planned(plan_tiny(one), one, run=tmp_path / "on", model=model, validation=others)
    )
    assert not said


def test_a_fine_tuning_that_nobody_watches_is_told(cohort, plan_tiny, tmp_path) -> None:
    one, others = Cohort(cases=cohort.cases[:1]), Cohort(cases=cohort.cases[1:])
    list(train_planned(plan_tiny(others), others, run=tmp_path / "first"))
    model = load_model(tmp_path / "first")
    (said,) = warnings_of(train_planned(plan_tiny(one), one, run=tmp_path / "second", model=model))
    assert said.startswith("None of the cases that first has learned from is scored meanwhile")


def test_a_time_limit_that_goes_for_reading_is_told(cohort, plan_tiny, tmp_path) -> None:
    short = plan_tiny(cohort, steps=None, minutes=1e-6)
    (said,) = warnings_of(train_planned(short, cohort, run=tmp_path / "short"))
    assert said.startswith("Reading the cases took")
    assert said.endswith("Give it more minutes.")


def test_a_disk_without_room_is_refused_before_anything_is_read(
    cohort, plan_tiny, tmp_path, monkeypatch
) -> None:
    for case in cohort:
        case.reference.unlink()
    plan = plan_tiny(cohort)
    n_bytes = 4 * sum(weight.numel() for weight in new_network(plan.config, plan.widths).parameters())
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(1, 1, 7 * n_bytes - 1))
    with pytest.raises(ResourceError, match="MB free, and this training writes up to"):
        list(train_planned(plan, cohort, run=tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("_saved_after_each_step")
def test_two_trainings_do_not_write_into_one_folder(cohort, plan_tiny, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("napari_necroseg.core.training.train._SECONDS_TO_WAIT", 0.0)
    run = tmp_path / "run"
    first = train_planned(plan_tiny(cohort, steps=99), cohort, run=run)
    next(event for event in first if isinstance(event, TrainingStep) and event.iteration == 2)
    assert is_locked(lock_path(run))
    with pytest.raises(FileError, match="is under way in another window or program"):
        list(train_planned(plan_tiny(cohort, steps=99), cohort, run=run, on_existing="resume"))
    first.close()
    assert not is_locked(lock_path(run))
    assert (run / CHECKPOINT_NAME).exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cases", "run"]


def test_a_lock_that_a_killed_program_left_holds_nobody(tmp_path) -> None:
    lock = lock_path(tmp_path / "run")
    lock.touch()
    assert not is_locked(lock)
    with file_lock(lock, "It"):
        assert is_locked(lock)
    assert not lock.exists()


@pytest.mark.usefixtures("_saved_after_each_step")
def test_each_checkpoint_is_an_event(cohort, plan_tiny, tmp_path) -> None:
    events = list(train_planned(plan_tiny(cohort, steps=4), cohort, run=tmp_path / "run"))
    # The last step writes the model itself.
    assert [event.iteration for event in events if isinstance(event, Checkpointed)] == [1, 2, 3]


@pytest.mark.usefixtures("_saved_after_each_step")
def test_a_stop_can_be_an_interruption(cohort, plan_tiny, tmp_path) -> None:
    controls, run = Controls(), tmp_path / "run"
    controls.leave.set()
    for event in train_planned(plan_tiny(cohort, steps=99), cohort, run=run, controls=controls):
        if isinstance(event, TrainingStep) and event.iteration == 3:
            controls.stop.set()
    assert read_progress(run).iteration >= 2


@pytest.mark.usefixtures("_saved_after_each_step")
def test_what_is_forgotten_is_told_after_an_interruption_too(cohort, plan_tiny, tmp_path) -> None:
    one, others = Cohort(cases=cohort.cases[:1]), Cohort(cases=cohort.cases[1:])
    learned = plan_tiny(others, steps=120, learning_rate=1e-2, batch_size=8)
    list(train_planned(learned, others, run=tmp_path / "first"))
    model, run = load_model(tmp_path / "first"), tmp_path / "second"
    # At a rate that ruins whatever was there.
    plan = plan_tiny(one, steps=4, learning_rate=1.0)
    job = train_planned(plan, one, run=run, model=model, validation=others)
    next(event for event in job if isinstance(event, Checkpointed))
    job.close()
    events = list(train_planned(plan, one, run=run, model=model, on_existing="resume", validation=others))
    assert [event.iteration for event in events if isinstance(event, Validated)] == [4]
    assert any("the model forgets" in message for message in warnings_of(events))


def test_the_last_validation_is_within_the_limit(cohort, plan_tiny) -> None:
    plan = plan_tiny(cohort, steps=None, minutes=1.0)
    state = train_module.State(iteration=5, seconds=50.0, validation_s=12.0)
    assert train_module._is_last(plan, state, controls=Controls(), step_s=1.0)
    state.validation_s = 8.0
    assert not train_module._is_last(plan, state, controls=Controls(), step_s=1.0)


def test_the_record_says_how_it_was_computed(cohort, plan_tiny, tmp_path) -> None:
    one, others = Cohort(cases=cohort.cases[:1]), Cohort(cases=cohort.cases[1:])
    list(train_planned(plan_tiny(others), others, run=tmp_path / "run", validation=one))
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert (record["device_name"], record["number_format"]) == ("processor", "float32")
    assert record["validation"] == ["case-0"]
    assert {"napari-necroseg", "torch", "numpy", "scipy", "nibabel"} <= set(record["versions"])
    assert record["versions"]["torch"] == str(torch.__version__)


def test_weights_that_are_no_numbers_are_not_written(cohort, plan_tiny, tmp_path) -> None:
    plan, run = plan_tiny(cohort), tmp_path / "run"
    list(train_planned(plan, cohort, run=run))
    model = load_model(run)
    with torch.no_grad():
        model.network.head.bias.fill_(float("nan"))
    with pytest.raises(ModelError, match="The training diverged: weights"):
        save_run(tmp_path / "other", model.network, record=model.record, history="")
    assert not (tmp_path / "other").exists()


def test_the_tumour_is_learned_where_it_is_the_target(cohort, plan_tiny, tmp_path) -> None:
    # Its mask covers another place than the reference, which is emptied: nothing of it may count.
    cases = []
    for case in cohort:
        tumour = case.reference.with_name("tumour.nii.gz")
        shutil.copy(case.reference, tumour)
        rewrite(case.reference, np.zeros_like)
        cases.append(replace(case, tumour=tumour))
    with_tumour = Cohort(cases=tuple(cases))
    plan = plan_tiny(with_tumour, target="tumour", steps=120, learning_rate=1e-2, batch_size=8)
    events = list(train_planned(plan, with_tumour, run=tmp_path / "run"))
    assert isinstance(events[-1], Finished)
    assert events[-1].result.cases == 3
    losses = [event.loss for event in events if isinstance(event, TrainingStep)]
    assert losses[-1] < losses[0] - 0.3
    assert load_model(tmp_path / "run").config.target == "tumour"


def test_a_validation_image_that_shows_nothing_is_refused_before_the_first_step(
    cohort, plan_tiny, tmp_path
) -> None:
    one, others = Cohort(cases=cohort.cases[:1]), Cohort(cases=cohort.cases[1:])
    rewrite(cohort.cases[0].sequences["T2"], np.zeros_like)
    events = []
    with pytest.raises(CohortError, match="The T2 image of case-0 has the same value everywhere"):
        events.extend(train_planned(plan_tiny(others), others, run=tmp_path / "run", validation=one))
    assert not any(isinstance(event, TrainingStep) for event in events)
