"""What the paper's training costs on a named card: operations and memory traffic counted, not measured.

One training step is run on tensors that have a shape and no memory: every operation is seen, none computed.
Its floating-point operations are those of torch's own counter; its traffic is what each operation reads and
writes when they run one after the other. An operation takes at least as long as the longer of both on the
card; the sum over the step, times the published number of iterations, is the least that a run takes. Making
the samples, predicting and scoring come on top.
"""

import argparse
import json
from dataclasses import dataclass
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from napari_necroseg.core.config import train_preset
from napari_necroseg.core.config.study import PAPER_CONFIGURATIONS, Configuration
from napari_necroseg.core.network.losses import training_loss
from napari_necroseg.core.network.model import new_network
from napari_necroseg.core.plan import WIDTHS, patch_shape_of

# Iterations of the paper: 21 training cases (validation folds of 5) and 22 (folds of 4).
FOLDS = {21: 2, 22: 4}
PATCHES_PER_CASE = 1800
BYTES_OF_FP32 = 4


@dataclass(frozen=True)
class Card:
    """A card as its maker describes it.

    Parameters
    ----------
    name
        Its name.
    tflops
        Convolutions and matrix products of 32-bit numbers, in TF32, as torch computes them by default.
    tb_per_s
        Memory bandwidth.
    """

    name: str
    tflops: float
    tb_per_s: float


CARDS = (
    Card("NVIDIA A100 40 GB", tflops=156.0, tb_per_s=1.555),
    Card("NVIDIA GeForce RTX 4090", tflops=82.6, tb_per_s=1.008),
)


class Counting(TorchDispatchMode):
    """Counts what each operation computes, and what it reads and writes."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[tuple[float, float]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Count an operation, and let it pass."""
        out = func(*args, **(kwargs or {}))
        counter = flop_registry.get(func.overloadpacket)
        flops = counter(*args, **(kwargs or {}), out_val=out) if counter else 0
        self.operations.append((float(flops), 0.0 if func.is_view else n_bytes((args, out))))
        return out


def n_bytes(values: Any) -> float:
    """Bytes of all tensors within."""
    if isinstance(values, torch.Tensor):
        return float(values.numel() * values.element_size())
    if isinstance(values, tuple | list):
        return sum(n_bytes(value) for value in values)
    return 0.0


def count_step(configuration: Configuration) -> Counting:
    """Count one step of the paper's training: forward, loss, backward, Adam."""
    config = train_preset("paper", configuration.dimension).changed(sequences=configuration.sequences)
    shape = patch_shape_of(config)
    spatial = shape[1:] if configuration.dimension == "2d" else shape
    with FakeTensorMode():
        network = new_network(config, WIDTHS).train()
        images = torch.empty(config.batch_size, len(config.sequences), *spatial)
        target = torch.empty(config.batch_size, *spatial, dtype=torch.uint8)
        optimiser = torch.optim.Adam(network.parameters(), lr=config.learning_rate)
        with Counting() as counting:
            loss = training_loss(network(images)[:, 0], target, config=config)
            loss.backward()
            optimiser.step()
    return counting


def least_seconds(counting: Counting, card: Card) -> float:
    """Sum of what each operation takes at least: to compute, or to read and write."""
    return sum(
        max(flops / (card.tflops * 1e12), moved / (card.tb_per_s * 1e12))
        for flops, moved in counting.operations
    )


def iterations(configuration: Configuration, cases: int) -> int:
    """Mini-batches of the published training on so many cases."""
    config = train_preset("paper", configuration.dimension)
    samples = cases * PATCHES_PER_CASE * (config.slices if config.dimension == "2d" else 1)
    return samples // config.batch_size


def main() -> None:
    """Count, and print a line a configuration and card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the configurations with both sequences alone")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    options = parser.parse_args()
    configurations = [one for one in PAPER_CONFIGURATIONS if not options.quick or len(one.sequences) > 1]
    for configuration in configurations:
        counting = count_step(configuration)
        flops = sum(flops for flops, _ in counting.operations)
        moved = sum(moved for _, moved in counting.operations)
        for card in CARDS:
            step_s = least_seconds(counting, card)
            per_run_h = {cases: iterations(configuration, cases) * step_s / 3600 for cases in FOLDS}
            record = {
                "benchmark": "study_cost",
                "case": configuration,
                "card": card.name,
                "tflop_a_step": flops / 1e12,
                "gb_a_step": moved / 1e9,
                "least_ms_a_step": 1e3 * step_s,
                "pflop_a_run": flops * iterations(configuration, 22) / 1e15,
                "least_h_a_run": per_run_h[22],
                "least_h_all_folds": sum(n * per_run_h[cases] for cases, n in FOLDS.items()),
            }
            print(json.dumps(record) if options.json else in_words(record))


def in_words(record: dict[str, Any]) -> str:
    """The same for a person."""
    return (
        f"{record['case']:<11} {record['card']}: {record['tflop_a_step']:.3f} TFLOP and "
        f"{record['gb_a_step']:.1f} GB a step, at least {record['least_ms_a_step']:.1f} ms; a run of 22 "
        f"cases {record['pflop_a_run']:.0f} PFLOP, at least {record['least_h_a_run']:.2f} h; six folds at "
        f"least {record['least_h_all_folds']:.1f} h"
    )


if __name__ == "__main__":
    main()
