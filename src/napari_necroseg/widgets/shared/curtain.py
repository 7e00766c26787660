"""What takes several steps is shown once, when it is whole: the canvas keeps its picture meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from weakref import WeakKeyDictionary

from napari.components import ViewerModel
from qtpy.QtCore import Qt

# How many of them are under way in each viewer.
_open: "WeakKeyDictionary[ViewerModel, int]" = WeakKeyDictionary()


@contextmanager
def shown_at_once(viewer: ViewerModel) -> Iterator[None]:
    """Draw nothing of a viewer until the block is left, and take no clicks for what is not seen yet.

    The screen is served in between, so that the docks stay usable; a viewer without a window has no canvas.
    """
    _open[viewer] = _open.get(viewer, 0) + 1
    if _open[viewer] == 1:
        _set_drawn(viewer, False)
    try:
        yield
    finally:
        _open[viewer] -= 1
        if _open[viewer] == 0:
            _set_drawn(viewer, True)


def _set_drawn(viewer: ViewerModel, is_drawn: bool) -> None:
    canvas = canvas_of(viewer)
    # The window, and all of Qt in it, may be gone when the last step is dropped.
    with suppress(RuntimeError):
        if canvas is not None:
            canvas.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents, not is_drawn)
            canvas.setUpdatesEnabled(is_drawn)


def canvas_of(viewer: ViewerModel) -> Any:
    """Return the widget that the images of a viewer are drawn in; None without a window."""
    with suppress(AttributeError, RuntimeError):
        window: Any = getattr(viewer, "window", None)
        return window._qt_viewer.canvas.native
    return None
