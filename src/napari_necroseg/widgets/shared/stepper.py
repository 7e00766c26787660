"""Do what takes napari long, such as adding layers, one at a time, and serve the screen in between."""

from collections.abc import Iterator

from qtpy.QtCore import QObject, QTimer

_END = object()


class Stepper(QObject):
    """Runs one iterator at a time, a step each time that the screen has nothing else to do."""

    def __init__(self) -> None:
        super().__init__()
        self._steps: Iterator[None] | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._step)

    @property
    def is_busy(self) -> bool:
        """Whether steps are left."""
        return self._steps is not None

    def start(self, steps: Iterator[None]) -> None:
        """Begin; what was begun before is finished first, at once."""
        self.finish()
        self._steps = steps
        self._timer.start()

    def finish(self) -> None:
        """Do all that is left at once."""
        while self._steps is not None:
            self._step()

    def drop(self) -> None:
        """Leave undone what is left, because the viewer goes away."""
        self._steps = None

    def _step(self) -> None:
        if self._steps is None:
            self._timer.stop()
        elif next(self._steps, _END) is _END:
            self._steps = None
