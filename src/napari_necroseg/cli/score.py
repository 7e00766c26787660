"""``necroseg score``: compare predicted masks with reference masks."""

import argparse
from collections.abc import Generator
from pathlib import Path

from napari_necroseg.core.events import Event


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command understands."""
    parser.add_argument(
        "reference", type=Path, metavar="REFERENCE", help="a mask, a folder of masks, or cohort.csv"
    )
    parser.add_argument(
        "prediction", type=Path, metavar="PREDICTION", help="a mask, or a folder of masks with the same names"
    )
    parser.add_argument("--csv", type=Path, metavar="F", help="write the scores as a table, a row a case")


def run(options: argparse.Namespace) -> Generator[Event]:
    """Score the pairs that were found."""
    from napari_necroseg.core.scoring.files import find_pairs, score_files

    return score_files(find_pairs(options.reference, options.prediction), csv_path=options.csv)
