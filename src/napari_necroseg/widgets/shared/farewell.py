"""What is still done when Qt has deleted a widget."""

from collections.abc import Callable

from qtpy.QtCore import QObject

# Held here until then: the garbage collector takes apart a function that only a dead widget holds, and to
# call what is left of it crashes.
_FAREWELLS: set[Callable[..., None]] = set()


def when_destroyed(widget: QObject, *calls: Callable[[], object]) -> None:
    """Call these once the widget is gone; they must not hold it."""

    def farewell(*_: object) -> None:
        _FAREWELLS.discard(farewell)
        for call in calls:
            call()

    _FAREWELLS.add(farewell)
    widget.destroyed.connect(farewell)
