"""A step of the panel: its parts, and what the panel's main button does while it is shown."""

from collections.abc import Callable
from dataclasses import dataclass

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_necroseg.core.events import CaseDone
from napari_necroseg.widgets.shared.dock import DockParts
from napari_necroseg.widgets.shared.qt_parts import lay


@dataclass(frozen=True, kw_only=True)
class MainAction:
    """What the main button says and does; without `act` it is grey."""

    text: str
    help: str
    act: Callable[[], object] | None = None


class Step(QWidget):
    """One step of the panel.

    `body`: where its parts are put; it scrolls. `parts`: the docks' parts in it, whose jobs and listeners end
    with the panel. `changed` is emitted when the main button is to be drawn anew.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[DockParts] = []
        self._kept = QWidget(self)
        self._kept.hide()
        self.body = QVBoxLayout()
        lay(self, self.body)

    def add(self, parts: DockParts) -> None:
        """Own the parts of a dock: they end with the panel, and their job may change the main button.

        Their job's progress is shown by the panel. Where their widgets go is up to the step.
        """
        self.parts.append(parts)
        if parts.parent() is None:
            # It is destroyed with this step, also where the step lays out only what is in it.
            parts.setParent(self._kept)
        runner = parts.runner
        for happening in (runner.started, runner.finished, runner.failed, runner.cancelled):
            happening.connect(self._on_job)
        # It may have written masks: the table of cases looks again.
        runner.finished.connect(parts.workspace.files_changed.emit)
        runner.reported.connect(self._on_reported)

    def main(self) -> MainAction | None:
        """Return what the main button does now; None hides it."""
        raise NotImplementedError

    def shown(self) -> None:
        """Do what is due whenever the step is shown."""

    def reopen(self) -> None:
        """Hear the viewer again."""
        for parts in self.parts:
            parts.reopen()

    def shut_down(self) -> None:
        """Stop all jobs, and hear nothing more of the viewer."""
        for parts in self.parts:
            parts.shut_down()

    def _on_reported(self, event: object) -> None:
        if isinstance(event, CaseDone):
            self.parts[0].workspace.files_changed.emit()

    def _on_job(self, *_: object) -> None:
        self.changed.emit()
