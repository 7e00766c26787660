"""Measures on a few real steps what a training costs on this device, before anything is trained."""

import contextlib
import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from napari_necroseg.core.augment.sample import Sample
from napari_necroseg.core.case import Cohort
from napari_necroseg.core.cohort.load import load_case
from napari_necroseg.core.events import Event, Finished, Progress, Started
from napari_necroseg.core.network.device import device_in_words, memory_errors, reduced_dtype, torch_settings
from napari_necroseg.core.network.images import check_images, on_device, only_needed, training_source
from napari_necroseg.core.network.stopping import Stopped, check, interruptible
from napari_necroseg.core.network.unet import n_parameters
from napari_necroseg.core.plan import Plan, duration
from napari_necroseg.core.training.description import training_in_words
from napari_necroseg.core.training.learner import Learner
from napari_necroseg.core.training.mini_batches import batch
from napari_necroseg.core.training.preflight import whose_masks

_MOST_STEPS = 5
_SECONDS_OF_STEPS = 6.0
_GIB = 2**30

# The share of a random target; the time of a step does not depend on it.
_TARGET_SHARE = 0.02


def plan_training(
    plan: Plan, cohort: Cohort, *, stop: threading.Event | None = None
) -> Generator[Event, None, None]:
    """Say what a training would do, and measure what it costs here.

    Parameters
    ----------
    plan
        From `make_plan`.
    cohort
        Where the files of the plan's cases are; the first is read.
    stop
        Set it to end the job.

    Yields
    ------
    Event
        `Started`, `Progress`, and `Finished` with a `PlannedTraining`.

    Raises
    ------
    FileError
        If the first case cannot be read.
    ResourceError
        If the memory does not suffice for a single step.
    """
    stop = stop or threading.Event()
    size = (
        f"a mini-batch of {plan.config.batch_size} patches of {' x '.join(map(str, plan.patch_shape))} voxels"
    )
    yield Started(message=f"Measuring a few steps on {plan.device}; nothing is trained.")
    for words in whose_masks(plan, cohort, Cohort(cases=())):
        yield Started(message=words)
    try:
        with memory_errors(size, smaller_in_words(plan)), torch_settings(plan.threads):
            yield from _measure(plan, cohort.only(plan.cases), stop)
    except Stopped:
        return


def _measure(plan: Plan, cohort: Cohort, stop: threading.Event) -> Generator[Event, None, None]:
    yield Progress(done=0, total=3, message=f"Reading {cohort.cases[0].name}")
    started = time.monotonic()
    needed = only_needed(cohort.cases[0], plan.config.sequences, plan.config.target)
    case = load_case(needed)
    check_images(case, plan.config.sequences)
    source = training_source(case, plan.config, n_slices=plan.patch_shape[0])
    loading_s = (time.monotonic() - started) * len(cohort)
    check(stop)
    yield Progress(done=1, total=3, message="Making samples")
    # Where the training makes them, if the whole cohort fits.
    (sampled,) = on_device([source], plan.device, n_cases=len(cohort))
    batch_s = _median_seconds(lambda number: float(batch([sampled], plan, number).images[0].sum()))
    check(stop)
    yield Progress(done=2, total=3, message="Learning")
    learner = Learner(plan)
    sample = _random_sample(plan)
    with interruptible(learner.network, stop), _memory(plan.device) as memory:
        step_s = _median_seconds(lambda _: float(learner.step(sample, 0.0)))
    limit_s = (plan.seconds or 0.0) - loading_s
    iterations = plan.iterations or max(1, int(limit_s / (step_s + batch_s)))
    yield Finished(
        result=PlannedTraining(
            **choices_in_words(plan),
            parameters=n_parameters(learner.network),
            step_s=step_s,
            batch_s=batch_s,
            memory_gib=memory.gib,
            cohort_gib=source.padded.nbytes * len(cohort) / _GIB,
            loading_s=loading_s,
            estimated_s=loading_s + iterations * (step_s + batch_s),
            estimated_iterations=iterations,
        )
    )


def _random_sample(plan: Plan) -> Sample:
    spatial = plan.patch_shape[1:] if plan.config.dimension == "2d" else plan.patch_shape
    generator = torch.Generator().manual_seed(plan.config.seed)
    images = torch.randn(plan.config.batch_size, plan.channels, *spatial, generator=generator)
    target = torch.rand(plan.config.batch_size, *spatial, generator=generator) < _TARGET_SHARE
    return Sample(images=images.to(plan.device), target=target.to(torch.uint8).to(plan.device))


