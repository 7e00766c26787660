"""Dice on unseen cases after some minutes of training on a processor, against the tools that others use.

The cases of ``--data`` (a folder each) are dealt into four folds in turn; a contender trains on three of
them for ``--minutes``, from random weights, with ``--threads`` threads, and is scored on the fourth. Ours
is `necroseg train --preset fast`, whose minutes include reading the cases; the peers' (`training_peers`)
begin when their data is there. Nothing else may run beside it.

Ours and MONAI are scored by the network alone (``dice``), by the mean of the image mirrored in plane and not
(``dice_mirrored``), and by the recipe by which ours is applied unless told otherwise (``dice_recipe``), which
is no part of MONAI; nnU-Net's predictor always mirrors.

Each contender on each fold is a file in ``--work``: what is there already is not run again, so the hours that
this takes may be spread over days. ``--table`` prints what is there.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path

import numpy as np

from napari_necroseg.core.case import Case, CaseFiles, Cohort
from napari_necroseg.core.cohort.find import find_case
from napari_necroseg.core.cohort.load import load_case
from napari_necroseg.core.cohort.table import write_cohort
from napari_necroseg.core.config import PredictConfig, usual_prediction
from napari_necroseg.core.events import Finished
from napari_necroseg.core.network.model import load_model
from napari_necroseg.core.prediction.predict import predict
from napari_necroseg.core.scoring.overlap import count, dice

N_FOLDS = 4
MONAI_SIDE = 128
CONTENDERS = ("ours", "monai", "nnunet")
PACKAGES = {"ours": "napari-necroseg", "monai": "monai", "nnunet": "nnunetv2"}


def main() -> None:
    """Run what is missing, one after the other, then print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with a folder for each case")
    parser.add_argument("--work", type=Path, required=True, help="folder for models and results")
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=CONTENDERS)
    parser.add_argument("--folds", nargs="+", type=int, choices=range(N_FOLDS), default=range(N_FOLDS))
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--dimension", choices=("2d", "3d"), default="2d")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--monai-side",
        type=int,
        default=MONAI_SIDE,
        help="sides of what MONAI learns from; it predicts by 128 either way",
    )
    parser.add_argument("--table", action="store_true", help="run nothing")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    if options.here:
        measure(options, options.contenders[0], options.folds[0])
        return
    for fold in () if options.table else options.folds:
        for contender in options.contenders:
            if not result_path(options, contender, fold).exists():
                in_process(options, contender, fold)
    print_table(options.work)


def result_path(options: argparse.Namespace, contender: str, fold: int) -> Path:
    """Return where the result of one training is, or will be."""
    stem = f"{named(options, contender)}-{options.dimension}-{options.minutes:g}min-{options.threads}threads"
    return options.work / f"{stem}-fold{fold}.json"


def named(options: argparse.Namespace, contender: str) -> str:
    """Return the contender's name, with what is unusual about it."""
    is_usual = contender != "monai" or options.monai_side == MONAI_SIDE
    return contender if is_usual else f"{contender}-patch{options.monai_side}"


def in_process(options: argparse.Namespace, contender: str, fold: int) -> None:
    """Train and score in a process that has this number of threads from its start."""
    names = [f"{library}_NUM_THREADS" for library in ("OMP", "MKL", "OPENBLAS")]
    set_threads = dict.fromkeys([*names, "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"], str(options.threads))
    command = [sys.executable, __file__, "--here", "--contenders", contender, "--folds", str(fold)]
    for name in ("data", "work", "minutes", "dimension", "threads", "monai_side"):
        command += [f"--{name.replace('_', '-')}", str(getattr(options, name))]
    print(f"{contender}, {options.dimension}, fold {fold}: {options.minutes:g} minutes", flush=True)
    if subprocess.run(command, env=os.environ | set_threads, check=False).returncode:
        sys.exit(f"training: {contender} failed on fold {fold}.")


