"""What is done with the ranges: back to the preset's, to and from a file, and on to the training."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_necroseg.core.config import TrainConfig
from napari_necroseg.core.errors import NecrosegError, SettingsError
from napari_necroseg.core.io.presets import read_augment, write_augment
from napari_necroseg.widgets.augmentation.controls import AugmentControls
from napari_necroseg.widgets.augmentation.parts import button, row
from napari_necroseg.widgets.shared import ask
from napari_necroseg.widgets.shared.prose import Prose
from napari_necroseg.widgets.shared.workspace import Workspace

_USE_HELP = "Let the dock Train use these ranges, in place of its preset's."
_SAVE_HELP = "Save these ranges to a file; necroseg train --augment FILE takes it."


class OwnRanges(QWidget):
    """Buttons for the ranges that `controls` shows."""

    def __init__(self, workspace: Workspace, controls: AugmentControls, training: TrainConfig) -> None:
        super().__init__()
        self._workspace, self._controls = workspace, controls
        # Those of the preset.
        self._preset = training.augment
        self.message = Prose()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        own = button("As the preset", "Back to the transforms and ranges of the preset.", self.reset)
        load = button("Load...", "Load ranges from a file.", self.load)
        column.addLayout(row(own, load, button("Save...", _SAVE_HELP, self.save), None))
        column.addWidget(button("Use for training", _USE_HELP, self.use_for_training))
        column.addWidget(self.message)
        controls.set_config(self._preset)

    def follow(self, training: TrainConfig) -> None:
        """Show the ranges of another preset, unless a person has changed those of the last one."""
        before, self._preset = self._preset, training.augment
        try:
            is_untouched = self._controls.config() == before
        except SettingsError:
            is_untouched = False
        if is_untouched:
            self._controls.set_config(self._preset)

    def reset(self) -> None:
        """Go back to the preset's."""
        self._controls.set_config(self._preset)
        self._controls.reset_single()

    def use_for_training(self) -> None:
        """Hand the ranges to the dock Train, in place of its preset's."""
        try:
            config = self._controls.config()
        except SettingsError as error:
            self.message.say(str(error))
            return
        self._workspace.set_augment(config)
        self.message.say("The dock Train now uses these ranges.")

    def save(self) -> None:
        """Write the ranges to a file, which ``necroseg train --augment FILE`` takes, too."""
        path = ask.ask_where_to_save(self, "Save the augmentation", "augmentation.json", ask.PRESETS)
        if path is not None:
            self._try(lambda: write_augment(path, self._controls.config()), f"Saved as {path.name}.")

    def load(self) -> None:
        """Show the ranges of a file."""
        path = ask.ask_preset(self)
        if path is not None:
            self._try(partial(self._show, path), f"Loaded {path.name}.")

    def _show(self, path: Path) -> None:
        self._controls.set_config(read_augment(path))

    def _try(self, act: Callable[[], None], success: str) -> None:
        try:
            act()
        except NecrosegError as error:
            self.message.say(str(error))
        else:
            self.message.say(success)
