"""Controls of a training that runs or was interrupted, and the layer that shows its network's prediction."""

from pathlib import Path
from weakref import ref

from napari.layers import Labels, Layer
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

from napari_necroseg.core.errors import NecrosegError
from napari_necroseg.core.events import ValidationPicture
from napari_necroseg.core.language import shown, tr
from napari_necroseg.core.project.model_folder import discard_interrupted
from napari_necroseg.core.project.models import find_interrupted
from napari_necroseg.jobs.train import TrainingControls
from napari_necroseg.layerdata import Role, case_source, mask_layer
from napari_necroseg.widgets.shared import qt_parts
from napari_necroseg.widgets.shared.qt_parts import beside, button, lay
from napari_necroseg.widgets.shared.workspace import Workspace


class RunControls(QWidget):
    """Two buttons for the training that runs: pause it, or end it and keep the model as it is.

    `kept` is emitted when the training is to end with the model as it is.
    """

    kept = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.controls = TrainingControls()
        self.pause = button(tr("Pause"), tr("Let the training stand still, so that the computer is free."))
        self.pause.setCheckable(True)
        self.pause.toggled.connect(self._on_pause)
        help_text = tr("End the training now, and keep the model as it is.")
        self.keep = button(tr("Stop and keep"), help_text, act=self._on_keep)
        lay(self, beside(self.pause, self.keep))

    def show_busy(self, is_busy: bool) -> None:
        """Show the buttons while a training runs."""
        self.setVisible(is_busy)
        self.keep.setEnabled(is_busy)
        if not is_busy:
            self.pause.setChecked(False)

    def give_up(self) -> None:
        """Make a stop leave nothing: without this it is an interruption that can be gone on from."""
        self.controls.leave.clear()

    def _on_pause(self, pauses: bool) -> None:
        """Let the training stand still after its step, or go on."""
        self.pause.setText(tr("Go on") if pauses else tr("Pause"))
        (self.controls.pause.set if pauses else self.controls.pause.clear)()

    def _on_keep(self) -> None:
        self.controls.keep.set()
        self.keep.setEnabled(False)
        self.kept.emit()


class InterruptedTraining(QWidget):
    """Two buttons for the training that was interrupted last, in the folder `run`; hidden without one.

    `discarded` is emitted with a message when it was discarded, or could not be.
    """

    discarded = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.run: Path | None = None
        help_text = tr(
            "This training was interrupted. Go on from its last save, with its own choices and cases."
        )
        self.go_on = button("", help_text)
        help_text = tr("Remove what the interrupted training has learned.")
        self.discard = button(tr("Discard"), help_text, act=self._on_discard)
        lay(self, beside(self.go_on, self.discard, wide=self.go_on))

    def look(self, models: Path | None) -> None:
        """Look whether a training in this folder was interrupted."""
        self.show_run(find_interrupted(models))

    def show_run(self, run: Path | None) -> None:
        """Name a training, or none."""
        self.run = run
        self.go_on.setText("" if run is None else tr("Go on with {name}", name=run.name))

    def _on_discard(self) -> None:
        run = self.run
        if run is None or not qt_parts.ask_discard(
            self, tr("Discard what the training {name} has learned?", name=run.name)
        ):
            return
        try:
            discard_interrupted(run)
        except NecrosegError as error:
            self.discarded.emit(shown(error))
            return
        self.discarded.emit(tr("Discarded {name}.", name=run.name))


class LiveMask:
    """One layer for each training, made when there is something to see.

    A layer that is removed or drawn on is the person's: it is not updated, and no other is added.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._case: str | None = None
        self._run = ""
        self._layer: ref[Layer] | None = None

    def begin(self, held_out: tuple[str, ...], run: str) -> str | None:
        """Prepare for a training; return the case to show: the open one, if it is left out."""
        self._run = run
        case = self._workspace.case
        self._case = None if case is None or case.name not in held_out else case.name
        # The layer of the last training stays, as it is.
        self._layer = None
        return self._case

    def show(self, picture: ValidationPicture) -> None:
        """Show a prediction in place of the last one; nothing happens if another case is open now."""
        case = self._workspace.case
        if case is None or not case.name == picture.case == self._case:
            return
        layers = self._workspace.layers
        name = f"in training, Dice {picture.dice:.2f}"
        if self._layer is None:
            # A role of its own: the output of a half-trained network is not the prediction to save or score.
            source = case_source(case, Role.IN_TRAINING, run=f"{self._run}-in-training")
            self._layer = ref(layers.add(mask_layer(picture.labels, source, name=name), is_saved=True))
            return
        layer = self._layer()
        if isinstance(layer, Labels) and layers.keep_up(layer, picture.labels.voxels):
            layer.name = name
