"""``necroseg prepare``: find and pair the images in a folder, and write the table of cases."""

import argparse
from collections.abc import Generator
from pathlib import Path

from napari_necroseg.core.events import Event


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command understands."""
    parser.add_argument(
        "folder", type=Path, metavar="FOLDER", help="a folder a case, an nnU-Net raw folder, or BIDS"
    )
    parser.add_argument(
        "--out", type=Path, metavar="cohort.csv", help="table to write (default: cohort.csv in FOLDER)"
    )


def run(options: argparse.Namespace) -> Generator[Event]:
    """Find, pair, check and write."""
    from napari_necroseg.core.io.prepare import prepare

    return prepare(options.folder, out=options.out)
