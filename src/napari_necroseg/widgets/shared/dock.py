"""The frame that all docks share: a scroll area, a job, a footer, and a clean end."""

from collections.abc import Callable
from typing import Any
from weakref import WeakMethod

from napari.utils.notifications import show_error
from qtpy.QtCore import QEvent, QObject, QSize, Qt
from qtpy.QtWidgets import QFrame, QLabel, QScrollArea, QVBoxLayout, QWidget

from napari_necroseg.widgets.shared.farewell import when_destroyed
from napari_necroseg.widgets.shared.job_panel import JobPanel
from napari_necroseg.widgets.shared.journalling import SAFE_AGAIN
from napari_necroseg.widgets.shared.wheel import guard_inputs
from napari_necroseg.widgets.shared.workspace import Workspace, unwrapped

_LEAST_WIDTH = 300
FOOTER = "Research software, not a medical device."


class Dock(QWidget):
    """A dock widget of this plugin; jobs end when it or its viewer is closed.

    Parameters
    ----------
    viewer
        The viewer that the dock belongs to, or napari's proxy of it.
    """

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self.viewer = unwrapped(viewer)
        self.workspace = Workspace.of(self.viewer)
        self.panel = JobPanel()
        self.runner = self.panel.runner
        self.runner.failed.connect(self._on_failed)
        self.body = QVBoxLayout()
        self._listeners = _Listeners()
        self.listen(self.workspace.journalling.told, self._on_told)
        self._was_docked = False
        self._lay_out()
        # Called when the window goes away with its docks: by then no method of this object is left.
        stop, deafen, drop = self.runner.stop_flag(), self._listeners.disconnect, self.workspace.screen.drop
        when_destroyed(self, stop, deafen, drop)

    @property
    def is_shut(self) -> bool:
        """Whether the dock was closed; it may be opened again."""
        return not self._listeners.is_connected

    def listen(self, signal: Any, slot: Callable[..., Any]) -> None:
        """Connect a signal of the workspace or of napari for as long as the dock is open."""
        self._listeners.connect(signal, slot)

    def event(self, event: QEvent | None) -> bool:
        """End the job when the dock is closed: napari then takes the widget out of its parent."""
        if event is not None and event.type() in (QEvent.Type.Polish, QEvent.Type.Show):
            guard_inputs(self)
        if event is not None and event.type() == QEvent.Type.ParentChange:
            if self.parent() is not None:
                self._was_docked = True
                self._listeners.reconnect()
            elif self._was_docked:
                self._was_docked = False
                self.shut_down()
        return super().event(event)

    def shut_down(self) -> None:
        """Stop the job, leave nothing half-shown, and hear nothing more of the viewer."""
        self.workspace.screen.finish()
        self.runner.cancel()
        self._listeners.disconnect()

    def _lay_out(self) -> None:
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(6, 6, 6, 6)
        column.addLayout(self.body)
        column.addStretch(1)
        area = _Area()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(inside)
        footer = QLabel(FOOTER)
        footer.setStyleSheet("font-size: 10px; color: gray;")
        footer.setContentsMargins(6, 0, 6, 2)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(area, 1)
        outer.addWidget(self.panel)
        outer.addWidget(footer)
        outer.setSpacing(2)
        guard_inputs(self)

    def _on_failed(self, message: str) -> None:
        show_error(message)

    def _on_told(self, message: str) -> None:
        """Say what concerns whoever draws, whichever dock is looked at."""
        self.panel.say(message if message == SAFE_AGAIN else f"⚠ {message}")


class _Area(QScrollArea):
    """A scroll area that is as wide as its content needs, so that nothing is cut off at the side."""

    def minimumSizeHint(self) -> QSize:  # noqa: N802  # Qt's name
        """Return the width of the content beside a scroll bar."""
        hint, inside, bar = super().minimumSizeHint(), self.widget(), self.verticalScrollBar()
        if inside is None or bar is None:
            return hint
        width = inside.minimumSizeHint().width() + bar.sizeHint().width()
        return QSize(max(_LEAST_WIDTH, width), hint.height())

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802  # Qt's name
        """Follow the content when what it needs changes."""
        if event is not None and watched is self.widget() and event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return super().eventFilter(watched, event)


class _Listeners:
    """Connections that are cut at once; a plain object that outlives the dock's Qt half and holds no dock."""

    def __init__(self) -> None:
        self._pairs: list[tuple[Any, WeakMethod[Callable[..., Any]]]] = []
        self.is_connected = True

    def connect(self, signal: Any, slot: Callable[..., Any]) -> None:
        self._pairs.append((signal, WeakMethod(slot)))
        signal.connect(slot)

    def disconnect(self) -> None:
        if self.is_connected:
            for signal, method in self._alive():
                signal.disconnect(method)
        self.is_connected = False

    def reconnect(self) -> None:
        if not self.is_connected:
            for signal, method in self._alive():
                signal.connect(method)
        self.is_connected = True

    def _alive(self) -> list[tuple[Any, Callable[..., Any]]]:
        pairs = [(signal, method()) for signal, method in self._pairs]
        return [(signal, method) for signal, method in pairs if method is not None]
