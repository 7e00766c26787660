"""``necroseg score``: compare predicted masks with reference masks."""

import argparse
import math
from collections.abc import Generator
from pathlib import Path

from napari_necroseg.core.errors import SettingsError
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
    parser.add_argument(
        "--export",
        type=Path,
        metavar="DIR",
        help="write tables (a row a case, a row a number), a summary in Markdown, and how it was made",
    )
    parser.add_argument(
        "--against",
        type=Path,
        action="append",
        default=[],
        metavar="PREDICTION",
        help="other predictions of the same cases, compared with the first pair by pair (Wilcoxon, Holm); "
        "may be given several times",
    )
    parser.add_argument(
        "--second-reader",
        type=Path,
        metavar="REFERENCE",
        help="another reader's masks: compared with the predictions, which are scored against them, too",
    )


def run(options: argparse.Namespace) -> Generator[Event]:
    """Score the pairs that were found."""
    from napari_necroseg.core.scoring.files import Wanted, other_pairs, score_files
    from napari_necroseg.core.scoring.pairs import find_pairs

    if options.figures is not None:
        from napari_necroseg.core.scoring.figures import check_figures

        check_figures()
    pairs = find_pairs(options.reference, options.prediction)
    against = {path.name: other_pairs(pairs, options.reference, path) for path in options.against}
    if len(against) < len(options.against):
        raise SettingsError("Two of the sets to compare with have the same name; rename one of the folders.")
    reader = options.second_reader
    wanted = Wanted(
        tolerance_mm=options.tolerance_mm,
        against=against,
        second_reader=() if reader is None else other_pairs(pairs, options.reference, reader),
        csv=options.csv,
        export=options.export,
        figures=options.figures,
    )
    return score_files(pairs, wanted)


def tolerance(text: str) -> float:
    """Read a distance that is not negative."""
    value = float(text)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is no distance in mm")
    return value
