"""``necroseg score``: compare predicted masks with reference masks."""

import argparse
import math
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
    parser.add_argument(
        "--tolerance-mm",
        type=tolerance,
        default=2.0,
        metavar="MM",
        help="distance between surfaces that counts as agreement in nsd (default: 2)",
    )
    parser.add_argument(
        "--figures", type=Path, metavar="DIR", help="write box plots and a Bland-Altman plot (PNG, SVG, PDF)"
    )
    parser.add_argument("--csv", type=Path, metavar="F", help="write the scores as a table, a row a case")


def run(options: argparse.Namespace) -> Generator[Event]:
    """Score the pairs that were found."""
    from napari_necroseg.core.scoring.files import find_pairs, score_files

    if options.figures is not None:
        from napari_necroseg.core.scoring.figures import check_figures

        check_figures()
    pairs = find_pairs(options.reference, options.prediction)
    return score_files(
        pairs, csv_path=options.csv, tolerance_mm=options.tolerance_mm, figures=options.figures
    )


def tolerance(text: str) -> float:
    """Read a distance that is not negative."""
    value = float(text)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is no distance in mm")
    return value
