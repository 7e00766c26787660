"""What a viewer's canvas shows and hears besides napari's own: one `View` for each viewer."""

from weakref import WeakKeyDictionary, ref

from napari.components import ViewerModel
from qtpy.QtWidgets import QBoxLayout, QWidget

from napari_necroseg.core.project.remembered import remember
from napari_necroseg.widgets.shared.panes import canvas_of
from napari_necroseg.widgets.shared.qt_parts import given
from napari_necroseg.widgets.shared.workspace import Workspace, unwrapped
from napari_necroseg.widgets.view.bar import ViewBar
from napari_necroseg.widgets.view.controls import Controls
from napari_necroseg.widgets.view.plane_controls import PlaneControls
from napari_necroseg.widgets.view.screen import Screen

# The screen of each viewer with a window. The window owns it, and it holds parts that hold the viewer: held
# here, too, neither would ever go.
_screens: "WeakKeyDictionary[ViewerModel, ref[Screen]]" = WeakKeyDictionary()


class View:
    """The canvas of a viewer for a reader of images; `View.of` returns the one of a viewer.

    It stays when the panel is closed: captions are of use to everybody, and mouse and keys can be given back
    to napari. `screen`: the parts on the canvas of a window; None for a viewer without one.
    """

    def __init__(self, screen: Screen | None) -> None:
        self.screen = screen

    @classmethod
    def of(cls, viewer: ViewerModel) -> "View":
        """Return the view of a viewer, made at the first call; napari's proxies are looked through."""
        viewer = unwrapped(viewer)
        canvas = canvas_of(viewer)
        if canvas is None:
            return cls(None)
        known = _screens.get(viewer)
        screen = None if known is None else known()
        if screen is None:
            screen = _made(viewer, canvas)
            _screens[viewer] = ref(screen)
        return cls(screen)

    @property
    def bar(self) -> ViewBar | None:
        """The row of buttons above the canvas; None for a viewer without a window."""
        return None if self.screen is None else self.screen.bar

    @property
    def planes(self) -> PlaneControls | None:
        """The buttons that choose planes; None for a viewer without a window."""
        return None if self.screen is None else self.screen.planes

    @property
    def reader_controls(self) -> bool:
        """Whether mouse and keys are those of a reader's workstation, not napari's own."""
        return self.screen is not None and self.screen.reader_controls

    def speak(self) -> None:
        """Put captions, bar and keys into the language that is chosen."""
        if self.screen is not None:
            self.screen.speak()

    def set_reader_controls(self, wanted: bool) -> None:
        """Take mouse and keys, or give them back to napari, at once, and remember it."""
        remember(reader_controls=wanted)
        self.follow_choices()

    def set_captions(self, wanted: bool) -> None:
        """Write captions on the images, or not, at once, and remember it."""
        remember(captions=wanted)
        self.follow_choices()

    def follow_choices(self) -> None:
        """Do as is remembered now: mouse and keys, and captions."""
        if self.screen is not None:
            self.screen.follow_choices()


def _made(viewer: ViewerModel, canvas: QWidget) -> Screen:
    workspace = Workspace.of(viewer)
    screen = Screen(workspace, canvas)
    Controls(workspace, screen)
    above = given(given(canvas.parentWidget()).layout())
    assert isinstance(above, QBoxLayout), "napari puts the sliders below the canvas"
    above.insertWidget(0, screen.bar)
    screen.bar.go_before(canvas)
    screen.left_column.restore()
    return screen
