"""A training: its events, its files, its bounds, and what is left after a stop."""

import csv
import json
import threading
from pathlib import Path

import nibabel
import numpy as np
import psutil
import pytest
import torch
from safetensors.torch import load_file

from napari_necroseg.core.case import Cohort
from napari_necroseg.core.config import only
from napari_necroseg.core.disk import disk
from napari_necroseg.core.errors import CohortError, FileError, NecrosegError, ResourceError
from napari_necroseg.core.events import Finished, Progress, Started, TrainingStep, Warned
from napari_necroseg.core.network.device import Hardware
from napari_necroseg.core.network.stopping import Controls
from napari_necroseg.core.project.model_folder import TrainedRun
from napari_necroseg.core.training import learner as learner_module
from napari_necroseg.core.training import train as loop_module
from napari_necroseg.core.training.description import smaller_in_words
from napari_necroseg.core.training.learner import Learner
from napari_necroseg.core.training.mini_batches import mini_batches
from napari_necroseg.core.training.sources import load_sources
from napari_necroseg.core.training.train import train_planned

CPU = Hardware(device="cpu", threads=1)

FEW = only("mirror", "translation").model_dump()


def finished(events) -> TrainedRun:
    last = list(events)[-1]
    assert isinstance(last, Finished)
    return last.result


def steps(events) -> list[TrainingStep]:
    return [event for event in events if isinstance(event, TrainingStep)]


@pytest.fixture
def every_step_is_reported(monkeypatch) -> None:
    monkeypatch.setattr(loop_module, "_SECONDS_BETWEEN_EVENTS", 0.0)


