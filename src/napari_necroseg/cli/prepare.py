"""The commands ``prepare`` and ``phantom``, which make a cohort of existing images, or of phantoms."""

import argparse
from collections.abc import Generator
from pathlib import Path

from napari_necroseg.core.events import Event


def add_prepare_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "folder", type=Path, metavar="FOLDER", help="one folder per case, an nnU-Net raw folder, or BIDS"
    )
    parser.add_argument(
        "--out", type=Path, metavar="cohort.csv", help="table to write (default: cohort.csv in FOLDER)"
    )


def prepare_job(options: argparse.Namespace) -> Generator[Event]:
    """Find, pair, check and write."""
    from napari_necroseg.core.cohort.prepare import prepare

    return prepare(options.folder, out=options.out)


def add_phantom_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("out", type=Path, metavar="OUT", help="folder for cohort.csv and one folder per case")
    parser.add_argument("--cases", type=int, default=26, metavar="N", help="number of cases (default: 26)")
    parser.add_argument(
        "--seed", type=int, default=0, metavar="S", help="seed of the random draws (default: 0)"
    )


def phantom_job(options: argparse.Namespace) -> Generator[Event]:
    """Write the cohort."""
    from napari_necroseg.core.phantom.phantom import write_phantom_cohort

    return write_phantom_cohort(options.out, cases=options.cases, seed=options.seed)
