"""``necroseg assist``: a first mask from a click, without a model."""

import argparse
import math
from collections.abc import Generator
from pathlib import Path
from typing import get_args

from napari_necroseg.cli._options import add_image_options, add_options, chosen, read_input
from napari_necroseg.core.case import CaseFiles
from napari_necroseg.core.config import AssistConfig, AssistMethod
from napari_necroseg.core.errors import SettingsError
from napari_necroseg.core.events import Event

FIELDS = ("sequences", "radius_mm", "tolerance", "smooth_mm", "clusters")


def add_assist_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("method", metavar="METHOD", help=", ".join(get_args(AssistMethod)))
    parser.add_argument("case", type=Path, nargs="?", metavar="CASE", help="the folder of one case")
    add_image_options(parser, instead_of="CASE")
    parser.add_argument(
        "--seed",
        type=point,
        required=True,
        metavar="X,Y,Z",
        help="a point in the zone: world coordinates right, anterior, superior, in mm",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="the mask, .nii.gz; an earlier one is kept"
    )
    add_options(parser, AssistConfig, names=FIELDS)


def assist_job(options: argparse.Namespace) -> Generator[Event]:
    """Outline the zone around the point."""
    config = AssistConfig.checked(method=options.method, **chosen(options, FIELDS))
    if config.method == "fuzzy-c-means" and config.tolerance is not None:
        raise SettingsError("fuzzy-c-means has no --tolerance; choose --clusters instead, from 2 to 8.")
    files = one_case(options)
    from napari_necroseg.core.assist.assist import assist_files

    return assist_files(files, config, seed_mm=options.seed, out=options.out)


def one_case(options: argparse.Namespace) -> CaseFiles:
    """Return the case that was named.

    Raises SettingsError if no case was named, or several.
    """
    if (options.case is None) == (options.ce_t1 is None):
        raise SettingsError("Name one case to outline: CASE, the folder of a case, or --ceT1 FILE.")
    if options.t2 is not None and options.ce_t1 is None:
        raise SettingsError("--T2 goes with --ceT1; a folder brings its own T2 image.")
    cohort = read_input(options, options.case)
    if len(cohort) != 1:
        raise SettingsError(
            f"A point belongs to one case, and {options.case} has {len(cohort)}; name a folder."
        )
    return next(iter(cohort))


def point(text: str) -> tuple[float, float, float]:
    """Read three coordinates."""
    try:
        x, y, z = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is no point; write it as -12,3.5,40") from None
    if not all(math.isfinite(value) for value in (x, y, z)):
        raise argparse.ArgumentTypeError(f"{text} is no point; write it as -12,3.5,40")
    return (x, y, z)
