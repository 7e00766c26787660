"""What the best intensity threshold reaches on the phantom: it must fail, or the phantom would be too easy.

For each sequence the band of intensities [low, high] that gives the highest mean Dice over the cohort is
searched, with the reference known: no honest method can use so much. Intensities are relative to the 99th
percentile of each image. The same is done with the whole image replaced by the box about the metastasis,
10 mm wider: a user who has already found the lesion.
"""

import argparse
import json

import numpy as np

from napari_necroseg.core.case import Case, Sequence
from napari_necroseg.core.phantom.phantom import phantom_case
from napari_necroseg.core.scoring.scores import box_region

N_LEVELS = 60
Histograms = tuple[np.ndarray, np.ndarray]


def main() -> None:
    """Search and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=26, help="size of the cohort (default: 26)")
    parser.add_argument("--quick", action="store_true", help="four cases")
    parser.add_argument("--json", action="store_true", help="print one JSON object a measurement")
    options = parser.parse_args()
    cases = [phantom_case(0, index) for index in range(4 if options.quick else options.cases)]
    for sequence in Sequence:
        for region in ("image", "box"):
            dice, low, high = best_band([histograms(case, sequence, region) for case in cases])
            record = {
                "benchmark": "phantom_threshold",
                "case": f"{sequence}-{region}",
                "cases": len(cases),
                "best_dice": round(dice, 3),
                "band": [round(low, 3), round(high, 3)],
            }
            text = f"{sequence}, {region}: band {low:.2f} to {high:.2f}, mean Dice {dice:.3f}"
            print(json.dumps(record) if options.json else f"{text} ({len(cases)} cases)")


def histograms(case: Case, sequence: Sequence, region: str) -> Histograms:
    """Voxels of the necrosis, and all voxels, by intensity level."""
    assert case.reference is not None
    assert case.tumour is not None
    voxels, mask = case.sequences[sequence].voxels, case.reference.voxels != 0
    level = np.clip(voxels / np.percentile(voxels, 99), 0, 1)
    if region == "box":
        box = box_region(case.tumour.voxels != 0, case.grid.spacing_mm)
        level, mask = level[box], mask[box]
    bins = np.minimum((level * N_LEVELS).astype(int), N_LEVELS - 1)
    return np.bincount(bins[mask], minlength=N_LEVELS), np.bincount(bins.ravel(), minlength=N_LEVELS)


def best_band(of_cases: list[Histograms]) -> tuple[float, float, float]:
    """The band with the highest mean Dice over the cases: its Dice, its lower and its upper end."""
    best = (0.0, 0.0, 0.0)
    for low in range(N_LEVELS):
        hits = np.array([np.cumsum(necrosis[low:]) for necrosis, _ in of_cases])
        marked = np.array([np.cumsum(everything[low:]) for _, everything in of_cases])
        size = np.array([necrosis.sum() for necrosis, _ in of_cases])[:, None]
        dice = (2 * hits / (marked + size)).mean(axis=0)
        high = int(dice.argmax())
        best = max(best, (float(dice[high]), low / N_LEVELS, (low + high + 1) / N_LEVELS))
    return best


if __name__ == "__main__":
    main()
