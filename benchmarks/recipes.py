"""Dice on unseen cases by recipes of training, paired case by case: what a change of the preset fast gives.

The cases of ``--data`` (a folder each) are dealt into four folds in turn. Each recipe trains on three of them
for ``--steps`` mini-batches, once a seed, in a process of its own with ``--threads`` threads, and outlines
the cases that were left out as such models are applied unless told otherwise. A run is a JSON line in
``runs.jsonl`` of ``--work``, its model lies beside it: what is there is not run again, and a training that
was interrupted goes on. Printed are the means of each recipe, of all cases and of those whose necrosis an
enhancing rim encloses, and the mean difference from ``--against``, with a bootstrap interval over patients.

With ``--outliers`` nothing is trained: the models that are there outline one case of each fold whose files
have a single voxel of 32767 or -32768, or a background of -1000, in one sequence and in both.

``--quick`` takes less than a minute and tells nothing about recipes; ``--json`` prints the lines alone.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

N_FOLDS = 4
N_RESAMPLES = 10_000
QUICK_STEPS = 3
# What each recipe changes of the preset fast.
RECIPES: dict[str, dict[str, Any]] = {
    "volume": {"whitening": "volume"},
    "tissue": {"whitening": "tissue"},
}
# Cases of which less than 0.7 of the necrosis' border is enhancing: much of it is no necrosis.
NOT_ENCLOSED = ("case-06", "case-09", "case-11", "case-12")
OUTLIERS = {"a voxel of 32767": 32767, "a voxel of -32768": -32768, "a background of -1000": -1000}
DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "brain-necrosis"
Run = dict[str, Any]


def main() -> None:
    """Run what is missing, then print what is there."""
    options = arguments().parse_args()
    if options.quick and not options.here:
        options.steps, options.folds, options.seeds = QUICK_STEPS, [0], [0]
    elif options.work is None:
        sys.exit("recipes: name a folder that keeps models and lines (--work), or take --quick.")
    with tempfile.TemporaryDirectory() as temporary:
        options.work = options.work or Path(temporary)
        options.work.mkdir(parents=True, exist_ok=True)
        if options.here:
            measure(options)
            return
        if not options.table:
            run_missing(options)
        lines = "outliers.jsonl" if options.outliers else "runs.jsonl"
        runs = [run for run in read(options.work / lines) if is_wanted(run, options)]
        if options.json:
            print("\n".join(map(json.dumps, runs)))
        elif options.outliers:
            print(outlier_table(runs))
        else:
            print(table(runs, options.against))


def arguments() -> argparse.ArgumentParser:
    """Return what the command line takes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA, help="folder with a folder for each case")
    parser.add_argument("--work", type=Path, help="folder for models and lines")
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=list(RECIPES))
    parser.add_argument("--against", choices=RECIPES, default="volume", help="what recipes are compared with")
    parser.add_argument("--folds", nargs="+", type=int, choices=range(N_FOLDS), default=list(range(N_FOLDS)))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--threads", type=int, default=2, help="of each run")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    parser.add_argument("--outliers", action="store_true", help="try outliers on the models that are there")
    parser.add_argument("--table", action="store_true", help="run nothing")
    parser.add_argument("--quick", action="store_true", help="a few steps on two cases")
    parser.add_argument("--json", action="store_true", help="print a JSON object a run")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    return parser


def run_missing(options: argparse.Namespace) -> None:
    """Run each recipe on each fold by each seed that has no line yet, in processes of their own."""
    path = options.work / ("outliers.jsonl" if options.outliers else "runs.jsonl")
    there = {key(run) for run in read(path)}
    wanted = [
        (recipe, fold, seed, options.steps)
        for seed in options.seeds
        for fold in options.folds
        for recipe in options.recipes
    ]
    with ThreadPoolExecutor(options.jobs) as pool:
        codes = pool.map(lambda one: in_process(options, *one), [one for one in wanted if one not in there])
    if any(codes):
        sys.exit("recipes: a run failed; its last lines stand above.")


def in_process(options: argparse.Namespace, recipe: str, fold: int, seed: int, steps: int) -> int:
    """Train and score in a process that has this number of threads from its start; return its exit code."""
    names = [f"{library}_NUM_THREADS" for library in ("OMP", "MKL", "OPENBLAS", "NUMBA")]
    set_threads = dict.fromkeys([*names, "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"], str(options.threads))
    command = [sys.executable, __file__, "--here", "--recipes", recipe, "--folds", str(fold)]
    command += ["--seeds", str(seed), "--steps", str(steps), "--threads", str(options.threads)]
    command += ["--data", str(options.data), "--work", str(options.work)]
    command += [f"--{name}" for name in ("outliers", "quick") if getattr(options, name)]
    return subprocess.run(command, env=os.environ | set_threads, check=False).returncode