def _median_seconds(work: Callable[[int], object]) -> float:
    """Time a few calls; the first, which compiles and allocates, counts only where it takes long."""
    started = time.perf_counter()
    work(0)
    first = time.perf_counter() - started
    if first > _SECONDS_OF_STEPS:
        return first
    taken: list[float] = []
    while len(taken) < _MOST_STEPS and sum(taken) < _SECONDS_OF_STEPS:
        started = time.perf_counter()
        work(len(taken) + 1)
        taken.append(time.perf_counter() - started)
    return sorted(taken)[len(taken) // 2]


@dataclass
class _Memory:
    """The most memory that was used, in GiB; None until it was measured, or where it cannot be."""

    gib: float | None = None


@contextlib.contextmanager
def _memory(device: str) -> Iterator[_Memory]:
    """Measure the most memory that is taken within, beyond what was there before."""
    measured = _Memory()
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)
        yield measured
        measured.gib = torch.cuda.max_memory_allocated(device) / _GIB
    elif _forgets_its_peak():
        before = _resident_bytes("VmRSS")
        yield measured
        measured.gib = max(0, _resident_bytes("VmHWM") - before) / _GIB
    else:
        yield measured


def _forgets_its_peak() -> bool:
    """Whether the highest mark of this process' memory could be set back; Linux can, locked-down ones not."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def _resident_bytes(name: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


@dataclass(frozen=True, kw_only=True)
class PlannedTraining:
    """A training as it would be.

    Parameters
    ----------
    preset, dimension, sequences, target, cases, seed
        As chosen.
    network, parameters, loss, optimiser, augmentation, whitening, keeps
        In words, and the number of trained weights.
    batch_size, patch, iterations, minutes
        Samples of a mini-batch, and their voxels in words; a number of mini-batches, or a time limit: the
        other is None.
    device, threads, precision
        Where, and in which precision convolutions are computed.
    step_s, batch_s
        Measured: learning from one mini-batch, and making one.
    memory_gib
        Measured: what learning takes beside the program and the cases; None where it cannot be measured.
    cohort_gib, loading_s
        The first case, times the number of cases: memory that they fill, and the time to read them.
    estimated_s, estimated_iterations
        Time of the whole, and the mini-batches that are done in it.
    """

    preset: str
    dimension: str
    sequences: tuple[str, ...]
    target: str
    cases: int
    seed: int
    network: str
    parameters: int
    loss: str
    optimiser: str
    augmentation: str
    whitening: str
    keeps: str
    batch_size: int
    patch: str
    iterations: int | None
    minutes: float | None
    device: str
    threads: int
    precision: str
    step_s: float
    batch_s: float
    memory_gib: float | None
    cohort_gib: float
    loading_s: float
    estimated_s: float
    estimated_iterations: int

    def __str__(self) -> str:
        length = f"{self.iterations:,} iterations" if self.iterations else f"{self.minutes:g} min"
        memory = "not measured on this system" if self.memory_gib is None else f"{self.memory_gib:.1f} GiB"
        sequences = " and ".join(self.sequences)
        lines = {
            "preset": self.preset,
            "network": f"{self.network}; {self.parameters:,} parameters",
            "learns": f"{self.target} on {sequences} of {self.cases} cases, seed {self.seed}",
            "loss": self.loss,
            "optimiser": self.optimiser,
            "augmentation": self.augmentation,
            "whitening": self.whitening,
            "length": f"{length} of {self.batch_size} {'slices' if self.dimension == '2d' else 'volumes'} of "
            f"{self.patch} voxels",
            "keeps": self.keeps,
            "device": f"{self.device}, {self.threads} threads, {self.precision}",
            "memory": f"{memory} to learn, {self.cohort_gib:.1f} GiB for the cases",
            "a step": f"{self.step_s:.2f} s to learn, {self.batch_s:.3f} s to make its samples",
            "time": f"about {duration(self.estimated_s)} for {self.estimated_iterations:,} iterations, "
            f"{duration(self.loading_s)} of it to read the cases",
        }
        return "\n".join(f"{name:<13}{text}" for name, text in lines.items())


def choices_in_words(plan: Plan) -> dict[str, Any]:
    """Return what a plan says, as fields of `PlannedTraining`."""
    config = plan.config
    reduced = reduced_dtype(plan.device, config.precision)
    return {
        "preset": config.preset,
        "dimension": config.dimension,
        "sequences": tuple(map(str, config.sequences)),
        "target": config.target,
        "cases": len(plan.cases),
        "seed": config.seed,
        **training_in_words(config, plan.widths),
        "keeps": "the last weights",
        "batch_size": config.batch_size,
        "patch": " x ".join(map(str, plan.patch_shape[1:] if config.dimension == "2d" else plan.patch_shape)),
        "iterations": plan.iterations,
        "minutes": None if plan.seconds is None else plan.seconds / 60,
        "device": device_in_words(plan.device),
        "threads": plan.threads,
        "precision": "32 bits" if reduced is None else f"{reduced} convolutions".removeprefix("torch."),
    }


def smaller_in_words(plan: Plan) -> str:
    """Say what would take less memory than a plan for which it did not suffice."""
    config = plan.config
    if config.batch_size > 1:
        half = config.batch_size // 2
        return f"a batch size of {half} takes about half of it (under Advanced, or --batch-size {half})"
    if config.dimension == "3d":
        return "the 2d network takes far less"
    return "train on fewer cases, or on the device cpu"
