"""A training that was interrupted goes on as if nothing had happened; one that is another is refused."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from napari_necroseg.core.cohort.table import write_cohort as write_table
from napari_necroseg.core.errors import FileError, ModelError, SettingsError
from napari_necroseg.core.events import Finished, Paused, TrainingStep, Warned
from napari_necroseg.core.network.device import Hardware
from napari_necroseg.core.network.model import load_model
from napari_necroseg.core.network.stopping import Controls
from napari_necroseg.core.project.model_folder import CHECKPOINT_NAME
from napari_necroseg.core.training import train as train_module
from napari_necroseg.core.training.checkpoint import read_progress
from napari_necroseg.core.training.learner import Learner
from napari_necroseg.core.training.train import train_planned

CPU = Hardware(device="cpu", threads=1)

SPREAD = {"whitening": "volume", "intensity_spread": 0.3}


@pytest.fixture
def _saved_after_each_step(monkeypatch) -> None:
    monkeypatch.setattr(train_module, "_SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    monkeypatch.setattr(train_module, "_SECONDS_BETWEEN_EVENTS", 0.0)


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "weights.safetensors")


def interrupt(plan, cohort, run: Path, *, after: int) -> None:
    """Close a training after an iteration, as the end of a program does."""
    job = train_planned(plan, cohort, run=run)
    next(event for event in job if isinstance(event, TrainingStep) and event.iteration > after)
    job.close()


@pytest.mark.usefixtures("_saved_after_each_step")
@pytest.mark.parametrize("dimension", ["2d", "3d"])
@pytest.mark.parametrize(
    "choices",
    [{}, {"learning_rate_decay": True}, {"learning_rate_decay": True, **SPREAD}],
    ids=["paper", "decay", "fast"],
)
def test_an_interrupted_training_ends_with_the_very_weights_of_one_that_was_not(
    cohort, plan_tiny, tmp_path, dimension, choices
) -> None:
    plan = plan_tiny(cohort, dimension=dimension, steps=6, batch_size=2, **choices)
    list(train_planned(plan, cohort, run=tmp_path / "whole"))
    interrupt(plan, cohort, tmp_path / "parts", after=1)
    events = list(train_planned(plan, cohort, run=tmp_path / "parts", on_existing="resume"))
    assert [event.iteration for event in events if isinstance(event, TrainingStep)] == [2, 3, 4, 5, 6]
    whole, parts = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    assert not (tmp_path / "parts" / CHECKPOINT_NAME).exists()
    lines = (tmp_path / "parts" / "history.csv").read_text().splitlines()[1:]
    assert [int(line.split(",")[0]) for line in lines] == [1, 2, 3, 4, 5, 6]


@pytest.mark.usefixtures("_saved_after_each_step")
def test_the_time_before_an_interruption_counts(cohort, plan_tiny, tmp_path) -> None:
    plan = plan_tiny(cohort, steps=3)
    interrupt(plan, cohort, tmp_path / "run", after=1)
    header = _header(tmp_path / "run")
    steps = [
        e
        for e in train_planned(plan, cohort, run=tmp_path / "run", on_existing="resume")
        if isinstance(e, TrainingStep)
    ]
    assert steps[0].seconds > header["seconds"] > 0


def test_a_training_killed_before_its_first_checkpoint_begins_anew(cohort, plan_tiny, tmp_path) -> None:
    events = list(train_planned(plan_tiny(cohort), cohort, run=tmp_path / "run", on_existing="resume"))
    assert any("begins anew" in event.message for event in events if isinstance(event, Warned))
    assert isinstance(events[-1], Finished)


def test_what_is_finished_or_foreign_is_not_resumed(cohort, plan_tiny, tmp_path) -> None:
    plan = plan_tiny(cohort)
    list(train_planned(plan, cohort, run=tmp_path / "run"))
    with pytest.raises(FileError, match="is finished; there is nothing to resume"):
        next(train_planned(plan, cohort, run=tmp_path / "run", on_existing="resume"))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("precious")
    with pytest.raises(FileError, match="holds no interrupted training"):
        next(train_planned(plan, cohort, run=tmp_path / "other", on_existing="resume"))
    assert (tmp_path / "other" / "thesis.txt").read_text() == "precious"


@pytest.mark.usefixtures("_saved_after_each_step")
@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"learning_rate": 0.5}, "was started with learning_rate 0.001, not 0.5"),
        ({"seed": 4}, "was started with seed 0, not 4"),
    ],
)
def test_other_choices_are_refused(cohort, plan_tiny, tmp_path, choices, message) -> None:
    interrupt(plan_tiny(cohort, steps=9), cohort, tmp_path / "run", after=1)
    with pytest.raises(SettingsError, match=message):
        list(
            train_planned(
                plan_tiny(cohort, steps=9, **choices), cohort, run=tmp_path / "run", on_existing="resume"
            )
        )


@pytest.mark.usefixtures("_saved_after_each_step")
def test_a_fine_tuning_is_not_resumed_as_if_it_were_none(cohort, plan_tiny, tmp_path) -> None:
    plan = plan_tiny(cohort, steps=9)
    list(train_planned(plan_tiny(cohort), cohort, run=tmp_path / "first"))
    job = train_planned(plan, cohort, run=tmp_path / "run", model=load_model(tmp_path / "first"))
    next(event for event in job if isinstance(event, TrainingStep) and event.iteration > 1)
    job.close()
    with pytest.raises(SettingsError, match="started from other weights"):
        list(train_planned(plan, cohort, run=tmp_path / "run", on_existing="resume"))


@pytest.mark.usefixtures("_saved_after_each_step")
def test_other_images_are_refused(cohort, plan_tiny, tmp_path) -> None:
    plan = plan_tiny(cohort, steps=9)
    interrupt(plan, cohort, tmp_path / "run", after=1)
    path = cohort.cases[1].sequences["T2"]
    image = nibabel.load(path)
    nibabel.save(nibabel.Nifti1Image(np.asarray(image.dataobj) + np.float32(1), image.affine), path)
    # The same but for the minimum, which is taken off, is the same to the training; so change one voxel.
    voxels = np.asarray(image.dataobj).copy()
    voxels[2, 3, 4] += 50
    nibabel.save(nibabel.Nifti1Image(voxels, image.affine), path)
    with pytest.raises(SettingsError, match="began with other images or another mask of case-1"):
        list(train_planned(plan, cohort, run=tmp_path / "run", on_existing="resume"))


@pytest.mark.usefixtures("_saved_after_each_step")
def test_a_damaged_checkpoint_is_refused(cohort, plan_tiny, tmp_path) -> None:
    plan = plan_tiny(cohort, steps=9)
    interrupt(plan, cohort, tmp_path / "run", after=1)
    path = tmp_path / "run" / CHECKPOINT_NAME
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ModelError, match="is damaged"):
        list(train_planned(plan, cohort, run=tmp_path / "run", on_existing="resume"))
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(ModelError, match="is damaged"):
        list(train_planned(plan, cohort, run=tmp_path / "run", on_existing="resume"))


@pytest.mark.usefixtures("_saved_after_each_step")
def test_a_checkpoint_with_an_optimiser_of_other_weights_is_refused(cohort, plan_tiny, tmp_path) -> None:
    plan = plan_tiny(cohort, steps=9)
    interrupt(plan, cohort, tmp_path / "run", after=1)
    path = tmp_path / "run" / CHECKPOINT_NAME
    with safe_open(path, framework="pt") as file:
        header = file.metadata()
    tensors = load_file(path)
    assert tensors["optimiser.0.exp_avg"].ndim > 1
    save_file(tensors | {"optimiser.0.exp_avg": torch.zeros(3)}, path, metadata=header)
    with pytest.raises(ModelError, match="of another network"):
        list(train_planned(plan, cohort, run=tmp_path / "run", on_existing="resume"))


@pytest.mark.parametrize("dimension", ["2d", "3d"])
def test_what_the_optimiser_remembers_is_laid_out_as_the_weights(cohort, plan_tiny, dimension) -> None:
    learner, other = (Learner(plan_tiny(cohort, dimension=dimension), CPU) for _ in range(2))
    for weight in learner.network.parameters():
        weight.grad = torch.ones_like(weight)
    learner.optimiser.step()
    saved = {name: tensor.contiguous() for name, tensor in learner.state().items()}
    other.load_state(saved)
    for weight in other.network.parameters():
        assert other.optimiser.state[weight]["exp_avg"].stride() == weight.stride()
    assert all(torch.equal(tensor, saved[name]) for name, tensor in other.state().items())


def test_a_lack_of_memory_is_not_taken_for_a_foreign_checkpoint(cohort, plan_tiny, monkeypatch) -> None:
    learner = Learner(plan_tiny(cohort), CPU)

    def fails(*_args):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(learner.optimiser, "load_state_dict", fails)
    with pytest.raises(torch.OutOfMemoryError):
        learner.load_state(learner.state())


@pytest.mark.usefixtures("_saved_after_each_step")
def test_a_stopped_training_leaves_nothing_and_a_closed_one_its_checkpoint(
    cohort, plan_tiny, tmp_path
) -> None:
    controls = Controls()
    for event in train_planned(
        plan_tiny(cohort, steps=999), cohort, run=tmp_path / "stopped", controls=controls
    ):
        if isinstance(event, TrainingStep) and event.iteration == 3:
            controls.stop.set()
    assert not (tmp_path / "stopped").exists()
    interrupt(plan_tiny(cohort, steps=999), cohort, tmp_path / "closed", after=2)
    assert [path.name for path in (tmp_path / "closed").iterdir()] == [CHECKPOINT_NAME]
    with pytest.raises(FileError, match="was interrupted; go on with --resume"):
        next(train_planned(plan_tiny(cohort), cohort, run=tmp_path / "closed"))


@pytest.mark.usefixtures("_saved_after_each_step")
def test_a_wish_to_stop_that_the_drawer_of_the_events_sees_first_leaves_nothing_either(
    cohort, plan_tiny, tmp_path
) -> None:
    controls = Controls()
    job = train_planned(plan_tiny(cohort, steps=999), cohort, run=tmp_path / "run", controls=controls)
    next(event for event in job if isinstance(event, TrainingStep) and event.iteration > 2)
    controls.stop.set()
    job.close()
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("_saved_after_each_step")
def test_a_resumed_training_that_is_stopped_keeps_what_it_had_learned(cohort, plan_tiny, tmp_path) -> None:
    plan, controls = plan_tiny(cohort, steps=999), Controls()
    interrupt(plan, cohort, tmp_path / "run", after=2)
    for event in train_planned(plan, cohort, run=tmp_path / "run", on_existing="resume", controls=controls):
        if isinstance(event, TrainingStep) and event.iteration == 5:
            controls.stop.set()
    assert read_progress(tmp_path / "run").iteration >= 4


def test_keeping_ends_the_training_with_the_model_as_it_is(cohort, plan_tiny, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(train_module, "_SECONDS_BETWEEN_EVENTS", 0.0)
    controls = Controls()
    for event in train_planned(plan_tiny(cohort, steps=999), cohort, run=tmp_path / "run", controls=controls):
        if isinstance(event, TrainingStep) and event.iteration == 2:
            controls.keep.set()
    assert event.result.iterations == 3
    list(train_planned(plan_tiny(cohort, steps=3), cohort, run=tmp_path / "three"))
    kept, three = weights(tmp_path / "run"), weights(tmp_path / "three")
    assert all(torch.equal(kept[name], three[name]) for name in three)


def test_a_pause_saves_what_was_learned_and_changes_nothing(cohort, plan_tiny, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(train_module, "_SECONDS_BETWEEN_EVENTS", 0.0)
    controls, seen = Controls(), []
    plan = plan_tiny(cohort, steps=4)
    for event in train_planned(plan, cohort, run=tmp_path / "run", controls=controls):
        seen.append(event)
        if isinstance(event, TrainingStep) and event.iteration == 1:
            controls.pause.set()
        if isinstance(event, Paused):
            assert (tmp_path / "run" / CHECKPOINT_NAME).exists()
            time.sleep(0.5)
            controls.pause.clear()
    (paused,) = [event for event in seen if isinstance(event, Paused)]
    assert paused.iteration == 1
    # The half second is not counted.
    step = next(event for event in seen if isinstance(event, TrainingStep) and event.iteration == 2)
    before = next(event for event in seen if isinstance(event, TrainingStep) and event.iteration == 1)
    assert step.seconds - before.seconds < 0.4
    list(train_planned(plan, cohort, run=tmp_path / "whole"))
    ours, whole = weights(tmp_path / "run"), weights(tmp_path / "whole")
    assert all(torch.equal(ours[name], whole[name]) for name in whole)


def test_a_killed_command_is_resumed_to_the_same_weights(cohort, tmp_path) -> None:
    table = tmp_path / "cases" / "cohort.csv"
    write_table(table, cohort)
    base = [sys.executable, "-m", "napari_necroseg.cli", "train", str(table), "--seed", "3", "--threads", "1"]
    base += ["--batch-size", "1", "--precision", "fp32", "--steps"]
    killed = tmp_path / "killed"
    quick = "import napari_necroseg.core.training.train as l; l._SECONDS_BETWEEN_CHECKPOINTS = 0.0; "
    code = quick + "import sys; from napari_necroseg.cli import main; sys.exit(main(sys.argv[1:]))"
    process = subprocess.Popen(
        [sys.executable, "-c", code, *base[3:], "8", "--out", str(killed)], stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while not (killed / CHECKPOINT_NAME).exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (killed / CHECKPOINT_NAME).exists()
    assert not (killed / "weights.safetensors").exists()
    environment = dict(os.environ)
    for out, extra in ((killed, ["--resume"]), (tmp_path / "whole", [])):
        done = subprocess.run(
            [*base, "8", "--out", str(out), *extra], env=environment, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
    ours, whole = weights(killed), weights(tmp_path / "whole")
    assert all(torch.equal(ours[name], whole[name]) for name in whole)


def _header(run: Path) -> dict:
    from safetensors import safe_open

    with safe_open(run / CHECKPOINT_NAME, framework="pt") as file:
        return json.loads(file.metadata()["napari-necroseg-checkpoint"])
