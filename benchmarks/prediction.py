"""Predicting a volume with a trained network, against the sliding windows that others use.

Cases: ``2d`` and ``3d``, a volume of 2 x 64 x 320 x 320 (``--quick``: 2 x 16 x 192 x 192, 2 x 64 x 160^2),
white already, of which every slice is wanted; and ``2d-patient``, such a volume (``--quick``: 64 x 192 x 192)
made of 25 acquired slices, the most of the paper: only slices between which an acquired one lies count on the
way back, and ours computes no others, while the peers know of none.

All contenders run the same network with the same weights, each in a process of its own whose threads are set
from its start, in turns. Peers (`prediction_peers`): MONAI's ``sliding_window_inference`` and nnU-Net's
predictor, both with patches of 128 x 128 (x 64), half overlapping, Gaussian weights, no mirroring, in 32
bits, as they come; their network enlarges a coarse level, concatenates and convolves, as the paper has it and
any toolkit builds it. Ours runs whole slices or the whole volume, in the number format that holds for the
weights (``ours``), and in 32 bits (``ours_fp32``), and keeps freed memory, as its commands do. ``ours_freed``
does not, as in the viewer's process. Two more say what MONAI would gain from parts of ours: ``monai_joined``
has the faster network (`core/network/unet.py`), ``monai_kept`` that and the setting that keeps freed
memory. Figures are medians.

Peak memory is that of a process of its own that only predicts, PyTorch included; ``3d-512`` (2 x 64 x 512 x
512) is measured for it, too.

``--model RUN`` takes the weights of a trained model; otherwise they are random, in the published widths.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import warnings
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import psutil
import torch
from prediction_peers import PATCH, Contender, monai_contender, nnunet_contender, take_the_long_way

from napari_necroseg.core.grids.slices import linear_matrix
from napari_necroseg.core.network.device import reduced_dtype
from napari_necroseg.core.network.model import load_model
from napari_necroseg.core.network.unet import UNet
from napari_necroseg.core.prediction.folded_network import fold_network, precision_holds
from napari_necroseg.core.prediction.inference import Pass, by_slices, sample_of, whole
from napari_necroseg.core.process import keep_freed_memory

WIDTHS = (16, 32, 64, 128, 128)
SHAPES = {
    "2d": (64, 320, 320),
    "2d-patient": (64, 320, 320),
    "3d": (64, 320, 320),
    "3d-512": (64, 512, 512),
}
QUICK_SHAPES = {"2d": (16, 192, 192), "2d-patient": (64, 192, 192), "3d": (64, 160, 160)}
ACQUIRED_SLICES = 25
CONTENDERS = ("ours", "ours_fp32", "ours_freed", "monai", "monai_joined", "monai_kept", "nnunet")
ROUNDS = 3
# At least so many times as fast.
BAR = 8.0
PACKAGES = ("torch", "monai", "nnunetv2")


def main() -> None:
    """Measure in processes of their own, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="smaller volumes, one round, under a minute")
    parser.add_argument("--json", action="store_true", help="print one JSON object a measurement")
    parser.add_argument("--cases", nargs="+", choices=SHAPES, default=list(SHAPES), help="which to measure")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--model", type=Path, nargs="*", default=[], help="trained 2D and 3D models")
    parser.add_argument("--here", nargs=2, metavar=("CASE", "NAME"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        sys.exit(f"prediction: {', '.join(missing)} is not installed; run `make bench-install` first.")
    if options.here:
        warnings.simplefilter("ignore")
        serve(*options.here, options)
        return
    if not options.json:
        print(", ".join(f"{name} {version(name)}" for name in PACKAGES))
    for case in [one for one in QUICK_SHAPES if one in options.cases]:
        record = {"benchmark": "prediction", "case": case, "threads": options.threads}
        record |= in_turns(case, options)
        if not options.quick:
            record |= memory_of(case, options)
        print(json.dumps(record) if options.json else table(record), flush=True)
    if not options.quick and "3d-512" in options.cases:
        record = {"benchmark": "prediction", "case": "3d-512", "threads": options.threads}
        record |= memory_of("3d-512", options)
        print(json.dumps(record) if options.json else table(record), flush=True)


def start(case: str, name: str, options: argparse.Namespace) -> subprocess.Popen[str]:
    """Start a process that has this number of threads from its beginning."""
    variables = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(options.threads))
    command = [sys.executable, __file__, "--threads", str(options.threads), "--here", case, name]
    command += ["--quick"] * options.quick
    command += ["--model", *map(str, options.model)] if options.model else []
    return subprocess.Popen(
        command, env=os.environ | variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def answer(process: subprocess.Popen[str]) -> dict:
    """Ask a process for one more prediction; return what it says of it."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    # nnU-Net talks on the way.
    line = next((line for line in process.stdout if line.startswith("{")), None)
    if line is None:
        sys.exit("prediction: a contender failed.")
    return json.loads(line)


def end(process: subprocess.Popen[str]) -> None:
    """End a process, and wait until its memory is free."""
    process.kill()
    process.wait()


def in_turns(case: str, options: argparse.Namespace) -> dict:
    """Let all contenders predict, one after the other, round by round."""
    processes = {name: start(case, name, options) for name in CONTENDERS}
    try:
        said = {name: [answer(processes[name])] for name in CONTENDERS}
        # The first is to warm up.
        for _ in range(1 if options.quick else ROUNDS):
            for name, process in processes.items():
                said[name].append(answer(process))
    finally:
        for process in processes.values():
            end(process)
    took = {name: statistics.median(one["seconds"] for one in rounds[1:]) for name, rounds in said.items()}
    ours, fp32, freed = (took.pop(name) for name in ("ours", "ours_fp32", "ours_freed"))
    return {
        "ours_s": ours,
        "ours_fp32_s": fp32,
        "ours_freed_s": freed,
        "precision": said["ours"][0]["precision"],
        "slices": said["ours"][0]["slices"],
        "peers_s": took,
        "ratios": {peer: seconds / ours for peer, seconds in took.items()},
        "ratios_fp32": {peer: seconds / fp32 for peer, seconds in took.items()},
        "ratios_freed": {peer: seconds / freed for peer, seconds in took.items()},
    }


def memory_of(case: str, options: argparse.Namespace) -> dict:
    """Return the peak memory of ours, in both formats."""
    found = {}
    for name, key in (("ours", "peak_gib"), ("ours_fp32", "peak_fp32_gib")):
        process = start(case, name, options)
        try:
            found[key] = answer(process)["peak_gib"]
        finally:
            end(process)
    return found


def serve(case: str, name: str, options: argparse.Namespace) -> None:
    """Predict once for each line that comes, and say how long it took."""
    torch.set_num_threads(options.threads)
    if name in ("ours", "ours_fp32", "monai_kept"):
        keep_freed_memory()
    network = network_of(case, options)
    if name in ("monai", "nnunet"):
        take_the_long_way(network)
    images = white_images((QUICK_SHAPES if options.quick else SHAPES)[case])
    dtype = held_dtype(network, images) if name in ("ours", "ours_freed") else None
    needed = needed_slices(case, len(images[0]))
    if name.startswith("ours"):
        contender = our_contender(network, images, dtype, needed)
    else:
        contender = (nnunet_contender if name == "nnunet" else monai_contender)(network, images)
    for _line in sys.stdin:
        started = time.perf_counter()
        contender()
        said = {
            "seconds": time.perf_counter() - started,
            "precision": str(dtype or torch.float32).removeprefix("torch."),
            "slices": int(needed.sum()),
            "peak_gib": peak_gib(),
        }
        print(json.dumps(said), flush=True)


def needed_slices(case: str, n_slices: int) -> np.ndarray:
    """Return which slices count: all, or those between which an acquired one lies."""
    if case != "2d-patient":
        return np.ones(n_slices, bool)
    return np.asarray(linear_matrix(n_slices, ACQUIRED_SLICES).any(axis=0))


def network_of(case: str, options: argparse.Namespace) -> UNet:
    """Return the network of a trained model of this dimension, or one with random weights."""
    for run in options.model:
        model = load_model(run)
        if case.startswith(model.config.dimension):
            return model.network.eval()
    torch.manual_seed(0)
    axes = 2 if case.startswith("2d") else 3
    return UNet(spatial_axes=axes, channels=2, widths=WIDTHS).eval()


def white_images(shape: tuple[int, int, int]) -> np.ndarray:
    """Return smooth noise ``(2, Z, Y, X)``: no slice is air, and no voxel is skipped."""
    noise = torch.randn((1, 2, *[max(2, n // 4) for n in shape]), generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.interpolate(noise, size=shape, mode="trilinear")[0].numpy()


def held_dtype(network: UNet, images: np.ndarray) -> torch.dtype | None:
    """Return the number format that a prediction would choose."""
    dtype = reduced_dtype("cpu", "auto")
    holds = dtype is not None and precision_holds(
        network, sample_of(network, images, is_white=True), device="cpu", dtype=dtype
    )
    return dtype if holds else None


def our_contender(
    network: UNet, images: np.ndarray, dtype: torch.dtype | None, needed: np.ndarray
) -> Contender:
    """Whole slices, or the whole volume in slabs, with a network that is kept ready."""
    ready = fold_network(network, "cpu", dtype=dtype)
    one = Pass(
        images=images,
        air=images.min(axis=(1, 2, 3)),
        patch_shape=PATCH,
        is_white=True,
        needed=needed,
    )

    def predict() -> np.ndarray:
        job = (by_slices if network.spatial_axes == 2 else whole)(ready, one)
        while True:
            try:
                next(job)
            except StopIteration as end:
                return end.value

    return predict


def peak_gib() -> float:
    """Return the most memory that this process has had."""
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return (
        max(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit, psutil.Process().memory_info().rss)
        / 2**30
    )


def table(record: dict) -> str:
    """Write a record for people."""
    precision = record.get("precision", "")
    lines = [f"{record['case']}, {record['threads']} threads{precision and ', '}{precision}"]
    if "ours_s" in record:
        lines += [
            f"  ours {record['ours_s']:.2f} s ({record['slices']} slices), in 32 bits "
            f"{record['ours_fp32_s']:.2f} s, without keeping freed memory {record['ours_freed_s']:.2f} s"
        ]
        for peer, seconds in record["peers_s"].items():
            ratio = record["ratios"][peer]
            verdict = "" if peer != "monai" else f" (bar {BAR:g}: {'reached' if ratio >= BAR else 'missed'})"
            lines.append(
                f"  {peer} {seconds:.2f} s: {ratio:.1f} times ours{verdict}, "
                f"{record['ratios_fp32'][peer]:.1f} times in 32 bits, "
                f"{record['ratios_freed'][peer]:.1f} times without keeping memory"
            )
    if "peak_gib" in record:
        lines.append(
            f"  peak memory {record['peak_gib']:.2f} GiB, in 32 bits {record['peak_fp32_gib']:.2f} GiB"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
