"""``necroseg score``: compare predicted masks with reference masks."""

import argparse
import math
from collections.abc import Generator
from pathlib import Path

from napari_necroseg.cli._options import add_spacing_option, read_spacing
from napari_necroseg.core.errors import FileError, SettingsError
from napari_necroseg.core.events import Event, Finished


def add_score_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
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
    parser.add_argument("--csv", type=Path, metavar="F", help="write the scores as a table, one row per case")
    parser.add_argument(
        "--export",
        type=Path,
        metavar="DIR",
        help="write tables (one row per case, one row per score), a summary in Markdown, and a record of how "
        "they were made",
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
        help="another reader's masks: scored against the references, as are the predictions against them",
    )
    add_spacing_option(parser)
    parser.add_argument(
        "--strict",
        action="store_true",
        help="end with exit code 2 if a reference has no prediction, or a prediction no reference",
    )


def score_job(options: argparse.Namespace) -> Generator[Event]:
    """Score each pair of a reference and a prediction."""
    from napari_necroseg.core.scoring.files import ScoringOptions, other_pairs, score_pairs
    from napari_necroseg.core.scoring.pairs import find_pairs, with_spacing

    if options.figures is not None:
        from napari_necroseg.core.scoring.figures import check_figures

        check_figures()
    _check_csv(options)
    spacing = read_spacing(options.spacing_mm)
    pairs = with_spacing(find_pairs(options.reference, options.prediction), spacing)
    against = {
        path.name: with_spacing(other_pairs(pairs, options.reference, other=path), spacing)
        for path in options.against
    }
    if len(against) < len(options.against):
        raise SettingsError("Two of the sets to compare with have the same name; rename one of the folders.")
    reader = options.second_reader
    scoring = ScoringOptions(
        tolerance_mm=options.tolerance_mm,
        against=against,
        second_reader=(
            None
            if reader is None
            else with_spacing(other_pairs(pairs, options.reference, other=reader), spacing)
        ),
        csv=options.csv,
        export=options.export,
        figures=options.figures,
    )
    return _complete(score_pairs(pairs, scoring), is_strict=options.strict)


def _check_csv(options: argparse.Namespace) -> None:
    """Refuse to write the scores over a file that is scored, or under the name of an image."""
    from napari_necroseg.core.images.file_image import image_suffix

    inputs = (options.reference, options.reference / "cohort.csv", options.prediction)
    csv: Path | None = options.csv
    if csv is not None and csv.exists() and any(path.exists() and path.samefile(csv) for path in inputs):
        raise SettingsError(
            f"The scores would replace {csv}, which is to be scored; name another file for --csv."
        )
    if csv is not None and image_suffix(csv):
        raise SettingsError(f"{csv} is the name of an image; name a table, such as scores.csv.")


def _complete(events: Generator[Event], *, is_strict: bool) -> Generator[Event]:
    """Hand events on; then refuse a set that could not be read, or with `is_strict` is not complete.

    Raises FileError or SettingsError after the last event, when all scores are reported and written.
    """
    summary = None
    for event in events:
        yield event
        if isinstance(event, Finished):
            summary = event.result
    assert summary is not None, "a scoring ends with its summary, or with an error"
    for one in summary.comparisons:
        if one.failed:
            raise FileError(
                f"{len(one.failed)} of the masks of {one.other} could not be scored "
                f"({', '.join(one.failed)}); the lines above say why."
            )
    lacking = [
        one for one in (summary, *summary.comparisons) if one.without_prediction or one.without_reference
    ]
    if is_strict and lacking:
        raise SettingsError(
            "With --strict every reference needs a prediction, and every prediction a reference; the lines "
            "above name those that are missing."
        )


def tolerance(text: str) -> float:
    """Read a distance that is not negative."""
    value = float(text)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is no distance in mm")
    return value
