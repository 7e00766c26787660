"""The choice of a device: names that are always there, and the cards once the list is opened."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QStandardItemModel
from qtpy.QtWidgets import QComboBox, QWidget

from napari_necroseg.core.errors import NecrosegError
from napari_necroseg.core.events import Event, Finished
from napari_necroseg.widgets.shared.farewell import when_destroyed
from napari_necroseg.widgets.shared.worker import JobRunner

# What is true of any computer; nothing is known of the others until one has looked.
_ALWAYS = {"auto": "a graphics card if there is one", "cpu": "processor"}
_LOOKING = "Looking for graphics cards ..."
_SECONDS_BETWEEN_POLLS = 0.05
_MOST_SECONDS = 60.0
# Free memory changes; an older list is made anew when it is opened.
_FRESH_SECONDS = 30.0
_COMMAND = ("-m", "napari_necroseg.cli", "devices", "--json")


class DeviceChoice(QComboBox):
    """Shows devices in words and holds the name of one.

    It looks for the cards when the list is opened, in another process: to import torch here would let the
    viewer stand still, and to ask a card for its free memory takes some of it until the process ends.
    """

    chosen = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.looker = JobRunner(self)
        self._looked_s: float | None = None
        # A name of a card is long, and must not widen the dock; the opened list is as wide as it needs.
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(4)
        self._fill(_ALWAYS, "auto")
        self.currentIndexChanged.connect(self.chosen)
        self.looker.finished.connect(self._on_found)
        self.looker.failed.connect(lambda _: self._on_found({}))
        when_destroyed(self, self.looker.stop_flag())

    def name(self) -> str:
        """Return the name of the chosen device."""
        return str(self.currentData())

    def choose(self, name: str) -> None:
        """Choose a device by its name, also one that was not found here; whoever uses it says so."""
        if self.findData(name) < 0:
            self.addItem(name, name)
        self.setCurrentIndex(self.findData(name))

    def showPopup(self) -> None:  # noqa: N802  # Qt's name
        """Open the list, and look for cards unless that was just done."""
        is_fresh = self._looked_s is not None and time.monotonic() - self._looked_s < _FRESH_SECONDS
        if not is_fresh and self.looker.start(find_devices):
            self._announce()
        super().showPopup()

    def _announce(self) -> None:
        """Say in the list that more is to come, in a line that cannot be chosen."""
        self.addItem(_LOOKING, None)
        model = self.model()
        assert isinstance(model, QStandardItemModel)
        last = model.item(self.count() - 1)
        assert last is not None
        last.setFlags(Qt.ItemFlag.NoItemFlags)

    def _on_found(self, found: dict[str, str]) -> None:
        """Show what was found in place of what was known, and keep the choice."""
        self._looked_s = time.monotonic() if found else None
        view = self.view()
        was_open = view is not None and view.isVisible()
        self.hidePopup()
        self._fill(found or _ALWAYS, self.name())
        if was_open:
            super().showPopup()

    def _fill(self, words: dict[str, str], name: str) -> None:
        self.blockSignals(True)
        self.clear()
        for device, what in words.items():
            self.addItem(f"{device}: {what}", device)
        self.choose(name)
        self.blockSignals(False)
        view = self.view()
        if view is not None:
            view.setMinimumWidth(view.sizeHintForColumn(0) + 30)


def find_devices(stop: threading.Event) -> Iterator[Event]:
    """Ask ``necroseg devices`` what there is: words by name."""
    flags = getattr(subprocess, "CREATE_NO_WINDOW", 0)
    with subprocess.Popen(
        [sys.executable, *_COMMAND],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
        creationflags=flags,
    ) as process:
        deadline_s = time.monotonic() + _MOST_SECONDS
        while process.poll() is None:
            if stop.wait(_SECONDS_BETWEEN_POLLS) or time.monotonic() > deadline_s:
                process.kill()
        output = "" if process.stdout is None else process.stdout.read()
    if process.returncode != 0:
        raise NecrosegError("The graphics cards of this computer could not be listed.")
    record = json.loads(output.splitlines()[-1])
    yield Finished(result={device["name"]: device["words"] for device in record["devices"]})
