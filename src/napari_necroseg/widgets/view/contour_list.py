"""The list of contours in the panel: for each its colour, an eye, its name, its strength, filled or not."""

from typing import Any

from napari.layers import Labels, Layer
from qtpy.QtCore import QEvent, QObject, QSignalBlocker, Qt
from qtpy.QtGui import QKeyEvent, QResizeEvent
from qtpy.QtWidgets import QColorDialog, QLabel, QSizePolicy, QSlider, QVBoxLayout, QWidget

from napari_necroseg.core.language import tr
from napari_necroseg.widgets.shared.case_layers import CaseLayers
from napari_necroseg.widgets.shared.dock import Listeners
from napari_necroseg.widgets.shared.qt_parts import Section, below, beside, lay, on_destroyed, timer
from napari_necroseg.widgets.shared.workspace import Workspace
from napari_necroseg.widgets.view import contours
from napari_necroseg.widgets.view.painted_buttons import EyeButton, FillButton, SwatchButton

_PERCENT = 100
_SLIDER_WIDTH = 64


class ContourList(QWidget):
    """One row for each mask of the case; what only explains them is under *More*."""

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._layers = workspace.layers
        self.rows: list[ContourRow] = []
        self._empty = QLabel(tr("No contours yet."))
        self._masks, self._helpers = QVBoxLayout(), QVBoxLayout()
        self.more = Section(tr("More"))
        self._listeners = Listeners()
        self._soon = timer(self, 0, act=self.refill)
        self._lay_out()
        self._listen()
        self.refill()

    def refill(self) -> None:
        """List the layers that are in the viewer now."""
        masks, helpers = contours.contours(self._layers), contours.helpers(self._layers)
        if [row.layer for row in self.rows] == [*masks, *helpers]:
            self._mark()
            return
        for row in self.rows:
            row.release()
        names = [*contours.short_names(masks), *contours.short_names(helpers)]
        self.rows = [
            ContourRow(layer, self._layers, name=name, is_mask=layer in masks)
            for layer, name in zip([*masks, *helpers], names, strict=True)
        ]
        for row in self.rows:
            (self._masks if row.layer in masks else self._helpers).addWidget(row)
        self._empty.setVisible(not masks)
        self.more.setVisible(bool(helpers))
        self._mark()

    def row_of(self, layer: Layer) -> "ContourRow | None":
        """Return the row of a layer."""
        return next((row for row in self.rows if row.layer is layer), None)

    def _lay_out(self) -> None:
        for layout in (self._masks, self._helpers):
            layout.setSpacing(2)
            layout.setContentsMargins(0, 0, 0, 0)
        inside = QWidget()
        lay(inside, self._helpers)
        self.more.setContent(inside)
        lay(self, below(self._empty, self._masks, self.more))
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)

    def _listen(self) -> None:
        events = self._layers.viewer.layers.events
        for happening in (events.inserted, events.removed, events.reordered, events.renamed):
            self._listeners.connect(happening, self._on_layers)
        self._listeners.connect(self._layers.viewer.layers.selection.events.active, self._on_layers)
        # The window may be destroyed with its widgets while the viewer's events go on.
        on_destroyed(self, self._listeners.disconnect)

    def _on_layers(self, _event: object = None) -> None:
        self._soon.start()

    def _mark(self) -> None:
        active = self._layers.panes.base_of(self._layers.viewer.layers.selection.active)
        for row in self.rows:
            row.mark(row.layer is active)


