"""The commands ``study`` and ``report``: run an experiment, or resume it, and report on it."""

import argparse
from collections.abc import Generator
from pathlib import Path

from napari_necroseg.cli._names import NOTHING_LEFT
from napari_necroseg.cli._options import add_cohort_options, add_options, choose_named, chosen, read_cases
from napari_necroseg.core.config.study import StudyConfig
from napari_necroseg.core.errors import CohortError
from napari_necroseg.core.events import Event

FIELDS = (
    "preset",
    "configurations",
    "folds",
    "seeds",
    "minutes_per_run",
    "steps_per_run",
    "workers",
    "scheduler",
    "dashboard",
    "target",
    "fold_seed",
    "tolerance_mm",
    "device",
    "threads",
)


def add_study_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_cohort_options(parser)
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder of the study; one that exists already goes on where it stopped",
    )
    add_options(parser, StudyConfig, names=FIELDS)
    parser.add_argument(
        "--from",
        type=Path,
        metavar="RUN",
        dest="start_from",
        help="every run starts from this trained model",
    )
    parser.add_argument(
        "--only", metavar="KEY,KEY", help="do these runs only, such as 2d-ceT1+T2_fold-1_seed-0"
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="say what would be done and how long it would take, and write folds.csv",
    )


def study_left_behind(options: argparse.Namespace) -> str:
    """Say what is left of the study if it is interrupted now."""
    from napari_necroseg.core.study.record import STUDY_NAME

    if options.dry_run or not (options.out / STUDY_NAME).is_file():
        return NOTHING_LEFT
    return f"what is done is kept in {options.out}; the same command goes on from there."


def study_job(options: argparse.Namespace) -> Generator[Event]:
    """Run what is left of the experiment, or plan it."""
    from napari_necroseg.core.study.cases import number_of_folds
    from napari_necroseg.core.study.dry_run import plan_study
    from napari_necroseg.core.study.experiment import run_study

    if options.out.exists() and not options.out.is_dir():
        raise CohortError(f"{options.out} is a file; choose the folder of the study.")
    cohort = choose_named(read_cases(options), options)
    given = chosen(options, FIELDS)
    given.setdefault("folds", number_of_folds(cohort, options.out) or StudyConfig().folds)
    config = StudyConfig.checked(**given, start_from=options.start_from)
    if options.dry_run:
        return plan_study(cohort, config, out=options.out)
    only = tuple(key.strip() for key in (options.only or "").split(",") if key.strip())
    return run_study(cohort, config, out=options.out, only=only)


def add_report_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of a study")


def report_job(options: argparse.Namespace) -> Generator[Event]:
    """Write tables, figures and report of the experiment."""
    from napari_necroseg.core.study.report.report import write_report

    return write_report(options.folder)
