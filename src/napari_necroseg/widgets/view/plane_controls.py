"""The buttons of the view bar that choose planes: sagittal, coronal, axial, three at once, and 3D."""

from functools import partial

from qtpy.QtCore import QObject, QSignalBlocker
from qtpy.QtGui import QAction

from napari_necroseg.core.language import tr
from napari_necroseg.widgets.shared.dock import Listeners
from napari_necroseg.widgets.shared.plane import shown_axis
from napari_necroseg.widgets.shared.qt_parts import on_destroyed
from napari_necroseg.widgets.shared.workspace import Workspace
from napari_necroseg.widgets.view.bar import ViewBar
from napari_necroseg.widgets.view.cross_click import CrossClick
from napari_necroseg.widgets.view.figure_maker import FigureMaker
from napari_necroseg.widgets.view.helper_rows import HelperRows
from napari_necroseg.widgets.view.solid_view import SolidView
from napari_necroseg.widgets.view.three_planes import ThreePlanes
from napari_necroseg.widgets.view.turn import turn_to


class PlaneControls(QObject):
    """Puts the buttons into the bar, and keeps them in line with what is shown."""

    def __init__(self, workspace: Workspace, bar: ViewBar) -> None:
        super().__init__(bar)
        self._workspace, self._bar = workspace, bar
        self.three_planes, self.solid_view = ThreePlanes(workspace), SolidView(workspace)
        for part in (self.three_planes, self.solid_view):
            part.setParent(self)
        self.figure = FigureMaker(workspace, self.three_planes, parent=bar)
        self._fill(bar)
        for action in self.planes.values():
            action.setCheckable(True)
        self.three_planes.changed.connect(self.follow)
        self.solid_view.changed.connect(self.follow)
        self._listeners = Listeners()
        for event in (
            workspace.layers.viewer.dims.events.order,
            workspace.layers.viewer.dims.events.ndisplay,
        ):
            self._listeners.connect(event, self.follow)
        self._click = CrossClick(workspace)
        self._rows = HelperRows(workspace.layers, parent=bar)
        heard = (self._listeners, self.solid_view.listeners, self._rows.listeners)
        stops = (self.solid_view.stop, self.figure.stop)
        on_destroyed(bar, *stops, *(listeners.disconnect for listeners in heard))
        self.speak()
        self.follow()

    def speak(self) -> None:
        """Put the buttons into the language that is chosen."""
        for action, (text, help_text) in self._titles().items():
            self._bar.retitle(action, text=text, help_text=help_text)

    def follow(self, _event: object = None) -> None:
        """Show which plane and which sequence is shown."""
        axis = shown_axis(self._workspace.layers.viewer)
        for plane, action in self.planes.items():
            _check(action, plane == axis)
        _check(self.solid, self.solid_view.is_on)
        _check(self.three, self.three_planes.is_on)

    def _fill(self, bar: ViewBar) -> None:
        """Add the buttons; their texts are set together, and again in another language."""
        turn = self._turn
        self.planes = {
            axis: bar.add_button("planes", "", help_text="", act=partial(turn, axis)) for axis in (0, 2, 1)
        }
        self.three = bar.add_button("planes", "", help_text="", toggled=self.three_planes.switch)
        self.solid = bar.add_button("planes", "", help_text="", toggled=self.solid_view.switch)
        self.picture = bar.add_button("figure", "", help_text="", act=self.figure.ask)

    def _titles(self) -> dict[QAction, tuple[str, str]]:
        """Return the text and the explanation of each button."""
        return {
            self.planes[0]: (tr("Sag"), tr("Show sagittal slices, through the cross-hair. Key: F5")),
            self.planes[2]: (tr("Cor"), tr("Show coronal slices, through the cross-hair. Key: F6")),
            self.planes[1]: (tr("Ax"), tr("Show axial slices, through the cross-hair. Key: F7")),
            self.three: (
                tr("3 planes"),
                tr("Show one sequence in three planes at once; again: both side by side. Key: F8"),
            ),
            self.solid: (
                tr("3D"),
                tr("Show the visible contours as surfaces in space; again: back to the slices. Key: F9"),
            ),
            self.picture: (
                tr("Figure"),
                tr("Save what is shown as a picture or a drawing, with names, scale and scores."),
            ),
        }

    def _turn(self, axis: int) -> None:
        turn_to(self._workspace, axis)
        self.follow()


def _check(action: QAction, is_checked: bool) -> None:
    blocker = QSignalBlocker(action)
    action.setChecked(is_checked)
    blocker.unblock()