class ContourRow(QWidget):
    """Shows and changes how one layer looks; a click on its name makes it the active one."""

    def __init__(self, layer: Any, layers: CaseLayers, *, name: str, is_mask: bool) -> None:
        super().__init__()
        self.layer, self._layers, self._name = layer, layers, name
        self.colour = SwatchButton(tr("Colour"), tr("Change the colour of this contour."))
        self.eye = EyeButton(tr("Shown"), tr("Show or hide this contour."), is_switch=True)
        self.text = QLabel()
        self.strength = QSlider(Qt.Orientation.Horizontal)
        self.filled = FillButton(tr("Filled"), tr("Show the area filled, or its outline."), is_switch=True)
        self._lay_out(is_mask)
        self._connect()
        self._listeners = Listeners()
        names = ("visible", "opacity", "contour", "colormap") if is_mask else ("visible", "opacity")
        for event in names:
            self._listeners.connect(getattr(layer.events, event), self._show)
        self._listeners.connect(layers.aside.changed, self._show)
        on_destroyed(self, self._listeners.disconnect)
        self._is_mask = is_mask
        self._show()

    def mark(self, is_active: bool) -> None:
        """Mark the layer that tools and keys act on."""
        font = self.text.font()
        font.setBold(is_active)
        self.text.setFont(font)
        self._elide()

    def release(self) -> None:
        """Hear nothing more of the layer, and go."""
        self._listeners.disconnect()
        self.setParent(None)
        self.deleteLater()

    def ask_colour(self) -> None:
        """Ask for another colour."""
        chosen = QColorDialog.getColor(self.colour.colour, self, tr("Colour of {name}", name=self._name))
        if chosen.isValid():
            contours.set_colour(self.layer, chosen)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802  # Qt's name
        """Choose the layer when its name is clicked, or the space bar is pressed on it."""
        is_press = event is not None and event.type() == QEvent.Type.MouseButtonPress
        is_press |= isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress and _chooses(event)
        viewer = self._layers.viewer
        if is_press and watched is self.text and self.layer in viewer.layers:
            viewer.layers.selection.active = self.layer
        return False

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802  # Qt's name
        """Fit the name into the room that there is."""
        super().resizeEvent(event)
        self._elide()

    def _connect(self) -> None:
        self.colour.clicked.connect(self.ask_colour)
        self.eye.toggled.connect(self._on_eye)
        self.filled.toggled.connect(self._on_filled)
        self.strength.valueChanged.connect(self._on_strength)
        self.text.installEventFilter(self)

    def _on_eye(self, is_shown: bool) -> None:
        self._layers.aside.set_shown(self.layer, is_shown)

    def _on_filled(self, is_filled: bool) -> None:
        contours.set_filled(self.layer, is_filled)

    def _on_strength(self, percent: int) -> None:
        self.layer.opacity = percent / _PERCENT

    def _show(self, _event: object = None) -> None:
        """Show how the layer looks now."""
        blockers = [QSignalBlocker(one) for one in (self.eye, self.filled, self.strength)]
        self.eye.setChecked(self._layers.aside.is_shown(self.layer))
        self.strength.setValue(round(_PERCENT * float(self.layer.opacity)))
        if self._is_mask:
            self.colour.set_colour(contours.colour_of(self.layer))
            self.filled.setChecked(contours.is_filled(self.layer))
        for one in blockers:
            one.unblock()
        self.eye.update()
        self.filled.update()

    def _elide(self) -> None:
        room = max(self.text.width(), 30)
        metrics = self.text.fontMetrics()
        self.text.setText(metrics.elidedText(self._name, Qt.TextElideMode.ElideMiddle, room))

    def _lay_out(self, is_mask: bool) -> None:
        is_locked = isinstance(self.layer, Labels) and not self.layer.editable
        locked = tr("An expert's mask: locked.") if is_locked else tr("Click to draw on it.")
        self.text.setToolTip(f"{self._name}\n{locked}" if is_mask else self._name)
        self.text.setAccessibleName(self._name)
        self.text.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.text.setStyleSheet("QLabel:focus { border: 1px dotted; }")
        self.text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.strength.setRange(0, _PERCENT)
        self.strength.setFixedWidth(_SLIDER_WIDTH)
        self.strength.setToolTip(tr("How strong it is drawn."))
        self.strength.setAccessibleName(tr("Strength"))
        row = beside(self.colour, self.eye, self.text, self.strength, self.filled, wide=self.text)
        row.setSpacing(4)
        self.colour.setVisible(is_mask)
        self.filled.setVisible(is_mask)
        lay(self, row)


def _chooses(event: QKeyEvent) -> bool:
    return Qt.Key(event.key()) in (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter)