def measure(options: argparse.Namespace) -> None:
    """Do one run and write its line."""
    run = {
        "recipe": options.recipes[0],
        "fold": options.folds[0],
        "seed": options.seeds[0],
        "steps": options.steps,
        "threads": options.threads,
        "version": version("napari-necroseg"),
        "torch": version("torch"),
    }
    lines = try_outliers(options, run) if options.outliers else [train_and_score(options, run)]
    path = options.work / ("outliers.jsonl" if options.outliers else "runs.jsonl")
    # Several processes may write here: each line at once.
    with path.open("a", encoding="utf-8") as file:
        file.write("".join(json.dumps(run | line) + "\n" for line in lines))


def train_and_score(options: argparse.Namespace, run: Run) -> Run:
    """Train by a recipe on three folds; return the Dice coefficients of the fourth."""
    from napari_necroseg.core.case import Cohort
    from napari_necroseg.core.cohort.load import load_case
    from napari_necroseg.core.config import train_preset
    from napari_necroseg.core.network.model import load_model
    from napari_necroseg.core.project.model_folder import WEIGHTS_NAME
    from napari_necroseg.core.training.start import prepare_training

    changes = RECIPES[run["recipe"]] | {"steps": run["steps"], "seed": run["seed"], "minutes": None}
    config = train_preset("fast", "2d").changed(**changes)
    learned, left_out = dealt(options.data, run["fold"])
    if options.quick:
        learned, left_out = learned[:2], left_out[:1]
    cohort = Cohort(cases=tuple(learned))
    prepared = prepare_training(config, cohort, threads=run["threads"])
    folder = options.work / model_name(run)
    if not (folder / WEIGHTS_NAME).exists():
        list(prepared.train(cohort, run=folder, on_existing="resume_or_begin"))
    model = load_model(folder)
    scores = {one.name: scored(model, load_case(one), run["threads"]) for one in left_out}
    return {"seconds": model.record.seconds, "device": model.record.device, "dice": scores}


def try_outliers(options: argparse.Namespace, run: Run) -> Iterator[Run]:
    """Outline the first case of the fold that was left out as it is and with outliers of each kind."""
    from napari_necroseg.core.cohort.find import find_case
    from napari_necroseg.core.cohort.load import load_case
    from napari_necroseg.core.network.model import load_model

    model = load_model(options.work / model_name(run))
    files = dealt(options.data, run["fold"])[1][0]
    plain = scored(model, load_case(files), run["threads"])
    for what, value in OUTLIERS.items():
        for names in (("ceT1",), ("T2",), ("ceT1", "T2")):
            with tempfile.TemporaryDirectory() as temporary:
                folder = Path(temporary) / files.name
                with_outliers(options.data / files.name, folder, names, value)
                dice = scored(model, load_case(find_case(folder)), run["threads"])
            line = {"case": files.name, "outlier": what, "in": " and ".join(names)}
            yield line | {"dice_without": plain, "dice": dice}


