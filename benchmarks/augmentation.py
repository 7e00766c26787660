"""Drawing and making augmented training samples, against the libraries that others use for it.

Cases: ``3d-320`` and ``3d-512``, a patch of 2 x 64 x 128 x 128 and its mask from a case of 64 x 320 x 320 or
64 x 512 x 512; ``2d-batch32``, 32 slices of 128 x 128 with 32 different draws from 8 cases. All contenders
take turns, with 1 and with 2 threads, each number of threads in its own process; figures are medians. How
the peers are written is in `augmentation_peers`. Peak memory is what a process needs beyond its cases.
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
from pathlib import Path

import augmentation_peers as peers
import numpy as np
import torch
from scipy.ndimage import zoom

from napari_necroseg.core.augment.draw import Sampling, draw_batch, draw_sample
from napari_necroseg.core.augment.sample import make_batch, make_sample
from napari_necroseg.core.augment.source import Source, make_source
from napari_necroseg.core.config import AugmentConfig

PATCH = (64, 128, 128)
# The patch, and what a turn, a scaling and a shift may bring in; cut first by every peer.
REGION = 192
BATCH, BATCH_CASES = 32, 8
REST_S = 0.02
CASES = ("3d-320", "3d-512", "2d-batch32")
# Our bars, with two threads: at least so many times as fast.
BARS = {
    "3d": dict.fromkeys(("monai-elastic", "monai-smooth", "monai-smooth-lazy", "batchgeneratorsv2"), 4)
    | {"torchio": 100},
    "2d": {"batchgeneratorsv2": 8, "monai-elastic": 20, "monai-smooth": 20, "torchio": 100},
}
PACKAGES = ("torch", "numba", "monai", "batchgeneratorsv2", "torchio", "kornia")
Contender = Callable[[], object]


def main() -> None:
    """Measure in processes of their own, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two threads, few repetitions, under a minute")
    parser.add_argument("--json", action="store_true", help="print one JSON object a measurement")
    parser.add_argument("--measure", nargs=3, metavar=("CASE", "THREADS", "NAME"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        sys.exit(f"augmentation: {', '.join(missing)} is not installed; run `make bench-install` first.")
    if options.measure:
        case, threads, name = options.measure
        print(json.dumps(measured(case, int(threads), name, is_quick=options.quick)))
        return
    if not options.json:
        print(", ".join(f"{name} {version(name)}" for name in PACKAGES))
    for threads in (2,) if options.quick else (1, 2):
        for case in CASES[::2] if options.quick else CASES:
            report(case, threads, options)
    for size in () if options.quick else (192, 320, 512):
        report(f"3d-{size}", 2, options, name="ours")


def report(case: str, threads: int, options: argparse.Namespace, *, name: str = "all") -> None:
    """Measure one case with one number of threads, and print it."""
    seconds = in_process(case, threads, name, options)["seconds"]
    ours = seconds.pop("ours")
    record = {
        "benchmark": "augmentation",
        "case": case,
        "threads": threads,
        "ours_s": ours,
        "peers_s": seconds,
        "ratios": {peer: took / ours for peer, took in seconds.items()},
    }
    if not options.quick and name == "all":
        memory = {
            one: in_process(case, threads, f"memory:{one}", options)["mib"] for one in ("ours", *seconds)
        }
        record |= {"ours_mib": memory.pop("ours"), "peers_mib": memory}
    print(json.dumps(record) if options.json else table(record), flush=True)


def in_process(case: str, threads: int, name: str, options: argparse.Namespace) -> dict:
    """Measure in a process that has this number of threads from its start."""
    names = [f"{library}_NUM_THREADS" for library in ("OMP", "MKL", "OPENBLAS")]
    set_threads = dict.fromkeys([*names, "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"], str(threads))
    command = [sys.executable, __file__, "--measure", case, str(threads), name]
    done = subprocess.run(
        command + ["--quick"] * options.quick,
        env=os.environ | set_threads,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"augmentation: {case} {name} failed.\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def measured(case: str, threads: int, name: str, *, is_quick: bool) -> dict:
    """Measure here: all contenders in turns, one, or the memory of one."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(threads)
    np.random.seed(0)  # noqa: NPY002  # what batchgeneratorsv2 draws from
    torch.manual_seed(0)
    sources = make_sources(case)
    wanted = name.removeprefix("memory:")
    chosen = contenders(case, sources)
    chosen = chosen if wanted == "all" else {wanted: chosen[wanted]}
    if name.startswith("memory:"):
        return {"mib": needed_mib(chosen[wanted])}
    return {"seconds": interleaved(chosen, is_quick=is_quick)}


def interleaved(chosen: dict[str, Contender], *, is_quick: bool) -> dict[str, float]:
    """Median seconds of each; those that take long are run less often than the others."""
    times: dict[str, list[float]] = {name: [] for name in chosen}
    budget_s, most = (2.0, 7) if is_quick else (4.0, 21)
    for turn in range(most + 1):
        for name, contender in chosen.items():
            if turn > 1 and sum(times[name]) > budget_s:
                continue
            # After its last operation torch's threads go on looking for work for some milliseconds: let them
            # rest, so that nobody pays for the contender before.
            time.sleep(REST_S)
            started = time.perf_counter()
            contender()
            times[name].append(time.perf_counter() - started)
    # The first run imports, compiles and fills caches.
    return {name: statistics.median(taken[1:] or taken) for name, taken in times.items()}


def contenders(case: str, sources: list[Source]) -> dict[str, Contender]:
    """Ours and the peers of a case."""
    if case.startswith("3d"):
        return {"ours": ours_3d(sources[0])} | {
            name: one_patch(peer, sources[0]) for name, peer in spatial_peers(PATCH).items()
        }
    made = {
        name: slice_by_slice(peer, sources, has_slices=name == "torchio")
        for name, peer in spatial_peers(PATCH[1:]).items()
    }
    return {"ours": ours_2d(sources)} | made | {"kornia-no-elastic": whole_batch(sources)}


def spatial_peers(patch: tuple[int, ...]) -> dict[str, peers.Peer]:
    """The peers that know both dimensions."""
    # In 2D, MONAI's lazy composition multiplies a 3 x 3 with a 4 x 4 matrix, and fails.
    lazy = {"monai-smooth-lazy": peers.monai("smooth-lazy", patch)} if len(patch) == 3 else {}
    return lazy | {
        "monai-elastic": peers.monai("elastic", patch),
        "monai-smooth": peers.monai("smooth", patch),
        "batchgeneratorsv2": peers.batchgenerators(patch, is_elastic=True),
        "batchgeneratorsv2-no-elastic": peers.batchgenerators(patch, is_elastic=False),
        "torchio": peers.torchio(patch if len(patch) == 3 else (1, *patch)),
    }


def ours_3d(source: Source) -> Contender:
    """One patch."""
    sampling = Sampling(patch_shape=PATCH, is_2d=False, augment=AugmentConfig())
    generator = np.random.default_rng(0)
    return lambda: make_sample(source, draw_sample(source, sampling, generator=generator), patch_shape=PATCH)


def ours_2d(sources: list[Source]) -> Contender:
    """A mini-batch of slices."""
    chosen = [sources[number % len(sources)] for number in range(BATCH)]
    sampling = Sampling(patch_shape=PATCH, is_2d=True, augment=AugmentConfig())
    seeds = np.random.SeedSequence(0)

    def run() -> object:
        generators = [np.random.default_rng(seed) for seed in seeds.spawn(BATCH)]
        return make_batch(chosen, draw_batch(chosen, sampling, generators=generators), patch_shape=PATCH)

    return run


def one_patch(peer: peers.Peer, source: Source) -> Contender:
    """A patch by a peer, from the region about the lesion."""
    images, mask = source.voxels[:-1].contiguous(), source.voxels[-1:].contiguous()
    return lambda: peer(region(images, source), region(mask, source))


def slice_by_slice(peer: peers.Peer, sources: list[Source], *, has_slices: bool) -> Contender:
    """A mini-batch by a peer that knows no batches: a random slice of each case in turn."""
    volumes = [(source.voxels[:-1].contiguous(), source.voxels[-1:].contiguous()) for source in sources]
    chance = np.random.default_rng(0)

    def run() -> object:
        made = []
        for number in range(BATCH):
            source, (images, mask) = sources[number % len(sources)], volumes[number % len(sources)]
            index = int(chance.integers(PATCH[0]))
            taken = slice(index, index + 1) if has_slices else index
            made.append(peer(region(images[:, taken], source), region(mask[:, taken], source)))
        return torch.stack([images for images, _ in made]), torch.stack([mask for _, mask in made])

    return run


def whole_batch(sources: list[Source]) -> Contender:
    """A mini-batch by kornia, all slices at once."""
    volumes = [(source.voxels[:-1].contiguous(), source.voxels[-1:].contiguous()) for source in sources]
    chance, run_kornia = np.random.default_rng(0), peers.kornia_batch(PATCH[1:])

    def run() -> object:
        numbers = [number % len(sources) for number in range(BATCH)]
        indices = chance.integers(PATCH[0], size=BATCH).tolist()
        images, mask = (
            torch.stack(
                [
                    region(volumes[number][part][:, index], sources[number])
                    for number, index in zip(numbers, indices, strict=True)
                ]
            )
            for part in (0, 1)
        )
        return run_kornia(images, mask)

    return run


def region(voxels: torch.Tensor, source: Source) -> torch.Tensor:
    """The rows and columns about the lesion that a peer's user would cut first."""
    rows, columns = (
        min(max(round(place) - REGION // 2, 0), size - REGION)
        for place, size in zip(source.target_centre, source.shape[1:], strict=True)
    )
    return voxels[..., rows : rows + REGION, columns : columns + REGION].contiguous()


def make_sources(case: str) -> list[Source]:
    """Smooth anatomy with some noise, and an ellipsoid of necrosis."""
    size = 320 if case.startswith("2d") else int(case.removeprefix("3d-"))
    chance = np.random.default_rng(0)
    z, y, x = np.ogrid[:64, :size, :size]
    sources = []
    for _ in range(BATCH_CASES if case.startswith("2d") else 1):
        coarse = chance.random((2, 8, 20, 20), np.float32)
        images = np.stack([zoom(one, (8, size / 20, size / 20), order=1) for one in coarse])
        images += 0.05 * chance.standard_normal(images.shape, np.float32)
        row, column = size / 2 + chance.uniform(-30, 30, 2)
        target = ((z - 32) / 14) ** 2 + ((y - row) / 18) ** 2 + ((x - column) / 22) ** 2 <= 1
        sources.append(make_source(images, target.astype(np.uint8), spacing_mm=(1.3, 0.8, 0.8)))
    return sources


def needed_mib(contender: Contender) -> float:
    """The most memory that runs take beyond what the process held before the first; on Linux."""
    before = _memory_mib("VmRSS")
    contender()
    # Forget the highest mark so far: the cases were made, and code was compiled.
    Path("/proc/self/clear_refs").write_text("5")
    for _ in range(2):
        contender()
    return _memory_mib("VmHWM") - before


def _memory_mib(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))


def table(record: dict) -> str:
    """A measurement for people."""
    bars = BARS[record["case"][:2]] if record["threads"] == 2 else {}
    memory = f", {record['ours_mib']:.0f} MiB" if "ours_mib" in record else ""
    lines = [f"{record['case']}, {record['threads']} threads: ours {record['ours_s'] * 1e3:.1f} ms{memory}"]
    for peer, ratio in record["ratios"].items():
        mib = f", {record['peers_mib'][peer]:.0f} MiB" if "peers_mib" in record else ""
        bar = bars.get(peer)
        verdict = "" if bar is None else f" (bar {bar}: {'met' if ratio >= bar else 'missed'})"
        took = record["peers_s"][peer] * 1e3
        lines.append(f"  {peer}: {took:.1f} ms, {ratio:.1f} times ours{verdict}{mib}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
