"""Whether a window can be opened here, and how its program is run."""

import os
import sys
from importlib.util import find_spec

from napari_necroseg.core.errors import ResourceError

NO_NAPARI = 'install it by: pip install "napari-necroseg[all]"'


def has_display() -> bool:
    """Whether there is a screen, as far as can be told without opening a window."""
    if not sys.platform.startswith("linux"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def check_window() -> None:
    """Raise ResourceError if there is no napari, or no screen, for a window."""
    if find_spec("napari") is None:
        raise ResourceError(f"napari is not installed, and the window needs it; {NO_NAPARI}")
    if not has_display():
        raise ResourceError(
            "There is no screen to open the window on (DISPLAY is not set here); the other commands work "
            "without one."
        )
