"""The frame that all docks share: a scroll area, the panel of a job, a footer, and a clean end."""

import atexit
import gc
from collections.abc import Callable, Iterable
from typing import Any, TypeVar
from weakref import WeakMethod

from napari.components import ViewerModel
from napari.utils.notifications import show_error
from qtpy.QtCore import QEvent, QObject, QSize, Qt, Signal
from qtpy.QtWidgets import (
    QApplication,
    QDockWidget,
    QFrame,
    QLabel,
    QPlainTextEdit,
    QProgressBar,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from napari_necroseg.core.display import duration
from napari_necroseg.core.errors import NecrosegError
from napari_necroseg.core.events import (
    CaseDone,
    CaseFailed,
    Event,
    Paused,
    Progress,
    Started,
    TrainingStep,
    Warned,
)
from napari_necroseg.core.language import ntr, shown, to_translate, tr
from napari_necroseg.widgets.shared.journalling import SAFE_AGAIN
from napari_necroseg.widgets.shared.qt_parts import (
    WrappedLabel,
    below,
    beside,
    button,
    given,
    guard_inputs,
    lay,
    on_destroyed,
)
from napari_necroseg.widgets.shared.worker import Job, JobRunner
from napari_necroseg.widgets.shared.workspace import Workspace, unwrapped

# Longer lists of warnings are scrolled.
_MOST_LINES = 6
_LEAST_WIDTH = 300
FOOTER = to_translate("Research software, not a medical device.")
_T = TypeVar("_T")

# magicgui's widgets refer to each other in circles. PyQt's clean-up, which comes later, would delete what is
# left of them in no order, and crash.
atexit.register(gc.collect)


class JobPanel(QWidget):
    """Shows the progress of the dock's job; hidden until the first one starts.

    Warnings stay in a list below the message until the next job begins, however the job ends. `given_up` is
    emitted when a person cancels the job, before it is asked to stop, and not when the dock is closed.
    """

    given_up = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.runner = JobRunner(self)
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setFixedHeight(10)
        self._cancel = button(
            tr("Cancel"), tr("Stop this job. It leaves nothing half-written."), act=self.given_up
        )
        details = tr("Copy the report of this failure to the clipboard, for the developers.")
        self._details = button(tr("Details"), details, act=self._copy_report)
        self._message = WrappedLabel()
        self._warnings: list[str] = []
        self._notes = QPlainTextEdit()
        self._notes.setReadOnly(True)
        self._notes.setToolTip(tr("What should be known of the last job; it stays here until the next one."))
        self._notes.hide()
        top = beside(self._bar, self._cancel, self._details, wide=self._bar)
        lay(self, below(top, self._message, self._notes))
        self.setContentsMargins(6, 4, 6, 4)
        self._connect()
        # Before the first job the panel can show a message only.
        for part in (self._bar, self._cancel, self._details):
            part.hide()
        self.hide()

    @property
    def message(self) -> str:
        """The message and the warnings that the panel shows."""
        return "\n".join([self._message.said, *self._marked()]).strip()

    @property
    def notes(self) -> tuple[str, ...]:
        """The warnings since the last job began, each once."""
        return tuple(self._warnings)

    def run(self, job: Job, message: str) -> bool:
        """Start a job under a headline; False while another one runs."""
        if not self.runner.start(job):
            return False
        self._say(message)
        return True

    def show_event(self, event: Event) -> None:
        """Draw what a job reports."""
        match event:
            case Started(message=message):
                self._say(shown(message))
            case Progress(done=done, total=total, message=message):
                self._fill(done, total)
                self._say(shown(message) or self._message.said)
            case TrainingStep(iteration=done, iterations=total, seconds=seconds, seconds_left=left):
                self._fill(*_training_share(done, total, seconds=seconds, left=left))
                self._say(_training_message(event))
            case Paused(iteration=done):
                self._say(tr("Paused after iteration {n}; what was learned is saved.", n=done))
            case CaseDone(case=name, done=done, total=total):
                self._fill(done, total)
                self._say(tr("{case} is done ({done} of {total}).", case=name, done=done, total=total))
            case CaseFailed(case=name, reason=reason):
                self.warn(f"{name}: {shown(reason)}")
            case Warned(message=message):
                self.warn(shown(message))

    def show_share(self, share: float) -> None:
        """Show the share of the job that is done; at 0 and 1 only that it is busy."""
        self._fill(round(1000 * share), 1000 if 0 < share < 1 else 0)

    def warn(self, message: str) -> None:
        """Show a warning; it stays until the next job begins."""
        self.show()
        if message not in self._warnings:
            self._warnings.append(message)
            self._show_notes()

    def say_busy(self, message: str) -> None:
        """Show that something goes on after the job, such as showing its result, until `rest`."""
        self.show()
        self._bar.setRange(0, 0)
        self._bar.show()
        self._say(message)

    def rest(self) -> None:
        """Show that nothing goes on; without warnings there is nothing to be read, either."""
        if not self.runner.is_busy:
            self._bar.hide()
            self._say(self._done() if self._warnings else "")
            self.setVisible(bool(self._warnings))

    def say(self, message: str) -> None:
        """Show a message when no job runs."""
        self.show()
        self._say(message)

    def _connect(self) -> None:
        self._cancel.clicked.connect(self.runner.cancel)
        self.runner.started.connect(self._on_started)
        self.runner.reported.connect(self.show_event)
        self.runner.cancelling.connect(self._on_cancelling)
        self.runner.cancelled.connect(lambda: self._on_over(tr("Cancelled.")))
        self.runner.finished.connect(lambda _: self._on_over(self._done()))
        self.runner.failed.connect(self._on_over)

    def _on_started(self) -> None:
        self.show()
        self._bar.setRange(0, 0)
        self._bar.show()
        self._cancel.setEnabled(True)
        self._cancel.show()
        self._details.hide()
        self._warnings = []
        self._show_notes()

    def _on_cancelling(self) -> None:
        self._cancel.setEnabled(False)
        self._bar.setRange(0, 0)
        self._say(tr("Cancelling ..."))

    def _on_over(self, message: str) -> None:
        self._bar.hide()
        self._cancel.hide()
        self._details.setVisible(bool(self.runner.report))
        self._say(message)

    def _done(self) -> str:
        n = len(self._warnings)
        return tr("Done.") if n == 0 else ntr("Done, with {n} note:", "Done, with {n} notes:", n)

    def _marked(self) -> list[str]:
        return [f"⚠ {warning}" for warning in self._warnings]

    def _show_notes(self) -> None:
        self._notes.setPlainText("\n".join(self._marked()))
        lines = min(_MOST_LINES, 2 * len(self._warnings))
        frame = self._notes.frameWidth() + int(given(self._notes.document()).documentMargin())
        spacing = self._notes.fontMetrics().lineSpacing()
        # Half a line more: Qt adds a scroll bar even to text that fits to the pixel.
        self._notes.setFixedHeight(lines * spacing + spacing // 2 + 2 * frame)
        self._notes.setVisible(bool(self._warnings))

    def _fill(self, done: int, total: int) -> None:
        self._bar.setRange(0, max(total, 0))
        self._bar.setValue(done)

    def _say(self, message: str) -> None:
        self._message.say(message)

    def _copy_report(self) -> None:
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(self.runner.report)
        self._say(tr("The report was copied. It names files of this computer: read it before you send it."))


def _training_share(done: int, total: int | None, *, seconds: float, left: float | None) -> tuple[int, int]:
    if total is not None:
        return done, total
    return (0, 0) if left is None else (round(seconds * 10), round((seconds + left) * 10))


def _training_message(step: TrainingStep) -> str:
    """Say how far the training is, for how much longer it goes on, and what it costs."""
    if step.iterations is None:
        text = tr("Training: iteration {n}", n=step.iteration)
    else:
        text = tr("Training: iteration {n} of {total}", n=step.iteration, total=step.iterations)
    if step.seconds_left is not None:
        text += ", " + tr("about {time} left", time=duration(step.seconds_left))
    costs = []
    if step.samples_per_s is not None:
        costs.append(tr("{speed:.3g} samples/s", speed=step.samples_per_s))
    if step.memory_gib is not None:
        costs.append(tr("{memory:.1f} GiB in use", memory=step.memory_gib))
    return f"{text} ({', '.join(costs)})" if costs else text


class DockParts(QWidget):
    """The parts of a dock without its frame; what holds them shows `panel`, too.

    `top`, `body`: where the parts are put: those that always stay in sight, and those below them. `panel`:
    shows the job of these parts; it is a `panel_type`.
    """

    panel_type: type[JobPanel] = JobPanel

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self.viewer = unwrapped(viewer)
        self.workspace = Workspace.of(self.viewer)
        self.panel = self.panel_type()
        self.runner = self.panel.runner
        self.runner.failed.connect(self._on_failed)
        self.top, self.body = QVBoxLayout(), QVBoxLayout()
        self._listeners = Listeners()
        self.listen(self.workspace.journalling.told, self._on_told)
        self._frame()
        # Called when the window is destroyed with its docks: by then no method of this object can be called.
        stop, deafen, drop = self.runner.stop_flag(), self._listeners.disconnect, self.workspace.screen.drop
        on_destroyed(self, stop, deafen, drop)

    @property
    def is_shut(self) -> bool:
        """Whether the parts were closed; they may be opened again."""
        return not self._listeners.is_connected

    def listen(self, signal: Any, slot: Callable[..., Any]) -> None:
        """Connect a signal of the workspace or of napari for as long as the parts are open."""
        self._listeners.connect(signal, slot)

    def listen_to(self, events: Any, names: Iterable[str], *, slot: Callable[..., Any]) -> None:
        """Connect several events of napari."""
        for name in names:
            self.listen(getattr(events, name), slot)

    def attempt(self, act: Callable[[], _T]) -> _T | None:
        """Return the result of `act`; if a user's mistake prevents it, say so and return None."""
        try:
            return act()
        except NecrosegError as error:
            self.panel.say(shown(error))
            return None

    def reopen(self) -> None:
        """Hear the viewer again after the parts were shut down."""
        self._listeners.reconnect()

    def shut_down(self) -> None:
        """Stop the job, leave nothing half-shown, and hear nothing more of the viewer."""
        self.workspace.screen.finish()
        self.runner.cancel()
        self._listeners.disconnect()

    def _frame(self) -> None:
        """Lay out what the parts are put into."""
        lay(self, below(self.top, self.body))

    def _on_failed(self, message: str) -> None:
        show_error(message)

    def _on_told(self, message: str) -> None:
        """Show what concerns the person who draws, in every dock."""
        self.panel.say(shown(message) if message == SAFE_AGAIN else f"⚠ {shown(message)}")


class Dock(DockParts):
    """The frame of a dock: its parts scroll, and jobs end when it or its viewer is closed.

    `napari_viewer`: the viewer that the dock belongs to, or napari's proxy of it.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__(napari_viewer)
        DockLife(self, opened=self.reopen, closed=self.shut_down)

    def _frame(self) -> None:
        inside = QWidget()
        scrolling = below(self.body, None)
        scrolling.setContentsMargins(6, 6, 6, 6)
        inside.setLayout(scrolling)
        area = scroll_area(inside)
        footer = QLabel(tr(FOOTER))
        footer.setStyleSheet("font-size: 10px;")
        footer.setContentsMargins(6, 0, 6, 2)
        outer = below(self.top, area, self.panel, footer)
        outer.setStretchFactor(area, 1)
        outer.setSpacing(2)
        lay(self, outer)
        guard_inputs(self)


class DockLife(QObject):
    """Tells the outermost widget of a dock when it is closed, and opened again.

    napari takes the widget out of its parent when the dock is closed. The wheel is kept from its inputs, too,
    and the title is shortened: napari adds the plugin's name to it, in one of two ways.
    """

    def __init__(self, widget: QWidget, *, opened: Callable[[], None], closed: Callable[[], None]) -> None:
        super().__init__(widget)
        self._widget, self._was_docked = widget, False
        self._dock: QDockWidget | None = None
        self._opened, self._closed = WeakMethod(opened), WeakMethod(closed)
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802  # Qt's name
        """Look at the events of the widget; all of them go on to it."""
        if event is None or watched is not self._widget:
            return False
        if event.type() in (QEvent.Type.Polish, QEvent.Type.Show):
            guard_inputs(self._widget)
            self._shorten_title()
        if event.type() == QEvent.Type.ParentChange:
            self._on_parent()
        return False

    def _on_parent(self) -> None:
        is_docked = self._widget.parent() is not None
        self._dock = None
        call = self._opened() if is_docked else self._closed() if self._was_docked else None
        self._was_docked = is_docked
        if call is not None:
            call()

    def _shorten_title(self, _change: object = None) -> None:
        """Show "Panel" in place of "Panel (napari-necroseg)"; napari finds the dock by its long name."""
        dock: Any = self._widget.parentWidget()
        if not isinstance(dock, QDockWidget) or not hasattr(dock, "title"):
            return
        title = dock.objectName().partition(" (")[0]
        dock.setWindowTitle(title)
        dock.title.title.setText(title)
        if dock is not self._dock:
            self._dock = dock
            # napari makes another title bar then.
            dock.topLevelChanged.connect(self._shorten_title)
            dock.dockLocationChanged.connect(self._shorten_title)


def scroll_area(inside: QWidget) -> QScrollArea:
    """Put a widget into an area that scrolls up and down."""
    area = _Area()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidget(inside)
    return area


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
        """Follow the content when the room that it needs changes."""
        if event is not None and watched is self.widget() and event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return super().eventFilter(watched, event)


class Listeners:
    """Connections that are cut at once; a plain object that outlives the dock's Qt half and holds no dock."""

    def __init__(self) -> None:
        self._pairs: list[tuple[Any, WeakMethod[Callable[..., Any]]]] = []
        self.is_connected = True

    def connect(self, signal: Any, slot: Callable[..., Any]) -> None:
        """Call a method whenever a signal is emitted."""
        self._pairs.append((signal, WeakMethod(slot)))
        signal.connect(slot)

    def disconnect(self) -> None:
        """Hear nothing more."""
        if self.is_connected:
            for signal, method in self._alive():
                signal.disconnect(method)
        self.is_connected = False

    def reconnect(self) -> None:
        """Hear them again."""
        if not self.is_connected:
            for signal, method in self._alive():
                signal.connect(method)
        self.is_connected = True

    def _alive(self) -> list[tuple[Any, Callable[..., Any]]]:
        pairs = [(signal, method()) for signal, method in self._pairs]
        return [(signal, method) for signal, method in pairs if method is not None]
