"""Goes from one case to the next without losing what was drawn."""

from collections.abc import Iterator, Sequence
from functools import partial
from threading import Event as Flag
from typing import Protocol

import numpy as np
from napari.layers import Labels
from napari.utils.notifications import show_error

from napari_necroseg.core.errors import NecrosegError
from napari_necroseg.core.events import Event
from napari_necroseg.core.language import tr
from napari_necroseg.jobs.cases import MaskToSave, OpenedCase
from napari_necroseg.widgets.shared import qt_parts
from napari_necroseg.widgets.shared.dock import DockParts


class OpenJob(Protocol):
    """A job that saves masks of the open case, then reads another one."""

    def __call__(self, *, saves: Sequence[MaskToSave], stop: Flag) -> Iterator[Event]:
        """Begin the job."""


class CaseSwitch:
    """Opens cases in a dock: asks about unsaved masks first, reads in the dock's worker, then shows."""

    def __init__(self, dock: DockParts) -> None:
        self._dock = dock
        self._workspace = dock.workspace
        self._wanted: tuple[str, OpenJob] | None = None
        self._running: OpenJob | None = None
        # The masks that were asked about, as they were then: drawing goes on while a case is read.
        self._settled: list[tuple[Labels, np.ndarray]] = []
        dock.runner.cancelled.connect(self._on_cancelled)
        dock.runner.failed.connect(self._on_failed)

    @property
    def target(self) -> str:
        """The name of the case that is being opened, or else of the open one."""
        if self._workspace.opening:
            return self._workspace.opening
        return "" if self._workspace.case is None else self._workspace.case.name

    def open(self, name: str, job: OpenJob) -> None:
        """Open a case, and give up one that is still being read."""
        if self._dock.runner.is_busy:
            if self._workspace.opening:
                self._wanted, self._workspace.opening = (name, job), name
                self._dock.runner.cancel()
            else:
                self._dock.panel.say(tr("Still busy: wait, or press Cancel to stop this first."))
            return
        self._workspace.screen.finish()
        saves = self._settle()
        if saves is None:
            return
        self._wanted = (name, job)
        self._running = job
        is_begun = self._dock.panel.run(partial(job, saves=saves), tr("Opening {name} ...", name=name))
        self._workspace.opening = name if is_begun else ""

    def finish(self, opened: OpenedCase) -> None:
        """Show the case that was read, unless somebody drew on the last one meanwhile."""
        wanted, self._wanted, self._workspace.opening = self._wanted, None, ""
        self._workspace.layers.mark_saved(opened.saved)
        if wanted is not None and self._drawn_meanwhile():
            self.open(*wanted)
            return
        self._settled = []
        self._dock.panel.say_busy(tr("{case} is being shown ...", case=opened.case.name))
        self._workspace.screen.start(self._show(opened))

    def _show(self, opened: OpenedCase) -> Iterator[None]:
        yield from self._workspace.layers.show(opened.layers, first_slice=opened.first_slice)
        self._workspace.set_case(opened.case, opened.files)
        self._dock.panel.rest()

    def _settle(self) -> list[MaskToSave] | None:
        """Ask about unsaved strokes; return the masks to save, or None if the case stays open."""
        unsaved = self._workspace.journalling.unsaved()
        self._settled = [(layer, layer.data.copy()) for layer in unsaved]
        if not unsaved:
            return []
        answer = qt_parts.ask_about_unsaved(self._dock, [layer.name for layer in unsaved])
        if answer == "discard":
            self._workspace.journalling.give_up(unsaved)
        if answer == "later" and (problem := self._workspace.journalling.not_kept()):
            show_error(tr("The strokes cannot be kept for later: {problem}", problem=problem))
            return None
        if answer != "save":
            return None if answer == "cancel" else []
        try:
            return self._workspace.masks_to_save(self._dock, unsaved)
        except NecrosegError as error:
            show_error(str(error))
            return None

    def _drawn_meanwhile(self) -> bool:
        decided = {id(layer): voxels for layer, voxels in self._settled}
        return any(
            id(layer) not in decided or not np.array_equal(decided[id(layer)], layer.data)
            for layer in self._workspace.journalling.unsaved()
        )

    def _on_cancelled(self) -> None:
        if not self._workspace.opening:
            return
        wanted, self._wanted, self._workspace.opening = self._wanted, None, ""
        if wanted is not None and wanted[1] is not self._running:
            self.open(*wanted)

    def _on_failed(self) -> None:
        self._workspace.opening = ""
