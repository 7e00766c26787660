"""What each part of the recipe gives by which models of the preset fast are applied.

Takes four models, one a fold, such as ``benchmarks/training.py`` leaves: each case is predicted by the model
of the fold that it was left out of, plainly, with each part of the recipe, and with all of it. Prints for
each way the mean Dice coefficient, of all cases and by fold, in how many cases it is better and worse than
the plain one, its greatest loss and gain, Wilcoxon's p before any correction, and the median seconds of a
prediction.
"""

import argparse
from pathlib import Path

import numpy as np
from scipy.stats import wilcoxon

from napari_necroseg.core.cohort.find import find_case
from napari_necroseg.core.cohort.load import load_case
from napari_necroseg.core.config import BY_PRESET, PredictConfig, train_preset, usual_prediction
from napari_necroseg.core.events import Finished
from napari_necroseg.core.network.model import load_model
from napari_necroseg.core.prediction.predict import predict
from napari_necroseg.core.scoring.overlap import count, dice

N_FOLDS = 4
WAYS = (
    (),
    ("tta",),
    ("slice_smoothing_mm",),
    ("smallest_share",),
    ("slice_smoothing_mm", "smallest_share"),
    ("tta", "smallest_share"),
    BY_PRESET,
)


def main() -> None:
    """Predict every case in each way, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with a folder for each case")
    parser.add_argument(
        "--runs", required=True, help="folders of the models, {} for the fold: work/...-fold{}/run"
    )
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    files = [find_case(folder) for folder in sorted(options.data.iterdir()) if folder.is_dir()]
    scores, seconds = np.zeros((2, len(WAYS), len(files)))
    for number, one in enumerate(files):
        model, case = load_model(Path(options.runs.format(number % N_FOLDS))), load_case(one)
        # The first prediction of a model takes longer.
        list(predict(model, case, applied((), options.threads)))
        for way, parts in enumerate(WAYS):
            *_, last = predict(model, case, applied(parts, options.threads))
            assert isinstance(last, Finished)
            scores[way, number] = dice(count(case.reference.voxels > 0, last.result.labels.voxels > 0))
            seconds[way, number] = last.result.provenance["seconds"]
    print(table(scores, seconds))


def applied(parts: tuple[str, ...], threads: int) -> PredictConfig:
    """Return the choices of a prediction with these parts of the recipe."""
    recipe = usual_prediction(train_preset("fast"))
    return PredictConfig(threads=threads, **{name: getattr(recipe, name) for name in parts})


def table(scores: np.ndarray, seconds: np.ndarray) -> str:
    """Write the scores ``(way, case)`` as Markdown."""
    folds = " | ".join(f"fold {fold}" for fold in range(N_FOLDS))
    lines = [
        f"| way | mean Dice | {folds} | better / worse | most lost, gained | p | s |",
        "|---" * (7 + N_FOLDS - 1) + "|",
    ]
    for parts, of_way, taken in zip(WAYS, scores, seconds, strict=True):
        change = of_way - scores[0]
        p = f"{wilcoxon(change).pvalue:.4f}" if change.any() else ""
        by_fold = " | ".join(f"{of_way[fold::N_FOLDS].mean():.3f}" for fold in range(N_FOLDS))
        lines.append(
            f"| {', '.join(parts) or 'plain'} | {of_way.mean():.3f} | {by_fold} | {(change > 0).sum()} / "
            f"{(change < 0).sum()} | {change.min():.3f}, {change.max():+.3f} | {p} | {np.median(taken):.1f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
