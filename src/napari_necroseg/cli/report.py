"""``necroseg report``: tables, figures and report of an experiment again, from what it saved."""

import argparse
from collections.abc import Generator
from pathlib import Path

from napari_necroseg.core.events import Event


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command understands."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="what `necroseg study` wrote")


def run(options: argparse.Namespace) -> Generator[Event]:
    """Write up the experiment."""
    from napari_necroseg.core.study.report import write_report

    return write_report(options.folder)
