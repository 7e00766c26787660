"""What a training would cost: measured, said in words, and without leaving anything."""

import json
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from napari_necroseg.cli import main
from napari_necroseg.core.cohort.table import write_cohort
from napari_necroseg.core.events import Finished, Progress
from napari_necroseg.core.network.unet import UNet, n_parameters
from napari_necroseg.core.training import cost
from napari_necroseg.core.training.cost import plan_training


@pytest.mark.parametrize("dimension", ["2d", "3d"])
def test_a_training_of_given_length_is_planned(cohort, plan_tiny, dimension) -> None:
    plan = plan_tiny(cohort, dimension=dimension, steps=1000)
    last = list(plan_training(plan, cohort))[-1]
    assert isinstance(last, Finished)
    planned = last.result
    network = UNet(spatial_axes=int(dimension[0]), channels=2, widths=(4, 6, 8))
    assert planned.parameters == n_parameters(network)
    assert (planned.iterations, planned.minutes, planned.cases) == (1000, None, 3)
    each_s = planned.step_s + planned.batch_s
    assert planned.estimated_s == pytest.approx(planned.loading_s + 1000 * each_s)
    assert 0 < each_s < 5
    assert planned.memory_gib is None or 0 <= planned.memory_gib < 2
    assert "1,000 iterations of 4" in str(planned)


def test_a_time_limit_tells_how_many_iterations_fit(cohort, plan_tiny) -> None:
    plan = plan_tiny(cohort, steps=None, minutes=5)
    planned = list(plan_training(plan, cohort))[-1].result
    assert (planned.iterations, planned.minutes) == (None, 5)
    each_s = planned.step_s + planned.batch_s
    assert planned.estimated_iterations == pytest.approx((300 - planned.loading_s) / each_s, abs=1)
    assert planned.estimated_s <= 300 + each_s


def test_the_size_of_the_cases_is_that_of_what_training_holds(cohort, plan_tiny) -> None:
    planned = list(plan_training(replace(plan_tiny(cohort), patch_shape=(64, 16, 16)), cohort))[-1].result
    # Three cases with two sequences and the mask, 64 slices of 24 x 28, within a border of one voxel.
    assert planned.cohort_gib == pytest.approx(3 * 3 * 66 * 26 * 30 * 4 / 2**30)


def test_memory_that_cannot_be_measured_is_said_not_invented(cohort, plan_tiny, monkeypatch) -> None:
    monkeypatch.setattr(cost, "_forgets_its_peak", lambda: False)
    planned = list(plan_training(plan_tiny(cohort), cohort))[-1].result
    assert planned.memory_gib is None
    assert "not measured on this system to learn" in str(planned)


def test_a_step_that_takes_long_is_measured_once(cohort, plan_tiny, monkeypatch) -> None:
    monkeypatch.setattr(cost, "_SECONDS_OF_STEPS", 0.0)
    calls = []
    sample = SimpleNamespace(images=torch.zeros(1, 2))
    monkeypatch.setattr(cost, "mini_batch", lambda *_, **__: calls.append(1) or sample)
    assert isinstance(list(plan_training(plan_tiny(cohort), cohort))[-1], Finished)
    # The first call may compile, and does not count.
    assert calls == [1, 1]


def test_the_time_to_compile_is_not_taken_for_that_of_a_step(cohort, plan_tiny, monkeypatch) -> None:
    monkeypatch.setattr(cost, "_SECONDS_OF_STEPS", 0.2)
    pauses = [0.5]
    sample = SimpleNamespace(images=torch.zeros(1, 2))
    wait = lambda: time.sleep(pauses.pop() if pauses else 0)  # noqa: E731
    monkeypatch.setattr(cost, "mini_batch", lambda *_, **__: wait() or sample)
    assert list(plan_training(plan_tiny(cohort), cohort))[-1].result.batch_s < 0.2


def test_it_can_be_stopped(cohort, plan_tiny) -> None:
    stop = threading.Event()
    seen = []
    for event in plan_training(plan_tiny(cohort), cohort, stop=stop):
        seen.append(event)
        if isinstance(event, Progress) and event.done == 1:
            stop.set()
    assert not any(isinstance(event, Finished) for event in seen)


def test_the_command_prints_the_papers_plan_and_leaves_nothing(cohort, tmp_path, capsys) -> None:
    table = tmp_path / "cases" / "cohort.csv"
    write_cohort(table, cohort)
    before = sorted(tmp_path.rglob("*"))
    choices = ["--preset", "paper", "--threads", "1", "--batch-size", "1", "--json"]
    assert main(["plan", str(table), *choices]) == 0
    record = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert record["event"] == "finished"
    assert record["iterations"] == 3 * 1800 * 64
    assert record["parameters"] == 1_401_713
    assert record["optimiser"] == "Adam, learning rate 0.001, constant"
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--preset", "paper", "--minutes", "5"], "has a fixed length"),
        (["--target", "tumour"], "no tumour mask"),
        (["--cases", "nobody"], "nobody"),
    ],
)
def test_it_refuses_what_a_training_refuses(cohort, tmp_path, capsys, arguments, message) -> None:
    table = tmp_path / "cases" / "cohort.csv"
    write_cohort(table, cohort)
    assert main(["plan", str(table), *arguments]) == 2
    assert message in capsys.readouterr().err