def measure(options: argparse.Namespace, contender: str, fold: int) -> None:
    """Train one contender on one fold, score it, and write the result."""
    files = [find_case(folder) for folder in sorted(options.data.iterdir()) if folder.is_dir()]
    train = [one for number, one in enumerate(files) if number % N_FOLDS != fold]
    test = [load_case(one) for number, one in enumerate(files) if number % N_FOLDS == fold]
    work = options.work / result_path(options, contender, fold).stem
    # What a training that was interrupted left.
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    if contender == "ours":
        iterations, masks = train_ours(options, train, test, work)
    else:
        import training_peers

        run = getattr(training_peers, f"train_{contender}")
        iterations, masks = run(options, [load_case(one) for one in train], test, work)
    scores = {
        way: {case.name: scored(case, mask) for case, mask in zip(test, found, strict=True)}
        for way, found in masks.items()
    }
    result = {
        "contender": named(options, contender),
        "version": version(PACKAGES[contender]),
        "torch": version("torch"),
        "dimension": options.dimension,
        "minutes": options.minutes,
        "threads": options.threads,
        "fold": fold,
        "iterations": iterations,
    } | scores
    result_path(options, contender, fold).write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def train_ours(
    options: argparse.Namespace, train: list[CaseFiles], test: list[Case], work: Path
) -> tuple[int, dict[str, list[np.ndarray]]]:
    """Train by the command line, as a user would; return iterations and masks of the test cases."""
    write_cohort(work / "train.csv", Cohort(cases=tuple(train)))
    command = [str(Path(sys.executable).with_name("necroseg")), "train", str(work / "train.csv")]
    command += ["--out", str(work / "run"), "--preset", "fast", "--dimension", options.dimension]
    command += ["--minutes", str(options.minutes), "--threads", str(options.threads)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    model = load_model(work / "run")
    ways = {
        "dice": PredictConfig(),
        "dice_mirrored": PredictConfig(tta=True),
        "dice_recipe": usual_prediction(model.config),
    }
    masks: dict[str, list[np.ndarray]] = {way: [] for way in ways}
    for case in test:
        for way, config in ways.items():
            *_, last = predict(model, case, config.changed(threads=options.threads))
            assert isinstance(last, Finished)
            masks[way].append(last.result.labels.voxels > 0)
    return model.record.iterations, masks


def scored(case: Case, mask: np.ndarray) -> float:
    """Return the Dice coefficient on the acquired slices."""
    assert case.reference is not None
    return dice(count(case.reference.voxels > 0, mask))


def print_table(work: Path) -> None:
    """Print the mean Dice of each fold, and of all test cases of the folds that were run."""
    rows: dict[tuple[object, ...], dict[int, dict]] = defaultdict(dict)
    for path in sorted(work.glob("*-fold?.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        key = tuple(result[name] for name in ("dimension", "minutes", "threads", "contender", "version"))
        for way in ("dice", "dice_mirrored", "dice_recipe"):
            if way in result:
                rows[(*key, *way.split("_")[1:])][result["fold"]] = result | {"dice": result[way]}
    print(
        "| network, minutes, threads, contender | " + " | ".join(f"fold {n}" for n in range(N_FOLDS)), end=""
    )
    print(" | mean of cases | iterations |\n|---|" + "---|" * (N_FOLDS + 2))
    for key, folds in rows.items():
        means = [np.mean(list(folds[n]["dice"].values())) if n in folds else None for n in range(N_FOLDS)]
        of_cases = [value for result in folds.values() for value in result["dice"].values()]
        cells = ["-" if mean is None else f"{mean:.3f}" for mean in means]
        iterations = [result["iterations"] for result in folds.values()]
        cells += [f"{np.mean(of_cases):.3f} of {len(of_cases)}", f"{min(iterations)} to {max(iterations)}"]
        print(f"| {', '.join(map(str, key))} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
