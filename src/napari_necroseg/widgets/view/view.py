"""What a viewer's canvas shows and hears besides napari's own: one `View` for each viewer."""

from weakref import WeakKeyDictionary, ref

from napari.components import ViewerModel

from napari_necroseg.widgets.shared.panes import canvas_of
from napari_necroseg.widgets.shared.workspace import Workspace, unwrapped
from napari_necroseg.widgets.view.bar import ViewBar
from napari_necroseg.widgets.view.plane_controls import PlaneControls

_views: "WeakKeyDictionary[ViewerModel, View]" = WeakKeyDictionary()


class View:
    """The canvas of a viewer for a reader of images; `View.of` returns the one of a viewer.

    `bar`: the row of buttons above the canvas; `planes`: those of them that choose planes. Both are None for
    a viewer without a window.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = ref(viewer)
        self.bar: ViewBar | None = None
        self.planes: PlaneControls | None = None
        canvas = canvas_of(viewer)
        if canvas is not None:
            self.bar = ViewBar(viewer)
            canvas.parentWidget().layout().insertWidget(0, self.bar)
            self.planes = PlaneControls(Workspace.of(viewer), self.bar)

    @classmethod
    def of(cls, viewer: ViewerModel) -> "View":
        """Return the view of a viewer, made at the first call; napari's proxies are looked through."""
        viewer = unwrapped(viewer)
        if viewer not in _views:
            _views[viewer] = cls(viewer)
        return _views[viewer]
