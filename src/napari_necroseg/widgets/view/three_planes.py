"""One sequence in three planes at once: napari's canvas, where one draws, and two light panes beside it."""

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any
from weakref import WeakSet

from napari.layers import Image, Labels, Layer
from qtpy.QtCore import QObject, Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QLayout, QPushButton, QVBoxLayout, QWidget

from napari_necroseg.core.language import tr
from napari_necroseg.layerdata import Role, source_of
from napari_necroseg.widgets.shared.dock import Listeners
from napari_necroseg.widgets.shared.panes import canvas_of, shown_at_once
from napari_necroseg.widgets.shared.plane import shown_axis
from napari_necroseg.widgets.shared.qt_parts import beside, button, given, on_destroyed, timer
from napari_necroseg.widgets.shared.workspace import Workspace
from napari_necroseg.widgets.view.canvas_cross import CanvasCross
from napari_necroseg.widgets.view.side_pane import SidePane
from napari_necroseg.widgets.view.turn import ORDERS, fit, turn_to

SEQUENCES = (Role.CET1, Role.T2)
# A stroke is followed without drawing more often than a screen can show.
_REDRAW_MS = 15
_IMAGE_EVENTS = ("contrast_limits", "gamma", "data")
_MASK_EVENTS = ("paint", "labels_update", "set_data", "data", "visible", "opacity", "contour", "colormap")


class ThreePlanes(QObject):
    """Switches between both sequences side by side and one sequence in three planes.

    `changed` is emitted when it was switched, or shows another sequence.
    """

    changed = Signal()

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._workspace = workspace
        self.is_on = False
        self.sequence = Role.CET1
        self.panes: list[SidePane] = []
        self.buttons: dict[Role, QPushButton] = {}
        self._column: QWidget | None = None
        self._cross = CanvasCross(workspace.layers)
        self._heard: WeakSet[Layer] = WeakSet()
        self._were_visible: dict[Layer, bool] = {}
        self._soon = timer(self, _REDRAW_MS, act=self._redraw)
        self._listeners = Listeners()
        self._listen()

    def switch(self, is_on: bool) -> None:
        """Show one sequence in three planes, or both sequences side by side; napari takes a while for it."""
        if is_on != self.is_on:
            self.is_on = is_on
            self._workspace.screen.start(self._begin() if is_on else self._end())
            self.changed.emit()

    def show_sequence(self, sequence: Role) -> None:
        """Show ceT1 or T2 in all three planes; a case without it shows the other."""
        self.sequence = sequence
        if self.is_on:
            shown = self.image
            for image in self.images():
                self._workspace.layers.aside.set_shown(image, image is shown)
            self._redraw()
        found = {_role(image) for image in self.images()}
        for role, one in self.buttons.items():
            one.setChecked(role is sequence)
            one.setEnabled(role in found)
        self.changed.emit()

    @property
    def image(self) -> Image | None:
        """The image that the planes show."""
        wanted = sorted(self.images(), key=lambda one: _role(one) is not self.sequence)
        return wanted[0] if wanted else None

    def _begin(self) -> Iterator[None]:
        viewer = self._workspace.layers.viewer
        self._workspace.cross_hair.enter()
        with shown_at_once(viewer):
            viewer.dims.ndisplay = 2
            self._were_visible = {one: one.visible for one in self.images()}
            for _step in self._workspace.layers.panes.stack(True):
                yield
            self._hear()
            self._column = self._made_column() if self._column is None else self._column
            self._column.setVisible(True)
            yield
            self.show_sequence(self.sequence)
            yield
            fit(viewer)
        self._redraw()

    def _end(self) -> Iterator[None]:
        viewer = self._workspace.layers.viewer
        with shown_at_once(viewer):
            viewer.dims.ndisplay = 2
            if self._column is not None:
                self._column.setVisible(False)
            self._cross.show(False)
            for image, was_visible in self._were_visible.items():
                if image in viewer.layers:
                    image.visible = was_visible
                    yield
            self._were_visible = {}
            for _step in self._workspace.layers.panes.stack(False):
                yield
            fit(viewer)

    def _made_column(self) -> QWidget:
        """Put the two panes beside the canvas, between the bar above it and the slider below."""
        column = QWidget()
        layout = QVBoxLayout(column)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(self._choice())
        for axis in self._side_axes():
            pane = SidePane(self._workspace, axis=axis, enlarge=self._enlarge)
            self.panes.append(pane)
            layout.addWidget(pane)
        canvas = canvas_of(self._workspace.layers.viewer)
        if canvas is not None:
            _put_beside(canvas, column)
        on_destroyed(column, self._listeners.disconnect)
        return column

    def _choice(self) -> QLayout:
        """Return the buttons that choose the sequence; beside the bar, whose buttons stay where they are."""
        for role in SEQUENCES:
            made = button(
                str(role),
                tr("Show {sequence} in all three planes.", sequence=str(role)),
                act=partial(self.show_sequence, role),
            )
            made.setCheckable(True)
            made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            self.buttons[role] = made
        return beside(*self.buttons.values())

    def _enlarge(self, axis: int) -> None:
        turn_to(self._workspace, axis)

    def _side_axes(self) -> list[int]:
        shown = shown_axis(self._workspace.layers.viewer)
        return [axis for axis in ORDERS if axis != (0 if shown is None else shown)]

    def _redraw(self) -> None:
        if not self.is_on:
            return
        # The window, and the panes with it, may be gone by now.
        with suppress(RuntimeError):
            for pane, axis in zip(self.panes, self._side_axes(), strict=False):
                pane.show_image(self.image, axis)
        self._cross.show(self._workspace.layers.viewer.dims.ndisplay == 2)

    def images(self) -> list[Image]:
        """Return ceT1 and T2 of the open case, as far as it has them."""
        case = self._workspace.case
        found = [] if case is None else self._workspace.layers.find(case.name, SEQUENCES)
        return [layer for layer in found if isinstance(layer, Image)]

    def _listen(self) -> None:
        viewer = self._workspace.layers.viewer
        for event in (viewer.layers.events.inserted, viewer.layers.events.removed):
            self._listeners.connect(event, self._on_layers)
        for event in (viewer.dims.events.order, viewer.dims.events.ndisplay):
            self._listeners.connect(event, self._on_change)
        self._listeners.connect(self._workspace.cross_hair.changed, self._on_change)
        self._listeners.connect(self._workspace.case_changed, self._on_case)

    def _hear(self) -> None:
        for layer in self._workspace.layers.viewer.layers:
            if layer in self._heard or not isinstance(layer, Image | Labels):
                continue
            self._heard.add(layer)
            for name in _IMAGE_EVENTS if isinstance(layer, Image) else _MASK_EVENTS:
                self._listeners.connect(getattr(layer.events, name), self._on_change)

    def _on_layers(self, _event: object = None) -> None:
        if self.is_on:
            self._hear()
            self._on_change()

    def _on_case(self) -> None:
        if self.is_on:
            self.show_sequence(self.sequence)

    def _on_change(self, _event: object = None) -> None:
        if self.is_on and not self._soon.isActive():
            self._soon.start()


def _put_beside(canvas: QWidget, column: QWidget) -> None:
    below: Any = given(canvas.parentWidget()).layout()
    place = below.indexOf(canvas)
    below.removeWidget(canvas)
    both = QHBoxLayout()
    both.setSpacing(4)
    both.addWidget(canvas, 5)
    both.addWidget(column, 2)
    below.insertLayout(place, both, 1)


def _role(layer: Layer) -> Role | None:
    source = source_of(layer.metadata)
    return None if source is None else source.role
