"""All scores of a pair of masks, against the libraries that others score with.

Case: two ellipsoids with rough surfaces in a volume of 64 x 320 x 320 voxels of 4 x 0.9 x 0.9 mm, some 14 mL.
Ours computes everything that `necroseg score` prints; the peers what they have of it: ``surface-distance``
Dice, Hausdorff 95 %, average distance and surface Dice; ``monai`` Dice, Hausdorff 95 %, average surface
distance and surface Dice with sub-voxels; ``medpy`` Dice, Hausdorff 95 % and average distance. All take turns
in one process whose threads are set from its start; figures are medians. After them, how long the counts
take to follow a stroke of a brush of 20 x 20 voxels.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec

import numpy as np
from scipy import ndimage

from napari_necroseg.core.scoring.overlap import LiveCounts
from napari_necroseg.core.scoring.scores import score_masks
from napari_necroseg.core.volume import Grid

SHAPE = (64, 320, 320)
SPACING_MM = (4.0, 0.9, 0.9)
PACKAGES = {"surface-distance": "surface_distance", "monai": "monai", "medpy": "medpy"}
# At least so many times as fast, and so many seconds at most.
BARS = {"surface-distance": 1.0, "monai": 15.0}
MOST_S = 0.020
MOST_STROKE_S = 0.005
Contender = Callable[[], object]


def main() -> None:
    """Measure in a process of its own, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="few rounds, under a minute")
    parser.add_argument("--json", action="store_true", help="print one JSON object a measurement")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    missing = [name for name, module in PACKAGES.items() if find_spec(module) is None]
    if missing:
        sys.exit(f"scoring: {', '.join(missing)} is not installed; run `make bench-install` first.")
    if options.here:
        warnings.simplefilter("ignore")
        print(json.dumps(measured(options)))
        return
    variables = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(options.threads))
    done = subprocess.run(
        [sys.executable, __file__, "--here", "--threads", str(options.threads), *["--quick"] * options.quick],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"scoring failed.\n{done.stderr}")
    record = json.loads(done.stdout.splitlines()[-1])
    print(json.dumps(record) if options.json else table(record))


def measured(options: argparse.Namespace) -> dict:
    """Let all contenders take turns."""
    reference, prediction = masks()
    contenders: dict[str, Contender] = {
        "ours": lambda: score_masks(reference, prediction, Grid(SHAPE, np.diag([*SPACING_MM, 1.0]))),
        "surface-distance": lambda: by_surface_distance(reference > 0, prediction > 0),
        "monai": monai_contender(reference, prediction, options.threads),
        "medpy": lambda: by_medpy(reference > 0, prediction > 0),
    }
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for contender in contenders.values():
        contender()
    for _ in range(3 if options.quick else 15):
        for name, contender in contenders.items():
            started = time.perf_counter()
            contender()
            seconds[name].append(time.perf_counter() - started)
    took = {name: statistics.median(times) for name, times in seconds.items()}
    ours = took.pop("ours")
    return {
        "benchmark": "scoring",
        "case": "64x320x320",
        "threads": options.threads,
        "ours_s": ours,
        "peers_s": took,
        "ratios": {name: peer / ours for name, peer in took.items()},
        "stroke_s": stroke_s(reference, prediction),
    }


def stroke_s(reference: np.ndarray, prediction: np.ndarray) -> float:
    """Return how long the counts take to follow a stroke, as a median of many."""
    live, painted = LiveCounts(reference > 0, prediction > 0), prediction.copy()
    took = []
    for place in range(200):
        box = (slice(32, 33), slice(100 + place // 2, 120 + place // 2), slice(150, 170))
        painted[box] = place % 2
        started = time.perf_counter()
        live.paint("prediction", box, voxels=painted)
        took.append(time.perf_counter() - started)
    return statistics.median(took)


def masks() -> tuple[np.ndarray, np.ndarray]:
    """Return two masks of the size of a large necrosis that agree in most of it."""
    generator = np.random.default_rng(0)
    index = np.indices(SHAPE).astype(np.float32)
    made = []
    for shift in (0, 2):
        centre = np.array([32, 150 + shift, 160 - shift])
        squares = [
            ((index[axis] - centre[axis]) * SPACING_MM[axis] / radius) ** 2
            for axis, radius in enumerate((18.0, 14.0, 13.0))
        ]
        rough = ndimage.gaussian_filter(generator.normal(size=SHAPE).astype(np.float32), (0.5, 2, 2))
        made.append((np.sum(squares, axis=0) + 3 * rough <= 1).astype(np.uint8))
    return made[0], made[1]


def by_surface_distance(reference: np.ndarray, prediction: np.ndarray) -> tuple[float, ...]:
    """What google-deepmind's package has."""
    import surface_distance as package

    found = package.compute_surface_distances(reference, prediction, SPACING_MM)
    return (
        package.compute_robust_hausdorff(found, 95),
        package.compute_average_surface_distance(found)[0],
        package.compute_surface_dice_at_tolerance(found, 2.0),
        package.compute_dice_coefficient(reference, prediction),
    )


def monai_contender(reference: np.ndarray, prediction: np.ndarray, threads: int) -> Contender:
    """What MONAI has."""
    import torch
    from monai import metrics

    torch.set_num_threads(threads)
    tensors = [torch.from_numpy(mask > 0)[None, None] for mask in (prediction, reference)]
    more = {"include_background": True, "spacing": SPACING_MM}

    def score() -> tuple[object, ...]:
        return (
            metrics.compute_dice(*tensors, include_background=True),
            metrics.compute_hausdorff_distance(*tensors, percentile=95, **more),
            metrics.compute_average_surface_distance(*tensors, symmetric=True, **more),
            metrics.compute_surface_dice(*tensors, class_thresholds=[2.0], use_subvoxels=True, **more),
        )

    return score


def by_medpy(reference: np.ndarray, prediction: np.ndarray) -> tuple[float, ...]:
    """What medpy has."""
    from medpy.metric import binary

    return (
        binary.dc(prediction, reference),
        binary.hd95(prediction, reference, SPACING_MM),
        binary.assd(prediction, reference, SPACING_MM),
    )


def table(record: dict) -> str:
    """Write a record for people."""
    ours = record["ours_s"]
    lines = [", ".join(f"{name} {version(name)}" for name in PACKAGES)]
    verdict = "reached" if ours <= MOST_S else "missed"
    lines.append(
        f"ours {ours * 1000:.1f} ms (bar {MOST_S * 1000:g} ms: {verdict}), {record['threads']} threads"
    )
    for name, seconds in record["peers_s"].items():
        bar = f" (bar {BARS[name]:g})" if name in BARS else ""
        lines.append(f"{name} {seconds * 1000:.1f} ms: {record['ratios'][name]:.1f} times ours{bar}")
    lines.append(
        f"counts after a stroke {record['stroke_s'] * 1e6:.0f} us (bar {MOST_STROKE_S * 1e6:.0f} us)"
    )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
