"""All that lies on the canvas of a window, or hears its mouse and keys."""

from contextlib import suppress
from typing import Any

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QWidget

from napari_necroseg.core.project.remembered import read_remembered
from napari_necroseg.widgets.shared.workspace import Workspace
from napari_necroseg.widgets.view.bar import ViewBar
from napari_necroseg.widgets.view.contour_switch import ContourSwitch
from napari_necroseg.widgets.view.contrast import Contrast
from napari_necroseg.widgets.view.fit import Fit
from napari_necroseg.widgets.view.focus_ring import FocusRing
from napari_necroseg.widgets.view.geometry import is_sequence
from napari_necroseg.widgets.view.key_sheet import KeySheet
from napari_necroseg.widgets.view.keyboard_click import KeyboardClick
from napari_necroseg.widgets.view.keys import Keys
from napari_necroseg.widgets.view.left_column import LeftColumn
from napari_necroseg.widgets.view.mouse import Mouse
from napari_necroseg.widgets.view.overlay import Captions, Sheet
from napari_necroseg.widgets.view.plane_controls import PlaneControls
from napari_necroseg.widgets.view.plane_outlines import PlaneOutlines
from napari_necroseg.widgets.view.ruler import Ruler
from napari_necroseg.widgets.view.slider_numbers import SliderNumbers
from napari_necroseg.widgets.view.surroundings import Surroundings
from napari_necroseg.widgets.view.window_menu import WindowMenu


class Screen(QObject):
    """The parts on the canvas of a window, which owns this object.

    `bar`: the row of buttons above the canvas; `planes`: those of them that choose planes. `spoken`: emitted
    when another language was chosen.
    """

    spoken = Signal()

    def __init__(self, workspace: Workspace, canvas: QWidget) -> None:
        super().__init__(canvas)
        viewer: Any = workspace.layers.viewer
        self._workspace = workspace
        self.fit = Fit(workspace, self)
        self.contrast = Contrast(workspace)
        self.contours = ContourSwitch(workspace)
        self.sheet = Sheet(workspace, canvas)
        self.captions = Captions(workspace, self.sheet)
        self.outlines = PlaneOutlines(workspace, self.sheet)
        self.ruler = Ruler(workspace, self.sheet)
        self.mouse = Mouse(workspace, canvas, fit=self.fit, ruler=self.ruler, contrast=self.contrast)
        self.keyboard = KeyboardClick(workspace, self.sheet, mouse=self.mouse)
        self.key_sheet = KeySheet(canvas)
        self.keys = Keys(canvas)
        self.numbers = SliderNumbers(viewer, viewer.window._qt_viewer.dims)
        self.left_column = LeftColumn(viewer, viewer.window._qt_window)
        self.window_menu = WindowMenu(self.contrast, canvas)
        self.focus_ring = FocusRing(viewer.window._qt_window, canvas)
        self.surroundings = Surroundings(viewer, viewer.window._qt_window.statusBar())
        self.bar = ViewBar(viewer)
        self.planes = PlaneControls(workspace, self.bar)
        self.planes.figure.ruler = self.ruler
        # napari draws a box behind the circle of the brush, which stays when the pointer has left the canvas.
        viewer.canvas.overlays._brush_circle.box = False
        for name in ("inserted", "removed"):
            getattr(viewer.layers.events, name).connect(self._on_layers)
        viewer.window._qt_viewer.canvas.events.draw.connect(self.fit.on_draw)
        workspace.layers.shown.connect(self._on_shown)
        self.follow_choices()

    @property
    def reader_controls(self) -> bool:
        """Whether mouse and keys are those of a reader's workstation."""
        return self.mouse.is_on

    def follow_choices(self) -> None:
        """Take mouse and keys or leave them to napari, and write captions or not, as is remembered."""
        remembered = read_remembered()
        self.mouse.is_on = self.keys.is_on = remembered.reader_controls
        self.surroundings.set_on(remembered.reader_controls)
        if not remembered.reader_controls:
            self.ruler.clear()
            self.keyboard.hide()
        self.captions.are_shown = remembered.captions
        # Without captions, napari says at least which sequence is which.
        self._workspace.layers.panes.writes_names = not remembered.captions
        self.sheet.refresh()
        self._on_layers()

    def speak(self) -> None:
        """Put all texts into the language that is chosen."""
        self.planes.speak()
        self.surroundings.follow()
        self.spoken.emit()
        self.key_sheet.close_it()
        self.sheet.refresh()

    def _on_shown(self) -> None:
        """Give new panes their sizes before they are drawn: napari's first frame would be magnified."""
        viewer: Any = self._workspace.layers.viewer
        canvas = viewer.window._qt_viewer.canvas
        with suppress(AttributeError):
            # vispy lays its grid out only while it draws, and there is no public way to ask for it.
            canvas.grid._update_child_widget_dim()
        canvas.on_draw()

    def _on_layers(self, _event: object = None) -> None:
        is_captioned = any(is_sequence(layer) for layer in self._workspace.layers.viewer.layers)
        self.numbers.show(not (is_captioned and self.captions.are_shown))
