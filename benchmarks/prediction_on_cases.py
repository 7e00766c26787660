"""What the shortcuts of a prediction change on real cases, and how long a whole case takes.

Takes the models that ``benchmarks/training.py`` left in ``--work``: each case is predicted by the model of
the fold that it was left out of, in short numbers (if they hold), in 32 bits, mirrored, and around a click on
the middle of its reference. Prints a row a case: the 99.9th percentile and the maximum of the difference in
probability between both formats, the Dice coefficient of each way, the largest difference of the part about
the click from the same part of the whole, and seconds (loading excluded). The precision holds if the
percentile is below 0.01 and Dice changes by less than 0.001.
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_necroseg.core.case import Case
from napari_necroseg.core.cohort.find import find_case
from napari_necroseg.core.cohort.load import load_case
from napari_necroseg.core.config import PredictConfig
from napari_necroseg.core.events import Finished
from napari_necroseg.core.network.model import Model, load_model
from napari_necroseg.core.prediction.predict import Prediction, predict
from napari_necroseg.core.scoring.overlap import count, dice

N_FOLDS = 4
MOST_CHANGE = 0.001


@dataclass(frozen=True, kw_only=True)
class Found:
    """What was found for a case."""

    case: str
    precision: str
    percentile: float
    most: float
    dice: tuple[float, float, float]
    around: float
    seconds: tuple[float, float, float]


def main() -> None:
    """Predict every case in each way, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with a folder for each case")
    parser.add_argument("--work", type=Path, required=True, help="folder of benchmarks/training.py")
    parser.add_argument("--minutes", default="10")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    files = [find_case(folder) for folder in sorted(options.data.iterdir()) if folder.is_dir()]
    found = []
    for fold in range(N_FOLDS):
        run = options.work / f"ours-2d-{options.minutes}min-2threads-fold{fold}" / "run"
        if not run.is_dir():
            continue
        model = load_model(run)
        cases = [load_case(one) for number, one in enumerate(files) if number % N_FOLDS == fold]
        found += [compared(model, case, options.threads) for case in cases]
    print(table(sorted(found, key=lambda one: one.case)))


def compared(model: Model, case: Case, threads: int) -> Found:
    """Predict a case in each way."""
    reference = case.reference.voxels > 0
    middle = tuple(map(float, case.grid.to_world_mm(np.argwhere(reference).mean(axis=0))))
    ways = [{}, {"precision": "fp32"}, {"tta": True}, {"around": middle}]
    made = [timed(model, case, PredictConfig(threads=threads, **way)) for way in ways]
    short, exact, _, part = (prediction.probability.voxels.astype(np.float32) for prediction, _ in made)
    region = made[3][0].provenance["region"]
    box = (slice(None), slice(*region["rows"]), slice(*region["columns"]))
    return Found(
        case=case.name,
        precision=str(made[0][0].provenance["precision"]),
        percentile=float(np.percentile(np.abs(short - exact), 99.9)),
        most=float(np.abs(short - exact).max()),
        dice=tuple(dice(count(reference, one.labels.voxels > 0)) for one, _ in made[:3]),
        around=float(np.abs(part[box] - short[box]).max()),
        seconds=tuple(seconds for _, seconds in made[:3]),
    )


def timed(model: Model, case: Case, config: PredictConfig) -> tuple[Prediction, float]:
    """Return a prediction and its seconds."""
    started = time.perf_counter()
    *_, last = predict(model, case, config)
    assert isinstance(last, Finished)
    return last.result, time.perf_counter() - started


def table(found: list[Found]) -> str:
    """Write all of it as Markdown, with means and extremes below."""
    lines = [
        "| case | format | 99.9 % | most | Dice | 32 bits | mirrored | click | s | 32 bits | mirrored |",
        "|---" * 11 + "|",
    ]
    for one in found:
        numbers = (one.percentile, one.most, *one.dice, one.around)
        cells = [f"{x:.4f}" for x in numbers] + [f"{x:.2f}" for x in one.seconds]
        lines.append(f"| {' | '.join([one.case, one.precision, *cells])} |")
    changes = [abs(one.dice[0] - one.dice[1]) for one in found]
    plain, _, mirrored = np.mean([one.dice for one in found], axis=0)
    n_changed = sum(change >= MOST_CHANGE for change in changes)
    percentile, around = max(one.percentile for one in found), max(one.around for one in found)
    lines += [
        "",
        f"{len(found)} cases: 99.9th percentile {percentile:.4f} at most; Dice changed by {max(changes):.4f} "
        f"at most, {np.mean(changes):.4f} on average, by {MOST_CHANGE} or more in {n_changed}; mean Dice "
        f"{plain:.3f}, mirrored {mirrored:.3f}; around a click {around:.4f} at most from the whole",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
