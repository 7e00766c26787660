"""``necroseg open``: napari with the panel, and a project, a pair or files opened in it."""

import argparse
import subprocess
import sys
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from napari_necroseg.cli._window import check_window
from napari_necroseg.core.errors import FileError, ResourceError
from napari_necroseg.core.events import Event, Finished, Started


@dataclass(frozen=True, kw_only=True)
class Closed:
    """What was opened in the window that was closed."""

    opened: tuple[Path, ...]

    def __str__(self) -> str:
        return "The window was closed."


def add_open_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "paths",
        nargs="*",
        type=Path,
        metavar="FOLDER",
        help="a folder of cases, the folder of one case, several folders, a cohort.csv, or the images of one "
        "case; without any, the window offers to go on with the last project",
    )


def open_left_behind(_options: argparse.Namespace) -> str:
    """Say what is left if the window is interrupted."""
    return "every stroke that was drawn is kept, and offered when its case is opened again."


def open_job(options: argparse.Namespace) -> Generator[Event]:
    """Open the window, and wait until it is closed."""
    paths: tuple[Path, ...] = tuple(options.paths)
    gone = next((path for path in paths if not path.exists()), None)
    if gone is not None:
        raise FileError(f"There is no file or folder {gone}.")
    check_window()
    yield Started(message="Opening the window.")
    command = [sys.executable, "-m", "napari_necroseg.window", *(str(path.absolute()) for path in paths)]
    ended = subprocess.run(command, check=False)
    if ended.returncode:
        raise ResourceError(
            f"The window ended with code {ended.returncode}; what its program said stands above. Unsaved "
            "strokes are offered when their case is opened again."
        )
    yield Finished(result=Closed(opened=paths))
