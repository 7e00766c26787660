"""Choices of a prediction: models to average with, the part of the image, and all cases of a cohort."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Shapes
from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QComboBox,
    QLabel,
    QListWidget,
    QWidget,
)

from napari_necroseg.core.case import Case
from napari_necroseg.core.errors import SettingsError
from napari_necroseg.core.events import CaseDone, CaseFailed, Event, Warned
from napari_necroseg.core.project.models import run_title
from napari_necroseg.jobs.predict import Place
from napari_necroseg.widgets.shared.plane import ClickOnce, Index, index_of
from napari_necroseg.widgets.shared.qt_parts import Section, TickList, below, beside, button, lay
from napari_necroseg.widgets.shared.workspace import Workspace

_ENSEMBLE_HELP = (
    "Ticked models predict, too, and the mean of all counts: the models of the folds of a study, say. How "
    "far they disagree is shown as uncertainty."
)
_WHOLE, _CLICK, _BOX = "the whole image", "around a click", "in a drawn box"
_PART_HELP = (
    "The whole image; or a part, for an outline of one zone alone: press Predict and click on the zone, or "
    "draw a rectangle in a new Shapes layer first. Beside the part, the probability is 0."
)
Point = tuple[float, float, float]
_BATCH_HELP = (
    "Predict every case of the cohort, and write the masks into the project's folder predictions. A mask "
    "that is there already stays as it is. A case that cannot be predicted does not stop the others."
)


class EnsembleChoice(Section):
    """A list of models with ticks; hidden if there is no model to tick."""

    chosen = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Average with other models", parent)
        self.toggleButton().setToolTip(_ENSEMBLE_HELP)
        self._list = TickList()
        self._list.setFixedHeight(90)
        self._list.setToolTip(_ENSEMBLE_HELP)
        self._list.itemChanged.connect(self._on_changed)
        self.addWidget(self._list)
        self.hide()

    def show_runs(self, runs: list[Path]) -> None:
        """List models; ticks stay where the model is still listed."""
        ticked = self.ticked()
        self._list.fill((run_title(run), run, run in ticked) for run in runs)
        self.setVisible(bool(runs))
        self._on_changed()

    def ticked(self) -> list[Path]:
        """Return the ticked models."""
        return self._list.ticked()

    def _on_changed(self) -> None:
        n = len(self.ticked())
        self.setText("Average with other models" + (f" ({n} ticked)" if n else ""))
        self.chosen.emit()


class RegionChoice(QWidget):
    """Chooses the part of the image to predict, and waits for a click if it needs one."""

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._click = ClickOnce(workspace)
        self.choice = QComboBox()
        self.choice.addItems([_WHOLE, _CLICK, _BOX])
        self.choice.setToolTip(_PART_HELP)
        lay(self, beside(QLabel("Predict"), self.choice, wide=self.choice))

    @property
    def is_waiting(self) -> bool:
        """Whether a click is waited for."""
        return self._click.is_waiting

    def ask(self, case: Case, then: Callable[[Place], None]) -> bool:
        """Call `then` with the chosen part, at once or after a click; False if that is waited for.

        Raises SettingsError if no box is drawn.
        """
        chosen = self.choice.currentText()
        if chosen == _CLICK:
            self._click.wait(case, lambda index: then(Place(point_mm=_world_mm(case, [index])[0])))
            return False
        then(Place() if chosen == _WHOLE else Place(box_mm=self._box_mm(case)))
        return True

    def stop_waiting(self) -> None:
        """Let clicks be clicks again."""
        self._click.stop()

    def _box_mm(self, case: Case) -> tuple[Point, ...]:
        drawn = [
            layer
            for layer in self._workspace.layers.viewer.layers
            if isinstance(layer, Shapes) and layer.data
        ]
        if not drawn:
            raise SettingsError("Draw a rectangle around the zone in a new Shapes layer, then press Predict.")
        shapes = drawn[-1]
        corners = [shapes.data_to_world(corner) for corner in shapes.data[-1]]
        return _world_mm(case, [index_of(self._workspace, case, position=corner) for corner in corners])


def _world_mm(case: Case, indices: list[Index]) -> tuple[Point, ...]:
    """Return the positions in the patient of voxels."""
    points: Iterator[Any] = iter(case.grid.to_world_mm(np.asarray(indices)))
    return tuple((float(x), float(y), float(z)) for x, y, z in points)


class BatchList(Section):
    """The button that starts a batch, which emits `wanted`, and a row for each case that is over."""

    wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("All cases of the cohort", parent)
        self._is_running = False
        self.toggleButton().setToolTip(_BATCH_HELP)
        self.start_button = button("Predict all cases", _BATCH_HELP, act=self.wanted)
        self.rows = QListWidget()
        self.rows.setFixedHeight(110)
        self.rows.setWordWrap(True)
        self.rows.setToolTip("What has become of each case.")
        self.addWidget(lay(QWidget(), below(self.start_button, self.rows)))

    def begin(self) -> None:
        """Clear the list: events from now on belong to a new batch."""
        self.rows.clear()
        self._is_running = True

    def end(self) -> None:
        """Keep the rows: events from now on do not belong to this batch."""
        self._is_running = False

    def show_event(self, event: Event) -> None:
        """Add a row for a case that is done, or not."""
        match event if self._is_running else None:
            case CaseDone(case=name, seconds=seconds):
                self._add(f"{name}: done in {seconds:.1f} s")
            case CaseFailed(case=name, reason=reason):
                self._add(f"⚠ {name}: {reason}")
            case Warned(message=message):
                self._add(f"⚠ {message}")

    def _add(self, text: str) -> None:
        self.rows.addItem(text)
        self.rows.scrollToBottom()
