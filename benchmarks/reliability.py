"""Is a prediction as sure as it is right? Reliability of probability and uncertainty on cases not trained on.

Takes the models that ``benchmarks/training.py`` left in ``--work``: each fold's model predicts the cases left
out of it, as they are and mirrored. Or, with ``--ensembles``, a folder of models named ``fold0-...`` and so
on: those of a fold are an ensemble, and nothing is mirrored. Voxels with a probability from 1 to 99 % (in all
others nothing is uncertain) are sorted into ten bins by probability, and into ten by uncertainty, the
deviation between the members. Per bin: the share of voxels that are inside the reference, and the share that
the outline gets wrong. Prints both tables, and draws them into ``--out`` (PNG).
"""

import argparse
from pathlib import Path

import numpy as np

from napari_necroseg.core.cohort.find import find_case
from napari_necroseg.core.cohort.load import load_case
from napari_necroseg.core.config import PredictConfig
from napari_necroseg.core.events import Finished
from napari_necroseg.core.network.model import load_model
from napari_necroseg.core.prediction.predict import predict

N_FOLDS = 4
N_BINS = 10
LEAST, MOST = 0.01, 0.99
# The standard deviation of numbers from 0 to 1 is 0.5 at most.
MOST_UNCERTAINTY = 0.5
Bins = tuple[np.ndarray, np.ndarray, np.ndarray]


def main() -> None:
    """Predict, count, print and draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with a folder for each case")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--work", type=Path, help="folder of benchmarks/training.py")
    source.add_argument("--ensembles", type=Path, help="folder of models by fold")
    parser.add_argument("--minutes", default="10")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, help="picture to draw")
    options = parser.parse_args()
    probability, uncertainty, inside = voxels(options)
    wrong = (probability >= 0.5) != inside
    reliable = binned(probability, inside, 1.0)
    doubtful = binned(uncertainty, wrong, MOST_UNCERTAINTY)
    print(table("probability", "inside the reference", reliable))
    print(table("uncertainty", "wrong", doubtful))
    centres, shares, counts = reliable
    print(f"expected calibration error {np.nansum(np.abs(centres - shares) * counts) / counts.sum():.3f}")
    if options.out is not None:
        draw(reliable, doubtful, options.out)


def voxels(options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return probability, uncertainty and reference of all uncertain voxels of cases left out."""
    files = [find_case(folder) for folder in sorted(options.data.iterdir()) if folder.is_dir()]
    found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    n_cases = 0
    for fold in range(N_FOLDS):
        runs = runs_of(options, fold)
        if not runs:
            continue
        models = [load_model(run) for run in runs]
        for case in (load_case(one) for number, one in enumerate(files) if number % N_FOLDS == fold):
            config = PredictConfig(threads=options.threads, tta=options.ensembles is None)
            *_, last = predict(models, case, config)
            assert isinstance(last, Finished)
            p = last.result.probability.voxels.astype(np.float32)
            shown = (p >= LEAST) & (p <= MOST)
            sigma = last.result.uncertainty.voxels.astype(np.float32)
            found.append((p[shown], sigma[shown], case.reference.voxels[shown] > 0))
            n_cases += 1
    print(f"{n_cases} cases, {sum(len(p) for p, _, _ in found):,} voxels")
    return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))


def runs_of(options: argparse.Namespace, fold: int) -> list[Path]:
    """Return the models that did not learn from the cases of a fold."""
    if options.ensembles is not None:
        return sorted(options.ensembles.glob(f"fold{fold}-*/"))
    run = options.work / f"ours-2d-{options.minutes}min-2threads-fold{fold}" / "run"
    return [run] if run.is_dir() else []


def binned(values: np.ndarray, happens: np.ndarray, most: float) -> Bins:
    """Return the mean value of each bin, the share of it in which something happens, and its voxels."""
    number = np.minimum((values / most * N_BINS).astype(int), N_BINS - 1)
    counts = np.bincount(number, minlength=N_BINS)
    with np.errstate(invalid="ignore"):
        means = np.bincount(number, values, N_BINS) / counts
        shares = np.bincount(number, happens, N_BINS) / counts
    return means, shares, counts


def table(title: str, happens: str, bins: Bins) -> str:
    """Write bins as Markdown."""
    lines = [f"| {title} | {happens} | voxels |", "|---|---|---|"]
    lines += [
        f"| {mean:.2f} | {share:.2f} | {count:,} |" for mean, share, count in zip(*bins, strict=True) if count
    ]
    return "\n".join(lines)


def draw(reliable: Bins, doubtful: Bins, path: Path) -> None:
    """Draw both as curves."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot([0, 1], [0, 1], color="0.6", linestyle="--", label="perfect")
    left.plot(reliable[0], reliable[1], marker="o", color="#0072b2", label="measured")
    left.set(
        xlabel="probability (mean of the bin)", ylabel="share inside the reference", xlim=(0, 1), ylim=(0, 1)
    )
    left.legend()
    right.plot(doubtful[0], doubtful[1], marker="o", color="#d55e00")
    right.set(
        xlabel="uncertainty (mean of the bin)", ylabel="share that is wrong", xlim=(0, 0.5), ylim=(0, 1)
    )
    for axes in (left, right):
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
