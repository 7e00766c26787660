"""What a study takes beside its trainings, against the same runs as single commands, one after the other.

The runs: one 2D configuration in two folds, a few steps each, on phantoms. What is timed is the whole, less
the time of the trainings as these state it: reading the cases, handing out runs, predicting, scoring, tables,
report; of single commands also starting Python and torch three times a run. Both take turns, with the same
number of threads. The bar: less than 5 % of a run of five minutes, predicting left out.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

CONFIGURATION, FOLDS = "2d:ceT1+T2", 2
SECONDS_OF_A_RUN = 300.0
MOST_SHARE = 0.05


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="four cases, one turn")
    parser.add_argument("--json", action="store_true", help="print one JSON object a measurement")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table = make_cohort(Path(folder) / "cohort", cases=4 if options.quick else 12)
        turns = range(1 if options.quick else 3)
        measured = [one_turn(table, Path(folder) / f"turn-{turn}", options.threads) for turn in turns]
    report(measured, options.threads, as_json=options.json)


def make_cohort(folder: Path, cases: int) -> Path:
    """Write phantoms."""
    necroseg("phantom", folder, "--cases", cases)
    return folder / "cohort.csv"


def one_turn(table: Path, folder: Path, threads: int) -> dict[str, float]:
    """Do the runs both ways; return seconds a run beside the trainings."""
    length = ["--steps-per-run", 2, "--threads", threads]
    choices = ["--configurations", CONFIGURATION, "--folds", FOLDS, *length]
    started = time.monotonic()
    necroseg("study", table, "--out", folder / "study", *choices)
    ours_s = time.monotonic() - started - training_s(folder / "study" / "models")
    states = [json.loads(path.read_text()) for path in (folder / "study" / "runs").glob("*.json")]
    predicting_s = sum(state["seconds"]["predicting"] for state in states)
    started = time.monotonic()
    for state in states:
        one_by_one(table, folder, state, threads)
    peer_s = time.monotonic() - started - training_s(folder / "models")
    return {"ours": ours_s / FOLDS, "predicting": predicting_s / FOLDS, "commands": peer_s / FOLDS}


def one_by_one(table: Path, folder: Path, state: dict[str, Any], threads: int) -> None:
    """Train, predict and score as a person would without a study."""
    name = f"fold-{state['fold']}"
    run, out, left_out = folder / "models" / name, folder / "masks" / name, ",".join(state["validation"])
    length = ["--steps", 2, "--threads", threads]
    necroseg("train", table, "--out", run, "--exclude", left_out, *length)
    necroseg("predict", run, only(table, state["validation"]), "--out", out, "--threads", threads)
    necroseg("score", table, out)


def only(table: Path, cases: list[str]) -> Path:
    """Write a table of these cases beside the whole one."""
    header, *rows = table.read_text().splitlines()
    path = table.with_name("left-out.csv")
    path.write_text("\n".join([header, *(row for row in rows if row.partition(",")[0] in cases)]) + "\n")
    return path


def training_s(models: Path) -> float:
    """Sum of what the trainings say that they took, the preparation of their cases included."""
    return sum(json.loads(path.read_text())["seconds"] for path in models.glob("*/run.json"))


def necroseg(*arguments: object) -> None:
    """Run a command, in silence unless it fails."""
    command = [sys.executable, "-m", "napari_necroseg.cli", *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True)


def report(measured: list[dict[str, float]], threads: int, *, as_json: bool) -> None:
    """Print the medians."""
    ours, predicting, commands = (
        statistics.median(turn[name] for turn in measured) for name in ("ours", "predicting", "commands")
    )
    share = (ours - predicting) / SECONDS_OF_A_RUN
    record = {
        "benchmark": "study",
        "case": "2d",
        "threads": threads,
        "ours_s": ours,
        "predicting_s": predicting,
        "share_of_5_min": share,
        "peers_s": {"commands": commands},
        "ratios": {"commands": commands / ours},
    }
    print(json.dumps(record) if as_json else in_words(record))


def in_words(record: dict[str, Any]) -> str:
    """The same for a person."""
    verdict = "holds" if record["share_of_5_min"] < MOST_SHARE else "MISSED"
    return (
        f"A run beside its training: {record['ours_s']:.1f} s, {record['predicting_s']:.1f} s of it to "
        f"predict; as single commands {record['ratios']['commands']:.1f} times that. Without predicting "
        f"{record['share_of_5_min']:.1%} of five minutes: the bar of {MOST_SHARE:.0%} {verdict}. "
        f"{record['threads']} threads."
    )


if __name__ == "__main__":
    main()
