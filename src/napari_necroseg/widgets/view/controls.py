"""The keys of the view with what they do, and its buttons in the bar."""

from functools import partial

from napari.layers import Labels
from qtpy.QtCore import QObject, QSignalBlocker
from qtpy.QtGui import QAction
from qtpy.QtWidgets import QToolButton

from napari_necroseg.core.language import tr
from napari_necroseg.layerdata import spacing_mm_of
from napari_necroseg.widgets.shared.plane import shown_axis
from napari_necroseg.widgets.shared.workspace import Workspace
from napari_necroseg.widgets.view.key_sheet import Rows
from napari_necroseg.widgets.view.keys import Key
from napari_necroseg.widgets.view.screen import Screen
from napari_necroseg.widgets.view.slices import go_to_end, step_slices

# The radius of the brush grows and shrinks by this with each press.
BRUSH_STEP_MM = 0.5
_FAST_VOXELS = 10


class Controls(QObject):
    """Fills the bar, and gives the keys their work; owned by the screen."""

    def __init__(self, workspace: Workspace, screen: Screen) -> None:
        super().__init__(screen)
        self._workspace, self._screen = workspace, screen
        # The sheet of keys is there for who has napari's own keys, too.
        screen.keys.always = ("F1",)
        screen.key_sheet.set_tables(self.tables)
        self._fill_bar()
        self.speak()
        screen.spoken.connect(self.speak)

    def speak(self) -> None:
        """Put buttons and keys into the language that is chosen."""
        for action, (text, help_text) in self._titles().items():
            self._screen.bar.retitle(action, text=text, help_text=help_text)
        keys = [*self._of_view(), *self._of_planes(), *self._of_cross_hair(), *self._of_slices()]
        self._screen.keys.own = keys

    def tables(self) -> dict[str, Rows]:
        """Return all keys and moves of the mouse, by title."""
        keys = [("  /  ".join(key.names), key.title) for key in self._screen.keys.entries if key.title]
        tools = [(entry.shown_key, entry.title) for entry in self._workspace.tools.entries if entry.key]
        tables: dict[str, Rows] = {tr("Mouse"): _mouse_rows(), tr("Keys of the view"): keys}
        tables[tr("Captions")] = [
            ("R 12 mm", tr("side of the slice, from the middle of the image")),
            ("W  L", tr("window (contrast) and level (brightness)")),
        ]
        if tools:
            tables[tr("Tools")] = tools
        tables[tr("In the whole window")] = [
            ("Ctrl+Enter", tr("Press the blue button of the panel, such as Sign off and next.")),
            ("Space", tr("Hold it to move the image while a tool is chosen.")),
            ("Ctrl+Z", tr("Take the last stroke back.")),
            ("Ctrl+Shift+Z", tr("Bring it back again.")),
        ]
        return tables

    def _of_view(self) -> list[Key]:
        screen = self._screen
        larger, smaller = (
            partial(self.change_brush, BRUSH_STEP_MM),
            partial(self.change_brush, -BRUSH_STEP_MM),
        )
        return [
            Key(names=("L",), title=tr("Fit the lesion; again: the whole image"), act=screen.fit.to_lesion),
            Key(names=("C",), title=tr("Hide or show all contours"), act=screen.contours.toggle),
            Key(names=("R",), title=tr("Ruler: drag with the left button"), act=self._toggle_ruler),
            Key(names=("[",), title=tr("Smaller brush"), act=smaller, repeats=True),
            Key(names=("]",), title=tr("Larger brush"), act=larger, repeats=True),
            Key(names=("Esc",), title=tr("Remove the ruler, this sheet or the cross-hair"), act=self._escape),
            Key(names=("?", "F1"), title=tr("All keys"), act=screen.key_sheet.toggle),
        ]

    def _of_planes(self) -> list[Key]:
        planes = self._screen.planes
        actions = {
            "F5": (planes.planes[0], tr("Sagittal")),
            "F6": (planes.planes[2], tr("Coronal")),
            "F7": (planes.planes[1], tr("Axial")),
            "F8": (planes.three, tr("Three planes at once")),
            "F9": (planes.solid, tr("Surfaces in 3D")),
        }
        return [
            Key(names=(name,), title=title, act=action.trigger) for name, (action, title) in actions.items()
        ]

    def _of_cross_hair(self) -> list[Key]:
        """Return the keys that stand in for the mouse."""
        move, hint = self._screen.keyboard.move, tr("Move a cross-hair; with Shift faster")
        ways = {"←": (0, -1), "→": (0, 1), "↑": (-1, 0), "↓": (1, 0)}
        plain = [
            Key(names=(name,), title="", act=partial(move, *way), on_canvas=True, repeats=True)
            for name, way in ways.items()
        ]
        fast = [
            Key(
                names=(f"Shift+{name}",),
                title="",
                act=partial(move, down * _FAST_VOXELS, right * _FAST_VOXELS),
                on_canvas=True,
                repeats=True,
            )
            for name, (down, right) in ways.items()
        ]
        listed = Key(names=("← → ↑ ↓",), title=hint, act=lambda: False)
        enter = tr("Click at the cross-hair; again: close the polygon")
        click = Key(names=("Enter",), title=enter, act=self._screen.keyboard.click, on_canvas=True)
        return [listed, *plain, *fast, click]

    def _of_slices(self) -> list[Key]:
        return [
            Key(names=("PgUp", ","), title=tr("Previous slice"), act=partial(self._step, -1), repeats=True),
            Key(names=("PgDn", "."), title=tr("Next slice"), act=partial(self._step, 1), repeats=True),
            Key(names=("Home",), title=tr("First slice"), act=partial(self._to_end, False), on_canvas=True),
            Key(names=("End",), title=tr("Last slice"), act=partial(self._to_end, True), on_canvas=True),
        ]

    def change_brush(self, by_mm: float) -> bool:
        """Change the radius of the brush of the mask in work; False if there is none."""
        workspace = self._workspace
        viewer = workspace.layers.viewer
        mask = workspace.in_hand or workspace.layers.panes.base_of(viewer.layers.selection.active)
        if not isinstance(mask, Labels):
            return False
        # napari's size, which the brush in millimetres follows, counts the smallest voxels in the plane.
        axis = shown_axis(viewer)
        unit_mm = min(length for number, length in enumerate(spacing_mm_of(mask)) if number != axis)
        step = max(1, round(2 * abs(by_mm) / unit_mm))
        mask.brush_size = max(1, mask.brush_size + (step if by_mm > 0 else -step))
        return True

    def _step(self, by: int) -> None:
        step_slices(self._workspace.layers.viewer, by)

    def _to_end(self, last: bool) -> None:
        go_to_end(self._workspace.layers.viewer, last=last)

    def _toggle_ruler(self) -> None:
        ruler = self._screen.ruler
        ruler.arm(not ruler.is_armed)

    def _escape(self) -> bool:
        """Take away the uppermost of what can be; False if there is nothing, so that a tool hears the key."""
        screen = self._screen
        return screen.key_sheet.close_it() or screen.ruler.clear() or screen.keyboard.hide()

    def _fill_bar(self) -> None:
        screen, bar = self._screen, self._screen.bar
        # Their texts are set together, and again in another language.
        self.layers = bar.add_button("layers", "", help_text="", toggled=self._on_layers)
        self.window = bar.add_button("contrast", "", help_text="")
        button = bar.button_of(self.window)
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        button.setMenu(screen.window_menu)
        self.contours = bar.add_button("contours", "", help_text="", toggled=self._on_contours)
        self.lesion = bar.add_button("tools", "", help_text="", act=screen.fit.to_lesion)
        self.ruler = bar.add_button("tools", "", help_text="", toggled=screen.ruler.arm)
        self.help = bar.add_button("help", "", help_text="", act=screen.key_sheet.toggle)
        screen.left_column.changed.connect(lambda folded: _check(self.layers, not folded))
        screen.contours.changed.connect(lambda hidden: _check(self.contours, not hidden))
        screen.ruler.armed.connect(lambda armed: _check(self.ruler, armed))
        _check(self.contours, True)

    def _titles(self) -> dict[QAction, tuple[str, str]]:
        """Return the text and the explanation of each button."""
        return {
            self.layers: (tr("Layers"), tr("Show napari's list of layers and their controls.")),
            self.window: (tr("Window"), tr("Window and level. With the mouse: drag with the right button.")),
            self.contours: (tr("Contours"), tr("Show all contours. Key: C")),
            self.lesion: (tr("Lesion"), tr("Fit the lesion; again: the whole image. Key: L")),
            self.ruler: (tr("Ruler"), tr("Measure: drag with the left button. Key: R")),
            self.help: ("?", tr("All keys, and what the mouse does. Key: F1")),
        }

    def _on_layers(self, shown: bool) -> None:
        self._screen.left_column.fold(not shown)

    def _on_contours(self, shown: bool) -> None:
        contours = self._screen.contours
        contours.show() if shown else contours.hide()


def _check(action: QAction, checked: bool) -> None:
    """Let a button follow what was done otherwise."""
    blocker = QSignalBlocker(action)
    action.setChecked(checked)
    blocker.unblock()


def _mouse_rows() -> Rows:
    return [
        (tr("Wheel"), tr("Next or previous slice")),
        (tr("Ctrl + wheel"), tr("Zoom")),
        (tr("Left drag"), tr("Move the image, or use the tool that is chosen")),
        (tr("Middle drag"), tr("Move the image in every tool")),
        (tr("Right drag"), tr("Window (left, right) and brightness (up, down)")),
        (tr("Right click"), tr("The tool's own, such as removing the last point")),
        (tr("Double click"), tr("Fit the lesion; again: the whole image")),
    ]