@pytest.mark.usefixtures("every_step_is_reported")
@pytest.mark.parametrize("dimension", ["2d", "3d"])
def test_the_events_and_files_of_a_training(cohort, plan_tiny, tmp_path, dimension) -> None:
    run = tmp_path / "new" / "run"
    plan = plan_tiny(cohort, dimension=dimension, steps=4, batch_size=2)
    events = list(train_planned(plan, cohort, run=run))
    assert isinstance(events[0], Started)
    assert [event.done for event in events if isinstance(event, Progress)] == [0, 1, 2, 3]
    assert [step.iteration for step in steps(events)] == [1, 2, 3, 4]
    assert steps(events)[-1].seconds_left == pytest.approx(0)
    result = events[-1].result
    assert (result.run, result.cases, result.iterations) == (run, 3, 4)
    assert sorted(path.name for path in run.iterdir()) == ["history.csv", "run.json", "weights.safetensors"]
    with (run / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert not any(row["validation_dice"] for row in rows)
    assert [float(row["loss"]) for row in rows] == pytest.approx([s.loss for s in steps(events)], abs=1e-6)
    record = json.loads((run / "run.json").read_text())
    assert record["cases"] == ["case-0", "case-1", "case-2"]
    assert record["config"]["dimension"] == dimension
    assert set(record["case_sha256"]) == set(record["cases"])
    assert len(set(record["case_sha256"].values())) == 3


def test_a_bright_block_is_learned(cohort, plan_tiny, tmp_path) -> None:
    plan = plan_tiny(
        cohort,
        steps=150,
        batch_size=8,
        learning_rate=1e-2,
        augment=only("mirror", "translation").model_dump(),
    )
    events = list(train_planned(plan, cohort, run=tmp_path / "run"))
    assert events[-1].result.loss < 0.1 < steps(events)[0].loss


def test_the_same_seed_gives_the_same_weights_bit_for_bit(cohort, plan_tiny, tmp_path) -> None:
    weights = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        torch.rand(5)  # the program's own random state is another each time
        finished(train_planned(plan_tiny(cohort, seed=seed), cohort, run=tmp_path / name))
        weights.append(load_file(tmp_path / name / "weights.safetensors"))
    a, b, c = weights
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not all(torch.equal(a[name], c[name]) for name in a)


def test_the_programs_random_state_and_threads_stay_as_they_were(cohort, plan_tiny, tmp_path) -> None:
    threads = torch.get_num_threads()
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    finished(train_planned(plan_tiny(cohort, threads=threads + 1), cohort, run=tmp_path / "run"))
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads


class Clock:
    """Tells a time that passes by a fixed amount each time that someone looks: once a step."""

    def __init__(self, tick_s: float) -> None:
        self.now, self.tick_s = 0.0, tick_s

    def monotonic(self) -> float:
        self.now += self.tick_s
        return self.now


def test_events_come_at_most_ten_times_a_second(cohort, plan_tiny, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(loop_module, "time", Clock(0.03))
    events = steps(train_planned(plan_tiny(cohort, steps=10), cohort, run=tmp_path / "run"))
    # 0.12 s are the first four steps; the last step is always reported.
    assert [event.iteration for event in events] == [4, 8, 10]


def test_a_time_limit_ends_the_training_before_a_step_that_would_pass_it(
    cohort, plan_tiny, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(loop_module, "time", Clock(1.0))
    plan = plan_tiny(cohort, steps=None, minutes=10 / 60)
    assert plan.iterations is None
    events = steps(train_planned(plan, cohort, run=tmp_path / "run"))
    # Step n ends n + 1 s after the start; a 9th would end at 10 s, and leave no half second for the files.
    assert [event.iteration for event in events] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert events[-1].seconds_left == pytest.approx(1.0)


def test_a_time_limit_shorter_than_a_step_still_gives_a_model(cohort, plan_tiny, tmp_path) -> None:
    plan = plan_tiny(cohort, steps=None, minutes=1e-6)
    assert finished(train_planned(plan, cohort, run=tmp_path / "run")).iterations == 1


@pytest.mark.parametrize("last", [Started, Progress, TrainingStep])
def test_a_closed_generator_leaves_nothing(cohort, plan_tiny, tmp_path, last) -> None:
    job = train_planned(plan_tiny(cohort, steps=10_000), cohort, run=tmp_path / "run")
    threads = torch.get_num_threads()
    next(event for event in job if isinstance(event, last))
    job.close()
    assert torch.get_num_threads() == threads
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("last", [Started, Progress, TrainingStep])
def test_a_stop_flag_ends_the_job_without_a_result(cohort, plan_tiny, tmp_path, last) -> None:
    controls = Controls()
    seen = []
    for event in train_planned(
        plan_tiny(cohort, steps=10_000), cohort, run=tmp_path / "run", controls=controls
    ):
        seen.append(event)
        if isinstance(event, last):
            controls.stop.set()
    assert isinstance(seen[-1], last)
    assert not (tmp_path / "run").exists()


def test_a_run_is_never_overwritten(cohort, plan_tiny, tmp_path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "weights.safetensors").write_text("precious")
    with pytest.raises(FileError, match="is not empty; choose a new folder"):
        next(train_planned(plan_tiny(cohort), cohort, run=tmp_path / "run"))
    with pytest.raises(FileError, match="is a file"):
        next(train_planned(plan_tiny(cohort), cohort, run=tmp_path / "run" / "weights.safetensors"))
    assert (tmp_path / "run" / "weights.safetensors").read_text() == "precious"


def test_a_folder_that_cannot_be_made_is_refused_before_any_work(
    cohort, plan_tiny, tmp_path, monkeypatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(ResourceError, match="Not a directory"):
        next(train_planned(plan_tiny(cohort), cohort, run=tmp_path / "file" / "run"))

    def refuse(_path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(disk, "make_folder", refuse)
    with pytest.raises(ResourceError, match="could not be written: Permission denied"):
        next(train_planned(plan_tiny(cohort), cohort, run=tmp_path / "deep" / "run"))
    assert not (tmp_path / "deep").exists()


def test_nothing_stays_when_the_last_file_cannot_be_written(cohort, plan_tiny, tmp_path, monkeypatch) -> None:
    replace_file = disk.replace

    def full(source: Path, target: Path) -> None:
        if target.name == "run.json":
            raise OSError(28, "No space left on device")
        replace_file(source, target)

    monkeypatch.setattr(disk, "replace", full)
    with pytest.raises(ResourceError, match=r"run\.json could not be written: No space left"):
        list(train_planned(plan_tiny(cohort), cohort, run=tmp_path / "run"))
    assert not list((tmp_path / "run").iterdir())


def test_a_case_with_an_empty_mask_is_left_out_with_a_warning(cohort, plan_tiny, tmp_path) -> None:
    _empty(cohort.cases[1].reference)
    events = list(train_planned(plan_tiny(cohort), cohort, run=tmp_path / "run"))
    warnings = [event.message for event in events if isinstance(event, Warned)]
    assert "case-1 is left out: its reference mask is empty." in warnings
    assert events[-1].result.cases == 2
    assert json.loads((tmp_path / "run" / "run.json").read_text())["cases"] == ["case-0", "case-2"]


def test_a_cohort_of_empty_masks_is_refused(cohort, plan_tiny, tmp_path) -> None:
    for case in cohort:
        _empty(case.reference)
    with pytest.raises(CohortError, match="reference mask of each of the 3 is empty"):
        list(train_planned(plan_tiny(cohort), cohort, run=tmp_path / "run"))


def test_only_the_cases_of_the_plan_are_read(cohort, plan_tiny, tmp_path) -> None:
    two = Cohort(cases=cohort.cases[:2])
    cohort.cases[2].reference.unlink()
    assert finished(train_planned(plan_tiny(two), cohort, run=tmp_path / "run")).cases == 2


def test_a_sequence_that_is_not_trained_on_is_not_read(cohort, plan_tiny, tmp_path) -> None:
    for case in cohort:
        case.sequences["T2"].write_bytes(b"damaged")
    plan = plan_tiny(cohort, sequences=("ceT1",))
    assert finished(train_planned(plan, cohort, run=tmp_path / "run")).cases == 3


def test_a_loss_that_is_no_number_is_said_in_a_sentence(cohort, plan_tiny, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(learner_module, "training_loss", lambda logits, *_, **__: logits.sum() * float("nan"))
    with pytest.raises(NecrosegError, match=r"diverged: after [123] iterations the loss is not a number"):
        list(train_planned(plan_tiny(cohort), cohort, run=tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_a_lack_of_memory_names_patch_and_batch(cohort, plan_tiny, tmp_path, monkeypatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(learner_module, "training_loss", fail)
    with pytest.raises(
        ResourceError, match=r"4 patches of 8 x 16 x 16 voxels.* a batch size of 2 takes about half"
    ):
        list(train_planned(plan_tiny(cohort), cohort, run=tmp_path / "run"))


def test_a_smaller_plan_is_offered_as_long_as_there_is_one(cohort, plan_tiny) -> None:
    assert "--batch-size 3)" in smaller_in_words(plan_tiny(cohort, batch_size=7))
    assert "2d network" in smaller_in_words(plan_tiny(cohort, dimension="3d", batch_size=1))
    assert "fewer cases" in smaller_in_words(plan_tiny(cohort, dimension="2d", batch_size=1))


def test_a_step_tells_the_memory_in_use(cohort, plan_tiny, tmp_path) -> None:
    steps = [
        e
        for e in train_planned(plan_tiny(cohort), cohort, run=tmp_path / "run")
        if isinstance(e, TrainingStep)
    ]
    assert steps[-1].memory_gib == pytest.approx(psutil.Process().memory_info().rss / 2**30, rel=0.5)


def test_the_learning_rate_falls_along_a_half_cosine_only_where_it_should(
    cohort, plan_tiny, tmp_path
) -> None:
    falling = plan_tiny(cohort, learning_rate_decay=True, learning_rate=0.01)
    learner = Learner(falling, CPU)
    sample = next(mini_batches(_sources(falling, cohort), falling))
    rates = []
    for progress in (0.0, 0.5, 1.0):
        learner.step(sample, progress)
        rates.append(learner.optimiser.param_groups[0]["lr"])
    assert rates == pytest.approx([0.01, 0.005, 0.0])

    constant = Learner(plan_tiny(cohort, learning_rate=0.01), CPU)
    constant.step(sample, 0.9)
    assert constant.optimiser.param_groups[0]["lr"] == 0.01


def _sources(plan, cohort):
    loading = load_sources(plan, cohort, device="cpu", stop=threading.Event())
    while True:
        try:
            next(loading)
        except StopIteration as end:
            return end.value.sources


def _empty(mask: Path) -> None:
    image = nibabel.load(mask)
    nibabel.save(nibabel.Nifti1Image(np.zeros(image.shape, np.uint8), image.affine), mask)
