"""``necroseg phantom``: write a cohort of numerical spine phantoms."""

import argparse
from collections.abc import Generator
from pathlib import Path

from napari_necroseg.core.events import Event


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command understands."""
    parser.add_argument("out", type=Path, metavar="OUT", help="folder for cohort.csv and a folder a case")
    parser.add_argument("--cases", type=int, default=26, metavar="N", help="number of cases (default: 26)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="which cohort (default: 0)")


def run(options: argparse.Namespace) -> Generator[Event]:
    """Write the cohort."""
    from napari_necroseg.core.phantom.cohort import write_phantom_cohort

    return write_phantom_cohort(options.out, cases=options.cases, seed=options.seed)
