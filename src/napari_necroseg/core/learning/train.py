"""Training a network: a generator of events that ends with a folder of files."""

import math
import threading
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from napari_necroseg.core.augment.sample import Sample
from napari_necroseg.core.augment.source import Source
from napari_necroseg.core.case import Cohort
from napari_necroseg.core.config import describe
from napari_necroseg.core.errors import NecrosegError
from napari_necroseg.core.events import Event, Finished, Started, TrainingStep
from napari_necroseg.core.learning.checkpoint import (
    RunRecord,
    check_run_folder,
    new_network,
    save_run,
    software_versions,
)
from napari_necroseg.core.learning.device import (
    memory_errors,
    precision_context,
    reduced_dtype,
    torch_threads,
)
from napari_necroseg.core.learning.interrupt import Stopped, interruptible
from napari_necroseg.core.learning.loss import training_loss
from napari_necroseg.core.learning.patches import batches
from napari_necroseg.core.learning.unet import UNet, n_parameters
from napari_necroseg.core.learning.volumes import load_sources
from napari_necroseg.core.plan import Plan

_SECONDS_BETWEEN_EVENTS = 0.1
# Kept back from a time limit for writing the model.
_SECONDS_TO_SAVE = 0.5


@dataclass(frozen=True, kw_only=True)
class TrainedRun:
    """What a training came to.

    Parameters
    ----------
    run
        The folder with the model.
    cases
        Number of cases that it learned from.
    parameters
        Number of trained weights.
    iterations, seconds
        Mini-batches done, and the wall time of it all.
    loss
        As last reported.
    """

    run: Path
    cases: int
    parameters: int
    iterations: int
    seconds: float
    loss: float

    def __str__(self) -> str:
        return (
            f"Trained on {self.cases} cases for {self.iterations} iterations ({self.seconds / 60:.1f} min), "
            f"last loss {self.loss:.3f}; the model is in {self.run}."
        )


def train(
    plan: Plan, cohort: Cohort, *, run: Path, stop: threading.Event | None = None
) -> Generator[Event, None, None]:
    """Train a network.

    Parameters
    ----------
    plan
        From `make_plan`.
    cohort
        Where the files of the plan's cases are; other cases are ignored.
    run
        A folder that is new or empty; its files are written at the end.
    stop
        Set it to end the job within two seconds, also in the middle of a step. Closing the generator does
        the same between two events. A stopped job writes nothing and yields no `Finished`.

    Yields
    ------
    Event
        `Started`, `Progress` while cases are loaded, `Warned`, `TrainingStep` at most ten times a second, and
        `Finished` with a `TrainedRun`.

    Raises
    ------
    FileError
        If `run` is not empty.
    CohortError
        If a case is missing, or no case shows the target.
    ResourceError
        If memory does not suffice.
    NecrosegError
        If the loss is no longer a number.
    """
    check_run_folder(run)
    size = f"{plan.config.batch_size} patches of {' x '.join(str(n) for n in plan.patch_shape)}"
    with (
        memory_errors(
            f"a mini-batch of {size} voxels and {len(plan.cases)} cases", "use a smaller batch or fewer cases"
        ),
        torch_threads(plan.threads),
    ):
        try:
            yield from _train(plan, cohort.only(plan.cases), run, stop or threading.Event())
        except Stopped:
            return


def _train(plan: Plan, cohort: Cohort, run: Path, stop: threading.Event) -> Generator[Event, None, None]:
    started = time.monotonic()
    yield Started(message=_announcement(plan))
    sources = yield from load_sources(plan, cohort, stop)
    learner = _Learner(plan)
    with interruptible(learner.network, stop):
        history = yield from _steps(learner, sources, plan, started)
    last = history[-1]
    save_run(run, learner.network, _record(plan, sources, last), _csv(history))
    yield Finished(
        result=TrainedRun(
            run=run,
            cases=len(sources),
            parameters=n_parameters(learner.network),
            iterations=last.iteration,
            seconds=time.monotonic() - started,
            loss=last.loss,
        )
    )


