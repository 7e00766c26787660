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
from napari_necroseg.widgets.view.three_planes import SEQUENCES, ThreePlanes
from napari_necroseg.widgets.view.turn import turn_to


class PlaneControls(QObject):
    """Puts the buttons into the bar, and keeps them in line with what is shown."""

    def __init__(self, workspace: Workspace, bar: ViewBar) -> None:
        super().__init__(bar)
        self._workspace = workspace
        self.three_planes, self.solid_view = ThreePlanes(workspace), SolidView(workspace)
        self.planes = {
            0: self._plane(bar, 0, tr("Sag"), tr("Show sagittal slices, through the cross-hair.")),
            2: self._plane(bar, 2, tr("Cor"), tr("Show coronal slices, through the cross-hair.")),
            1: self._plane(bar, 1, tr("Ax"), tr("Show axial slices, through the cross-hair.")),
        }
        self.three = bar.add_button(
            "planes",
            tr("3 planes"),
            help_text=tr("Show one sequence in three planes at once; again: both sequences side by side."),
            toggled=self.three_planes.switch,
        )
        self.sequences = {
            role: bar.add_button(
                "planes",
                str(role),
                help_text=tr("Show {sequence} in all three planes.", sequence=str(role)),
                act=partial(self.three_planes.show_sequence, role),
            )
            for role in SEQUENCES
        }
        self.solid = bar.add_button(
            "planes",
            tr("3D"),
            help_text=tr("Show the visible contours as surfaces in space; again: back to the slices."),
            toggled=self.solid_view.switch,
        )
        self.figure = FigureMaker(workspace, self.three_planes, parent=bar)
        bar.add_button(
            "figure",
            tr("Figure"),
            help_text=tr("Save what is shown as a picture or a drawing, with names, scale and scores."),
            act=self.figure.ask,
        )
        for action in (*self.planes.values(), *self.sequences.values()):
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
        self.follow()

    def follow(self, _event: object = None) -> None:
        """Show which plane and which sequence is shown."""
        axis = shown_axis(self._workspace.layers.viewer)
        for plane, action in self.planes.items():
            _check(action, plane == axis)
        _check(self.solid, self.solid_view.is_on)
        _check(self.three, self.three_planes.is_on)
        for role, action in self.sequences.items():
            action.setVisible(self.three_planes.is_on)
            _check(action, role is self.three_planes.sequence)

    def _plane(self, bar: ViewBar, axis: int, *texts: str) -> QAction:
        text, help_text = texts
        return bar.add_button("planes", text, help_text=help_text, act=partial(self._turn, axis))

    def _turn(self, axis: int) -> None:
        turn_to(self._workspace, axis)
        self.follow()


def _check(action: QAction, is_checked: bool) -> None:
    blocker = QSignalBlocker(action)
    action.setChecked(is_checked)
    blocker.unblock()
