"""Describes a training in words, for a plan or a paper, from its settings alone: without torch."""

from dataclasses import dataclass

from napari_necroseg.core.config import TrainConfig, describe
from napari_necroseg.core.display import duration
from napari_necroseg.core.plan import Plan


def training_in_words(config: TrainConfig, widths: tuple[int, ...]) -> dict[str, str]:
    """Describe network, loss, optimiser, augmentation and whitening; `widths` are the levels' channels."""
    kernel = "3 x 3" if config.dimension == "2d" else "3 x 3 x 3"
    entropy = f" + {config.cross_entropy:g} x cross-entropy" if config.cross_entropy else ""
    decay = "falling to 0 along a half cosine" if config.learning_rate_decay else "constant"
    return {
        "network": f"{config.dimension.upper()} U-Net, {kernel} convolutions, each with batch normalisation "
        f"and ReLU, widths {', '.join(map(str, widths))}, strided convolutions down, "
        f"{config.upsampling} upsampling, sigmoid",
        "loss": f"1 - Tversky index over the batch, alpha {config.alpha:g}, beta {config.beta:g}{entropy}",
        "optimiser": f"Adam, learning rate {config.learning_rate:g}, {decay}",
        "augmentation": describe(config.augment),
        "whitening": _whitening(config),
    }


def parameters_of(config: TrainConfig, widths: tuple[int, ...]) -> int:
    """Count the trained weights of the network with these settings, without making it."""
    kernel = 3 ** (2 if config.dimension == "2d" else 3)
    finer, coarser = widths[:-1], widths[1:]
    encoders = zip((len(config.sequences), *finer), widths, strict=True)
    return (
        sum(_block(n, n, kernel=kernel) for n in finer)
        + sum(_pair(before, after, kernel=kernel) for before, after in encoders)
        + sum(_block(wide, narrow, kernel=1) for wide, narrow in zip(coarser, finer, strict=True))
        + sum(_pair(2 * n, n, kernel=kernel) for n in finer)
        + widths[0]
        + 1
    )


def _pair(before: int, after: int, *, kernel: int) -> int:
    return _block(before, after, kernel=kernel) + _block(after, after, kernel=kernel)


def _block(before: int, after: int, *, kernel: int) -> int:
    """Weights of a convolution, then scale and shift of its normalisation."""
    return before * after * kernel + 2 * after


def _whitening(config: TrainConfig) -> str:
    if config.whitening == "patch":
        return "each patch and sequence by its own mean and standard deviation"
    varied = f", then contrast and brightness varied by {config.intensity_spread:g}"
    by = ", by clipped statistics of its tissue" if config.whitening == "tissue" else ""
    return f"each sequence of the whole image once{by}" + (varied if config.intensity_spread else "")


def smaller_in_words(plan: Plan) -> str:
    """Suggest what would take less memory than this plan."""
    config = plan.config
    if config.batch_size > 1:
        half = config.batch_size // 2
        return f"a batch size of {half} takes about half of it (under Advanced, or --batch-size {half})"
    if config.dimension == "3d":
        return "the 2d network takes far less"
    return "train on fewer cases, or on the device cpu"


@dataclass(frozen=True, kw_only=True)
class PlannedTraining:
    """A planned training: its settings in words, and its measured cost."""

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
    # A number of mini-batches or a time limit; the other is None.
    iterations: int | None
    minutes: float | None
    device: str
    threads: int
    precision: str
    # Measured: learning from one mini-batch, and making one.
    step_s: float
    batch_s: float
    # Measured: what learning takes beside the program and the cases; None where it cannot be measured.
    memory_gib: float | None
    # The memory and the reading time of the first case, times the number of cases.
    cohort_gib: float
    loading_s: float
    # Of the whole training, and the mini-batches that are done in this time.
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
