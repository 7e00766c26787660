"""First masks from one click, on real cases: how well each method outlines, and how long it takes.

The click is drawn from the reference by a rule: the deepest point, that is the greatest distance in mm from
the border of its largest part; of equal ones the first in the order of the array. Choices are the defaults.
Prints a table of Dice and seconds per method over all cases, the Dice of each case, and seconds on a
synthetic volume of 64 x 320 x 320 voxels of 4 x 0.9 x 0.9 mm. Seconds are those of `assist` alone, reading
left out; each first call is not counted, since it imports.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import numpy as np
from scipy import ndimage

from napari_necroseg.core.assist.assist import assist
from napari_necroseg.core.case import Case, Sequence
from napari_necroseg.core.cohort.find import find_case
from napari_necroseg.core.cohort.load import load_case
from napari_necroseg.core.config import AssistConfig, AssistMethod
from napari_necroseg.core.scoring.overlap import count, dice

METHODS = get_args(AssistMethod)

NEIGHBOURS = np.ones((3, 3, 3), bool)
SHAPE, SPACING_MM = (64, 320, 320), (4.0, 0.9, 0.9)
N_ROUNDS = 5
Index = tuple[int, ...]
Measured = dict[str, dict[str, dict[str, float]]]


def main() -> None:
    """Measure in a process of its own, whose threads are set from its start, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with a folder for each case")
    parser.add_argument("--sequences", default="ceT1,T2", help="those that are looked at (default: both)")
    parser.add_argument("--quick", action="store_true", help="three cases")
    parser.add_argument("--json", action="store_true", help="print one JSON object a measurement")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        print(json.dumps(measured(options)))
        return
    variables = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(options.threads))
    done = subprocess.run(
        [sys.executable, __file__, "--here", *sys.argv[1:]],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"assist failed.\n{done.stderr}")
    found = json.loads(done.stdout.splitlines()[-1])
    print("\n".join(lines(found, options.threads)) if options.json else tables(found))


def measured(options: argparse.Namespace) -> Measured:
    """Return Dice and seconds of each method on each case, and on the synthetic volume."""
    folders = [folder for folder in sorted(options.data.iterdir()) if folder.is_dir()]
    if not folders:
        sys.exit(f"assist: {options.data} has no folders of cases.")
    sequences = tuple(options.sequences.split(","))
    synthetic, zone = synthetic_zone()
    results: Measured = {method: {} for method in METHODS}
    for method in METHODS:
        config = AssistConfig(method=method, sequences=sequences)
        rounds = [outlined(synthetic, zone, SPACING_MM, config) for _ in range(N_ROUNDS + 1)][1:]
        seconds = statistics.median(one["seconds"] for one in rounds)
        results[method]["synthetic"] = rounds[0] | {"seconds": seconds}
    for folder in folders[:3] if options.quick else folders:
        case = load_case(find_case(folder))
        for method in METHODS:
            config = AssistConfig(method=method, sequences=sequences)
            results[method][folder.name] = on_case(case, config)
    return results


def on_case(case: Case, config: AssistConfig) -> dict[str, float]:
    """Measure one method on a case."""
    assert case.reference is not None, "each case has a reference"
    images = {name: volume.voxels for name, volume in case.sequences.items()}
    return outlined(images, case.reference.voxels > 0, case.grid.spacing_mm, config)


def outlined(
    images: Mapping[Sequence, np.ndarray],
    reference: np.ndarray,
    spacing_mm: tuple[float, float, float],
    config: AssistConfig,
) -> dict[str, float]:
    """Click, and return Dice and seconds."""
    seed = deepest(reference, spacing_mm)
    started = time.perf_counter()
    mask = assist(images, seed, spacing_mm=spacing_mm, config=config)
    seconds = time.perf_counter() - started
    return {"dice": dice(count(reference, mask)), "seconds": seconds}


def deepest(reference: np.ndarray, spacing_mm: tuple[float, float, float]) -> Index:
    """Return the voxel of the largest part that lies furthest from its border; the first of equal ones."""
    parts, _ = ndimage.label(reference, NEIGHBOURS)
    largest = parts == np.bincount(parts.ravel())[1:].argmax() + 1
    # The zone ends where the image does.
    depth = ndimage.distance_transform_edt(np.pad(largest, 1), sampling=spacing_mm)[1:-1, 1:-1, 1:-1]
    return tuple(int(at) for at in np.unravel_index(depth.argmax(), depth.shape))


def synthetic_zone() -> tuple[dict[Sequence, np.ndarray], np.ndarray]:
    """Return images of a dark ellipsoid in a bright rim in noise, and the ellipsoid."""
    generator = np.random.default_rng(0)
    radii_mm = (18.0, 14.0, 11.0)
    lines_mm = [
        (np.arange(n) - n // 2) * mm / r for n, mm, r in zip(SHAPE, SPACING_MM, radii_mm, strict=True)
    ]
    radius = np.sqrt(sum(line**2 for line in np.ix_(*lines_mm)))
    parts = (radius <= 1, radius <= 1.3)
    images = {
        name: (np.select(parts, values[:2], values[2]) + generator.normal(0, 12, SHAPE)).astype(np.float32)
        for name, values in ((Sequence.CET1, (60, 180, 110)), (Sequence.T2, (150, 130, 100)))
    }
    return images, parts[0]


def tables(found: Measured) -> str:
    """Write both tables as Markdown."""
    rows = [
        "| method | Dice, mean | median | seconds, median | most | seconds, 64 x 320 x 320 |",
        "|---|---|---|---|---|---|",
    ]
    for method, results in found.items():
        scores, seconds = ([one[key] for one in on_cases(results).values()] for key in ("dice", "seconds"))
        rows.append(
            f"| {method} | {statistics.mean(scores):.3f} | {statistics.median(scores):.3f} "
            f"| {statistics.median(seconds):.2f} | {max(seconds):.2f} "
            f"| {results['synthetic']['seconds']:.2f} |"
        )
    names = list(on_cases(next(iter(found.values()))))
    rows += ["", "| case | " + " | ".join(found) + " |", "|---" * (len(found) + 1) + "|"]
    for name in names:
        scores_of = (f"{results[name]['dice']:.2f}" for results in found.values())
        rows.append(f"| {name} | " + " | ".join(scores_of) + " |")
    return "\n".join(rows)


def lines(found: Measured, threads: int) -> list[str]:
    """Write one JSON object a method and case."""
    return [
        json.dumps(
            {
                "benchmark": "assist",
                "case": f"{method}:{name}",
                "threads": threads,
                "dice": one["dice"],
                "ours_s": one["seconds"],
                "peers_s": {},
                "ratios": {},
            }
        )
        for method, results in found.items()
        for name, one in results.items()
    ]


def on_cases(results: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """Leave the synthetic volume out."""
    return {name: one for name, one in results.items() if name != "synthetic"}


if __name__ == "__main__":
    main()
