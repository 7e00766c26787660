"""Describes a training from its choices alone, as a plan shows it and a paper states it: without torch."""

from napari_necroseg.core.config import TrainConfig, describe


def training_in_words(config: TrainConfig, widths: tuple[int, ...]) -> dict[str, str]:
    """Say the network, its loss and optimiser, and how samples are varied and whitened.

    Parameters
    ----------
    widths
        Channels of the resolution levels.
    """
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
    """Count the trained numbers of the network that the choices describe, without making it."""
    kernel = 3 ** (2 if config.dimension == "2d" else 3)
    finer, coarser = widths[:-1], widths[1:]
    encoders = zip((len(config.sequences), *finer), widths, strict=True)
    return (
        sum(_block(n, n, kernel) for n in finer)
        + sum(_pair(before, after, kernel) for before, after in encoders)
        + sum(_block(wide, narrow, 1) for wide, narrow in zip(coarser, finer, strict=True))
        + sum(_pair(2 * n, n, kernel) for n in finer)
        + widths[0]
        + 1
    )


def _pair(before: int, after: int, kernel: int) -> int:
    return _block(before, after, kernel) + _block(after, after, kernel)


def _block(before: int, after: int, kernel: int) -> int:
    """Weights of a convolution, then scale and shift of its normalisation."""
    return before * after * kernel + 2 * after


def _whitening(config: TrainConfig) -> str:
    if config.whitening == "patch":
        return "each patch and sequence by its own mean and standard deviation"
    varied = f", then contrast and brightness varied by {config.intensity_spread:g}"
    by = ", by clipped statistics of its tissue" if config.whitening == "tissue" else ""
    return f"each sequence of the whole image once{by}" + (varied if config.intensity_spread else "")