class _Learner:
    """The network in training, with its optimiser."""

    def __init__(self, plan: Plan) -> None:
        self.config = plan.config
        self.device = plan.device
        self.dtype = reduced_dtype(plan.device, plan.config.precision)
        self.network = _initial_network(plan).placed(plan.device).train()
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=plan.config.learning_rate)

    def step(self, sample: Sample, progress: float) -> Tensor:
        """Learn from one mini-batch at a share of the way (0 to 1); return its loss, still on the device."""
        if self.config.learning_rate_decay:
            for group in self.optimiser.param_groups:
                group["lr"] = self.config.learning_rate * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
        images = self.network.laid_out(sample.images.to(self.device))
        target = sample.target.to(self.device)
        with precision_context(self.device, self.dtype):
            logits = self.network(images)
        loss = training_loss(logits[:, 0], target, self.config)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        return loss.detach()


def _initial_network(plan: Plan) -> UNet:
    """Draw the weights by the plan's seed, and leave the program's own random state as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(plan.config.seed)
        return new_network(plan.config, plan.widths)


def _steps(
    learner: _Learner, sources: tuple[Source, ...], plan: Plan, started: float
) -> Generator[Event, None, list[TrainingStep]]:
    """Do all steps; yield and at last return what was reported of them."""
    history: list[TrainingStep] = []
    losses: list[Tensor] = []
    reported = before = time.monotonic()
    for iteration, sample in enumerate(batches(sources, plan), start=1):
        losses.append(learner.step(sample, _progress(plan, iteration, before - started)))
        now = time.monotonic()
        is_last = iteration == plan.iterations or _time_is_up(plan, now - started, now - before)
        before = now
        if is_last or now - reported >= _SECONDS_BETWEEN_EVENTS:
            history.append(_report(plan, iteration, losses, now - started))
            losses.clear()
            reported = now
            yield history[-1]
        if is_last:
            break
    return history


def _progress(plan: Plan, iteration: int, elapsed_s: float) -> float:
    """How much of the training is behind: by its iterations where these are fixed, so that it can repeat."""
    if plan.iterations is not None:
        return (iteration - 1) / plan.iterations
    return elapsed_s / plan.seconds if plan.seconds else 0.0


def _time_is_up(plan: Plan, elapsed_s: float, step_s: float) -> bool:
    """Whether one more step, as long as the last, would pass the time limit."""
    return plan.seconds is not None and elapsed_s + step_s + _SECONDS_TO_SAVE > plan.seconds


def _report(plan: Plan, iteration: int, losses: list[Tensor], elapsed_s: float) -> TrainingStep:
    loss = float(torch.stack(losses).mean())
    if not math.isfinite(loss):
        raise NecrosegError(
            f"The training diverged: after {iteration} iterations the loss is not a number. Train again "
            f"with a learning rate below {plan.config.learning_rate:g}, or with the precision fp32."
        )
    return TrainingStep(
        iteration=iteration,
        iterations=plan.iterations,
        loss=loss,
        seconds=elapsed_s,
        seconds_left=_seconds_left(plan, iteration, elapsed_s),
    )


def _seconds_left(plan: Plan, iteration: int, elapsed_s: float) -> float | None:
    if plan.seconds is not None:
        return max(0.0, plan.seconds - elapsed_s)
    if plan.iterations is None:
        return None
    return elapsed_s / iteration * (plan.iterations - iteration)


def _announcement(plan: Plan) -> str:
    sequences = " and ".join(plan.config.sequences)
    length = f"{plan.iterations} iterations" if plan.iterations else f"{(plan.seconds or 0) / 60:g} min"
    return (
        f"Training a {plan.config.dimension.upper()} network on {sequences} of {len(plan.cases)} cases "
        f"for {length} on {plan.device} with {plan.threads} threads; augmentation: "
        f"{describe(plan.config.augment)}."
    )


def _record(plan: Plan, sources: tuple[Source, ...], last: TrainingStep) -> RunRecord:
    return RunRecord(
        config=plan.config,
        cases=tuple(source.name for source in sources),
        patch_shape=plan.patch_shape,
        widths=plan.widths,
        device=plan.device,
        threads=plan.threads,
        iterations=last.iteration,
        seconds=last.seconds,
        loss=last.loss,
        versions=software_versions(),
    )


def _csv(history: list[TrainingStep]) -> str:
    rows = [f"{step.iteration},{step.seconds:.3f},{step.loss:.6f}" for step in history]
    return "\n".join(["iteration,seconds,loss", *rows]) + "\n"