def with_outliers(case: Path, folder: Path, names: tuple[str, ...], value: int) -> None:
    """Copy the files of a case, with one voxel or the whole background of some images set to a value."""
    import nibabel as nib

    folder.mkdir()
    for path in case.iterdir():
        (folder / path.name).symlink_to(path.resolve())
    for name in names:
        image = nib.load(case / f"{name}.nii.gz")
        voxels = image.get_fdata(dtype=np.float32)
        if value == -1000:
            voxels[voxels == 0] = value
        else:
            voxels[tuple(n // 2 for n in voxels.shape)] = value
        (folder / f"{name}.nii.gz").unlink()
        changed = nib.Nifti1Image(voxels, image.affine, image.header)
        changed.set_data_dtype(np.float32)
        nib.save(changed, folder / f"{name}.nii.gz")


def dealt(data: Path, fold: int) -> tuple[list[Any], list[Any]]:
    """Return the files of the cases to learn from, and of those of the fold that is left out."""
    from napari_necroseg.core.cohort.find import find_case

    files = [find_case(folder) for folder in sorted(data.iterdir()) if folder.is_dir()]
    learned = [one for number, one in enumerate(files) if number % N_FOLDS != fold]
    return learned, [one for number, one in enumerate(files) if number % N_FOLDS == fold]


def scored(model: Any, case: Any, threads: int) -> float:
    """Return the Dice coefficient of a case, outlined as its model is applied unless told otherwise."""
    from napari_necroseg.core.config import usual_prediction
    from napari_necroseg.core.events import Finished
    from napari_necroseg.core.prediction.predict import predict
    from napari_necroseg.core.scoring.overlap import count, dice

    *_, last = predict(model, case, usual_prediction(model.config).changed(threads=threads))
    assert isinstance(last, Finished)
    return dice(count(case.reference.voxels > 0, last.result.labels.voxels > 0))


def model_name(run: Run) -> str:
    """Return the name of the folder with the model of a run."""
    return f"{run['recipe']}-{run['steps']}steps-fold{run['fold']}-seed{run['seed']}"


def key(run: Run) -> tuple[str, int, int, int]:
    """Return what tells runs apart."""
    return run["recipe"], run["fold"], run["seed"], run["steps"]


def read(path: Path) -> list[Run]:
    """Return the lines that are there."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


def is_wanted(run: Run, options: argparse.Namespace) -> bool:
    """Whether a line is one of those that were asked for."""
    return (
        run["recipe"] in options.recipes
        and run["fold"] in options.folds
        and run["seed"] in options.seeds
        and run["steps"] == options.steps
    )


def table(runs: list[Run], against: str) -> str:
    """Write the means of each recipe as Markdown, and its paired difference from another."""
    scores: dict[str, dict[tuple[str, int], float]] = defaultdict(dict)
    for run in runs:
        scores[run["recipe"]] |= {(case, run["seed"]): dice for case, dice in run["dice"].items()}
    lines = [
        "| recipe | runs | mean Dice, all cases | enclosed cases | difference, all | enclosed |",
        "|---|---|---|---|---|---|",
    ]
    for recipe, found in scores.items():
        cells = [recipe, f"{sum(run['recipe'] == recipe for run in runs)}"]
        cells += [f"{np.mean(list(part.values())):.3f}" for part in (found, enclosed(found))]
        for part in (found, enclosed(found)):
            cells.append("-" if recipe == against else paired_difference(part, scores[against]))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def enclosed(found: dict[tuple[str, int], float]) -> dict[tuple[str, int], float]:
    """Return the scores of cases whose necrosis an enhancing rim encloses."""
    return {one: dice for one, dice in found.items() if one[0] not in NOT_ENCLOSED}


def paired_difference(found: dict[tuple[str, int], float], other: dict[tuple[str, int], float]) -> str:
    """Return the mean difference of the runs that both have, and its interval: patients are drawn anew."""
    of_patient: dict[str, list[float]] = defaultdict(list)
    for case, seed in found.keys() & other.keys():
        of_patient[case].append(found[case, seed] - other[case, seed])
    if not of_patient:
        return "-"
    means = np.array([np.mean(of_patient[case]) for case in sorted(of_patient)])
    drawn = np.random.default_rng(0).integers(len(means), size=(N_RESAMPLES, len(means)))
    low, high = np.percentile(means[drawn].mean(axis=1), [2.5, 97.5])
    n_pairs = sum(map(len, of_patient.values()))
    return f"{means.mean():+.3f} (95 % {low:+.3f} to {high:+.3f}), {n_pairs} pairs"


def outlier_table(lines: list[Run]) -> str:
    """Write the Dice coefficients without and with outliers as Markdown."""
    rows = ["| recipe | outlier | in | case: without, with (change) | most |", "|---|---|---|---|---|"]
    groups: dict[tuple[str, str, str], list[Run]] = defaultdict(list)
    for line in lines:
        groups[line["recipe"], line["outlier"], line["in"]].append(line)
    for group, found in groups.items():
        changes = [line["dice"] - line["dice_without"] for line in found]
        cells = [
            f"{line['case']}: {line['dice_without']:.3f}, {line['dice']:.3f} ({change:+.3f})"
            for line, change in zip(found, changes, strict=True)
        ]
        rows.append(f"| {' | '.join(group)} | {'; '.join(cells)} | {max(map(abs, changes)):.3f} |")
    return "\n".join(rows)


if __name__ == "__main__":
    main()
