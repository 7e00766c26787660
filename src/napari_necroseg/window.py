"""Opens napari with the panel, and whatever is to be opened in it.

Run as ``python -m napari_necroseg.window [PATH ...]``, in a process of its own: Qt wants the main thread.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

TITLE = "napari-necroseg"
INTERRUPTED = 130
_MS_BETWEEN_TRIES = 30


def main(argv: Sequence[str] | None = None) -> int:
    """Open the window, and stay until it is closed."""
    parser = argparse.ArgumentParser(prog="python -m napari_necroseg.window", description=__doc__)
    parser.add_argument("paths", nargs="*", type=Path, help="folders, a cohort.csv, or images")
    options = parser.parse_args(argv)
    import napari

    viewer = napari.Viewer(title=TITLE)
    panel = open_panel(viewer)
    if options.paths:
        open_soon(panel, tuple(path.absolute() for path in options.paths))
    try:
        napari.run()
    except KeyboardInterrupt:
        # The person ended it in the terminal, from which the command says so.
        return INTERRUPTED
    return 0


def open_panel(viewer: Any) -> Any:
    """Open the panel at the right of a viewer's window, and return it; a panel that is open is shown."""
    _frame, panel = viewer.window.add_plugin_dock_widget("napari-necroseg", "Panel")
    return panel


def open_soon(panel: Any, paths: tuple[Path, ...]) -> None:
    """Open paths in a panel as soon as it is there: it is built in pieces."""
    from qtpy.QtCore import QTimer

    def try_now() -> None:
        if panel.workspace.openers:
            panel.workspace.paths_wanted.emit(paths)
        else:
            QTimer.singleShot(_MS_BETWEEN_TRIES, try_now)

    try_now()


if __name__ == "__main__":
    sys.exit(main())
