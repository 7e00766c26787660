"""A training as it would be: what it does in words, and what it costs in figures."""

from dataclasses import dataclass
from typing import Any

from napari_necroseg.core.learning.device import device_in_words, reduced_dtype
from napari_necroseg.core.learning.words import training_in_words
from napari_necroseg.core.plan import Plan, duration


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
