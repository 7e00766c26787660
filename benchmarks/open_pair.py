"""Opening a pair up to 64-slice float32 arrays, against nibabel's bare read of the same two files.

The bar is at most twice the bare read. Both run in turns, one thread each; the figures are medians.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
from scipy.ndimage import gaussian_filter

from napari_necroseg.core.case import CaseFiles, Sequence
from napari_necroseg.core.cohort.load import load_case
from napari_necroseg.core.grids.slices import to_slices

SHAPE = (320, 320, 20)
MOST_TIMES_NIBABEL = 2.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument("--json", action="store_true", help="print one JSON object a measurement")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = write_pair(Path(folder))
        ours_s, bare_s = interleaved(
            lambda: open_pair(files), lambda: bare_read(files), repetitions=7 if options.quick else 31
        )
    report(ours_s, bare_s, as_json=options.json)


def write_pair(folder: Path) -> CaseFiles:
    """Two int16 images with the smoothness and the noise of MR, so that they compress as such."""
    generator = np.random.default_rng(0)
    # An upright sagittal acquisition as scanners store it: columns, rows, slices.
    affine = np.array([[0, 0, -4.0, 40], [-0.8, 0, 0, 120], [0, -0.8, 0, 130], [0, 0, 0, 1]])
    sequences = {}
    for sequence in Sequence:
        anatomy = 400 + 4000 * gaussian_filter(generator.normal(size=SHAPE), 3)
        voxels = np.abs(anatomy + generator.normal(0, 15, SHAPE)).astype(np.int16)
        sequences[sequence] = folder / f"{sequence}.nii.gz"
        nibabel.save(nibabel.Nifti1Image(voxels, affine), sequences[sequence])
    return CaseFiles(name="pair", sequences=sequences)


def open_pair(files: CaseFiles) -> list[np.ndarray]:
    """Ours: read, check, reorder, and interpolate to 64 slices."""
    case = load_case(files)
    return [to_slices(volume.voxels) for volume in case.sequences.values()]


def bare_read(files: CaseFiles) -> list[np.ndarray]:
    """The peer: the voxels as float32, and nothing else."""
    return [nibabel.load(path).get_fdata(dtype=np.float32) for path in files.sequences.values()]


def interleaved(
    ours: Callable[[], object], peer: Callable[[], object], *, repetitions: int
) -> tuple[float, float]:
    """Median seconds of both, measured in turns so that a busy machine hits both alike."""
    times: dict[str, list[float]] = {"ours": [], "peer": []}
    for _ in range(repetitions + 1):
        for name, call in (("ours", ours), ("peer", peer)):
            started = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - started)
    # The first turn reads cold files and imports.
    return statistics.median(times["ours"][1:]), statistics.median(times["peer"][1:])


def report(ours_s: float, bare_s: float, *, as_json: bool) -> None:
    """Print one measurement, for people or for programs."""
    if as_json:
        record = {
            "benchmark": "open_pair",
            "case": "320x320x20",
            "threads": 1,
            "ours_s": ours_s,
            "peers_s": {"nibabel": bare_s},
            "ratios": {"nibabel": bare_s / ours_s},
        }
        print(json.dumps(record))
        return
    times = ours_s / bare_s
    verdict = "met" if times <= MOST_TIMES_NIBABEL else "missed"
    print(f"opening a pair: {ours_s * 1e3:.0f} ms; nibabel's bare read of both files: {bare_s * 1e3:.0f} ms")
    print(
        f"{times:.2f} times the bare read (bar: at most {MOST_TIMES_NIBABEL:g}; {verdict}); one thread each"
    )


if __name__ == "__main__":
    main()
