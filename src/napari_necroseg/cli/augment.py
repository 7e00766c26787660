"""``necroseg augment``: write samples as a training draws them."""

import argparse
from collections.abc import Generator
from pathlib import Path

from napari_necroseg.cli._options import (
    add_options,
    add_spacing_option,
    chosen,
    is_cohort,
    preset_defaults,
    read_input,
)
from napari_necroseg.core.case import CaseFiles
from napari_necroseg.core.config import TrainConfig, train_preset
from napari_necroseg.core.errors import CohortError, SettingsError
from napari_necroseg.core.events import Event

FIELDS = ("sequences", "target", "seed", "slices", "patch_side")
_MOST_SAMPLES = 10_000


def add_augment_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("case", type=Path, metavar="CASE", help="folder of one case, or a cohort.csv")
    parser.add_argument("--case", dest="name", metavar="NAME", help="a case of the cohort")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="new folder for the samples")
    parser.add_argument("--n", default="16", metavar="N", help="number of samples (default: 16)")
    parser.add_argument(
        "--augment",
        type=Path,
        metavar="FILE",
        help="augmentation saved by the dock Augmentation preview (default: the preset's)",
    )
    parser.add_argument(
        "--preset",
        default="paper",
        metavar="fast|paper",
        help="the preset whose patch, whitening and augmentation are used (default: paper)",
    )
    parser.add_argument(
        "--dimension", default="3d", metavar="2d|3d", help="single slices or whole patches (default: 3d)"
    )
    add_spacing_option(parser)
    add_options(parser, TrainConfig, names=FIELDS, defaults=preset_defaults(FIELDS))


def augment_job(options: argparse.Namespace) -> Generator[Event]:
    """Write the samples."""
    from napari_necroseg.core.project.augmentation_file import read_augment

    given = chosen(options, FIELDS)
    if options.augment is not None:
        given["augment"] = read_augment(options.augment)
    named = TrainConfig.checked(preset=options.preset, dimension=options.dimension)
    config = train_preset(named.preset, named.dimension).changed(**given)
    n, files = _number(options.n), find_files(options)
    from napari_necroseg.core.training.samples import write_samples

    return write_samples(files, config, out=options.out, n=n)


def find_files(options: argparse.Namespace) -> CaseFiles:
    """Find the case that was named: a folder, or a row of a cohort."""
    cohort = read_input(options, options.case)
    if options.name is not None and is_cohort(options.case):
        return cohort.only((options.name,)).cases[0]
    if len(cohort) != 1:
        names = ", ".join(case.name for case in cohort.cases[:3])
        raise CohortError(f"Say which of the {len(cohort)} cases with --case NAME, such as {names}.")
    return cohort.cases[0]


def _number(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _MOST_SAMPLES:
        raise SettingsError(f"--n wants a number of samples from 1 to {_MOST_SAMPLES}, not {text!r}.")
    return int(text)
