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
from napari_necroseg.core.network.device import (
    Hardware,
    device_in_words,
    memory_errors,
    resolve_hardware,
    torch_settings,
)
from napari_necroseg.core.network.images import check_images, only_needed
from napari_necroseg.core.network.stopping import Stopped, check, interruptible
from napari_necroseg.core.network.unet import n_parameters
from napari_necroseg.core.plan import Plan
from napari_necroseg.core.training.description import PlannedTraining, smaller_in_words, training_in_words
from napari_necroseg.core.training.learner import Learner
from napari_necroseg.core.training.mini_batches import mini_batch
from napari_necroseg.core.training.preflight import whose_masks
from napari_necroseg.core.training.sources import on_device, training_source

_MOST_STEPS = 5
_SECONDS_OF_STEPS = 6.0
_GIB = 2**30

# Share of the target in a random sample; the time of a step does not depend on it.
_TARGET_SHARE = 0.02


def plan_training(
    plan: Plan, cohort: Cohort, *, hardware: Hardware | None = None, stop: threading.Event | None = None
) -> Generator[Event, None, None]:
    """Say what a training would do, and measure a few steps of it; nothing is trained.

    The cohort says where the files of the plan's cases are; the first case is read. Memory that does not
    suffice for one step is a `ResourceError`. The last event is `Finished` with a `PlannedTraining`.
    """
    stop, hardware = stop or threading.Event(), hardware or resolve_hardware(plan.config)
    size = (
        f"a mini-batch of {plan.config.batch_size} patches of {' x '.join(map(str, plan.patch_shape))} voxels"
    )
    yield Started(message=f"Measuring a few steps on {hardware.device}; nothing is trained.")
    for words in whose_masks(plan, cohort, validation=Cohort(cases=())):
        yield Started(message=words)
    try:
        with memory_errors(size, smaller_in_words(plan)), torch_settings(hardware.threads):
            yield from _measure(plan, cohort.only(plan.cases), hardware=hardware, stop=stop)
    except Stopped:
        return


def _measure(
    plan: Plan, cohort: Cohort, *, hardware: Hardware, stop: threading.Event
) -> Generator[Event, None, None]:
    yield Progress(done=0, total=3, message=f"Reading {cohort.cases[0].name}")
    started = time.monotonic()
    needed = only_needed(cohort.cases[0], plan.config.sequences, target=plan.config.target)
    case = load_case(needed)
    check_images(case, plan.config.sequences)
    source = training_source(case, plan.config, n_slices=plan.patch_shape[0])
    loading_s = (time.monotonic() - started) * len(cohort)
    check(stop)
    yield Progress(done=1, total=3, message="Making samples")
    # On the device where the training would make them: if the whole cohort fits there.
    (sampled,) = on_device([source], hardware.device, n_cases=len(cohort))

    def make(number: int) -> float:
        return float(mini_batch([sampled], plan, iteration=number).images[0].sum())

    # Compiling, once on each computer, can take much longer than anything that is measured here.
    make(0)
    batch_s = _median_seconds(make)
    check(stop)
    yield Progress(done=2, total=3, message="Learning")
    learner = Learner(plan, hardware)
    sample = _random_sample(plan, hardware.device)
    with interruptible(learner.network, stop), _memory(hardware.device) as memory:
        step_s = _median_seconds(lambda _: float(learner.step(sample, 0.0)))
    limit_s = (plan.seconds or 0.0) - loading_s
    iterations = plan.iterations or max(1, int(limit_s / (step_s + batch_s)))
    yield Finished(
        result=PlannedTraining(
            **_choices_in_words(plan, hardware),
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


def _random_sample(plan: Plan, device: str) -> Sample:
    spatial = plan.patch_shape[1:] if plan.config.dimension == "2d" else plan.patch_shape
    generator = torch.Generator().manual_seed(plan.config.seed)
    images = torch.randn(plan.config.batch_size, plan.channels, *spatial, generator=generator)
    target = torch.rand(plan.config.batch_size, *spatial, generator=generator) < _TARGET_SHARE
    return Sample(images=images.to(device), target=target.to(torch.uint8).to(device))


def _median_seconds(work: Callable[[int], object]) -> float:
    """Return the median time of a few calls; the first, which compiles, counts only if it takes very long."""
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
    """The peak of the memory in use, in GiB; None until it is measured, or where it cannot be."""

    gib: float | None = None


@contextlib.contextmanager
def _memory(device: str) -> Iterator[_Memory]:
    """Measure the peak of the memory that is taken within, beyond what was in use before."""
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
    """Whether the memory peak of this process could be reset, as Linux allows unless it is locked down."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def _resident_bytes(name: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def _choices_in_words(plan: Plan, hardware: Hardware) -> dict[str, Any]:
    """Describe a plan, in fields of `PlannedTraining`."""
    config = plan.config
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
        "device": device_in_words(hardware.device),
        "threads": hardware.threads,
        "precision": "32 bits"
        if hardware.short_dtype is None
        else f"{hardware.short_dtype} convolutions".removeprefix("torch."),
    }
